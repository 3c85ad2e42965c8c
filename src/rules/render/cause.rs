//! The sentences of a card about a host that is down: what hangs below it, and what a problem hangs below.

use crate::rules::digest::Below;

/// What the core's parents say about a problem. Its sentences hold as long as the host above is down and the problem goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    /// What has no way but through the host.
    pub(crate) behind: Below,
    /// The host that is down above it.
    pub(crate) above: Option<Above>,
}

/// A host that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Above {
    /// As people call it.
    pub(crate) name: String,
    /// The address of its message, where messages have one.
    pub(crate) link: Option<String>,
}

impl Cause {
    /// For the line under the title.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> {
        let behind = self.behind.text().map(|text| format!("{text} behind it"));
        let above = self.above.as_ref().map(|above| format!("probably because of {}", above.name));
        behind.into_iter().chain(above)
    }

    /// The label and address of the message about the host above.
    pub(super) fn link(&self) -> Option<(String, String)> {
        let above = self.above.as_ref()?;
        Some((format!("Message about {}", above.name), above.link.clone()?))
    }
}

/// The address of a message in Slack, which opens it in the reader's workspace.
pub(crate) fn message_link(channel: &str, ts: &str) -> String {
    format!("https://slack.com/archives/{channel}/p{}", ts.replace('.', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_what_is_behind_and_names_what_is_above() {
        let above = Some(Above { name: "sw-12".to_owned(), link: Some(message_link("C01", "1795000000.000100")) });
        let cause = Cause { behind: Below { hosts: 41, services: 212 }, above };
        let sentences: Vec<String> = cause.sentences().collect();
        assert_eq!(sentences, ["41 hosts and 212 services behind it", "probably because of sw-12"]);
        let link = "https://slack.com/archives/C01/p1795000000000100".to_owned();
        assert_eq!(cause.link(), Some(("Message about sw-12".to_owned(), link)));
        assert_eq!(Cause::default().sentences().count(), 0);
        let one = Cause { behind: Below { hosts: 1, services: 0 }, above: None };
        assert_eq!(one.sentences().collect::<Vec<_>>(), ["1 host behind it"]);
    }
}
