//! Filters as people write them in Slack: words that must all match.

use super::problem::Mistake;
use super::{Matcher, Pattern, values};

/// Reads `db*`, `web*/Disk*`, `critical`, `hostgroup=linux`, `state=critical,down`, `var.team=!dba`. An error is a
/// sentence for the person.
pub(crate) fn read(words: &[String]) -> Result<Matcher, String> {
    let mut matcher = Matcher::default();
    for word in words {
        match word.split_once('=') {
            Some((key, value)) => keyed(&mut matcher, key, value)?,
            None => bare(&mut matcher, word)?,
        }
    }
    Ok(matcher)
}

fn bare(matcher: &mut Matcher, word: &str) -> Result<(), String> {
    if let Ok(state) = values::state(word) {
        matcher.state.push(state);
        return Ok(());
    }
    let (host, service) = word.split_once('/').map_or((word, None), |(host, service)| (host, Some(service)));
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
    use crate::notification::Kind;

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
    fn what_is_no_filter_is_said() {
        assert!(read_text("colour=red").unwrap_err().starts_with("\"colour\" is nothing to filter by"));
        assert!(read_text("state=crit").unwrap_err().contains("critical"));
        assert!(read_text("host=").is_err());
    }
}
