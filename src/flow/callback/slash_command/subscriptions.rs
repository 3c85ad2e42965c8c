//! `subscribe`, `me`, `unsubscribe` and `subscriptions`.

use super::{BUDGET, NoAnswer, SlashAnswer, SlashWorker, find, not_kept, phrases};
use crate::config::{Config, Matcher};
use crate::flow::callback::request::Requester;
use crate::flow::callback::slash_request::SlashRequest;
use crate::model::outcome::Outcome;
use crate::model::time_text::utc;
use crate::rules::authorise::{KnownNames, Permission};
use crate::rules::slash::Filter;
use crate::slack::mrkdwn;
use crate::store::{PER_CHANNEL_MAX, Subscription};
use crate::system::clock;
use log::warn;
use serde_json::json;

impl SlashWorker {
    /// Subscribes a channel, or the person, to the notifications that match the filter.
    pub(super) fn subscribe(
        &mut self,
        request: &SlashRequest,
        permission: &Permission<'_>,
        filter: &Filter,
        (who, channel): (&str, String),
    ) -> Result<SlashAnswer, NoAnswer> {
        let (command, requester) = (&request.order.command, &request.requester);
        self.covers(&request.config, permission, std::slice::from_ref(&filter.matches))?;
        let (are, have, end) = match who {
            "You" => ("are", "have", format!("`{command} unsubscribe` in the app's own tab ends it.")),
            _ => ("is", "has", format!("`{command} unsubscribe` ends it.")),
        };
        let of_channel = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let count =
            of_channel.iter().filter(|s| s.integration == requester.integration && s.channel == channel).count();
        if count >= PER_CHANNEL_MAX {
            let sentence = format!("{who} {have} {count} subscriptions; end some with `{command} unsubscribe` first.");
            return Err(sentence.into());
        }
        let new = Subscription {
            integration: requester.integration.clone(),
            channel,
            filter: filter.text.clone(),
            user: requester.user.clone(),
            name: permission.admitted().person().name.clone(),
            at: clock::wall_ms(),
        };
        let row = audit_row(requester, permission, "subscribe", &filter.text);
        let matching = phrases::filter(&filter.text);
        Ok(match self.store.subscribe(&new, &request.key, &row).map_err(|e| not_kept(&e))? {
            None => SlashAnswer::Nothing,
            Some(0) => SlashAnswer::Text(format!("{who} {are} subscribed to {matching} already.")),
            Some(_) => SlashAnswer::Text(format!("{who} {are} now subscribed to {matching}. {end}")),
        })
    }

    /// Whether the person may subscribe a channel to all that these filters may ever take.
    fn covers(&mut self, config: &Config, permission: &Permission<'_>, filters: &[Matcher]) -> Result<(), NoAnswer> {
        let mut known = KnownNames::default();
        if permission.differs_by_object() {
            for core in find::cores(config, None)? {
                find::learn(&core, &mut self.lookup, permission, &mut known)?;
            }
        }
        filters.iter().try_for_each(|filter| permission.covers(filter, &known)).map_err(NoAnswer::from)
    }

    /// The channel to be subscribed; ackbell must be a member of it.
    pub(super) fn channel_of(&mut self, requester: &Requester) -> Result<String, String> {
        const NOT_IN: &str = "ackbell isn't in this channel: type `/invite` and the app's name, then try again.";
        let Some(channel) = requester.channel.clone() else {
            return Err("Use this command in the channel that is to be subscribed.".to_owned());
        };
        let Some(client) = self.lookup.client(&requester.integration) else {
            return Err("ackbell can't talk to Slack with its present configuration.".to_owned());
        };
        if !client.has_token() {
            return Err("A webhook posts to one channel only; subscriptions need a bot token.".to_owned());
        }
        match client.look_up("conversations.info", &[("channel", &channel)], BUDGET) {
            Ok(answer) => {
                let is = |name: &str| answer["channel"][name].as_bool().unwrap_or(false);
                if is("is_member") || is("is_im") || is("is_mpim") { Ok(channel) } else { Err(NOT_IN.to_owned()) }
            }
            Err(Outcome::DestinationNever { .. }) => Err(NOT_IN.to_owned()),
            // Without the scope to look, delivery finds out.
            Err(outcome) if outcome.is_missing_scope() => Ok(channel),
            Err(other) => {
                warn!("can't look up a channel channel={channel} reason={:?}", other.reason());
                Err("Slack doesn't answer just now; try again in a moment.".to_owned())
            }
        }
    }

