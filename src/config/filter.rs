//! Filters as people write them in Slack: words that must all match.

use super::problem::Mistake;
use super::{Matcher, values};
use crate::model::pattern::Pattern;

/// Reads `db*`, `web*/Disk*`, `critical`, `hostgroup=linux`, `state=critical,down`, `var.team=!dba`; a colon is as good as
/// `=`. All words must match, two of one kind as well. An error is a sentence for the person.
pub(crate) fn read(tokens: &[String]) -> Result<Matcher, String> {
    let mut matcher = Matcher::default();
    for token in tokens {
        let mut one = Matcher::default();
        match token.split_once('=').or_else(|| token.split_once(':').filter(|(key, _)| is_key(key))) {
            Some((key, value)) => keyed(&mut one, key, value)?,
            None => bare(&mut one, token)?,
        }
        if !one.state.is_empty() && !matcher.state.is_empty() {
            let both: Vec<String> = matcher.state.iter().chain(&one.state).map(|state| state.to_lowercase()).collect();
            return Err(format!(
                "Nothing is in several states at once; for any of them write state={}.",
                both.join(",")
            ));
        }
        join(&mut matcher, one);
    }
    Ok(matcher)
}

/// Both must match.
fn join(all: &mut Matcher, one: Matcher) {
    let Matcher { host, service, host_group, service_group, contact, contact_group, core, state, kind, vars, .. } = one;
    let mut also = Matcher::default();
    for (own, more, new) in [
        (&mut all.host, &mut also.host, host),
        (&mut all.service, &mut also.service, service),
        (&mut all.host_group, &mut also.host_group, host_group),
        (&mut all.service_group, &mut also.service_group, service_group),
        (&mut all.contact, &mut also.contact, contact),
        (&mut all.contact_group, &mut also.contact_group, contact_group),
        (&mut all.core, &mut also.core, core),
    ] {
        *(if own.is_empty() { own } else { more }) = new;
    }
    all.state.extend(state);
    *(if all.kind.is_empty() { &mut all.kind } else { &mut also.kind }) = kind;
    for (key, patterns) in vars {
        let of = if all.vars.contains_key(&key) { &mut also.vars } else { &mut all.vars };
        of.insert(key, patterns);
    }
    if also != Matcher::default() {
        all.also.push(also);
    }
}

/// A name of what can be filtered by: an address with a colon in it is none.
fn is_key(text: &str) -> bool {
    let text = text.to_lowercase();
    KEYS.contains(&text.as_str()) || text.strip_prefix("var.").is_some_and(|name| !name.is_empty())
}

const KEYS: [&str; 10] = [
    "host",
    "service",
    "hostgroup",
    "servicegroup",
    "contact",
    "contact_group",
    "contactgroup",
    "core",
    "state",
    "type",
];

fn bare(matcher: &mut Matcher, token: &str) -> Result<(), String> {
    if let Ok(state) = values::state(token) {
        matcher.state.push(state);
        return Ok(());
    }
    let (host, service) = token.split_once('/').map_or((token, None), |(host, service)| (host, Some(service)));
    if !host.is_empty() {
        matcher.host.push(pattern(host)?);
    }
    if let Some(service) = service {
        matcher.service.push(pattern(service)?);
    }
    Ok(())
}

fn keyed(matcher: &mut Matcher, key: &str, value: &str) -> Result<(), String> {
    let values: Vec<&str> = value.split(',').map(str::trim).collect();
    let patterns = || values.iter().map(|value| pattern(value)).collect::<Result<Vec<_>, _>>();
    let list = match key.to_lowercase().as_str() {
        "host" => &mut matcher.host,
        "service" => &mut matcher.service,
        "hostgroup" => &mut matcher.host_group,
        "servicegroup" => &mut matcher.service_group,
        "contact" => &mut matcher.contact,
        "contact_group" | "contactgroup" => &mut matcher.contact_group,
        "core" => &mut matcher.core,
        "state" => {
            for value in &values {
                matcher.state.push(values::state(value).map_err(sentence)?);
            }
            return Ok(());
        }
        "type" => {
            for value in &values {
                matcher.kind.push(values::kind(value).map_err(sentence)?);
            }
            return Ok(());
        }
        other => match other.strip_prefix("var.").filter(|name| !name.is_empty()) {
            Some(name) => matcher.vars.entry(name.to_owned()).or_default(),
            None => {
                return Err(format!(
                    "\"{key}\" is nothing to filter by; there are host, service, state, type, hostgroup, servicegroup, \
                     contact, contact_group, core and var.NAME."
                ));
            }
        },
    };
    list.extend(patterns()?);
    Ok(())
}

fn pattern(text: &str) -> Result<Pattern, String> {
    values::pattern(text).map_err(sentence)
}

fn sentence(mistake: Mistake) -> String {
    match mistake.remedy {
        Some(remedy) => format!("{}; {remedy}.", mistake.message),
        None => format!("{}.", mistake.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::notification::Kind;

    fn read_text(text: &str) -> Result<Matcher, String> {
        read(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn words_become_a_matcher() {
        let matcher = read_text("web*/Disk* critical hostgroup=linux,!test type=problem var.team=dba").unwrap();
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern((*text).to_owned())).collect::<Vec<_>>();
        assert_eq!((matcher.host, matcher.service), (patterns(&["web*"]), patterns(&["Disk*"])));
        assert_eq!((matcher.state, matcher.kind), (vec!["CRITICAL".to_owned()], vec![Kind::Problem]));
        assert_eq!(matcher.host_group, patterns(&["linux", "!test"]));
        assert_eq!(matcher.vars["team"], patterns(&["dba"]));
        assert_eq!(read_text("/Disk").unwrap().host, patterns(&[]));
    }

    #[test]
    fn words_of_one_kind_must_all_match() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern((*text).to_owned())).collect::<Vec<_>>();
        let both = read_text("db* *prod var.a=x var.a=y").unwrap();
        assert_eq!((both.host, both.also.len()), (patterns(&["db*"]), 2));
        assert_eq!((&both.also[0].host, &both.also[1].vars["a"]), (&patterns(&["*prod"]), &patterns(&["y"])));
        assert_eq!(
            read_text("critical warning").unwrap_err(),
            "Nothing is in several states at once; for any of them write state=critical,warning."
        );
        assert_eq!(read_text("host:db* State:down var.team:dba"), read_text("host=db* state=down var.team=dba"));
        assert_eq!(read_text("2001:db8::1").unwrap().host, patterns(&["2001:db8::1"]));
    }

    #[test]
    fn what_is_no_filter_is_said() {
        assert!(read_text("colour=red").unwrap_err().starts_with("\"colour\" is nothing to filter by"));
        assert!(read_text("state=crit").unwrap_err().contains("critical"));
        assert!(read_text("host=").is_err());
    }
}
