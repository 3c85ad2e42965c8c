//! `[curve]`: where the last hours of a value come from.

mod grafana;

pub(crate) use grafana::GrafanaSource;

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::secrets::{self, LoadContext};
use super::values;
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const SPAN_DEFAULT: Duration = Duration::from_secs(6 * 3600);
/// Where Debian and EL have it.
const RRDTOOL: &str = "/usr/bin/rrdtool";
/// What stands for the object in a target or query.
pub(crate) const PLACEHOLDERS: [&str; 3] = ["{host}", "{service}", "{label}"];

/// The sources of curves, asked in this order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CurveSources {
    /// How far back a curve goes.
    pub(crate) span: Duration,
    pub(crate) rrd: Option<RrdSource>,
    pub(crate) graphite: Option<HttpSource>,
    pub(crate) prometheus: Option<HttpSource>,
    /// Draws the picture in our place.
    pub(crate) grafana: Option<GrafanaSource>,
    /// The values of the notifications themselves.
    pub(crate) notifications: bool,
    /// A picture is uploaded into the thread as well.
    pub(crate) picture: bool,
}

/// RRDs as `PNP4Nagios` lays them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RrdSource {
    /// With a directory for each host.
    pub(crate) directory: PathBuf,
    pub(crate) rrdtool: PathBuf,
}

/// A time series database over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HttpSource {
    /// Without a slash at its end.
    pub(crate) url: String,
    /// Graphite's target or Prometheus' query, with placeholders.
    pub(crate) expression: String,
    /// The same for a host's own check, where its values are elsewhere.
    pub(crate) host_expression: Option<String>,
    pub(crate) login: Option<SourceLogin>,
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SourceLogin {
    Basic { user: String, password: Secret },
    Token(Secret),
}

