//! The reasons of one interruption that were logged: each once, however often it is tried again.

/// So many are logged.
const REASONS_MAX: usize = 8;

/// Since it went well last. Several, as one way to fail may show as two that take turns.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<String>);

impl Reasons {
    /// Whether this one is to be logged now.
    pub(super) fn is_new(&mut self, reason: &str) -> bool {
        let is_new = self.0.len() < REASONS_MAX && !self.0.iter().any(|known| known == reason);
        if is_new {
            self.0.push(reason.to_owned());
        }
        is_new
    }

    /// It goes well again.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_new_once_and_they_are_not_endless() {
        let mut reasons = Reasons::default();
        assert!(reasons.is_new("no route") && reasons.is_new("disk full"));
        assert!(!reasons.is_new("no route") && !reasons.is_new("disk full"), "they take turns");
        reasons.clear();
        assert!(reasons.is_new("no route"));
        assert_eq!((0..99).filter(|nth| reasons.is_new(&nth.to_string())).count(), REASONS_MAX - 1);
    }
}
