//! Single values: from the text in the file to the strict type, with a remedy for each mistake.

use super::problem::Mistake;
use super::{
    CoreKind, Destination, Field, Flavor, Mention, Proxy, SendTime, SendTimes, Thread, TimeWindow, TimeWindows,
    WeeklyTime, names, suggest,
};
use crate::model::notification::Kind;
use crate::model::pattern::Pattern;
use crate::system::secret::Secret;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// `10s`, `5m`, `1h30m`, `3d`, `250ms`
pub(super) fn duration(text: &str) -> Result<Duration, Mistake> {
    let bad = || {
        Mistake::new(format!("\"{text}\" isn't a duration"))
            .remedy("write a number with a unit: \"30s\", \"5m\", \"12h\", \"3d\"")
    };
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u32 = rest[..digits].parse().map_err(|_| bad())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let unit = match rest[digits..unit_end].trim() {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" | "min" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return Err(bad()),
        };
        total = total.saturating_add(unit.saturating_mul(number));
        rest = &rest[unit_end..];
    }
    Ok(total)
}

/// A URL: https, or http where it stays on this machine.
pub(super) fn url(text: &str) -> Result<String, Mistake> {
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| Mistake::new("it isn't a URL").remedy("it starts with https://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host
        .strip_prefix('[')
        .map_or_else(|| host.split(':').next().unwrap_or(host), |v6| v6.split(']').next().unwrap_or(v6));
    let is_loopback = host == "localhost" || host == "::1" || host.starts_with("127.");
    match scheme {
        _ if host.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) => {
            Err(Mistake::new("it isn't a URL").remedy("it has a host and no blanks"))
        }
        "https" => Ok(text.to_owned()),
        "http" if is_loopback => Ok(text.to_owned()),
        "http" => {
            Err(Mistake::new("plain http would send the secret readable over the network").remedy("use https://"))
        }
        _ => Err(Mistake::new(format!("\"{scheme}\" isn't a scheme for it")).remedy("it starts with https://")),
    }
}

/// Whether a link for people is http or https.
pub(crate) fn is_link(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(char::is_whitespace)
}