pub(super) fn read(
    top: &mut Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Option<CurveSources> {
    let mut table = top.table("curve", problems)?;
    let span = table.parsed("span", problems, span).unwrap_or(SPAN_DEFAULT);
    let rrdtool = table.parsed("rrdtool", problems, absolute).unwrap_or_else(|| RRDTOOL.into());
    let rrd = table.parsed("rrd", problems, absolute).map(|directory| RrdSource { directory, rrdtool });
    let notifications = table.flag("notifications", problems).unwrap_or(true);
    let picture = table.flag("picture", problems).unwrap_or(false);
    let graphite = http(&mut table, ("graphite", "target", "host_target"), base, sources, problems);
    let prometheus = http(&mut table, ("prometheus", "query", "host_query"), base, sources, problems);
    let grafana = grafana::read(&mut table, base, sources, picture, problems);
    if rrd.is_none() && table.node("rrdtool").is_some() {
        let remedy = "write rrd = \"/var/lib/pnp4nagios/perfdata\", or remove \"rrdtool\"";
        problems.warning(table.span, Mistake::new("\"rrdtool\" without \"rrd\" has no effect").remedy(remedy));
    }
    let is_written = ["rrd", "graphite", "prometheus", "grafana"].iter().any(|key| table.node(key).is_some());
    if !is_written && !notifications {
        let remedy =
            "write rrd, [curve.graphite], [curve.prometheus] or [curve.grafana], or remove notifications = false";
        problems.error(table.span, Mistake::new("[curve] has no source").remedy(remedy));
    }
    table.finish(problems);
    Some(CurveSources { span, rrd, graphite, prometheus, grafana, notifications, picture })
}

fn http(
    top: &mut Table<'_>,
    (name, expression_key, host_key): (&'static str, &'static str, &'static str),
    base: &Path,
    sources: &mut Vec<PathBuf>,
    problems: &mut Problems<'_>,
) -> Option<HttpSource> {
    let mut table = top.table(name, problems)?;
    let url = table.parsed("url", problems, url);
    let expression = table.text(expression_key, problems);
    let host_expression = table.text(host_key, problems).map(|text| text.text.to_owned());
    let ca_file = table.text("ca_file", problems).map(|text| base.join(text.text));
    sources.extend(ca_file.clone());
    let user = table.text("user", problems).map(|text| text.text.to_owned());
    let mut context = LoadContext { base, state_dir: base, env: Environment::default(), sources };
    let mut secret = |keys| secrets::one_secret(&mut table, keys, &[], secrets::password, &mut context, problems);
    let password = secret(("password", "password_file"));
    let token = secret(("token", "token_file"));
    for (key, is_missing, example) in [
        ("url", table.node("url").is_none(), "url = \"https://metrics.example.com\""),
        (expression_key, expression.is_none(), example_of(name)),
    ] {
        if is_missing {
            let mistake = Mistake::new(format!("[curve.{name}] without \"{key}\"")).remedy(format!("write {example}"));
            problems.error(table.span, mistake);
        }
    }
    if let Some(text) = expression.filter(|text| !PLACEHOLDERS[..2].iter().any(|part| text.text.contains(part))) {
        let message = format!("\"{expression_key}\" names no object: every card would show the same curve");
        problems.warning(Some(text.span), Mistake::new(message).remedy(format!("write {}", example_of(name))));
    }
    let login = match (user, password, token) {
        (None, None, None) => None,
        (Some(user), Some(password), None) => Some(SourceLogin::Basic { user, password }),
        (None, None, Some(token)) => Some(SourceLogin::Token(token)),
        _ => {
            let remedy = "write \"user\" and \"password_file\", or \"token_file\" alone";
            problems.error(table.span, Mistake::new(format!("the login of [curve.{name}] isn't whole")).remedy(remedy));
            None
        }
    };
    table.finish(problems);
    Some(HttpSource { url: url?, expression: expression?.text.to_owned(), host_expression, login, ca_file })
}

fn example_of(name: &str) -> &'static str {
    if name == "graphite" {
        "target = \"icinga2.{host}.services.{service}.*.perfdata.{label}.value\""
    } else {
        "query = 'ackbell_value{host=\"{host}\", service=\"{service}\"}'"
    }
}

fn url(text: &str) -> Result<String, Mistake> {
    let url = values::url(text)?;
    if url.split('/').nth(2).is_some_and(|authority| authority.contains('@')) || url.contains(['?', '#']) {
        let remedy = "write the address alone, and \"user\" with \"password_file\", or \"token_file\"";
        return Err(Mistake::new("the address has a login or a query in it").remedy(remedy));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn absolute(text: &str) -> Result<PathBuf, Mistake> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Mistake::new(format!("\"{text}\" isn't an absolute path")).remedy("it begins with /"))
}

fn span(text: &str) -> Result<Duration, Mistake> {
    match values::duration(text)? {
        short if short < HOUR => {
            Err(Mistake::new(format!("\"{text}\" is too short for a curve")).remedy("at least \"1h\""))
        }
        long if long > DAY * 7 => {
            Err(Mistake::new(format!("\"{text}\" is too long for a curve")).remedy("at most \"7d\""))
        }
        good => Ok(good),
    }
}

/// Without secrets.
pub(super) fn show(curve: &CurveSources) -> Value {
    let http = |source: &Option<HttpSource>, key: &str, host_key: &str| {
        source.as_ref().map(|source| {
            let (user, token) = match &source.login {
                Some(SourceLogin::Basic { user, .. }) => (Some(user.clone()), None),
                Some(SourceLogin::Token(_)) => (None, Some("(set)")),
                None => (None, None),
            };
            let mut shown = json!({ "url": source.url, "user": user, "token": token, "ca_file": source.ca_file });
            shown[key] = Value::from(source.expression.clone());
            shown[host_key] = Value::from(source.host_expression.clone());
            shown
        })
    };
    json!({
        "span": super::show::seconds(curve.span),
        "rrd": curve.rrd.as_ref().map(|rrd| &rrd.directory),
        "rrdtool": curve.rrd.as_ref().map(|rrd| &rrd.rrdtool),
        "notifications": curve.notifications,
        "picture": curve.picture,
        "graphite": http(&curve.graphite, "target", "host_target"),
        "prometheus": http(&curve.prometheus, "query", "host_query"),
        "grafana": curve.grafana.as_ref().map(grafana::show),
    })
}
