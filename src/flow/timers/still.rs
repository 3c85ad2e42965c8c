//! Somebody acknowledged long ago: they are asked whether they are still on it, and without an answer the others learn it.

use super::{Look, Timers};
use crate::config::{EscalationStep, Who};
use crate::flow::people;
use crate::model::notification::Kind;
use crate::model::object::Object;
use crate::model::problem::{ActionTaken, Problem};
use crate::model::time_text::span;
use crate::monitoring::paths;
use crate::store::{DeliveryQueue, Still, StillNotice, StoreError, Target};
use crate::system::clock::millis;
use log::info;
use std::collections::BTreeMap;
use std::time::Duration;

impl Timers {
    /// Asks every question that is due, and tells every one that was not answered in time.
    pub(super) fn still(&mut self) -> Result<Look, StoreError> {
        let Some(after) = self.config.acknowledge.still.map(millis) else {
            return Ok(Look { notified: false, next: None });
        };
        let (wait, now) = (millis(self.config.acknowledge.still_wait), self.now_ms());
        let mut notified = false;
        for row in self.store.due_still(now.saturating_sub(after), now.saturating_sub(wait))? {
            notified |= self.ask(&row)?;
        }
        let (question, answer) = self.store.next_still()?;
        let due = [question.map(|since| since.saturating_add(after)), answer.map(|asked| asked.saturating_add(wait))];
        Ok(Look { notified, next: due.into_iter().flatten().min() })
    }

    fn ask(&mut self, row: &Still) -> Result<bool, StoreError> {
        let Some((queue, problem)) = self.store.acknowledged_problem(&row.object)? else {
            self.store.end_still(row)?;
            return Ok(false);
        };
        let now = self.now_ms();
        let remark = problem.acknowledged.as_ref();
        let author = remark.and_then(|remark| remark.author.clone()).unwrap_or_else(|| "somebody".to_owned());
        let lasted = now / 1000 - remark.map_or(now / 1000, |remark| remark.at);
        let lasted = span(u64::try_from(lasted).unwrap_or(0));
        let asked = row.asked.map(|asked| span(u64::try_from((now - asked) / 1000).unwrap_or(0)));
        let person = if row.asked.is_none() { self.person_of(&problem, &author, &queue) } else { None };
        let steps: Vec<EscalationStep> = self.steps(&[&problem]);
        let (mentions, to) = self.addressees(&steps.iter().collect::<Vec<_>>(), &queue);
        let at = |kind: Kind, comment: String| ActionTaken {
            kind,
            time: now / 1000,
            author: author.clone(),
            comment: Some(comment),
            vars: BTreeMap::new(),
        };
        let notified = match (&person, asked) {
            (Some(person), _) => StillNotice {
                row,
                next: (row.since, Some(now)),
                action: at(Kind::StillAsked, format!("you acknowledged it {lasted} ago; are you still on it?")),
                mentions: &[],
                only: Some(person),
                to: &[],
            },
            (None, asked) => {
                let why = match asked {
                    Some(asked) => {
                        format!("they were asked {asked} ago whether they are still on it, and have not answered")
                    }
                    None => {
                        "ackbell doesn't know who that is in Slack, so nobody was asked whether they are still on it"
                            .to_owned()
                    }
                };
                let comment = format!("acknowledged by {author} {lasted} ago; {why}");
                let action = at(Kind::Forgotten, comment);
                StillNotice { row, next: (now, None), action, mentions: &mentions, only: None, to: &to }
            }
        };
        let mode = self.mode();
        let is_new = self.store.record_still_notice(&notified, &mode, self.config.storm.window, now)?;
        if is_new {
            info!(
                "still on it object={:?} author={author:?} asked={}",
                problem.latest.object_label(),
                person.is_some()
            );
        }
        Ok(is_new)
    }

