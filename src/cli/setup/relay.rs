//! A machine that doesn't reach Slack: its token for the centre, which is asked before anything is written.

use super::{End, Exit, Prompt, SetupContext};
use crate::cli::secret_file;
use crate::config::{self, Relay};
use crate::monitoring::local::Local;
use crate::monitoring::relay::centre::Centre;
use crate::setup::{Choices, Connection};
use std::path::PathBuf;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);

/// Asks until the centre takes the token, or the person wants it so.
pub(super) fn choose(
    context: &SetupContext<'_>,
    core: Option<Local>,
    url: &str,
    prompt: &mut Prompt<'_>,
) -> Result<Choices, End> {
    prompt.out.line(&format!("Relay: everything goes to {url}; this machine needs no way into Slack."));
    let relay = loop {
        let relay = relay(context, url, prompt)?;
        if context.args.dry_run {
            break relay;
        }
        match Centre::new(&relay, url.trim_end_matches('/'), context.env).and_then(|centre| centre.hand_in("", WITHIN))
        {
            Ok(_) => {
                prompt.out.line("✓ the centre takes the token");
                break relay;
            }
            Err(e) if prompt.non_interactive => {
                return Err(End::Failed(Exit::Unavailable, format!("{e}; nothing was written")));
            }
            Err(e) => {
                prompt.out.line(&format!("✗ {e}"));
                if !prompt.yes("Try again", true)? {
                    break relay;
                }
            }
        }
    };
    Ok(Choices {
        way: Connection::Relay,
        core,
        secrets: Vec::new(),
        channel: None,
        api_url: None,
        state_dir: context.args.state_dir.as_ref().map(absolute),
        relay: Some(relay),
    })
}

fn absolute(path: &PathBuf) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}

/// The token from its file, from a person, or the one that is there.
fn relay(context: &SetupContext<'_>, url: &str, prompt: &mut Prompt<'_>) -> Result<Relay, End> {
    let ca_file = context.args.relay_ca_file.as_ref().map(absolute);
    let present = context.existing.as_ref().and_then(|config| config.relay.as_ref());
    let usage = |text: String| End::Failed(Exit::Usage, text);
    loop {
        let token = match &context.args.relay_token_file {
            Some(path) => {
                secret_file::read(path).map_err(|e| usage(format!("--relay-token-file {}: {e}", path.display())))?
            }
            None => prompt.secret("The token, as `ackbell relay-token` printed it", present.map_or("", |_| "keep"))?,
        };
        let token = match (token.as_str(), present) {
            ("" | "keep", Some(present)) => present.token.expose().to_owned(),
            ("", None) if prompt.non_interactive => {
                return Err(usage("--relay needs --relay-token-file FILE, too".to_owned()));
            }
            _ => token,
        };
        match config::relay(url, &token, ca_file.clone()) {
            Ok(relay) => return Ok(relay),
            Err(problem) if prompt.non_interactive || context.args.relay_token_file.is_some() => {
                return Err(usage(format!("--relay: {problem}")));
            }
            Err(problem) => prompt.out.line(&format!("✗ {problem}")),
        }
    }
}