/// A link for people, without a slash at its end.
pub(super) fn link(text: &str) -> Result<String, Mistake> {
    if !is_link(text) {
        return Err(
            Mistake::new(format!("\"{text}\" isn't a web address")).remedy("it starts with https:// or http://")
        );
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A slash command's name; <https://docs.slack.dev/reference/app-manifest>: a slash, and up to 31 characters more.
pub(super) fn command(text: &str) -> Result<String, Mistake> {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    match text.strip_prefix('/') {
        Some(name) if (1..32).contains(&name.len()) && name.chars().all(is_fine) => Ok(text.to_owned()),
        _ => Err(Mistake::new(format!("\"{text}\" isn't a slash command"))
            .remedy("write \"/NAME\": up to 31 small letters, digits, - _ .")),
    }
}

/// `none`, or the proxy's URL.
pub(super) fn proxy(text: &str) -> Result<Proxy, Mistake> {
    if text == "none" {
        return Ok(Proxy::None);
    }
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    if !["http", "https", "socks5", "socks4"].contains(&scheme) || ureq::Proxy::new(text).is_err() {
        let remedy = "write \"http://proxy:3128\", \"http://user:password@proxy:3128\", \"socks5://...\" or \"none\"";
        return Err(Mistake::new("it isn't a proxy address").remedy(remedy));
    }
    Ok(Proxy::Url(Secret::new(text.to_owned())))
}

pub(super) fn flavor(text: &str) -> Result<Flavor, Mistake> {
    choice(text, &names::FLAVORS)
}

pub(super) fn thread(text: &str) -> Result<Thread, Mistake> {
    choice(text, &names::THREADS)
}

pub(super) fn core_kind(text: &str) -> Result<CoreKind, Mistake> {
    choice(text, &CoreKind::named())
}

/// One of the known words, in any case.
pub(super) fn choice<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, Mistake> {
    if let Some((_, value)) = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let remedy = suggest::did_you_mean(text, names.iter().copied());
    Err(Mistake::new(format!("\"{text}\" is not known")).remedy(remedy.unwrap_or_else(|| suggest::one_of(&names))))
}

/// A state's name in upper case.
pub(super) fn state(text: &str) -> Result<String, Mistake> {
    const STATES: [&str; 7] = ["ok", "warning", "critical", "unknown", "up", "down", "unreachable"];
    let known: Vec<(&str, &str)> = STATES.iter().map(|name| (*name, *name)).collect();
    choice(text, &known).map(str::to_ascii_uppercase)
}

/// A notification type.
pub(super) fn kind(text: &str) -> Result<Kind, Mistake> {
    const KINDS: [&str; 10] = [
        "problem",
        "recovery",
        "acknowledgement",
        "flappingstart",
        "flappingstop",
        "flappingdisabled",
        "downtimestart",
        "downtimeend",
        "downtimecancelled",
        "custom",
    ];
    let known: Vec<(&str, &str)> = KINDS.iter().map(|name| (*name, *name)).collect();
    choice(text, &known).map(|name| Kind::from(name.to_owned()))
}

/// A piece of the context line.
pub(super) fn field(text: &str) -> Result<Field, Mistake> {
    if let Some(key) = text.strip_prefix("var:").filter(|key| !key.is_empty()) {
        return Ok(Field::Var(key.to_ascii_lowercase()));
    }
    let known: Vec<(&str, usize)> = names::FIELDS.iter().enumerate().map(|(i, (name, _))| (*name, i)).collect();
    let index = choice(text, &known).map_err(|mistake| {
        if mistake.remedy.as_deref().is_some_and(|remedy| remedy.starts_with("did")) {
            return mistake;
        }
        let names = suggest::one_of(&names::FIELDS.map(|(name, _)| name));
        mistake.remedy(format!("{names}, or \"var:KEY\" for a custom variable"))
    })?;
    Ok(names::FIELDS[index].1.clone())
}

pub(super) fn pattern(text: &str) -> Result<Pattern, Mistake> {
    if text.trim_start_matches('!').is_empty() {
        return Err(
            Mistake::new("an empty pattern matches nothing").remedy("leave the key out to match all, or write \"*\"")
        );
    }
    Ok(Pattern(text.to_owned()))
}

pub(super) fn regex(text: &str) -> Result<String, Mistake> {
    match regex_lite::Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(e) => Err(Mistake::new(format!("\"{text}\" isn't a regular expression: {e}"))
            .remedy("write backslashes twice in double quotes, or use 'single quotes'")),
    }
}

pub(super) fn template(text: &str) -> Result<String, Mistake> {
    crate::model::template::check_template(text).map(|()| text.to_owned()).map_err(Mistake::new)
}

/// `Mon-Fri 08:00-18:00, Sat 10:00-12:00`
pub(super) fn time_windows(text: &str) -> Result<TimeWindows, Mistake> {
    text.split(',').map(|part| time_window(part.trim())).collect::<Option<Vec<_>>>().map(TimeWindows).ok_or_else(|| {
        Mistake::new(format!("\"{text}\" isn't a time of the week"))
            .remedy("write \"Mon-Fri 08:00-18:00\" or \"Sat 10:00-12:00, Sun 10:00-12:00\"")
    })
}

/// `Mon-Fri 08:00, Sat 10:00`
pub(super) fn send_times(text: &str) -> Result<SendTimes, Mistake> {
    let one = |part: &str| {
        let (days, time) = part.trim().split_once(' ').unwrap_or(("Mon-Sun", part.trim()));
        let minute = minute(time).filter(|minute| *minute < 1440)?;
        Some(SendTime { days: weekdays(days)?, minute })
    };
    text.split(',').map(one).collect::<Option<Vec<_>>>().map(SendTimes).ok_or_else(|| {
        Mistake::new(format!("\"{text}\" isn't a time of the week")).remedy("write \"Mon-Fri 08:00\" or \"08:00\"")
    })
}

fn time_window(text: &str) -> Option<TimeWindow> {
    let (days, span) = text.split_once(' ').unwrap_or(("Mon-Sun", text));
    let (from, to) = span.trim().split_once('-')?;
    Some(TimeWindow { days: weekdays(days)?, from_minute: minute(from)?, to_minute: minute(to)? })
}

/// `Mon-Fri`, `Sat`
fn weekdays(days: &str) -> Option<[bool; 7]> {
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let (first, last) = (weekday(first)?, weekday(last)?);
    let mut chosen = [false; 7];
    let mut day = first;
    loop {
        chosen[day] = true;
        if day == last {
            return Some(chosen);
        }
        day = (day + 1) % 7;
    }
}

/// `Mon 08:00`
pub(super) fn weekly_time(text: &str) -> Option<WeeklyTime> {
    let (day, time) = text.trim().split_once(' ')?;
    let minute_of_day = minute(time).filter(|&minute| minute < 1440)?;
    Some(WeeklyTime { weekday: u8::try_from(weekday(day)?).ok()?, minute_of_day })
}

fn weekday(text: &str) -> Option<usize> {
    let short = text.get(..3)?.to_ascii_lowercase();
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().position(|day| *day == short)
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= 1440 && hour <= 24).then_some(hour * 60 + minute)
}

/// Slack's ids: one of the letters, then at least eight capitals and digits.
pub(super) fn is_id(text: &str, starts: &[char]) -> bool {
    text.starts_with(starts) && text.len() >= 9 && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

pub(super) fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !text.contains(char::is_whitespace))
}

/// Before the name of a shift plan.
pub(crate) const ON_CALL: &str = "oncall:";

