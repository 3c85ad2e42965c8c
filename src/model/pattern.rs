//! Patterns with `*`, `?` and `!`, as the configuration, the slash command and the lists take them.

/// A pattern with `*` and `?`, compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) String);

/// Whether any of the plain patterns matches any of the values, and none of those with `!`; no pattern takes all.
pub(crate) fn takes<S: AsRef<str>>(patterns: &[Pattern], values: &[Option<S>]) -> bool {
    let hit = |pattern: &str| values.iter().flatten().any(|value| glob(pattern, value.as_ref()));
    let (without, with): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(|p| p.0.as_str()).partition(|p| p.starts_with('!'));
    let is_excluded = without.iter().any(|pattern| hit(&pattern[1..]));
    let is_taken = with.is_empty() || with.iter().any(|pattern| hit(pattern));
    is_taken && !is_excluded
}

/// Patterns that are compared with many values: the expensive part is done once.
#[derive(Debug, Clone)]
pub(crate) struct Globs {
    with: Vec<Vec<char>>,
    without: Vec<Vec<char>>,
}

impl Globs {
    pub(crate) fn of(patterns: &[Pattern]) -> Self {
        let (without, with): (Vec<&str>, Vec<&str>) =
            patterns.iter().map(|p| p.0.as_str()).partition(|p| p.starts_with('!'));
        let without = without.iter().map(|pattern| folded(&pattern[1..])).collect();
        Self { with: with.into_iter().map(folded).collect(), without }
    }

    /// As [`takes`].
    pub(crate) fn take(&self, values: &[Option<&str>]) -> bool {
        if self.with.is_empty() && self.without.is_empty() {
            return true;
        }
        let values: Vec<Vec<char>> = values.iter().flatten().map(|value| folded(value)).collect();
        let hit = |pattern: &Vec<char>| values.iter().any(|value| glob_folded(pattern, value));
        (self.with.is_empty() || self.with.iter().any(hit)) && !self.without.iter().any(hit)
    }
}

fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// `*` is any text, `?` any character; case doesn't count. Linear in the value for each `*`.
pub(crate) fn glob(pattern: &str, value: &str) -> bool {
    glob_folded(&folded(pattern), &folded(value))
}

/// Whether a pattern takes all that another one may ever take. A star stands for any number of characters, none too, so
/// only a star takes it.
pub(crate) fn covers(pattern: &str, wanted: &str) -> bool {
    matches(&folded(pattern), &folded(wanted), |c, wanted| wanted != '*' && (c == '?' || c == wanted))
}

fn glob_folded(pattern: &[char], value: &[char]) -> bool {
    matches(pattern, value, |c, value| c == '?' || c == value)
}

fn matches(pattern: &[char], value: &[char], fits: impl Fn(char, char) -> bool) -> bool {
    let (mut p, mut v) = (0, 0);
    // Where to go back to: just behind the last star, and the value's place it has swallowed up to.
    let mut star: Option<(usize, usize)> = None;
    while v < value.len() {
        if pattern.get(p) == Some(&'*') {
            p += 1;
            star = Some((p, v));
        } else if pattern.get(p).is_some_and(|&c| fits(c, value[v])) {
            p += 1;
            v += 1;
        } else if let Some((behind, swallowed)) = star {
            p = behind;
            v = swallowed + 1;
            star = Some((behind, v));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::{Globs, Pattern, covers, glob, takes};
    use proptest::prelude::*;

    /// The obvious definition.
    fn naive(pattern: &[char], value: &[char]) -> bool {
        match (pattern, value) {
            ([], []) => true,
            (['*', rest @ ..], _) => naive(rest, value) || (!value.is_empty() && naive(pattern, &value[1..])),
            (['?', rest @ ..], [_, tail @ ..]) => naive(rest, tail),
            ([c, rest @ ..], [d, tail @ ..]) => c == d && naive(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn glob_is_what_it_says(pattern in "[ab*?]{0,8}", value in "[abc]{0,10}") {
            let (p, v): (Vec<char>, Vec<char>) = (pattern.chars().collect(), value.chars().collect());
            prop_assert_eq!(glob(&pattern, &value), naive(&p, &v));
        }
    }

    proptest! {
        #[test]
        fn what_a_pattern_covers_it_takes(pattern in "[ab*?]{0,6}", wanted in "[ab*?]{0,6}", value in "[ab]{0,8}") {
            prop_assert!(!covers(&pattern, &wanted) || !glob(&wanted, &value) || glob(&pattern, &value));
            prop_assert!(covers(&pattern, &pattern) && covers("*", &wanted));
        }
    }

    proptest! {
        #[test]
        fn many_compared_at_once_are_as_one_by_one(patterns in proptest::collection::vec("!?[aB*?]{1,4}", 0..4), values in proptest::collection::vec("[abAB]{0,4}", 0..3)) {
            let patterns: Vec<Pattern> = patterns.into_iter().map(Pattern).collect();
            let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
            prop_assert_eq!(Globs::of(&patterns).take(&values), takes(&patterns, &values));
        }
    }

    #[test]
    fn case_does_not_count() {
        assert!(glob("DB*", "db01") && glob("*", "") && !glob("db?", "db"));
    }
}
