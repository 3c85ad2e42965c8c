//! The texts of the answers. Text that comes from elsewhere is escaped here.

use crate::config::{Config, Matcher};
use crate::model::action::Action;
use crate::model::core_snapshot::{Acknowledged, State};
use crate::model::object::Object;
use crate::model::time_text::{span, utc};
use crate::rules::authorise::{Admitted, Caller, Contact, ObjectNames, Person, Refusal, Right, contact_name};
use crate::slack::mrkdwn::{bold, date, escape, fence, plain};
use crate::store::OnDuty;

/// The key of a filter that a core's state can't be filtered by.
pub(super) fn unsupported_key(matcher: &Matcher) -> Option<&'static str> {
    matcher.parts().find_map(unsupported_key_of)
}

fn unsupported_key_of(matcher: &Matcher) -> Option<&'static str> {
    let lists = [
        (&matcher.host_group, "hostgroup"),
        (&matcher.service_group, "servicegroup"),
        (&matcher.contact, "contact"),
        (&matcher.contact_group, "contact_group"),
    ];
    let list = lists.into_iter().find(|(patterns, _)| !patterns.is_empty()).map(|(_, key)| key);
    let kind = (!matcher.kind.is_empty()).then_some("type");
    list.or(kind).or_else(|| (!matcher.vars.is_empty()).then_some("var"))
}

/// A subscription's filter as it reads in a sentence.
pub(super) fn filter(text: &str) -> String {
    if text.is_empty() {
        "all notifications".to_owned()
    } else {
        format!("notifications that match `{}`", escape(text).replace('`', "'"))
    }
}

/// Why there is nothing to acknowledge. The reply escapes the text, like that of every refusal.
pub(super) fn acknowledgeable(object: &Object, state: &State) -> Result<(), String> {
    if state.code == 0 || state.is_pending {
        return Err(format!("{object} is {}: there is nothing to acknowledge.", state.name(object)));
    }
    match (state.acknowledged, state.acknowledgement()) {
        (Acknowledged::No, _) => Ok(()),
        (_, Some(by)) => Err(format!("It is acknowledged already, by {}.", by.author)),
        (_, None) => Err("It is acknowledged already.".to_owned()),
    }
}

/// The state of an object.
pub(super) fn status(object: &Object, label: &str, state: &State, now: i64) -> String {
    let mut lines =
        vec![format!("{} {} is {}{}", circle(object, state.code), bold(label), state.name(object), since(state, now))];
    if !state.output.is_empty() {
        lines.push(fence(&state.output, 1000));
    }
    if let Some(by) = state.acknowledgement() {
        let when = date(by.time, &utc(by.time));
        lines.push(format!("Acknowledged by {} {when}: {}", plain(&by.author), plain(&by.comment)));
    } else if state.acknowledged != Acknowledged::No {
        lines.push("Acknowledged.".to_owned());
    }
    for downtime in state.downtimes.iter().take(5) {
        let begun = if downtime.start <= now { "In downtime" } else { "Downtime ahead" };
        let (start, end) = (date(downtime.start, &utc(downtime.start)), date(downtime.end, &utc(downtime.end)));
        lines.push(format!("{begun}: {start} to {end}, by {}: {}", plain(&downtime.author), plain(&downtime.comment)));
    }
    if state.downtimes.is_empty() && state.downtime_depth > 0 {
        lines.push("In downtime.".to_owned());
    }
    if !state.notifications_enabled {
        lines.push("Its notifications are stopped: nobody is notified.".to_owned());
    }
    if state.last_check > 0 {
        let ago = span(u64::try_from(now - state.last_check).unwrap_or(0));
        lines.push(format!("Checked {ago} ago."));
    }
    lines.join("\n")
}

fn since(state: &State, now: i64) -> String {
    match u64::try_from(now - state.last_state_change) {
        Ok(seconds) if state.last_state_change > 0 => format!(", for {}", span(seconds)),
        _ => String::new(),
    }
}

fn circle(object: &Object, code: u8) -> &'static str {
    match (&object.service, code) {
        (_, 0) => ":large_green_circle:",
        (Some(_), 1) => ":large_yellow_circle:",
        (Some(_), 2) | (None, _) => ":red_circle:",
        _ => ":large_purple_circle:",
    }
}

/// Who an outsider is, and why they get no answer.
pub(super) fn outsider(caller: &Caller, refusal: &Refusal) -> String {
    format!("{}\n{}", you(&caller.person), plain(&refusal.to_string()))
}

