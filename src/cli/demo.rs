//! `ackbell demo`: the whole loop, in the foreground.

use super::args::DemoArgs;
use super::{Exit, Output};
use crate::system::clock;
use crate::system::environment::Environment;
use ackbell_sandbox::demo::{Demo, DemoError, Options};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) fn run(args: &DemoArgs, env: &Environment, out: &mut Output) -> Exit {
    // Caught from the start, so that nothing is left behind by whoever is impatient. SIGHUP: the terminal went away.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let started = signals.map_err(|source| DemoError::Start { what: "the demo", source }).and_then(|signals| {
        let options = options(args, env)?;
        Ok((signals, Demo::start(&options)?))
    });
    let (mut signals, demo) = match started {
        Ok(started) => started,
        Err(e) => {
            out.error(&e.to_string());
            return match e {
                DemoError::Directory { .. } | DemoError::DirectoryExists(_) => Exit::CantWrite,
                _ => Exit::Unavailable,
            };
        }
    };
    show(&demo, args, out);
    if !args.no_browser && !args.json && has_desktop(env) {
        open_browser(&demo.page_url);
    }
    signals.forever().next();
    demo.end();
    Exit::Done
}

fn options(args: &DemoArgs, env: &Environment) -> Result<Options, DemoError> {
    let failed = |source| DemoError::Start { what: "the demo", source };
    let temporary = || {
        let parent =
            env.get("TMPDIR").filter(|dir| !dir.is_empty()).map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        parent.join(format!("ackbell-demo-{}-{}", std::process::id(), clock::wall_ns()))
    };
    let directory = args.dir.clone().unwrap_or_else(temporary);
    Ok(Options {
        port: args.port,
        // The children have another working directory.
        directory: std::path::absolute(directory).map_err(failed)?,
        keep: args.dir.is_some(),
        program: std::env::current_exe().map_err(failed)?,
    })
}

fn show(demo: &Demo, args: &DemoArgs, out: &mut Output) {
    let files = &demo.files;
    let url = format!("{}/", demo.page_url);
    if args.json {
        let line = json!({
            "page": url,
            "directory": files.directory,
            "configuration": files.config,
            "command_file": files.command_file,
            "status_file": files.status_file,
            "core_log": files.core_log,
            "listener_log": files.listener_log,
        });
        return out.line(&line.to_string());
    }
    let shown = if out.colours { format!("\u{1b}[1m{url}\u{1b}[0m") } else { url };
    out.line(&format!("The page: {shown}   (three problems are on their way)"));
    let line = |what: &str, path: &Path| format!("  {what:<16}{}", path.display());
    out.line("");
    out.line(&line("command file", &files.command_file));
    out.line(&line("configuration", &files.config));
    out.line(&line("listener's log", &files.listener_log));
    let end = if args.dir.is_some() { "its files stay" } else { "nothing of it stays" };
    out.line(&format!("\nCtrl-C ends it; {end}. Meanwhile, in another terminal:"));
    let program = std::env::current_exe().map_or_else(|_| "ackbell".to_owned(), |path| path.display().to_string());
    out.line(&format!("\n  {program} --config {} audit", files.config.display()));
}

fn has_desktop(env: &Environment) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env.get(name).is_some_and(|value| !value.is_empty()))
}

/// The page's address is printed; without a browser nothing is lost. It isn't the demo's to end.
fn open_browser(url: &str) {
    let mut browser = Command::new("xdg-open");
    browser.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let _: io::Result<_> = browser.spawn();
}
