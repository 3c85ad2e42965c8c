//! The arguments of `replay`.

use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo ackbell replay
  sudo ackbell replay --since 7d --config /root/new.toml
  sudo ackbell replay /var/log/nagios4/archives /var/log/nagios4/nagios.log --since 90d --html >quarter.html
  sudo ackbell replay --command 'notify-*-by-ackbell*' --messages | grep '#db-alerts'

Each notification in the logs goes through the routes, subscriptions, storms and cards as it would have, on a clock that stands
where the log is. With --config, the numbers of the configuration in force (ACKBELL_CONFIG, or /etc/ackbell/ackbell.toml)
stand beside. Before ackbell is installed any text will do as a token: bot_token = \"xoxb-none\".
Takes logs as `ackbell history import` does. Slack isn't called. Host groups, custom variables and addresses are those that the core's files have now.
Exit status: 0 done; 64 a file can't be read, the others were replayed; 75 stopped by Ctrl-C; 78 configuration.";

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Logs, or directories of logs [default: the core's own log and its archives]
    pub(crate) files: Vec<PathBuf>,
    /// How far back messages count: 24h, 7d, 30d
    #[arg(long, value_name = "TIME", value_parser = super::span, default_value = "30d")]
    pub(crate) since: Duration,
    /// The core that wrote them: NAME of [cores.NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) core: Option<String>,
    /// Only what the core sent by notification commands like this; * and ? stand for anything
    #[arg(long, value_name = "PATTERN")]
    pub(crate) command: Option<String>,
    /// List each message, reply and edit instead of counting them
    #[arg(long, conflicts_with = "html")]
    pub(crate) messages: bool,
    /// Print JSON; with --messages one object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print a web page
    #[arg(long, conflicts_with = "json")]
    pub(crate) html: bool,
}
