//! The arguments of the first day: what sets ackbell up, and what shows it without Slack.

use crate::config::CoreKind;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct CommandsArgs {
    /// The core
    #[arg(value_name = "CORE", required = true)]
    pub(crate) core: Option<CoreKind>,
    #[command(subcommand)]
    pub(crate) verb: Option<CommandsVerb>,
    /// Where the core finds ackbell
    #[arg(long, default_value = "/usr/bin/ackbell", value_name = "PATH", value_parser = plain_path)]
    pub(crate) binary: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CommandsVerb {
    /// Print the configuration's [cores.NAME] for the cores that LMD, Thruk or Checkmk knows
    #[command(after_help = "Examples:\n  ackbell commands cores /etc/lmd/lmd.ini\n  \
        ackbell commands cores /etc/thruk/thruk_local.conf\n  \
        ackbell commands cores /omd/sites/SITE/etc/check_mk/multisite.d/sites.mk\n\n\
        What can't be taken over stands in a comment, with the reason. LMD and Thruk don't say which core it is: correct\n\
        kind (nagios, naemon, icinga2, checkmk). naemon is the safe guess: only its Livestatus undoes backslashes.\n\
        Exit status: 0 done; 64 the file can't be read, with its line.")]
    Cores {
        /// The file of the other program; - for the standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag by itself")]
pub(crate) struct ManifestArgs {
    /// Print JSON, which is the default
    #[arg(long, conflicts_with_all = ["yaml", "link"])]
    pub(crate) json: bool,
    /// Print YAML
    #[arg(long, conflicts_with = "link")]
    pub(crate) yaml: bool,
    /// Print the address that creates the app with one click
    #[arg(long)]
    pub(crate) link: bool,
    /// The app's name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// For this integration [default: the first]
    #[arg(long, value_name = "NAME", conflicts_with = "webhook")]
    pub(crate) integration: Option<String>,
    /// For all features of ackbell, whatever is configured so far
    #[arg(long, conflicts_with = "webhook")]
    pub(crate) all: bool,
    /// Incoming webhook only: can post, but no buttons or commands
    #[arg(long, conflicts_with = "public_url")]
    pub(crate) webhook: bool,
    /// Slack calls this address instead of Socket Mode
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Tokens that last 12 hours; Slack can't undo this for an app
    #[arg(long)]
    pub(crate) rotating_tokens: bool,
}

/// A path that needs no quoting in any core's language.
fn plain_path(text: &str) -> Result<String, String> {
    let is_plain = text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    let wanted = "must be a whole path of letters, digits and / . _ - +";
    if is_plain { Ok(text.to_owned()) } else { Err(wanted.to_owned()) }
}

#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// Ask no questions: use the flags, the environment and the defaults
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show everything, write nothing, post nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The core, if it isn't the one found
    #[arg(long, value_name = "CORE")]
    pub(crate) core: Option<CoreKind>,
    /// The core's main configuration, where it isn't in a usual place
    #[arg(long, value_name = "FILE")]
    pub(crate) main_config: Option<PathBuf>,
    /// A file with the webhook's address
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_url_file: Option<PathBuf>,
    /// A file with the app's bot token, xoxb-...
    #[arg(long, value_name = "FILE", conflicts_with = "webhook_url_file")]
    pub(crate) bot_token_file: Option<PathBuf>,
    /// A file with the app-level token, xapp-...: clicks come in without a public address
    #[arg(long, value_name = "FILE")]
    pub(crate) app_token_file: Option<PathBuf>,
    /// A file with the app's signing secret: clicks come to a public address
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_secret_file: Option<PathBuf>,
    /// No way into Slack from here: hand everything to the listener at this address
    #[arg(long, value_name = "URL", conflicts_with_all = ["webhook_url_file", "bot_token_file", "app_token_file", "signing_secret_file", "channel", "api_url"])]
    pub(crate) relay: Option<String>,
    /// A file with the token that `ackbell relay-token` made
    #[arg(long, value_name = "FILE", requires = "relay")]
    pub(crate) relay_token_file: Option<PathBuf>,
    /// A PEM file with the CA of that listener's certificate, where the system doesn't know it
    #[arg(long, value_name = "FILE", requires = "relay")]
    pub(crate) relay_ca_file: Option<PathBuf>,
    /// Where notifications go: '#ops', or a channel's id
    #[arg(long, value_name = "CHANNEL", value_parser = channel)]
    pub(crate) channel: Option<crate::config::Destination>,
    /// Where the definitions for the core go; - prints them [default: a file of its own where the core reads them]
    #[arg(long, value_name = "FILE")]
    pub(crate) definitions: Option<PathBuf>,
    /// Where notifications wait, written into the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Slack's Web API, where it isn't <https://slack.com/api/>; written into the configuration
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// Post no test message
    #[arg(long)]
    pub(crate) no_message: bool,
}

/// A channel, with or without its `#`.
pub(crate) fn channel(text: &str) -> Result<crate::config::Destination, String> {
    use crate::config::Destination::{ChannelId, ChannelName, User};
    let text = text.trim();
    let read = crate::config::destination(text).or_else(|problem| {
        let named = crate::config::destination(&format!("#{text}"));
        if text.contains(['@', '#']) { Err(problem) } else { named }
    })?;
    match read {
        ChannelName(_) | ChannelId(_) | User(_) => Ok(read),
        _ => Err(format!("\"{text}\" isn't a channel; write \"#ops\" or a channel's id (\"C0123ABCDEF\")")),
    }
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The page's port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 9280, value_name = "N")]
    pub(crate) port: u16,
    /// Only print the page's address
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Put the files there, and leave them at the end [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print the addresses as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9280", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Speak TLS with this certificate
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where clicks go; without it they go over Socket Mode
    #[arg(long, value_name = "URL")]
    pub(crate) request_url: Option<String>,
    /// How many messages a channel takes at once; after them it takes one a second
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) burst: u32,
}
