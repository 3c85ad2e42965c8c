//! `ackbell doctor`: every hop on a line of its own, as it is done.

use super::args::DoctorArgs;
use super::{Exit, Output, pasteable};
use crate::health::doctor::{DoctorOptions, Mark, Step, Trouble, examine};
use crate::system::environment::Environment;
use crate::system::secret::redact;
use serde_json::{Value, json};
use std::path::Path;

/// The column where the texts begin, behind the hops' names.
const HOP_WIDTH: usize = 22;

pub(super) fn run(args: &DoctorArgs, config: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let options = DoctorOptions { send: args.send, integration: args.integration.clone() };
    let unicode = is_utf8(env);
    let mut all = Vec::new();
    let worst = examine(config, env, &options, &mut |mut step| {
        step.remedy = step.remedy.map(|remedy| pasteable(&remedy, config));
        if args.json {
            all.push(json_of(&step));
        } else {
            out.line(&redact(&text(&step, unicode, out.colours)));
        }
    });
    if args.json {
        out.line(&redact(&json!({ "ok": worst.is_none(), "steps": all }).to_string()));
    }
    match worst {
        None => Exit::Done,
        Some(Trouble::Unreachable) => Exit::Unavailable,
        Some(Trouble::State) => Exit::CantWrite,
        Some(Trouble::Refused) => Exit::Refused,
        Some(Trouble::Configuration) => Exit::Config,
    }
}

fn text(step: &Step, unicode: bool, colours: bool) -> String {
    let (sign, plain, colour) = match step.mark {
        Mark::Good => ("✓", "ok", "32"),
        Mark::Warning => ("!", "!!", "33"),
        Mark::Bad(_) => ("✗", "XX", "31"),
    };
    let sign = if unicode { sign } else { plain };
    let sign = if colours { format!("\u{1b}[{colour}m{sign}\u{1b}[0m") } else { sign.to_owned() };
    let clean = |text: &str| crate::model::notification::clean_line(text);
    let mut line = format!("{sign} {:<HOP_WIDTH$} {}", clean(&step.hop), clean(&step.found));
    if let Some(remedy) = &step.remedy {
        let arrow = if unicode { "→" } else { "->" };
        line.push_str(&format!("\n  {:<HOP_WIDTH$} {arrow} {}", "", clean(remedy)));
    }
    line
}

fn json_of(step: &Step) -> Value {
    let (mark, trouble) = match step.mark {
        Mark::Good => ("ok", None),
        Mark::Warning => ("warning", None),
        Mark::Bad(Trouble::Unreachable) => ("failed", Some("unreachable")),
        Mark::Bad(Trouble::State) => ("failed", Some("state")),
        Mark::Bad(Trouble::Refused) => ("failed", Some("refused")),
        Mark::Bad(Trouble::Configuration) => ("failed", Some("configuration")),
    };
    json!({ "mark": mark, "trouble": trouble, "hop": step.hop, "found": step.found, "remedy": step.remedy })
}

/// Whether the terminal's character set has the signs: as the C library decides, the first that is set counts.
fn is_utf8(env: &Environment) -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| env.get(name)).find(|value| !value.is_empty());
    locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"))
}
