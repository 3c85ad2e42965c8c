//! The test message, the files, the core's definitions, and what is left to do.

use super::definitions::Definitions;
use super::{End, Exit, Scene, Talk, name, slack};
use crate::config::{CoreKind, lenient};
use crate::setup::systemd_dropin::{Tie, tie};
use crate::setup::write_files::{self, Planned};
use crate::setup::{self, Choices, Connection, checks, try_click};
use crate::system::clock;
use crate::system::environment::Environment;
use std::path::Path;
use std::time::Duration;

/// Enough to find the window with Slack.
const CLICK_PATIENCE: Duration = Duration::from_secs(60);

/// From the proven choices to the end.
pub(super) fn finish(scene: &Scene<'_>, choices: &Choices, talk: &mut Talk<'_>) -> Result<Exit, End> {
    test_message(scene, choices, talk)?;
    test_button(scene, choices, talk)?;
    let planned = setup::plan(choices, &scene.path, scene.existing.as_ref(), clock::wall_ms() / 1000);
    let mut planned = planned.map_err(|e| End::Said(Exit::Config, e.to_string()))?;
    let is_the_units = scene.path == Path::new(lenient::CONFIG);
    let tie = if is_the_units { tie(choices.core.as_ref(), Path::new("/")) } else { Tie::Nothing };
    if let Tie::Files(files) = &tie {
        planned.splice(..0, files.iter().filter(|file| !file.is_there()).cloned());
    }
    let definitions = Definitions::choose(scene, choices, talk);
    tell_plan(scene, choices, &planned, &definitions, talk);
    if scene.args.dry_run {
        talk.out.line("\nNothing was written (--dry-run).");
        return Ok(Exit::Done);
    }
    if (!planned.is_empty() || definitions.is_to_write()) && !talk.yes("\nWrite it", true)? {
        talk.out.line("Nothing was written.");
        return Ok(Exit::Done);
    }
    {
        let _whole = talk.write();
        put(scene, choices, &planned)?;
    }
    talk.out.line(if planned.is_empty() { "✓ the configuration is as it should be" } else { "✓ written" });
    definitions.put(talk)?;
    tell_rest(scene, choices, &tie, talk);
    Ok(Exit::Done)
}

fn test_message(scene: &Scene<'_>, choices: &Choices, talk: &mut Talk<'_>) -> Result<(), End> {
    if scene.args.dry_run || scene.args.no_message || !talk.yes("\nPost a test message", true)? {
        return Ok(());
    }
    let integration = choices.integration(slack::present(scene));
    let channel = integration.channel.as_ref().filter(|_| choices.way == Connection::App).map(ToString::to_string);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let core = choices.core.as_ref().map_or("the core", |local| name(local.kind));
    let text = format!("ackbell is connected: notifications of {core} on {host} come here.");
    loop {
        let posted = slack::client(scene, choices).and_then(|client| checks::post(&client, channel.as_deref(), &text));
        match posted {
            Ok(()) => {
                talk.out.line("✓ Slack has the test message");
                return Ok(());
            }
            Err(problem) if talk.alone => {
                return Err(End::Said(Exit::Unavailable, format!("the test message: {problem}; nothing was written")));
            }
            Err(problem) => {
                talk.out.line(&format!("✗ {problem}"));
                if !talk.yes("Try again", true)? {
                    return Ok(());
                }
            }
        }
    }
}

/// Whether a click comes in, where the app opens Socket Mode and somebody is there to click.
fn test_button(scene: &Scene<'_>, choices: &Choices, talk: &mut Talk<'_>) -> Result<(), End> {
    let integration = choices.integration(slack::present(scene));
    let Some(channel) = integration.channel.as_ref().filter(|_| integration.app_token.is_some()) else { return Ok(()) };
    if scene.args.dry_run || scene.args.no_message || !talk.yes("Post a button, too, and wait for your click", false)? {
        return Ok(());
    }
    let place = channel.to_string();
    let ready = || talk.out.line(&format!("  Click on it in {place}, within {} s ...", CLICK_PATIENCE.as_secs()));
    match try_click::wait(&integration, scene.env, &place, CLICK_PATIENCE, ready) {
        Ok(name) => talk.out.line(&format!("✓ the click of {name} came in")),
        Err(problem) => talk.out.line(&format!("✗ {problem}")),
    }
    Ok(())
}

