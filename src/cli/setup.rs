//! `ackbell setup`: the questions, the proofs, and at the end the files.

mod definitions;
mod finish;
mod prompt;
mod relay;
mod slack;

use super::args::SetupArgs;
use super::{Exit, Output, refuse};
use crate::config::{self, Config, CoreKind, lenient};
use crate::monitoring::local::{Local, local, locals};
use crate::system::environment::Environment;
use prompt::{End, Prompt};
use std::path::{Path, PathBuf};

/// The context of every step.
struct SetupContext<'a> {
    args: &'a SetupArgs,
    env: &'a Environment,
    path: PathBuf,
    existing: Option<Config>,
}

pub(super) fn run(args: &SetupArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    if !args.yes && !Prompt::is_possible() {
        out.error("setup asks questions: run it in a terminal, or with --yes and flags (see `ackbell setup --help`)");
        return Exit::Usage;
    }
    let path = lenient::config_path(path);
    // Without the environment: what the files say is looked for.
    let existing = match config::load(Some(&path), &Environment::default()) {
        Ok((config, _)) => Some(config),
        Err(config::LoadError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => {
            let exit = refuse(&e, out);
            out.error(&format!("repair it, or move it away: mv {0} {0}.old", path.display()));
            return exit;
        }
    };
    let context = SetupContext { args, env, path, existing };
    let mut prompt = match Prompt::start(out, args.yes) {
        Ok(prompt) => prompt,
        Err(e) => {
            out.error(&format!("can't start: {e}"));
            return Exit::Unavailable;
        }
    };
    match walk(&context, &mut prompt) {
        Ok(exit) => exit,
        Err(End::Stopped) => {
            prompt.out.line("");
            prompt.out.error("stopped; nothing was written");
            Exit::Usage
        }
        Err(End::Failed(exit, text)) => {
            prompt.out.error(&text);
            exit
        }
    }
}

/// The steps, in the order a person meets them.
fn walk(context: &SetupContext<'_>, prompt: &mut Prompt<'_>) -> Result<Exit, End> {
    show_present(context, prompt);
    let core = core(context, prompt)?;
    let choices = match &context.args.relay {
        Some(url) => relay::choose(context, core, url, prompt)?,
        None => slack::choose(context, core, prompt)?,
    };
    finish::finish(context, &choices, prompt)
}

fn show_present(context: &SetupContext<'_>, prompt: &mut Prompt<'_>) {
    let Some(config) = &context.existing else {
        prompt.out.line(&format!("This makes a new configuration, {}.", context.path.display()));
        return;
    };
    let way = config.integrations.iter().find(|integration| integration.enabled).map(|integration| {
        let channel = integration.channel.as_ref().map_or(String::new(), |channel| format!(", channel {channel}"));
        match (integration.bot_token(), integration.webhook_url()) {
            (Some(_), _) => format!("an app with a bot token{channel}"),
            (None, Some(_)) => "a webhook".to_owned(),
            (None, None) => "nothing yet".to_owned(),
        }
    });
    let way = way.unwrap_or_else(|| "no way into Slack yet".to_owned());
    prompt.out.line(&format!("There is {}: {way}. What you don't change stays.", context.path.display()));
}

/// The core on this machine, and how it is.
fn core(context: &SetupContext<'_>, prompt: &mut Prompt<'_>) -> Result<Option<Local>, End> {
    let args = context.args;
    let mut found = match &args.main_config {
        Some(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            if !path.is_file() {
                return Err(End::Failed(
                    Exit::Usage,
                    format!("--main-config {}: there is no such file", path.display()),
                ));
            }
            vec![local(args.core.unwrap_or_else(|| kind_of(&path)), &path)]
        }
        None => locals(),
    };
    if let Some(kind) = args.core {
        found.retain(|local| local.kind == kind);
    }
    if found.is_empty() {
        prompt.out.line(
            "Core: none found on this machine. Name its main configuration with --main-config FILE; without it \
            ackbell still takes what `ackbell notify` is given.",
        );
        return Ok(None);
    }
    let mut which = 0;
    if found.len() > 1 {
        prompt.out.line("There are several cores on this machine:");
        for (i, local) in found.iter().enumerate() {
            prompt.out.line(&format!("  {}  {}, {}", i + 1, local.kind.facts().title, local.main_config.display()));
        }
        which = prompt.choice("Which one", found.len(), 0)?;
    }
    let chosen = found.swap_remove(which);
    show_core(&chosen, prompt);
    Ok(Some(chosen))
}

fn show_core(local: &Local, prompt: &mut Prompt<'_>) {
    let account = match &local.account {
        Some(account) => format!("runs as {}:{}", account.user, account.group),
        None => "runs as a user this machine doesn't know".to_owned(),
    };
    prompt.out.line(&format!("Core: {}, {}, {account}", local.kind.facts().title, local.main_config.display()));
    if local.kind == CoreKind::Icinga2 {
        prompt.out.line(
            "      Acknowledgements from Slack need its API: set api_url, api_user and api_password_file in [core]",
        );
        return;
    }
    match &local.paths.command_file {
        Some(path) if path.exists() => prompt.out.line(&format!("      takes commands at {}", path.display())),
        Some(path) => {
            prompt
                .out
                .line(&format!("      takes commands at {}, which isn't there now: is it running?", path.display()));
        }
        None => prompt.out.line("      no command file is known: acknowledgements from Slack can't reach it"),
    }
    if local.paths.external_commands_checked == Some(false) {
        prompt.out.line(&format!(
            "      ! it takes no external commands: set check_external_commands=1 in {} and restart it",
            local.main_config.display()
        ));
    }
}

/// By the file's name.
fn kind_of(main_config: &Path) -> CoreKind {
    let text = main_config.to_string_lossy();
    match () {
        () if text.ends_with("naemon.cfg") => CoreKind::Naemon,
        () if text.ends_with("icinga2.conf") => CoreKind::Icinga2,
        () if text.ends_with("centengine.cfg") => CoreKind::Centreon,
        () if text.starts_with("/opt/openitc") => CoreKind::OpenItCockpit,
        () => CoreKind::Nagios,
    }
}
