//! Graphite and Prometheus: one GET, of which at most a megabyte is read, and no redirect is followed.

use super::{ANSWER_BYTES_MAX, SourceError, TIMEOUT, Wanted};
use crate::config::{HttpSource, PLACEHOLDERS, SourceLogin};
use crate::model::curve::Series;
use crate::system::environment::Environment;
use crate::system::fetch::{self, Bounds, Login};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// So many values are asked for; bars have far fewer.
const POINTS: i64 = 360;

/// `/render` (<https://graphite.readthedocs.io/en/latest/render_api.html>).
pub(super) fn graphite(source: &HttpSource, wanted: &Wanted<'_>, env: &Environment) -> Result<Series, SourceError> {
    let target = filled(expression(source, wanted), wanted, graphite_name);
    let (from, to) = (wanted.from.to_string(), wanted.to.to_string());
    let points = POINTS.to_string();
    let query = [("format", "json"), ("target", &target), ("from", &from), ("until", &to), ("maxDataPoints", &points)];
    let answer = ask(source, "/render", &query, env)?;
    let all = answer.as_array().ok_or("its answer isn't a list of series: is it a Graphite?")?;
    let points = one(all, &target)?["datapoints"].as_array().ok_or("its answer has no datapoints")?;
    Ok(Series::new(points.iter().filter_map(|point| Some((seconds(&point[1])?, point[0].as_f64()?))).collect()))
}

/// `/api/v1/query_range` (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
pub(super) fn prometheus(source: &HttpSource, wanted: &Wanted<'_>, env: &Environment) -> Result<Series, SourceError> {
    let query_text = filled(expression(source, wanted), wanted, prometheus_text);
    let (from, to) = (wanted.from.to_string(), wanted.to.to_string());
    let step = ((wanted.to - wanted.from) / POINTS).max(1).to_string();
    let query = [("query", query_text.as_str()), ("start", &from), ("end", &to), ("step", &step)];
    let answer = ask(source, "/api/v1/query_range", &query, env)?;
    if let Some(error) = answer["error"].as_str() {
        return Err(format!("it says: {}", error.chars().take(200).collect::<String>()).into());
    }
    let all = answer["data"]["result"].as_array().ok_or("its answer has no result: is it a Prometheus?")?;
    let points = one(all, &query_text)?["values"].as_array().ok_or("its answer has no values")?;
    let number = |text: &Value| text.as_str().and_then(|text| text.parse::<f64>().ok());
    Ok(Series::new(points.iter().filter_map(|point| Some((seconds(&point[0])?, number(&point[1])?))).collect()))
}

/// Icinga 2 keeps the values of a host's own check elsewhere than those of services.
fn expression<'a>(source: &'a HttpSource, wanted: &Wanted<'_>) -> &'a str {
    source.host_expression.as_deref().filter(|_| wanted.service.is_none()).unwrap_or(&source.expression)
}

/// Of several series nobody knows which is meant.
fn one<'a>(all: &'a [Value], expression: &str) -> Result<&'a Value, SourceError> {
    match all {
        [one] => Ok(one),
        [] => Err(SourceError::NotOne(format!("it has nothing under {expression}"))),
        several => Err(SourceError::NotOne(format!("{expression} gives {} series; it must give one", several.len()))),
    }
}

fn seconds(at: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of our time; saturates")]
    at.as_f64().map(|at| at as i64)
}

fn ask(source: &HttpSource, path: &str, query: &[(&str, &str)], env: &Environment) -> Result<Value, SourceError> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    let url = format!("{}{path}?{}", source.url, query.join("&"));
    let login = source.login.as_ref().map(|login| match login {
        SourceLogin::Basic { user, password } => Login::Basic(user, password),
        SourceLogin::Token(token) => Login::Bearer(token),
    });
    let bounds =
        Bounds { bytes_max: ANSWER_BYTES_MAX, timeout: TIMEOUT, redirects_max: 0, ca_file: source.ca_file.as_deref() };
    let bytes = fetch::get_within(&url, login, &bounds, env)?;
    serde_json::from_slice(&bytes).map_err(|_| unexpected(&bytes, "JSON", "no JSON").into())
}

/// Why bytes aren't those that were asked for.
pub(super) fn unexpected(bytes: &[u8], wanted: &str, none: &str) -> String {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    if start.trim_start().starts_with('<') {
        format!("it answered a web page, not {wanted}")
    } else {
        format!("it answered {none}")
    }
}

/// The expression with the object's names, each placeholder once: a name that looks like one stays a name.
pub(super) fn filled(expression: &str, wanted: &Wanted<'_>, quoted: fn(&str) -> String) -> String {
    let names = [wanted.host, wanted.service.unwrap_or("hostcheck"), wanted.label];
    let mut filled = String::new();
    let mut rest = expression;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = PLACEHOLDERS.iter().zip(names).find(|(placeholder, _)| rest.starts_with(**placeholder));
        let (text, length) = found.map_or_else(|| ("{".to_owned(), 1), |(key, name)| (quoted(name), key.len()));
        filled.push_str(&text);
        rest = &rest[length..];
    }
    filled + rest
}

/// A part of a Graphite path, as Icinga 2 and graphios write it: nothing that means something to Graphite.
fn graphite_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}

/// Between the quotes of `PromQL`, either kind.
fn prometheus_text(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, c| {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\x22"),
            '\'' => text.push_str("\\x27"),
            '`' => text.push('_'),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<'a>(host: &'a str, service: &'a str, label: &'a str) -> Wanted<'a> {
        Wanted { host, service: Some(service), label, position: 1, is_counter: false, from: 0, to: 1 }
    }

    #[test]
    fn names_cant_become_expressions() {
        let target = "icinga2.{host}.services.{service}.{label}.value";
        let text = filled(target, &wanted("web.01", "a{b,c}*", "/var"), graphite_name);
        assert_eq!(text, "icinga2.web_01.services.a_b_c__._var.value");
        let query = r#"x{host="{host}",service='{service}'}"#;
        let text = filled(query, &wanted(r#"a"} or vector(1) #\"#, "it's", ""), prometheus_text);
        assert_eq!(text, r#"x{host="a\x22} or vector(1) #\\",service='it\x27s'}"#);
        assert_eq!(filled("{host}{label}", &wanted("{label}", "", "x"), str::to_owned), "{label}x");
    }
}