fn you(person: &Person) -> String {
    let what = match person.is_guest {
        Some(true) => "a guest",
        Some(false) => "a member",
        None => "a member or a guest",
    };
    let (name, id, team) = (bold(&person.name), plain(&person.user_id), plain(&person.team_id));
    format!("You are {name} ({id}), {what} in workspace {team}.")
}

/// Who the person is in Slack and in the core, and which actions the rules allow them here.
pub(super) fn whoami(admitted: Admitted<'_>, config: &Config, contacts: Option<&[Contact]>) -> String {
    let person = admitted.person();
    let mut lines = vec![you(person)];
    lines.push(match &person.email {
        Some(email) => format!("Your e-mail address in Slack: {}.", plain(email)),
        None => "Slack doesn't show your e-mail address to ackbell.".to_owned(),
    });
    lines.push(match (contact_name(person, &config.access, contacts), contacts) {
        (Some(name), _) => format!("In the monitoring you are the contact {}.", bold(&name)),
        (None, None) => {
            "The monitoring's contacts can't be read, so your actions there are recorded under your Slack name."
                .to_owned()
        }
        (None, Some(_)) => {
            "The monitoring has no contact with your address, so your actions there are recorded under your Slack name."
                .to_owned()
        }
    });
    if !person.groups.is_empty() {
        lines.push(format!("Your user groups: {}.", plain(&person.groups.join(", "))));
    }
    let acknowledge =
        Action::Acknowledge { sticky: true, notify: true, persistent: false, comment: String::new(), expiry: None };
    let downtime = Action::Downtime { start: 0, end: 1, flexible: None, comment: String::new(), host_services: false };
    let rights = [
        ("see problems", Right::View),
        ("acknowledge", Right::Act(&acknowledge)),
        ("remove acknowledgements", Right::Act(&Action::RemoveAcknowledgement)),
        ("schedule downtimes", Right::Act(&downtime)),
        ("order checks", Right::Act(&Action::Recheck { at: 0 })),
        ("stop notifications", Right::Act(&Action::StopNotifications)),
        ("subscribe channels", Right::Subscribe),
    ];
    // Rules about certain hosts, and `require_contact`, depend on the object.
    let anything = Object::default();
    let may = |right| admitted.ask(right)?.may(&ObjectNames::bare(&anything), contacts);
    let (may, may_not): (Vec<_>, Vec<_>) = rights.iter().partition(|(_, right)| may(*right).is_ok());
    let list = |rights: &[&(&str, Right<'_>)]| rights.iter().map(|(phrase, _)| *phrase).collect::<Vec<_>>().join(", ");
    if !may.is_empty() {
        lines.push(format!("Here you may: {}.", list(&may)));
    }
    if !may_not.is_empty() {
        lines.push(format!("Here you may not, or not everywhere: {}.", list(&may_not)));
    }
    lines.join("\n")
}

/// Who is on call now, a line for each plan, as Slack's markup.
pub(super) fn on_call(config: &Config, duties: &[OnDuty]) -> String {
    if config.on_call.is_empty() {
        return "No shift plan is configured: see [oncall.NAME] in `man ackbell.toml`.".to_owned();
    }
    let lines = config.on_call.iter().map(|plan| match duties.iter().find(|duty| duty.name == plan.name) {
        None => format!("{}: not known yet; ask again in a minute", bold(&plan.name)),
        Some(duty) => on_duty(duty),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `*dba*: alice@example.com until today at 09:00`
pub(in crate::flow::callback) fn on_duty(duty: &OnDuty) -> String {
    let person = |person: &String| if person.contains('@') { plain(person) } else { format!("<@{person}>") };
    let people: Vec<String> = duty.people.iter().map(person).collect();
    let mut text = match (people.is_empty(), duty.is_fallback) {
        (true, _) => format!("{}: nobody", bold(&duty.name)),
        (false, true) => format!("{}: nobody has a shift; the fallback is {}", bold(&duty.name), people.join(", ")),
        (false, false) => format!("{}: {}", bold(&duty.name), people.join(", ")),
    };
    if let Some(until) = duty.until {
        text.push_str(&format!(" until {}", date(until, &utc(until))));
    }
    if let Some(problem) = &duty.problem {
        text.push_str(&format!("\n:warning: {}", plain(problem)));
    }
    text
}
