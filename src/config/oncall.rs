//! `[oncall.NAME]`: who is on call, by a calendar or by a fixed rotation.

use super::problem::{Mistake, Problems};
use super::reader::{Table, texts_of};
use super::secrets::{self, LoadContext};
use super::{Config, Destination, Mention, TimeWindows, Who, suggest, values};
use crate::system::environment::Environment;
use crate::system::secret::{Secret, redact};
use jiff::civil::DateTime;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// So many people may take turns.
const PEOPLE_MAX: usize = 200;

/// One shift plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OnCall {
    pub(crate) name: String,
    pub(crate) shifts: Shifts,
    /// While it has a shift, that replaces those of the plan.
    pub(crate) overriding: Option<CalendarSource>,
    /// E-mail addresses or Slack ids by the names that the calendar uses, in lower case.
    pub(crate) names: BTreeMap<String, String>,
    /// Who is on call when nobody has a shift: e-mail addresses or Slack ids.
    pub(crate) fallback: Vec<String>,
    /// A user group of Slack that is kept equal: its id.
    pub(crate) usergroup: Option<String>,
    /// Where the handover is told.
    pub(crate) channel: Option<Destination>,
    /// Whose token keeps the group and posts the handover; else the first integration's.
    pub(crate) integration: Option<String>,
}

/// Where the shifts come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shifts {
    Calendar(CalendarSource),
    Rotation(Rotation),
}

/// People who take turns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rotation {
    /// E-mail addresses or Slack ids, in order.
    pub(crate) people: Vec<String>,
    /// When the first one's first shift begins, by the machine's clock on the wall.
    pub(crate) start: DateTime,
    pub(crate) every: Duration,
    /// Outside of it nobody has a shift.
    pub(crate) time: Option<TimeWindows>,
}

/// A calendar in iCalendar's format (RFC 5545).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CalendarSource {
    pub(crate) address: CalendarAddress,
    pub(crate) login: Option<(String, Secret)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CalendarAddress {
    File(PathBuf),
    /// Whoever has a private address may read the calendar.
    Url(Secret),
}

impl CalendarAddress {
    /// For people, without the address's secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => {
                let host = url.expose().split('/').take(3).collect::<Vec<_>>().join("/");
                format!("{}/...", redact(&host))
            }
        }
    }
}