/// The shift plan that `oncall:NAME` names.
pub(super) fn on_call(text: &str) -> Option<&str> {
    text.strip_prefix(ON_CALL).filter(|name| !name.is_empty() && !name.contains(char::is_whitespace))
}

impl FromStr for Destination {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let text = text.trim();
        let bad = |remedy: &str| Mistake::new(format!("\"{text}\" isn't a destination")).remedy(remedy.to_owned());
        if let Some(name) = text.strip_prefix('#') {
            let is_name = !name.is_empty()
                && name.chars().count() <= 80
                && !name.contains(|c: char| c.is_whitespace() || "#@<>,".contains(c));
            return if is_name {
                Ok(Self::ChannelName(name.to_lowercase()))
            } else {
                Err(bad("a channel's name has no blanks, as in \"#ops\""))
            };
        }
        match text.strip_prefix('@').unwrap_or(text) {
            "contact" => Ok(Self::Contact),
            name if on_call(name).is_some() => Ok(Self::OnCall(on_call(name).unwrap_or_default().to_owned())),
            email if is_email(email) => Ok(Self::Email(email.to_owned())),
            id if is_id(id, &['C', 'G', 'D']) => Ok(Self::ChannelId(id.to_owned())),
            id if is_id(id, &['U', 'W']) => Ok(Self::User(id.to_owned())),
            _ => {
                Err(bad("write \"#channel\", a channel's id (\"C0123ABCDEF\"), \"@alice@example.com\" or \"contact\""))
            }
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChannelName(name) => write!(f, "#{name}"),
            Self::ChannelId(id) | Self::User(id) => f.write_str(id),
            Self::Email(email) => write!(f, "@{email}"),
            Self::Contact => f.write_str("contact"),
            Self::OnCall(name) => write!(f, "@{ON_CALL}{name}"),
        }
    }
}

impl FromStr for Mention {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let name = text.trim().strip_prefix('@').unwrap_or(text.trim());
        match name {
            "here" => Ok(Self::Here),
            "channel" => Ok(Self::Channel),
            "everyone" => Ok(Self::Everyone),
            name if on_call(name).is_some() => Ok(Self::OnCall(on_call(name).unwrap_or_default().to_owned())),
            email if is_email(email) => Ok(Self::Email(email.to_owned())),
            id if is_id(id, &['U', 'W']) => Ok(Self::User(id.to_owned())),
            id if is_id(id, &['S']) => Ok(Self::UserGroup(id.to_owned())),
            handle if text.trim().starts_with('@') && !handle.is_empty() && !handle.contains(char::is_whitespace) => {
                Ok(Self::Handle(handle.to_owned()))
            }
            _ => Err(Mistake::new(format!(
                "\"{text}\" isn't a user, group, channel or e-mail address that can be mentioned"
            ))
            .remedy("write \"here\", \"@usergroup\", \"@alice@example.com\", or an id such as \"U0123ABCDEF\"")),
        }
    }
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("here"),
            Self::Channel => f.write_str("channel"),
            Self::Everyone => f.write_str("everyone"),
            Self::User(id) | Self::UserGroup(id) => f.write_str(id),
            Self::Handle(name) | Self::Email(name) => write!(f, "@{name}"),
            Self::OnCall(name) => write!(f, "@{ON_CALL}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("10s", 10), ("5m", 300), ("1h30m", 5400), ("3d", 259_200), (" 2h ", 7200)] {
            assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for text in ["", "10", "s", "1x", "-1s", "1.5h", "99999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn destinations_and_mentions_read_back() {
        for text in ["#ops", "C0123ABCDEF", "U0123ABCDEF", "@alice@example.com", "contact", "@oncall:dba"] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
        for text in ["here", "channel", "@oncall", "@oncall:dba", "U0123ABCDEF", "S0123ABCDEF", "@alice@example.com"] {
            assert_eq!(text.parse::<Mention>().unwrap().to_string(), text);
        }
        for text in ["", "ops", "#", "#a b", "@oncall", "C1"] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }

    #[test]
    fn time_windows_run_past_the_week_and_midnight() {
        let windows = time_windows("Fri-Mon 22:00-06:00").unwrap();
        assert_eq!(windows.0[0].days, [true, false, false, false, true, true, true]);
        assert_eq!((windows.0[0].from_minute, windows.0[0].to_minute), (1320, 360));
        assert!(time_windows("Mon 25:00-26:00").is_err() && time_windows("always").is_err());
    }

    #[test]
    fn urls_that_would_leak_are_refused() {
        assert!(url("https://hooks.slack.com/services/a").is_ok() && url("http://127.0.0.1:1/x").is_ok());
        assert!(url("http://hooks.slack.com/x").is_err() && url("hooks.slack.com").is_err());
        assert!(url("http://127.0.0.1@evil/x").is_err() && url("http://[::1]:80/").is_ok());
    }
}