    /// Ends subscriptions. It takes the same right as to subscribe.
    pub(super) fn unsubscribe(
        &mut self,
        request: &SlashRequest,
        permission: &Permission<'_>,
        filter: Option<&Filter>,
    ) -> Result<SlashAnswer, NoAnswer> {
        let requester = &request.requester;
        let channel = requester.channel.clone().unwrap_or_default();
        let text = filter.map(|filter| filter.text.as_str());
        let all = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let here = all.iter().filter(|s| s.integration == requester.integration && is_here(s, requester));
        let ended = here.filter(|s| text.is_none_or(|text| s.filter == text));
        // A filter that can't be parsed any more matches nothing; anybody may end that subscription.
        let filters: Vec<Matcher> = ended.filter_map(|s| Filter::of(&s.filter).ok()).map(|f| f.matches).collect();
        self.covers(&request.config, permission, &filters)?;
        let row = audit_row(requester, permission, "unsubscribe", text.unwrap_or("everything"));
        // In the app's own tab the person's subscriptions count as those of the channel.
        let own = Some(requester.user.as_str()).filter(|_| channel.starts_with('D')).unwrap_or(&channel);
        let channels = (requester.integration.as_str(), [channel.as_str(), own]);
        let order = (request.key.as_str(), clock::wall_ms());
        let gone = self.store.unsubscribe(channels, text, order, &row).map_err(|e| not_kept(&e))?;
        match (gone, filter) {
            (None, _) => Ok(SlashAnswer::Nothing),
            (Some(0), Some(_)) => {
                let command = &request.order.command;
                let sentence = format!("This channel isn't subscribed to that; see `{command} subscriptions`.");
                Err(sentence.into())
            }
            (Some(0), None) => Err("This channel has no subscriptions.".to_owned().into()),
            (Some(1), _) => Ok(SlashAnswer::Text("One subscription of this channel has ended.".to_owned())),
            (Some(count), _) => Ok(SlashAnswer::Text(format!("{count} subscriptions of this channel have ended."))),
        }
    }

    pub(super) fn subscriptions(&mut self, requester: &Requester) -> Result<String, String> {
        let all = self.store.subscriptions().map_err(|e| not_kept(&e))?;
        let here = all.iter().filter(|s| s.integration == requester.integration && is_here(s, requester));
        let lines: Vec<String> = here
            .map(|s| {
                format!("• {}, by {} since {}", phrases::filter(&s.filter), mrkdwn::plain(&s.name), utc(s.at / 1000))
            })
            .collect();
        if lines.is_empty() {
            return Ok("This channel has no subscriptions; routes in the configuration may still lead here.".into());
        }
        Ok(format!("This channel is subscribed to:\n{}", lines.join("\n")))
    }
}

/// Whether a subscription is the channel's; in a direct message the person's own as well.
fn is_here(subscription: &Subscription, requester: &Requester) -> bool {
    let channel = requester.channel.as_deref().unwrap_or_default();
    subscription.channel == channel || (channel.starts_with('D') && subscription.channel == requester.user)
}

/// The audit's row.
fn audit_row(requester: &Requester, permission: &Permission<'_>, action: &str, detail: &str) -> String {
    let person = permission.admitted().person();
    json!({
        "at": clock::wall_ms() / 1000, "integration": requester.integration, "team": person.team_id, "user": requester.user,
        "name": person.name, "email": person.email, "channel": requester.channel, "action": action, "commands": [],
        "step": "done", "detail": detail,
    })
    .to_string()
}
