//! A problem that ended, as the memory keeps it: one row however many messages showed it.

/// One problem of one object. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastProblem {
    /// When the core first notified of it: what a search of the core's log finds.
    pub(crate) began: i64,
    pub(crate) ended: i64,
    pub(crate) worst: Worst,
    /// How many notifications of it the core sent; those for several contacts count once.
    pub(crate) notified: u32,
    /// The object was notified as flapping while it went on.
    pub(crate) has_flapped: bool,
    pub(crate) ending: Ending,
    /// The first acknowledgement.
    pub(crate) answer: Option<Answer>,
    /// Where its first notification was sent; unknown for a problem of an imported log.
    pub(crate) destination: Option<String>,
}

/// Who acknowledged a problem first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) at: i64,
    pub(crate) by: Option<String>,
    pub(crate) remark: Option<String>,
}

/// How a problem ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The core reported the recovery.
    Recovered,
    /// It was seen to be over later: its end is at the latest then.
    Unseen,
}

/// The worst state of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Worst {
    NotKnown,
    Unknown,
    Unreachable,
    Warning,
    Down,
    Critical,
}

impl Worst {
    /// Of a state as cores write it.
    pub(crate) fn from_state(state: &str) -> Self {
        match state {
            "CRITICAL" => Self::Critical,
            "DOWN" => Self::Down,
            "WARNING" => Self::Warning,
            "UNREACHABLE" => Self::Unreachable,
            "UNKNOWN" => Self::Unknown,
            _ => Self::NotKnown,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::Down => "DOWN",
            Self::Warning => "WARNING",
            Self::Unreachable => "UNREACHABLE",
            Self::Unknown => "UNKNOWN",
            Self::NotKnown => "not well",
        }
    }

    /// As the database has it.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::NotKnown => 0,
            Self::Unknown => 1,
            Self::Unreachable => 2,
            Self::Warning => 3,
            Self::Down => 4,
            Self::Critical => 5,
        }
    }

    pub(crate) fn from_code(code: i64) -> Self {
        match code {
            1 => Self::Unknown,
            2 => Self::Unreachable,
            3 => Self::Warning,
            4 => Self::Down,
            5 => Self::Critical,
            _ => Self::NotKnown,
        }
    }
}

impl PastProblem {
    /// How long it lasted, in seconds.
    pub(crate) fn lasted(&self) -> u64 {
        u64::try_from(self.ended.saturating_sub(self.began)).unwrap_or(0)
    }

    /// Whether it was over without anybody's acknowledgement, and when is known.
    pub(crate) fn ended_by_itself(&self) -> bool {
        self.ending == Ending::Recovered && self.answer.is_none()
    }
}

impl Answer {
    /// How long after the first notification, in seconds.
    pub(crate) fn after(&self, began: i64) -> u64 {
        u64::try_from(self.at.saturating_sub(began)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_state_survives_the_database() {
        for state in ["CRITICAL", "DOWN", "WARNING", "UNREACHABLE", "UNKNOWN"] {
            let worst = Worst::from_state(state);
            assert_eq!((Worst::from_code(worst.code()), worst.name()), (worst, state));
        }
        assert_eq!(Worst::from_code(Worst::from_state("ODD").code()), Worst::NotKnown);
        assert!(Worst::Critical > Worst::Warning && Worst::Warning > Worst::Unknown, "{:?}", Worst::Critical);
    }
}