/// What is to be written, in words.
fn tell_plan(
    scene: &Scene<'_>,
    choices: &Choices,
    planned: &[Planned],
    definitions: &Definitions,
    talk: &mut Talk<'_>,
) {
    if !planned.is_empty() {
        talk.out.line("\nTo be written:");
    }
    let group = choices.core.as_ref().and_then(|local| local.account.as_ref()).map_or("root", |account| &account.group);
    for file in planned {
        let owner = if file.is_public() {
            "readable by all".to_owned()
        } else if rustix::process::geteuid().is_root() {
            format!("root:{group}")
        } else {
            "yours".to_owned()
        };
        let mut line = format!("  {}  ({:04o}, {owner})", file.path.display(), file.mode);
        if let Some(backup) = &file.backup {
            line.push_str(&format!("; the present one is kept as {}", backup.display()));
        }
        talk.out.line(&line);
        if file.path == scene.path {
            for change in changed_lines(file) {
                talk.out.line(&format!("      {change}"));
            }
        }
    }
    definitions.tell(scene.args.dry_run, talk);
}

/// The lines that are new in the configuration; secrets are in files of their own.
fn changed_lines(file: &Planned) -> Vec<String> {
    let before = std::fs::read_to_string(&file.path).unwrap_or_else(|_| crate::config::DEFAULT.to_owned());
    let is_new = |line: &&str| !before.lines().any(|old| old == *line);
    file.content.lines().filter(is_new).map(crate::system::secret::redact).collect()
}

fn put(scene: &Scene<'_>, choices: &Choices, planned: &[Planned]) -> Result<(), End> {
    let account = choices.core.as_ref().and_then(|local| local.account.as_ref());
    let fail = |e: write_files::WriteError| {
        let remedy = if rustix::process::geteuid().is_root() { "" } else { "; run it as root: sudo ackbell setup" };
        End::Said(Exit::CantWrite, format!("{e}{remedy}"))
    };
    let base = scene.path.parent().unwrap_or(Path::new("/"));
    let present = || lenient::state_dirs(Some(&scene.path), &Environment::default()).state_dir;
    write_files::directory(base, account, false).map_err(fail)?;
    write_files::directory(&choices.state_dir.clone().unwrap_or_else(present), account, true).map_err(fail)?;
    for file in planned.iter().filter(|file| file.is_public()) {
        let parent = file.path.parent().unwrap_or(Path::new("/"));
        let fail_make = |source| fail(write_files::WriteError::Make { path: parent.to_owned(), source });
        std::fs::create_dir_all(parent).map_err(fail_make)?;
    }
    write_files::files(planned, account).map_err(fail)
}

/// What only the administrator can do.
fn tell_rest(scene: &Scene<'_>, choices: &Choices, tie: &Tie, talk: &mut Talk<'_>) {
    let mut steps = Vec::new();
    if let Some(local) = &choices.core {
        match local.kind {
            CoreKind::Nagios | CoreKind::Naemon => {
                steps.push("tell the core's people: add the contact slack to your contact groups".to_owned());
                let unit = match local.main_config.parent().and_then(Path::file_name) {
                    Some(name) if name == "nagios4" => "nagios4",
                    _ if local.kind == CoreKind::Naemon => "naemon",
                    _ => "nagios",
                };
                steps.push(format!("reload the core: systemctl reload {unit}"));
            }
            CoreKind::Icinga2 => steps.push("reload the core: systemctl reload icinga2".to_owned()),
            CoreKind::OpenItCockpit | CoreKind::Checkmk | CoreKind::Centreon => {
                steps.push("make the notification commands in the core's interface, as shown above".to_owned());
            }
        }
    }
    if *tie == Tie::ByHand {
        steps.push("say whose user the listener runs as, by files like those in /usr/share/ackbell/cores".to_owned());
    }
    let config = if scene.path == Path::new(lenient::CONFIG) {
        String::new()
    } else {
        format!("--config {} ", scene.path.display())
    };
    let user = choices.core.as_ref().and_then(|local| local.account.as_ref()).map_or("nagios", |account| &account.user);
    steps.push(format!(
        "start the listener: systemctl enable --now ackbell (or: sudo -u {user} ackbell {config}listen)"
    ));
    steps.push(format!(
        "post a message (a click needs a host that the core has): \
         sudo -u {user} ackbell {config}notify --hostname test --hoststate DOWN --output 'a test'"
    ));
    talk.out.line("\nWhat is left to do:");
    for (i, step) in steps.iter().enumerate() {
        talk.out.line(&format!("  {}. {step}", i + 1));
    }
}
