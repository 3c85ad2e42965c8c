//! Thruk's `thruk_local.conf`: in `<Component Thruk::Backend>` one `<peer>` for each core, with the address in its
//! `<options>`; `peer` there is an address, repeated for alternatives, `fallback_peer` another.
//! (<https://www.thruk.org/documentation/configuration.html>, Thruk Backends)

use super::{Fault, Found};

pub(super) fn read(text: &str) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut peer = Peer::default();
    for (number, line) in text.lines().enumerate() {
        let (line, number) = (line.trim(), number + 1);
        let fault = |message: String| Fault { line: number, message };
        if line.is_empty() || line.starts_with('#') || line.starts_with("<<") {
            continue;
        }
        if let Some(name) = line.strip_prefix("</") {
            let name = tag(name).ok_or_else(|| fault(format!("\"{line}\" doesn't end with >")))?;
            match open.pop() {
                Some((opened, _)) if opened == name => {}
                Some((opened, at)) => return Err(fault(format!("</{name}> closes <{opened}> of line {at}"))),
                None => return Err(fault(format!("</{name}> closes nothing"))),
            }
            if name == "peer" {
                found.push(std::mem::take(&mut peer).core());
            }
        } else if let Some(name) = line.strip_prefix('<') {
            let name = tag(name).ok_or_else(|| fault(format!("\"{line}\" doesn't end with >")))?;
            if name == "peer" {
                if let Some((_, at)) = open.iter().find(|(name, _)| name == "peer") {
                    return Err(fault(format!("<peer> within the <peer> of line {at}")));
                }
                peer.core.line = number;
            }
            open.push((name, number));
        } else {
            let inside: Vec<&str> = open.iter().map(|(name, _)| name.as_str()).collect();
            let (key, value) = line.split_once(|c: char| c == '=' || c.is_whitespace()).unwrap_or((line, ""));
            peer.set(&inside, &key.to_ascii_lowercase(), plain(value));
        }
    }
    match open.pop() {
        Some((name, at)) => Err(Fault { line: at, message: format!("<{name}> is never closed") }),
        None => Ok(found),
    }
}

/// The tag's name, without what stands behind it.
fn tag(text: &str) -> Option<String> {
    Some(text.strip_suffix('>')?.split_whitespace().next().unwrap_or_default().to_ascii_lowercase())
}

/// A value without the `=`, quotes and a comment behind it.
fn plain(value: &str) -> &str {
    let value = value.trim_start_matches(|c: char| c == '=' || c.is_whitespace());
    if let Some(quoted) = value.strip_prefix('"') {
        return quoted.split('"').next().unwrap_or_default();
    }
    value.split(" #").next().unwrap_or_default().trim()
}

#[derive(Debug, Default)]
struct Peer {
    core: Found,
    id: String,
    fallbacks: Vec<String>,
}

impl Peer {
    fn set(&mut self, inside: &[&str], key: &str, value: &str) {
        match (inside, key) {
            ([.., "peer"], "name") => value.clone_into(&mut self.core.name),
            ([.., "peer"], "id") => value.clone_into(&mut self.id),
            ([.., "peer"], "type") if value.eq_ignore_ascii_case("configonly") => {
                self.core.disabled = Some("it is there for Thruk's configuration tool only".to_owned());
            }
            ([.., "peer", "options"], "peer") => self.core.add(value),
            ([.., "peer", "options"], "fallback_peer") => self.fallbacks.push(value.to_owned()),
            ([.., "peer", "options"], key)
                if key.starts_with("cert") || key.starts_with("ca_") || key.starts_with("ssl") =>
            {
                self.core.notes.push(format!("Not taken over: {key}"));
            }
            // Of the web interface.
            _ => {}
        }
    }

    fn core(mut self) -> Found {
        for fallback in &self.fallbacks {
            self.core.add(fallback);
        }
        if self.core.name.is_empty() {
            self.core.name = if self.id.is_empty() { "unnamed".to_owned() } else { self.id };
        }
        Found { kind: "naemon", ..self.core }
    }
}
