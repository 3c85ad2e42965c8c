//! The arguments of `history` and `report`.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  ackbell history web01/Disk
  ackbell history web01 --json
  sudo ackbell history import
  sudo ackbell history import /var/log/nagios4/archives /var/log/nagios4/nagios.log

Each problem that was notified and ended has a row: when it began and ended, how many times it was notified, who acknowledged
it first and with which comment. `import` adds what happened before ackbell was installed.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  sudo ackbell history import
  sudo ackbell history import /var/log/nagios4/archives /var/log/nagios4/nagios.log
  sudo ackbell history import --core branch /srv/branch/naemon*.log.gz

Takes logs of Nagios, Naemon and Icinga 2 (compat log), plain or gzip'd, and directories of them, in any order. Run again it
adds nothing twice. Ctrl-C keeps what was added.
Exit status: 0 done; 64 a file can't be read, the others were imported; 73 the state can't be written; 75 stopped by Ctrl-C.";

pub(super) const WEEKLY_EXAMPLES: &str = "\
Examples:
  ackbell report
  ackbell report --since 30d --json
  ackbell report --since 7d --html >week.html

It counts ended problems by object and destination, and the same time before beside it; no persons. With a channel under
[report] the same is posted every week.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct HistoryArgs {
    #[command(subcommand)]
    pub(crate) what: Option<HistoryVerb>,
    /// The host or service, by the core's names
    #[arg(value_name = "HOST[/SERVICE]", required = true)]
    pub(crate) object: Option<String>,
    /// The core that has it, where several have one
    #[arg(long, value_name = "NAME")]
    pub(crate) core: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryVerb {
    /// Add the problems of a core's logs and archives
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Logs, or directories of logs [default: the core's own log and its archives]
    pub(crate) files: Vec<PathBuf>,
    /// The core that wrote them: NAME of [cores.NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) core: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WeeklyArgs {
    /// How far back: 24h, 7d, 30d
    #[arg(long, value_name = "TIME", value_parser = super::span, default_value = "7d")]
    pub(crate) since: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print a web page
    #[arg(long, conflicts_with = "json")]
    pub(crate) html: bool,
}
