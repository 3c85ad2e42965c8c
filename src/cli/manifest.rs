//! `ackbell manifest`: the Slack app that goes with this configuration.

use super::args::ManifestArgs;
use super::{Exit, Output};
use crate::config::{self, LoadError};
use crate::rules::manifest::{AppFeatures, Connection, link, manifest, yaml};
use crate::system::environment::Environment;
use std::path::Path;

/// Slack's limit of an app's name (<https://docs.slack.dev/reference/app-manifest>).
const NAME_CHARS_MAX: usize = 35;
const API_URL: &str = "https://slack.com/api/";

pub(super) fn run(args: &ManifestArgs, path: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let (mut wanted, api_url) = match wanted(args, path, env, out) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    if args.all {
        let all = AppFeatures::everything();
        wanted.features = all.features;
        if wanted.way == Connection::Nowhere {
            wanted.way = all.way;
        }
    }
    if let Some(name) = &args.name {
        if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
            out.error(&format!("--name takes 1 to {NAME_CHARS_MAX} characters: Slack's limit for an app's name"));
            return Exit::Usage;
        }
        wanted.name.clone_from(name);
    }
    if let Some(url) = &args.public_url {
        let url = url.trim_end_matches('/').to_owned();
        if !url.starts_with("https://") {
            out.error("--public-url must start with https://: Slack calls nothing else");
            return Exit::Usage;
        }
        (wanted.way, wanted.install_at) = (Connection::Public(url.clone()), Some(url));
    }
    wanted.rotates |= args.rotating_tokens;
    let made = manifest(&wanted);
    let text = if args.link {
        link(&made, &api_url)
    } else if args.yaml {
        yaml(&made)
    } else {
        format!("{made:#}")
    };
    out.line(&text);
    Exit::Done
}

/// What the configuration needs, and where its Slack is. There is an app before there are its tokens, so one that
/// isn't there yet, or is unfinished, gets an app that can do everything.
fn wanted(
    args: &ManifestArgs,
    path: Option<&Path>,
    env: &Environment,
    out: &mut Output,
) -> Result<(AppFeatures, String), Exit> {
    if args.webhook {
        return Ok((AppFeatures::webhook(), API_URL.to_owned()));
    }
    let config = match config::load(path, env) {
        Ok((config, _)) => config,
        Err(LoadError::Read { .. }) if path.is_none() => return Ok((AppFeatures::everything(), API_URL.to_owned())),
        Err(e) => {
            out.error(&format!("{}\nso this is the app for all features of ackbell, over Socket Mode", e.first_line()));
            return Ok((AppFeatures::everything(), API_URL.to_owned()));
        }
    };
    let found = match &args.integration {
        Some(name) => config.integrations.iter().find(|integration| integration.name == *name),
        None => config.integrations.first(),
    };
    match (found, &args.integration) {
        (Some(integration), _) => Ok((AppFeatures::new(&config, integration), integration.api_url.clone())),
        (None, None) => Ok((AppFeatures::everything(), API_URL.to_owned())),
        (None, Some(name)) => {
            let names: Vec<&str> = config.integrations.iter().map(|i| i.name.as_str()).collect();
            out.error(&format!("there is no integration \"{name}\"; known: {}", names.join(", ")));
            Err(Exit::Usage)
        }
    }
}
