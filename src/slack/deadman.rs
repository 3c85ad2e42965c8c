//! The two texts of the dead man's switch.

use super::mrkdwn::{bold, date};
use crate::model::time_text::{span, utc};

/// What Slack says when nothing is heard of the host any more. `since`: the last sign of life, Unix seconds.
pub(crate) fn silent(name: &str, since: i64) -> String {
    let since = date(since, &utc(since));
    let subject = bold(&format!("The monitoring host {name} hasn't been heard of"));
    format!("{subject} since {since}. No alert comes from it: the host, its network, its core or ackbell is down.")
}

/// The end of the silence. `late`: how many notifications came during it.
pub(crate) fn over(name: &str, since: i64, until: i64, late: i64) -> String {
    let length = span(u64::try_from(until - since).unwrap_or(0));
    let (from, to) = (date(since, &utc(since)), date(until, &utc(until)));
    let late = match late {
        0 => "No notification came late.".to_owned(),
        1 => "1 notification came late.".to_owned(),
        many => format!("{many} notifications came late."),
    };
    format!("{} for {length}, from {from} to {to}. {late}", bold(&format!("The monitoring host {name} was silent")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_say_when_and_the_name_is_no_markup() {
        let text = silent("m<on>1", 1_795_234_312);
        assert!(
            text.starts_with("*The monitoring host m&lt;on&gt;1 hasn't been heard of* since <!date^1795234312^"),
            "{text}"
        );
        let text = over("mon1", 1_795_234_312, 1_795_234_312 + 22 * 60, 14);
        assert!(text.starts_with("*The monitoring host mon1 was silent* for 22 min, from <!date^"), "{text}");
        assert!(text.ends_with(". 14 notifications came late."), "{text}");
    }
}
