//! What a replay counts: messages by destination, mentions by person or group, storms, and routes that matched.
//!
//! Pure. A number stands for calls that would have been made; what Slack would have refused isn't known here.

use crate::system::order;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many storms are named, the largest.
const STORMS_NAMED: usize = 20;

/// A message that would have been sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    /// Unix seconds.
    pub(crate) at: i64,
    /// Between 22:00 and 07:00 by the machine's clock.
    pub(crate) is_night: bool,
    pub(crate) destination: &'a str,
    pub(crate) kind: SentKind,
    pub(crate) mentions: &'a [String],
    /// Of a message for many problems: its number, and how many problems it has by now.
    pub(crate) digest: Option<(i64, u32)>,
}

/// How it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentKind {
    Message,
    Reply,
    Edit,
}

/// The numbers of one destination, or of one person or group that is mentioned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) messages: u64,
    pub(crate) at_night: u64,
    pub(crate) replies: u64,
    pub(crate) edits: u64,
}

/// Many problems that became one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Storm {
    /// Unix seconds.
    pub(crate) at: i64,
    pub(crate) destination: String,
    pub(crate) problems: u32,
}

/// All that one configuration would have sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) notifications: u64,
    /// Those without any destination.
    pub(crate) without_destination: u64,
    pub(crate) destinations: BTreeMap<String, Numbers>,
    pub(crate) mentions: BTreeMap<String, Numbers>,
    /// How many notifications each route took, by its line.
    pub(crate) routes: BTreeMap<usize, u64>,
    storms: BTreeMap<i64, Storm>,
}

impl Counts {
    /// For the routes that stand at these lines.
    pub(crate) fn new(routes: impl Iterator<Item = usize>) -> Self {
        Self { routes: routes.map(|line| (line, 0)).collect(), ..Self::default() }
    }

    /// Counts a notification, with the lines of the routes that took it and the number of its destinations.
    pub(crate) fn add_notification(&mut self, routes: &[usize], destinations: usize) {
        self.notifications += 1;
        self.without_destination += u64::from(destinations == 0);
        for line in routes {
            *self.routes.entry(*line).or_default() += 1;
        }
    }

    pub(crate) fn add(&mut self, sent: &Sent<'_>) {
        self.destinations.entry(sent.destination.to_owned()).or_default().add(sent);
        if sent.kind != SentKind::Edit {
            for name in sent.mentions {
                self.mentions.entry(name.clone()).or_default().add(&Sent { kind: SentKind::Message, ..*sent });
            }
        }
        if let Some((number, problems)) = sent.digest {
            let begun = || Storm { at: sent.at, destination: sent.destination.to_owned(), problems };
            let storm = self.storms.entry(number).or_insert_with(begun);
            storm.problems = storm.problems.max(problems);
        }
    }

    /// How many storms became one message each, and the largest of them in the order of their times.
    pub(crate) fn storms(&self) -> (usize, Vec<&Storm>) {
        let mut largest: Vec<&Storm> = self.storms.values().collect();
        order::by_key(&mut largest, |storm| (std::cmp::Reverse(storm.problems), storm.at));
        largest.truncate(STORMS_NAMED);
        order::by_key(&mut largest, |storm| storm.at);
        (self.storms.len(), largest)
    }

    /// The lines of the routes that took nothing.
    pub(crate) fn unmatched(&self) -> Vec<usize> {
        self.routes.iter().filter(|(_, count)| **count == 0).map(|(line, _)| *line).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let numbers = |of: &BTreeMap<String, Numbers>| of.iter().map(|(name, of)| of.json(name)).collect::<Vec<_>>();
        let (storms, largest) = self.storms();
        let storm =
            |storm: &&Storm| json!({ "at": storm.at, "destination": storm.destination, "problems": storm.problems });
        let route = |(line, count): (&usize, &u64)| json!({ "line": line, "notifications": count });
        json!({
            "notifications": self.notifications, "without_destination": self.without_destination,
            "destinations": numbers(&self.destinations), "mentions": numbers(&self.mentions),
            "storms": storms, "largest_storms": largest.iter().map(storm).collect::<Vec<_>>(),
            "routes": self.routes.iter().map(route).collect::<Vec<_>>(),
        })
    }
}

impl Numbers {
    fn add(&mut self, sent: &Sent<'_>) {
        match sent.kind {
            SentKind::Message => {
                self.messages += 1;
                self.at_night += u64::from(sent.is_night);
            }
            SentKind::Reply => self.replies += 1,
            SentKind::Edit => self.edits += 1,
        }
    }

    fn json(self, name: &str) -> Value {
        let Self { messages, at_night, replies, edits } = self;
        json!({ "name": name, "messages": messages, "at_night": at_night, "replies": replies, "edits": edits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_counts_once_with_its_largest_number_and_an_edit_mentions_nobody() {
        let mut counts = Counts::new([3, 9].into_iter());
        let mentions = ["@here".to_owned()];
        let sent =
            |kind, digest| Sent { at: 7, is_night: true, destination: "#ops", kind, mentions: &mentions, digest };
        counts.add(&sent(SentKind::Message, Some((1, 12))));
        counts.add(&sent(SentKind::Edit, Some((1, 40))));
        counts.add(&sent(SentKind::Edit, Some((1, 5))));
        counts.add(&sent(SentKind::Reply, None));
        counts.add_notification(&[9], 1);
        counts.add_notification(&[], 0);
        assert_eq!(counts.destinations["#ops"], Numbers { messages: 1, at_night: 1, replies: 1, edits: 2 });
        assert_eq!(counts.mentions["@here"], Numbers { messages: 2, at_night: 2, ..Numbers::default() });
        assert_eq!((counts.storms().0, counts.storms().1[0].problems, counts.unmatched()), (1, 40, vec![3]));
        assert_eq!((counts.notifications, counts.without_destination), (2, 1));
        assert_eq!(counts.json()["routes"][1], json!({ "line": 9, "notifications": 1 }));
    }
}