    /// The direct messages of whoever acknowledged: named with their id by our own click, else the person whom the
    /// configuration or the core knows by that name.
    fn person_of(&self, problem: &Problem, author: &str, queue: &DeliveryQueue) -> Option<DeliveryQueue> {
        let is_bot = |found: &&crate::config::Integration| found.name == queue.integration && found.is_bot();
        self.config.integrations.iter().find(is_bot)?;
        let to = |target: Target| Some(DeliveryQueue { integration: queue.integration.clone(), target });
        if let Some(id) = id_in(author) {
            return to(Target::Channel(id.to_owned()));
        }
        if author.contains('@') {
            return to(Target::Email(author.to_owned()));
        }
        let named = self.config.access.people.iter().find(|(_, contact)| contact.as_str() == author);
        match named.map(|(who, _)| who) {
            Some(Who::User(id)) => return to(Target::Channel(id.clone())),
            Some(Who::Email(email)) => return to(Target::Email(email.clone())),
            _ => {}
        }
        let object = Object::of(&problem.latest);
        let core = paths::core(&self.config, &object.core)?;
        let contacts = crate::monitoring::contacts::Contacts::default().of(&core, &object)?;
        let contact = contacts.into_iter().find(|contact| contact.name == author)?;
        let email = contact.email?.split(',').next()?.trim().to_owned();
        if email.contains('@') { to(Target::Email(email)) } else { None }
    }

    /// Who of the people who get a direct message can't be relied on, as a sentence for each: those in Do Not Disturb, and
    /// those whom Slack doesn't know.
    pub(super) fn not_reached(&mut self, queues: &[DeliveryQueue]) -> Vec<String> {
        let (now, budget) = (self.now_ms(), Duration::from_secs(3));
        let mut sentences = Vec::new();
        for DeliveryQueue { integration, target } in queues.iter().filter(|queue| queue.target.is_person()) {
            let Some(client) = self.clients.get(integration) else { continue };
            let person = target.as_text().trim_start_matches('@').to_owned();
            let id = match people::user_id(&self.store, client, (integration, &person), now, budget) {
                Ok(Some(id)) => id,
                Ok(None) => {
                    sentences.push(format!("{person} isn't in this Slack workspace"));
                    continue;
                }
                // Nobody knows; the message itself is tried anyway.
                Err(_) => continue,
            };
            let rest = match client.look_up("dnd.info", &[("user", &id)], budget) {
                Ok(rest) => rest,
                Err(outcome) => {
                    // Without the scope it is off, which `doctor` says.
                    let reason = outcome.reason().text;
                    if self.logged.insert(format!("dnd {reason}")) {
                        info!("do not disturb not asked integration={integration} reason={reason:?}");
                    }
                    continue;
                }
            };
            let at = |key: &str| rest[key].as_i64().unwrap_or(0);
            let (start, end) = (at("next_dnd_start_ts"), at("next_dnd_end_ts"));
            if rest["dnd_enabled"].as_bool() == Some(true) && start <= now / 1000 && now / 1000 < end {
                let end = jiff::Timestamp::from_second(end).unwrap_or_default();
                let until = jiff::tz::TimeZone::system().to_datetime(end).strftime("%H:%M").to_string();
                sentences.push(format!("{person} is in Do Not Disturb until {until}"));
            }
        }
        sentences
    }
}

/// The Slack id at the end of `Alice (Slack U0123ABCDEF)`, and of an owner whom it was handed over to.
fn id_in(author: &str) -> Option<&str> {
    let id = author.strip_suffix(')')?.rsplit('(').next()?.rsplit(' ').next()?;
    let is_id =
        id.len() >= 9 && id.starts_with(['U', 'W']) && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    is_id.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::id_in;

    #[test]
    fn an_author_of_ours_has_the_id_at_its_end() {
        assert_eq!(id_in("Alice (Slack U0123ABCDEF)"), Some("U0123ABCDEF"));
        assert_eq!(id_in("Alice (U0123ABCDEF)"), Some("U0123ABCDEF"));
        assert_eq!([id_in("alice"), id_in("Alice (night)"), id_in("(U01)")], [None, None, None]);
    }
}
