//! The test message, the files, the core's definitions, and what is left to do.

use super::definitions::Definitions;
use super::{End, Exit, Prompt, SetupContext, slack};
use crate::config::{CoreKind, lenient};
use crate::setup::systemd_dropin::{DropIn, plan_dropin};
use crate::setup::write_files::{self, Planned};
use crate::setup::{self, Choices, Connection, checks, try_click};
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::host::host_name;
use std::path::Path;
use std::time::Duration;

/// Enough to find the window with Slack.
const CLICK_PATIENCE: Duration = Duration::from_secs(60);

/// From the checked choices to the end.
pub(super) fn finish(context: &SetupContext<'_>, choices: &Choices, prompt: &mut Prompt<'_>) -> Result<Exit, End> {
    test_message(context, choices, prompt)?;
    test_button(context, choices, prompt)?;
    let planned = setup::plan(choices, &context.path, context.existing.as_ref(), clock::wall_ms() / 1000);
    let mut planned = planned.map_err(|e| End::Failed(Exit::Config, e.to_string()))?;
    let is_the_units = context.path == Path::new(lenient::CONFIG);
    let dropin = if is_the_units { plan_dropin(choices.core.as_ref(), Path::new("/")) } else { DropIn::Nothing };
    if let DropIn::Files(files) = &dropin {
        planned.splice(..0, files.iter().filter(|file| !file.is_there()).cloned());
    }
    let definitions = Definitions::choose(context, choices, prompt);
    show_plan(context, choices, &planned, &definitions, prompt);
    if context.args.dry_run {
        prompt.out.line("\nNothing was written (--dry-run).");
        return Ok(Exit::Done);
    }
    if (!planned.is_empty() || definitions.is_to_write()) && !prompt.yes("\nWrite it", true)? {
        prompt.out.line("Nothing was written.");
        return Ok(Exit::Done);
    }
    {
        let _whole = prompt.write();
        put(context, choices, &planned)?;
    }
    prompt.out.line(if planned.is_empty() { "✓ the configuration is as it should be" } else { "✓ written" });
    definitions.put(prompt)?;
    show_remaining_steps(context, choices, &dropin, prompt);
    Ok(Exit::Done)
}

fn test_message(context: &SetupContext<'_>, choices: &Choices, prompt: &mut Prompt<'_>) -> Result<(), End> {
    let is_silent = context.args.no_message || choices.way == Connection::Relay;
    if context.args.dry_run || is_silent || !prompt.yes("\nPost a test message", true)? {
        return Ok(());
    }
    let integration = choices.integration(slack::present(context));
    let channel = integration.channel.as_ref().filter(|_| choices.way == Connection::App).map(ToString::to_string);
    let host = host_name();
    let core = choices.core.as_ref().map_or("the core", |local| local.kind.facts().title);
    let text = format!("ackbell is connected: notifications of {core} on {host} come here.");
    loop {
        let posted =
            slack::client(context, choices).and_then(|client| checks::post(&client, channel.as_deref(), &text));
        match posted {
            Ok(()) => {
                prompt.out.line("✓ Slack has the test message");
                return Ok(());
            }
            Err(problem) if prompt.non_interactive => {
                return Err(End::Failed(
                    Exit::Unavailable,
                    format!("the test message: {problem}; nothing was written"),
                ));
            }
            Err(problem) => {
                prompt.out.line(&format!("✗ {problem}"));
                if !prompt.yes("Try again", true)? {
                    return Ok(());
                }
            }
        }
    }
}

/// Whether a click comes in, where the app opens Socket Mode and somebody is there to click.
fn test_button(context: &SetupContext<'_>, choices: &Choices, prompt: &mut Prompt<'_>) -> Result<(), End> {
    if choices.way == Connection::Relay {
        return Ok(());
    }
    let integration = choices.integration(slack::present(context));
    let Some(channel) = integration.channel.as_ref().filter(|_| integration.app_token.is_some()) else { return Ok(()) };
    if context.args.dry_run
        || context.args.no_message
        || !prompt.yes("Post a button, too, and wait for your click", false)?
    {
        return Ok(());
    }
    let channel = channel.to_string();
    let ready = || prompt.out.line(&format!("  Click it in {channel}, within {} s ...", CLICK_PATIENCE.as_secs()));
    match try_click::wait(&integration, context.env, &channel, CLICK_PATIENCE, ready) {
        Ok(name) => prompt.out.line(&format!("✓ the click of {name} came in")),
        Err(problem) => prompt.out.line(&format!("✗ {problem}")),
    }
    Ok(())
}

