//! `ackbell check`: a plugin for the monitoring that ackbell serves. It alone has the plugins' exit codes.

use super::args::CheckArgs;
use super::{Exit, Output, pasteable};
use crate::health::check::gather::gather;
use crate::health::check::{Finding, Level, Thresholds, Verdict, judge};
use crate::store::{KnownNode, NodeBeat};
use crate::system::environment::Environment;
use serde_json::{Value, json};
use std::path::Path;

pub(super) fn run(args: &CheckArgs, config: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let thresholds = Thresholds {
        warning_age: args.warning,
        critical_age: args.critical,
        warning_queue: args.warning_queue.into(),
        critical_queue: args.critical_queue.into(),
    };
    let facts = gather(config, env, args.audit_head.as_deref());
    let mut verdict = judge(&facts, &thresholds);
    for finding in &mut verdict.findings {
        finding.remedy = finding.remedy.take().map(|remedy| pasteable(&remedy, config));
    }
    let text = if args.json { json_of(&verdict, &facts.nodes).to_string() } else { verdict.text() };
    out.line(&crate::system::secret::redact(&text));
    match verdict.level {
        Level::Info => Exit::Done,
        Level::Warning => Exit::Warning,
        Level::Critical => Exit::Critical,
        Level::Unknown => Exit::Unknown,
    }
}

/// Arguments that can't be understood: a plugin says that on its one line, too.
pub(super) fn misused(error: &clap::Error, out: &mut Output) -> Exit {
    let message = error.to_string();
    let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
    out.line(&format!("ACKBELL UNKNOWN - {first}; see ackbell check --help"));
    Exit::Unknown
}

fn json_of(verdict: &Verdict, nodes: &[KnownNode]) -> Value {
    let finding = |finding: &Finding| {
        let level = match finding.level {
            Level::Info => "note",
            Level::Unknown => "unknown",
            Level::Warning => "warning",
            Level::Critical => "critical",
        };
        json!({ "level": level, "text": finding.text, "remedy": finding.remedy })
    };
    let findings: Vec<Value> = verdict.findings.iter().map(finding).collect();
    let mut shown = json!({ "status": verdict.status_name(), "findings": findings, "perfdata": verdict.perfdata });
    if !nodes.is_empty() {
        shown["nodes"] = nodes.iter().map(node).collect();
    }
    shown
}

fn node(node: &KnownNode) -> Value {
    let NodeBeat { name, version, reaches, config, .. } = &node.beat;
    json!({
        "name": name, "delivers": node.leads, "gone": node.is_gone(), "seen_ms_ago": node.age_ms, "version": version,
        "reaches": reaches, "configuration": config,
    })
}
