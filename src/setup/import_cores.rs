//! The cores that another program knows, as tables of the configuration: of LMD, Thruk and Checkmk. Pure: text in, text
//! out. What can't be translated stands in a comment, with the reason.

mod checkmk;
mod lmd;
mod python;
mod thruk;

use crate::model::notification::clean_line;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Deeper nesting isn't a file of these programs.
const DEPTH_MAX: usize = 32;

/// The file can't be read as what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// A core as the other program has it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Its line in the file.
    line: usize,
    name: String,
    kind: &'static str,
    url: Option<String>,
    addresses: Vec<String>,
    /// What wasn't taken over, and why.
    notes: Vec<String>,
    /// Why nobody is to use it.
    disabled: Option<String>,
}

/// The tables of all cores in the file; which program's it is, the text says.
pub(crate) fn translate(text: &str) -> Result<String, Fault> {
    let starts = |starts: &[&str]| {
        text.lines()
            .map(|line| line.trim_start().to_ascii_lowercase())
            .any(|line| starts.iter().any(|s| line.starts_with(s)))
    };
    let (of, found) = if starts(&["[[connections]]"]) {
        ("LMD", lmd::read(text)?)
    } else if starts(&["<component thruk", "<peer"]) {
        ("Thruk", thruk::read(text)?)
    } else if starts(&["sites.", "sites =", "sites=", "sites["]) {
        ("Checkmk", checkmk::read(text)?)
    } else {
        let message = "this is no lmd.ini ([[Connections]]), no thruk_local.conf (<Component Thruk::Backend>) and no \
            sites.mk (sites.update)";
        return Err(Fault { line: 1, message: message.to_owned() });
    };
    Ok(tables(of, &found))
}

fn tables(of: &str, found: &[Found]) -> String {
    let mut text =
        format!("# Cores of {of}, as \"ackbell commands cores\" read them. For /etc/ackbell/ackbell.toml.\n");
    if found.is_empty() {
        let _ = writeln!(text, "# There is none in the file.");
    }
    let mut names = BTreeSet::new();
    for core in found {
        let wanted = clean_line(&core.name);
        let mut name = wanted.clone();
        let mut notes = core.notes.clone();
        for number in 2.. {
            if names.insert(name.clone()) {
                break;
            }
            name = format!("{wanted} {number}");
        }
        if name != wanted {
            notes.insert(0, format!("another core is named \"{wanted}\", too: is this the same, at another address?"));
        }
        let hidden = match (&core.disabled, core.addresses.is_empty()) {
            (Some(why), _) => Some(why.clone()),
            (None, true) => Some("it has no address that ackbell can use".to_owned()),
            (None, false) => None,
        };
        let _ = writeln!(text, "\n# line {}", core.line);
        for remark in &notes {
            let _ = writeln!(text, "# {}", clean_line(remark));
        }
        if let Some(why) = &hidden {
            let _ = writeln!(text, "# Not in force: {}", clean_line(why));
        }
        let comment = if hidden.is_some() { "#" } else { "" };
        let _ = writeln!(text, "{comment}[cores.{}]", key(&name));
        let unknown = if of == "Checkmk" {
            ""
        } else {
            "   # a guess: the file doesn't say it; see ackbell commands cores --help"
        };
        let _ = writeln!(text, "{comment}kind = \"{}\"{unknown}", core.kind);
        if let Some(url) = &core.url {
            let _ = writeln!(text, "{comment}url = {}", quoted(url));
        }
        let addresses: Vec<String> = core.addresses.iter().map(|address| quoted(address)).collect();
        let value = match addresses.as_slice() {
            [] => continue,
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let _ = writeln!(text, "{comment}livestatus = {value}");
    }
    text
}

/// A name as a key of TOML.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// A string of TOML. Without control characters JSON's is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(clean_line(text)).to_string()
}

/// What none of these files says as ackbell needs it.
const TLS_REMARK: &str = "TLS: add livestatus_ca_file where the system doesn't know the certificate's CA, and livestatus_tls_name \
                        where the name in it isn't the host's (of a Checkmk site it is the site's)";

impl Found {
    /// Takes over an address of Livestatus, or says why not.
    fn add(&mut self, source: &str) {
        match address(source) {
            Ok(address) if self.addresses.contains(&address) => {}
            Ok(address) => {
                if address.starts_with("tls:") && !self.notes.iter().any(|remark| remark == TLS_REMARK) {
                    self.notes.push(TLS_REMARK.to_owned());
                }
                self.addresses.push(address);
            }
            Err(why) => self.notes.push(format!("Not taken over: {source}: {why}")),
        }
    }
}

/// An address as ackbell writes it.
fn address(source: &str) -> Result<String, &'static str> {
    let source = source.trim();
    if source.contains('$') || source.starts_with('~') {
        return Err("write the path without a variable");
    }
    // With and without slashes, as the configuration takes it.
    if let Some(rest) = source.strip_prefix("tls:").map(|rest| rest.trim_start_matches("//")) {
        let host = rest.rsplit_once(':').map_or("", |(host, _)| host.trim_matches(['[', ']']));
        return match rustls::pki_types::ServerName::try_from(host) {
            Ok(_) => address(rest).map(|address| format!("tls:{address}")),
            Err(_) => Err("no certificate can have such a name"),
        };
    }
    let rest = match source.split_once("://") {
        Some(("tcp" | "unix", rest)) => rest,
        Some(("http" | "https", _)) => return Err("that is a Thruk; ackbell needs the core's own Livestatus"),
        Some(_) => return Err("ackbell doesn't know this kind of address"),
        None => source.strip_prefix("unix:").or_else(|| source.strip_prefix("tcp:")).unwrap_or(source),
    };
    if rest.starts_with('/') {
        return Ok(rest.to_owned());
    }
    match rest.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty()
                && !host.contains(|c: char| c == '/' || c.is_whitespace())
                && port.parse::<u16>().is_ok_and(|port| port > 0) =>
        {
            Ok(rest.to_owned())
        }
        _ => Err("it is neither a whole path nor host:port"),
    }
}

/// The line of this byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