/// Reads all shift plans.
pub(super) fn read_all(
    top: &mut Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Vec<OnCall> {
    let tables = top.named_tables("oncall", problems);
    tables.into_iter().filter_map(|(name, table)| read(name, table, base, sources, problems)).collect()
}

fn read(
    name: &str,
    mut table: Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Option<OnCall> {
    let span = table.span;
    let login = login(&mut table, base, sources, problems);
    let ical = calendar(&mut table, "ical", base, login.as_ref(), problems);
    let overriding = calendar(&mut table, "override", base, login.as_ref(), problems);
    let rotation = rotation(&mut table, problems);
    let names = names(&mut table, problems);
    let fallback = table.parsed_list("fallback", problems, person);
    let usergroup = table.parsed("usergroup", problems, usergroup);
    let channel = table.parsed("channel", problems, str::parse);
    let integration = table.text("integration", problems).map(|text| text.text.to_owned());
    let is_written = table.node("ical").is_some() || table.node("people").is_some();
    table.finish(problems);
    let shifts = match (ical, rotation) {
        (Some(_), Some(_)) => {
            let mistake = Mistake::new(format!("[oncall.{name}] has both a calendar and a rotation"));
            problems.error(span, mistake.remedy("keep \"ical\", or \"people\" with \"start\" and \"every\""));
            return None;
        }
        (Some(ical), None) => Shifts::Calendar(ical),
        (None, Some(rotation)) => Shifts::Rotation(rotation),
        (None, None) if is_written => return None,
        (None, None) => {
            let mistake = Mistake::new(format!("[oncall.{name}] has no shifts"));
            problems.error(span, mistake.remedy("write ical = \"FILE or https://...\", or people, start and every"));
            return None;
        }
    };
    let has_hole = matches!(&shifts, Shifts::Rotation(Rotation { time: Some(_), .. }));
    if has_hole && fallback.is_empty() {
        let message = format!("the rotation of [oncall.{name}] has a hole: nobody is on call outside of \"time\"");
        problems.warning(span, Mistake::new(message).remedy("say who is, as in fallback = \"alice@example.com\""));
    }
    Some(OnCall { name: name.to_owned(), shifts, overriding, names, fallback, usergroup, channel, integration })
}

fn names(table: &mut Table<'_>, problems: &mut Problems<'_>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let Some(inner) = table.table("names", problems) else { return names };
    for entry in inner.entries() {
        for text in texts_of(entry, "[oncall.names]", problems).iter().take(1) {
            match person(text.text) {
                Ok(who) => drop(names.insert(entry.key.to_lowercase(), who)),
                Err(mistake) => problems.error(Some(text.span), mistake),
            }
        }
    }
    names
}

fn usergroup(text: &str) -> Result<String, Mistake> {
    if values::is_id(text, &['S']) {
        return Ok(text.to_owned());
    }
    Err(Mistake::new(format!("\"{text}\" isn't the id of a user group"))
        .remedy("it begins with S: in Slack, open the group, and copy its id from the menu"))
}

fn login(
    table: &mut Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Option<(String, Secret)> {
    let user = table.text("ical_user", problems);
    let mut context = LoadContext { base, state_dir: base, env: Environment::default(), sources };
    let keys = ("ical_password", "ical_password_file");
    let password = secrets::one_secret(table, keys, &[], secrets::password, &mut context, problems);
    match (user, password) {
        (Some(user), Some(password)) => Some((user.text.to_owned(), password)),
        (Some(user), None) if table.node("ical_password_file").is_none() => {
            let mistake = Mistake::new("\"ical_user\" without a password");
            problems.error(Some(user.span), mistake.remedy("write ical_password_file = \"FILE\""));
            None
        }
        (None, Some(_)) => {
            let mistake = Mistake::new("a password of the calendar without \"ical_user\"");
            problems.error(table.span, mistake.remedy("write both"));
            None
        }
        _ => None,
    }
}

fn calendar(
    table: &mut Table<'_>,
    key: &'static str,
    base: &Path,
    login: Option<&(String, Secret)>,
    problems: &mut Problems<'_>,
) -> Option<CalendarSource> {
    let text = table.text(key, problems)?;
    if text.text.contains("://") {
        // Calendars' pages say `webcal`, which is https.
        let url = text.text.replacen("webcal://", "https://", 1);
        return match values::url(&url) {
            Ok(url) => Some(CalendarSource { address: CalendarAddress::Url(Secret::new(url)), login: login.cloned() }),
            Err(mistake) => {
                problems.error(Some(text.span), mistake.about(key));
                None
            }
        };
    }
    let path = base.join(text.text);
    if let Err(e) = std::fs::metadata(&path) {
        let mistake = Mistake::new(format!("{key}: can't read {}: {e}", path.display()));
        let remedy = "name a calendar's file that the core's user may read, or its https:// address";
        problems.error(Some(text.span), mistake.remedy(remedy));
    }
    Some(CalendarSource { address: CalendarAddress::File(path), login: None })
}

fn rotation(table: &mut Table<'_>, problems: &mut Problems<'_>) -> Option<Rotation> {
    let span = table.span;
    let is_written = ["people", "start", "every", "time"].map(|key| table.node(key).is_some());
    let people = table.parsed_list("people", problems, person);
    let start = table.parsed("start", problems, moment);
    let every = table.parsed("every", problems, shift_length);
    let time = table.parsed("time", problems, values::time_windows);
    if is_written == [false; 4] {
        return None;
    }
    for (key, _) in ["people", "start", "every"].iter().zip(is_written).filter(|(_, is_written)| !is_written) {
        let mistake = Mistake::new(format!("a rotation without \"{key}\""));
        let remedy = "it needs people = [...], start = \"2026-11-02 09:00\" and every = \"7d\"";
        problems.error(span, mistake.remedy(remedy));
    }
    if people.len() > PEOPLE_MAX {
        problems.error(span, Mistake::new(format!("more than {PEOPLE_MAX} people in a rotation")));
    }
    Some(Rotation { people, start: start?, every: every?, time })
}

fn shift_length(text: &str) -> Result<Duration, Mistake> {
    match values::duration(text)? {
        short if short < HOUR => {
            Err(Mistake::new(format!("\"{text}\" is too short for a shift")).remedy("at least \"1h\""))
        }
        good => Ok(good),
    }
}

/// A person: an e-mail address, or a Slack id.
fn person(text: &str) -> Result<String, Mistake> {
    let name = text.trim().trim_start_matches('@');
    if values::is_email(name) || values::is_id(name, &['U', 'W']) {
        return Ok(name.to_owned());
    }
    let remedy = "write an e-mail address, or a Slack id such as \"U0123ABCDEF\"";
    Err(Mistake::new(format!("\"{text}\" isn't a person")).remedy(remedy))
}

fn moment(text: &str) -> Result<DateTime, Mistake> {
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"];
    let found = formats.iter().find_map(|format| DateTime::strptime(format, text).ok());
    found.ok_or_else(|| Mistake::new(format!("\"{text}\" isn't a date and time")).remedy("write \"2026-11-02 09:00\""))
}

/// Checks that need the whole configuration: every plan that is named is there.
pub(super) fn check(config: &Config, problems: &mut Problems<'_>) {
    let names: Vec<&str> = config.on_call.iter().map(|plan| plan.name.as_str()).collect();
    let mut missing = |name: &str, line: usize, what: &str| {
        if names.contains(&name) {
            return;
        }
        let remedy = suggest::did_you_mean(name, names.iter().copied());
        let remedy = remedy.unwrap_or_else(|| format!("write the shift plan [oncall.{name}]"));
        let message = format!("{what} at line {line} names @oncall:{name}, and there is no [oncall.{name}]");
        problems.error(None, Mistake::new(message).remedy(remedy));
    };
    let steps = config.escalation.iter().map(|step| ("the step", step.line, &step.to, &step.mention));
    let routes = config.routes.iter().map(|route| ("the route", route.line, &route.to, &route.mention));
    for (what, line, to, mention) in steps.chain(routes) {
        let to = to.iter().filter_map(|to| if let Destination::OnCall(name) = to { Some(name) } else { None });
        let mention = mention.iter().filter_map(|who| if let Mention::OnCall(name) = who { Some(name) } else { None });
        for name in to.chain(mention) {
            missing(name, line, what);
        }
    }
    for rule in &config.access.rules {
        for who in &rule.who {
            if let Who::Group(group) = who
                && let Some(name) = values::on_call(group)
            {
                missing(name, rule.line, "the rule");
            }
        }
    }
    let integrations: Vec<&str> = config.integrations.iter().map(|integration| integration.name.as_str()).collect();
    for plan in &config.on_call {
        if plan.integration.as_deref().is_some_and(|name| !integrations.contains(&name)) {
            let message = format!("[oncall.{}] names no integration of ours", plan.name);
            problems.error(None, Mistake::new(message).remedy(format!("known: {}", suggest::one_of(&integrations))));
        }
    }
}

/// For `config show`, without the address of a private calendar.
pub(super) fn show(plan: &OnCall) -> Value {
    let calendar = |source: &CalendarSource| source.address.shown();
    let (ical, rotation) = match &plan.shifts {
        Shifts::Calendar(source) => (Some(source), None),
        Shifts::Rotation(rotation) => (None, Some(rotation)),
    };
    json!({
        "name": plan.name,
        "ical": ical.map(calendar),
        "ical_user": ical.and_then(|source| source.login.as_ref()).map(|(user, _)| user),
        "override": plan.overriding.as_ref().map(calendar),
        "people": rotation.map(|rotation| rotation.people.clone()),
        "start": rotation.map(|rotation| rotation.start.to_string()),
        "every": rotation.map(|rotation| super::show::seconds(rotation.every)),
        "time": rotation.is_some_and(|rotation| rotation.time.is_some()),
        "names": plan.names.iter().map(|(name, who)| (name.clone(), json!(who))).collect::<Map<_, _>>(),
        "fallback": plan.fallback,
        "usergroup": plan.usergroup,
        "channel": plan.channel.as_ref().map(ToString::to_string),
        "integration": plan.integration,
    })
}