/// Shows the files to be written.
fn show_plan(
    context: &SetupContext<'_>,
    choices: &Choices,
    planned: &[Planned],
    definitions: &Definitions,
    prompt: &mut Prompt<'_>,
) {
    if !planned.is_empty() {
        prompt.out.line("\nTo be written:");
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
        prompt.out.line(&line);
        if file.path == context.path {
            for change in changed_lines(file) {
                prompt.out.line(&format!("      {change}"));
            }
        }
    }
    definitions.show(context.args.dry_run, prompt);
}

/// The lines that are new in the configuration; secrets are in files of their own.
fn changed_lines(file: &Planned) -> Vec<String> {
    let before = std::fs::read_to_string(&file.path).unwrap_or_else(|_| crate::config::DEFAULT.to_owned());
    let is_new = |line: &&str| !before.lines().any(|old| old == *line);
    file.content.lines().filter(is_new).map(crate::system::secret::redact).collect()
}

fn put(context: &SetupContext<'_>, choices: &Choices, planned: &[Planned]) -> Result<(), End> {
    let account = choices.core.as_ref().and_then(|local| local.account.as_ref());
    let fail = |e: write_files::WriteError| {
        let remedy = if rustix::process::geteuid().is_root() { "" } else { "; run it as root: sudo ackbell setup" };
        End::Failed(Exit::CantWrite, format!("{e}{remedy}"))
    };
    let base = context.path.parent().unwrap_or(Path::new("/"));
    let present = || lenient::state_dirs(Some(&context.path), &Environment::default()).state_dir;
    write_files::directory(base, account, false).map_err(fail)?;
    write_files::directory(&choices.state_dir.clone().unwrap_or_else(present), account, true).map_err(fail)?;
    for file in planned.iter().filter(|file| file.is_public()) {
        let parent = file.path.parent().unwrap_or(Path::new("/"));
        let fail_make = |source| fail(write_files::WriteError::Make { path: parent.to_owned(), source });
        std::fs::create_dir_all(parent).map_err(fail_make)?;
    }
    write_files::files(planned, account).map_err(fail)
}

/// The steps that only the administrator can do.
fn show_remaining_steps(context: &SetupContext<'_>, choices: &Choices, dropin: &DropIn, prompt: &mut Prompt<'_>) {
    let mut steps = Vec::new();
    if let Some(local) = &choices.core {
        if local.kind.facts().definitions_file.is_none() {
            steps.push("make the notification commands in the core's interface, as shown above".to_owned());
        } else if local.kind == CoreKind::Icinga2 {
            steps.push("reload the core: systemctl reload icinga2".to_owned());
        } else {
            steps.push("in the core's configuration, add the contact slack to your contact groups".to_owned());
            let unit = match local.main_config.parent().and_then(Path::file_name) {
                Some(name) if name == "nagios4" => "nagios4",
                _ => local.kind.name(),
            };
            steps.push(format!("reload the core: systemctl reload {unit}"));
        }
    }
    if *dropin == DropIn::ByHand {
        steps.push(
            "set the user that the listener runs as, with files like those in /usr/share/ackbell/cores".to_owned(),
        );
    }
    let config = if context.path == Path::new(lenient::CONFIG) {
        String::new()
    } else {
        format!("--config {} ", context.path.display())
    };
    let user = choices.core.as_ref().and_then(|local| local.account.as_ref()).map_or("nagios", |account| &account.user);
    steps.push(format!(
        "start the listener: systemctl enable --now ackbell (or: sudo -u {user} ackbell {config}listen)"
    ));
    steps.push(format!(
        "post a message (a click needs a host that the core has): \
         sudo -u {user} ackbell {config}notify --hostname test --hoststate DOWN --output 'a test'"
    ));
    prompt.out.line("\nLeft to do:");
    for (i, step) in steps.iter().enumerate() {
        prompt.out.line(&format!("  {}. {step}", i + 1));
    }
}
