//! `[curve.grafana]`: a panel that Grafana renders as the picture.

use super::PLACEHOLDERS;
use crate::config::problem::{Mistake, Problems};
use crate::config::reader::Table;
use crate::config::secrets::{self, LoadContext};
use crate::config::values;
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The part of an address that shows one panel alone.
const SOLO: &str = "/d-solo/";
/// What a copied address says of the moment when it was copied; each request has its own.
const OF_THE_MOMENT: [&str; 7] = ["from", "to", "width", "height", "scale", "tz", "timeout"];
const EXAMPLE: &str = "url = \"https://grafana.example.com/d-solo/UID/NAME?orgId=1&panelId=4&var-host={host}\"";

/// A panel of a Grafana with an image renderer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GrafanaSource {
    /// Of the rendered panel, with placeholders and without times and size.
    pub(crate) url: String,
    pub(crate) token: Option<Secret>,
    pub(crate) ca_file: Option<PathBuf>,
}

pub(super) fn read(
    top: &mut Table<'_>,
    base: &Path,
    sources: &mut Vec<PathBuf>,
    has_pictures: bool,
    problems: &mut Problems<'_>,
) -> Option<GrafanaSource> {
    let mut table = top.table("grafana", problems)?;
    let url = table.parsed("url", problems, url);
    let ca_file = table.text("ca_file", problems).map(|text| base.join(text.text));
    sources.extend(ca_file.clone());
    let mut context = LoadContext { base, state_dir: base, env: Environment::default(), sources };
    let keys = ("token", "token_file");
    let token = secrets::one_secret(&mut table, keys, &[], secrets::password, &mut context, problems);
    if table.node("url").is_none() {
        let mistake = Mistake::new("[curve.grafana] without \"url\"").remedy(format!("write {EXAMPLE}"));
        problems.error(table.span, mistake);
    }
    if url.as_ref().is_some_and(|url| !PLACEHOLDERS[..2].iter().any(|part| url.contains(part))) {
        let mistake = Mistake::new("\"url\" names no object: every thread would get the same picture");
        problems.warning(table.span, mistake.remedy(format!("write {EXAMPLE}")));
    }
    if !has_pictures {
        let mistake = Mistake::new("[curve.grafana] has no effect without pictures");
        problems.warning(table.span, mistake.remedy("write picture = true in [curve]"));
    }
    table.finish(problems);
    Some(GrafanaSource { url: url?, token, ca_file })
}

/// The address as Grafana's *Share* dialogue gives it, rendered or not; kept as that of the picture.
fn url(text: &str) -> Result<String, Mistake> {
    let url = values::url(text)?;
    let remedy = format!("open the panel's Share dialogue and copy the address of its image: {EXAMPLE}");
    if url.split('/').nth(2).is_some_and(|authority| authority.contains('@')) || url.contains('#') {
        return Err(Mistake::new("the address has a login or a # in it").remedy("write it alone, with token_file"));
    }
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let kept: Vec<&str> = query
        .split('&')
        .filter(|part| !part.is_empty() && !OF_THE_MOMENT.contains(&part.split('=').next().unwrap_or_default()))
        .collect();
    if !path.contains(SOLO) || !kept.iter().any(|part| part.starts_with("panelId=")) {
        return Err(Mistake::new("the address isn't that of one panel").remedy(remedy));
    }
    if path.contains('{') {
        return Err(Mistake::new("names of objects belong behind the ?").remedy(remedy));
    }
    let path = if path.contains("/render/") { path.to_owned() } else { path.replacen(SOLO, "/render/d-solo/", 1) };
    Ok(format!("{path}?{}", kept.join("&")))
}

/// Without its secret.
pub(super) fn show(source: &GrafanaSource) -> Value {
    json!({ "url": source.url, "token": source.token.as_ref().map(|_| "(set)"), "ca_file": source.ca_file })
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn a_copied_address_becomes_that_of_the_rendered_panel() {
        let rendered = "https://g.example.com/sub/render/d-solo/u1/disk?orgId=1&panelId=4&var-host={host}";
        for copied in [
            rendered,
            "https://g.example.com/sub/d-solo/u1/disk?orgId=1&from=1&to=now&panelId=4&var-host={host}&width=1000&tz=UTC",
            "https://g.example.com/sub/render/d-solo/u1/disk?orgId=1&panelId=4&var-host={host}&height=5&scale=2&timeout=9",
        ] {
            assert_eq!(url(copied).unwrap(), rendered);
        }
        for wrong in [
            "https://g.example.com/d/u1/disk?orgId=1&viewPanel=4",
            "https://g.example.com/d-solo/u1/disk?orgId=1",
            "https://g.example.com/d-solo/{host}/disk?panelId=1",
            "https://a:b@g.example.com/d-solo/u1/disk?panelId=1",
            "http://g.example.com/d-solo/u1/disk?panelId=1",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
