//! The two texts about an outbox that can't be reached.

use super::mrkdwn::{bold, date, plain};
use crate::model::time_text::{span, utc};

/// While it lasts. `since`: Unix seconds; `worst`: of the waiting notifications, in the card's words.
pub(crate) fn away(host: &str, since: i64, waiting: usize, worst: Option<&str>) -> String {
    let subject = bold(&format!("ackbell on {host} can't reach its database"));
    let since = date(since, &utc(since));
    let worst = worst.map(|worst| format!(", the worst: {}", plain(worst))).unwrap_or_default();
    let wait = match waiting {
        0 => "No notification waits there now".to_owned(),
        1 => format!("1 notification waits there{worst}"),
        many => format!("{many} notifications wait there{worst}"),
    };
    format!("{subject} since {since}. {wait}. `ackbell check` on {} says why.", plain(host))
}

/// Afterwards. `waited`: the most that waited.
pub(crate) fn over(host: &str, since: i64, until: i64, waited: usize) -> String {
    let length = span(u64::try_from(until - since).unwrap_or(0));
    let subject = bold(&format!("The database of ackbell on {host} was away"));
    let waited = match waited {
        0 => "No notification had to wait.".to_owned(),
        1 => "The notification that waited is in the outbox now.".to_owned(),
        many => format!("All {many} notifications that waited are in the outbox now."),
    };
    format!("{subject} for {length}. {waited}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_say_how_many_wait_and_the_names_are_no_markup() {
        let text = away("mon<1>", 1_795_234_312, 37, Some("CRITICAL: Disk on <!here>"));
        assert!(
            text.starts_with("*ackbell on mon&lt;1&gt; can't reach its database* since <!date^1795234312^"),
            "{text}"
        );
        assert!(
            text.contains(". 37 notifications wait there, the worst: CRITICAL: Disk on &lt;!here&gt;. `ackbell check`")
        );
        assert!(away("a", 0, 1, None).contains(". 1 notification waits there. "));
        let text = over("mon1", 100, 520, 37);
        let expected = "*The database of ackbell on mon1 was away* for 7 min. All 37 notifications that waited are in the outbox now.";
        assert_eq!(text, expected);
        assert!(over("mon1", 520, 100, 1).contains("for 0 s. The notification that waited"), "the clock went back");
    }
}
