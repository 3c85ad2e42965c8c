//! clap's definitions. `--help`, the man pages and the completions all come from here.

mod database;
mod history;
mod notify;
mod replay;
mod setup;

use clap::{ArgAction, Args, Parser, Subcommand};
pub(crate) use database::{DatabaseArgs, DatabaseVerb, PasswordFile};
pub(crate) use history::{HistoryArgs, HistoryVerb, ImportArgs, WeeklyArgs};
pub(crate) use notify::{HOST_OUTPUT, IGNORED_FLAGS, IGNORED_VALUES, NotifyArgs};
pub(crate) use replay::ReplayArgs;
pub(super) use setup::channel;
pub(crate) use setup::{CommandsArgs, CommandsVerb, DemoArgs, ManifestArgs, SandboxArgs, SetupArgs};
use std::ffi::OsString;
use std::path::PathBuf;

const NOTIFY_EXAMPLES: &str = "\
Examples:
  ackbell notify --type Host --notificationtype '$NOTIFICATIONTYPE$' --hostname '$HOSTNAME$' \\
      --hoststate '$HOSTSTATEID$' --output '$HOSTOUTPUT$'
  ackbell notify --from-env
  ackbell notify --dry-run --hostname web01 --servicedesc Disk --servicestate 2 --output 'DISK CRITICAL - 2% free'

Values that are empty, a lone $, or a macro left as it stood ($SERVICEDESC$) count as absent. No value is refused.
Exit status: 0 the notification is on disk; 73 the disk refused it (one direct post was tried); 64 nothing to notify.";

const CHECK_EXAMPLES: &str = "\
Examples:
  ackbell check
  ackbell check -w 5m -c 15m --warning-queue 100 --critical-queue 1000

To be run by the monitoring core, as its own user: it needs read rights only, never the network, and at most 5 s.
Dead messages, bad spool files, a listener that died or hangs, and a refused token are critical at once.
Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  sudo -u nagios ackbell doctor
  ackbell doctor --send
  ackbell doctor --integration second --json

Run it as the user that delivers: another user has other permissions. It changes nothing; --send posts.
Exit status: 0 all is well; 69 Slack or the core can't be reached; 73 the state can't be written; 77 refused by Slack or
the core; 78 configuration.";

const SETUP_EXAMPLES: &str = "\
Examples:
  sudo ackbell setup
  sudo ackbell setup --dry-run
  sudo ackbell setup --yes --webhook-url-file /root/webhook
  sudo ackbell setup --yes --bot-token-file /root/bot --app-token-file /root/app --channel '#ops'
  sudo SLACK_BOT_TOKEN=xoxb-... ackbell setup --yes --channel '#ops' --definitions -
  sudo ackbell setup --relay https://mon.example.com:9277      (a machine that doesn't reach Slack; asks for its token)

It asks which way into Slack, for the secrets (they aren't echoed), for the channel, and whether to write. Nothing is written
before that; Ctrl-C leaves everything as it was. Run again, it shows what is there, keeps the values you keep, and leaves a
backup of a configuration it changes. Secrets are also taken from SLACK_WEBHOOK_URL, SLACK_BOT_TOKEN, SLACK_APP_TOKEN and
SLACK_SIGNING_SECRET.
Exit status: 0 done; 64 a question nobody answered; 69 Slack refused; 73 can't write; 78 the configuration is broken.";

/// Carries the notifications of a Nagios-style monitoring core to Slack.
#[derive(Debug, Parser)]
#[command(name = "ackbell", version, about, max_term_width = 100, subcommand_required = true)]
pub(crate) struct Cli<V: Subcommand = Verb> {
    /// The configuration [default: /etc/ackbell/ackbell.toml]
    #[arg(long, global = true, value_name = "FILE", env = "ACKBELL_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// More log lines; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) verb: V,
}

impl Cli {
    /// Parses the command line. `notify` is parsed without the other verbs' tables: to lay them out takes longer than
    /// all it does, and a storm runs it thousands of times.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        if arguments.get(1).is_some_and(|verb| verb == "notify") {
            let Cli { config, verbose, verb } = Cli::<NotifyVerb>::try_parse_from(arguments)?;
            return Ok(Self { config, verbose, verb: Verb::Notify(verb) });
        }
        Self::try_parse_from(arguments)
    }
}

/// The verb that the core runs for each notification.
#[derive(Debug, Subcommand)]
pub(crate) enum NotifyVerb {
    /// Take one notification from the core: durable in milliseconds
    #[command(after_help = NOTIFY_EXAMPLES)]
    Notify(NotifyArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Notify(NotifyVerb),
    /// Run the companion daemon: deliver what `notify` takes
    #[command(after_help = "SIGTERM finishes the message in hand and stops; SIGHUP reloads the configuration.")]
    Listen,
    /// Show and handle waiting and dead messages
    Queue(QueueArgs),
    /// Check every step from the core to Slack and back, and name the remedy of each fault
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// A monitoring plugin that watches ackbell itself: queue, listener, tokens, command file
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Show who did what from Slack, and whether the core applied it
    #[command(
        after_help = "Examples:\n  ackbell audit --since 24h\n  ackbell audit --host 'db*' --action downtime\n  \
        ackbell audit --step refused --json\n  ackbell audit --verify\n\n\
        An action has a row when its command is about to be sent (sending) and one for its end: confirmed, not taken, not seen, \
        failed, refused, nothing to do. Rows are only added; --verify checks that none was changed or removed, and prints the \
        last row's hash: kept on another machine, it shows later that the end wasn't cut off."
    )]
    Audit(AuditArgs),
    /// Show the earlier problems of a host or service; fill this memory from the core's logs
    #[command(after_help = history::HISTORY_EXAMPLES)]
    History(HistoryArgs),
    /// Summarise a time: which objects notified most, and which of it was noise
    #[command(name = "report", after_help = history::WEEKLY_EXAMPLES)]
    Weekly(WeeklyArgs),
    /// Show what a configuration would have sent of the core's logs, and what another one would; nothing is sent
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArgs),
    /// Show what a notification would look like, without sending it
    #[command(after_help = "Takes the arguments of `notify`. Without any, it shows a sample of every kind.\n\n\
        Examples:\n  ackbell preview\n  ackbell preview --html preview.html\n  ackbell preview --link --hostname web01 --hoststate DOWN\n  ackbell preview --hostname web01 --hoststate DOWN --output 'no ping'\n  \
        ackbell preview --explain --hostname db01 --servicedesc MySQL --servicestate 2")]
    Preview(PreviewArgs),
    /// Write, check or show the configuration
    Config(ConfigArgs),
    /// Set ackbell up: find the core, ask for Slack's tokens and check them, write the files
    #[command(after_help = SETUP_EXAMPLES)]
    Setup(SetupArgs),
    /// Show the whole way of a notification on this machine: no Slack account, no core, a page to click in
    #[command(after_help = "Examples:\n  ackbell demo\n  ackbell demo --port 9281 --no-browser\n  \
        ackbell demo --dir /tmp/demo   (the directory stays, to look at the files written)\n\n\
        A small core of its own has three problems; they come as cards into a page that stands for Slack. A click there \
        goes the real way: signed to `ackbell listen`, through the command file, and back once the core holds it. \
        Ctrl-C ends everything. No configuration is read, and nothing leaves this machine.")]
    Demo(DemoArgs),
    /// Run a strict local stand-in for Slack, for trying things out
    #[command(after_help = "Example:\n  ackbell sandbox --listen 127.0.0.1:9280\n\n\
        Its page, http://127.0.0.1:9280/, shows channels, threads and forms as Slack does; clicks there go to the listener.\n\
        Then, in a configuration:  [slack]  webhook_url = \"http://127.0.0.1:9280/services/T0SANDBOX/B0000001/try\"")]
    Sandbox(SandboxArgs),
    /// Print what a monitoring core needs: notification commands, a contact, a check of ackbell
    #[command(after_help = "Examples:\n  ackbell commands nagios | sudo tee /etc/nagios4/conf.d/ackbell.cfg\n  \
        ackbell commands icinga2 | sudo tee /etc/icinga2/conf.d/ackbell.conf\n  \
        ackbell commands checkmk >~/local/share/check_mk/notifications/ackbell\n  \
        ackbell commands cores /etc/thruk/thruk_local.conf\n\n\
        The output says where to put it and how to check it.")]
    Commands(CommandsArgs),
    /// Make a PostgreSQL database for several listeners, or move the outbox into one
    #[command(after_help = database::EXAMPLES)]
    Database(DatabaseArgs),
    /// Make a token for a relay, and print what goes into the two configurations
    #[command(after_help = "Example:\n  ackbell relay-token branch --to https://mon.example.com:9277\n\n\
        A relay is ackbell beside a core that doesn't reach Slack. Nothing is written: the token goes into a file on each \
        of the two machines, with mode 0640.")]
    RelayToken(RelayTokenArgs),
    /// Print the manifest of the Slack app that this configuration needs
    #[command(
        after_help = "Examples:\n  ackbell manifest --all --link\n  ackbell manifest --public-url https://alerts.example.com >manifest.json\n  \
        ackbell manifest --webhook --yaml\n\n\
        Opened in a browser, the link creates the app with everything filled in. Else paste the manifest at \
        https://api.slack.com/apps, Create New App, From a manifest. It asks only for the scopes that the configuration needs."
    )]
    Manifest(ManifestArgs),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    Man {
        /// Made if it isn't there
        directory: PathBuf,
    },
}

impl Verb {
    /// Whether it reads or writes the state directory: then root runs it as that directory's owner.
    pub(crate) fn works_on_the_state(&self) -> bool {
        match self {
            Self::Notify(_)
            | Self::Listen
            | Self::Queue(_)
            | Self::Doctor(_)
            | Self::Check(_)
            | Self::Audit(_)
            | Self::History(_)
            | Self::Weekly(_)
            | Self::Replay(_)
            | Self::Preview(_)
            | Self::Manifest(_) => true,
            Self::Database(args) => matches!(args.what, DatabaseVerb::Copy { .. }),
            Self::Config(args) => !matches!(args.what, ConfigVerb::Init { .. }),
            // `setup` writes what is root's, and looks at the state with care.
            Self::Setup(_)
            | Self::Demo(_)
            | Self::Sandbox(_)
            | Self::Commands(_)
            | Self::RelayToken(_)
            | Self::Completions { .. }
            | Self::Man { .. } => false,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) what: QueueVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    /// List waiting and dead messages
    #[command(
        after_help = "Examples:\n  ackbell queue list --state dead\n  ackbell queue list --host 'db*' --to '#ops' --json"
    )]
    List(QueueFilter),
    /// List the channels that subscribed from Slack
    Subscriptions,
    /// Show one delivery in full
    Show { id: String },
    /// Try waiting and dead ones again at once: one, or all
    Retry {
        /// A number from `queue list`, or a file's name in spool/bad
        id: Option<String>,
    },
    /// Forget one for good
    Drop { id: String },
    /// Deliver waiting messages now, if no listener runs
    Flush,
}

/// Which deliveries are listed.
#[derive(Debug, Args)]
pub(crate) struct QueueFilter {
    /// The delivered ones too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only those that wait, or those that are dead
    #[arg(long, value_name = "STATE", value_parser = ["waiting", "dead"])]
    pub(crate) state: Option<String>,
    /// Only of hosts like this; * and ? stand for anything
    #[arg(long, value_name = "PATTERN")]
    pub(crate) host: Option<String>,
    /// Only to places like this: '#ops', a channel's id, webhook
    #[arg(long, value_name = "PATTERN")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RelayTokenArgs {
    /// The core's name at the centre: letters, digits, - and _
    #[arg(value_parser = core_name)]
    pub(crate) name: String,
    /// The address where relays reach the centre
    #[arg(long, value_name = "URL", default_value = "https://CENTRE:9277")]
    pub(crate) to: String,
}

/// A name that can be a table's key and a file's name.
fn core_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("write letters, digits, - and _ only: it is the NAME in [cores.NAME]".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Post a test message to every destination
    #[arg(long)]
    pub(crate) send: bool,
    /// Only this integration ("default" is [slack])
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Warn when the oldest waiting message is older
    #[arg(short, long, value_name = "AGE", value_parser = span, default_value = "5m")]
    pub(crate) warning: std::time::Duration,
    /// Critical when it is older
    #[arg(short, long, value_name = "AGE", value_parser = span, default_value = "15m")]
    pub(crate) critical: std::time::Duration,
    /// Warn when so many messages wait
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) warning_queue: u32,
    /// Critical when so many wait
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) critical_queue: u32,
    /// Critical when the audit has no row with this hash: one of `audit --verify` or the journal, kept on another machine
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub(crate) audit_head: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only rows that are newer than this: 90m, 24h, 7d
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) since: Option<std::time::Duration>,
    /// Only this person: a part of the Slack id, name or e-mail address
    #[arg(long, value_name = "PERSON")]
    pub(crate) user: Option<String>,
    /// Only hosts like this; * and ? stand for anything
    #[arg(long, value_name = "PATTERN")]
    pub(crate) host: Option<String>,
    /// Only services like this
    #[arg(long, value_name = "PATTERN")]
    pub(crate) service: Option<String>,
    /// Only this action: acknowledge, unacknowledge, downtime, recheck, notifications
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<String>,
    /// Only rows of this step, e.g. refused or confirmed
    #[arg(long, value_name = "STEP")]
    pub(crate) step: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Check that no row was changed or removed
    #[arg(long)]
    pub(crate) verify: bool,
}

/// A span of time as the configuration writes it.
fn span(text: &str) -> Result<std::time::Duration, String> {
    crate::config::duration(text)
}

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    #[command(flatten)]
    pub(crate) notify: NotifyArgs,
    /// Print the JSON that Slack would get
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a web page that shows it as Slack does; without FILE it is printed
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with_all = ["json", "explain"])]
    pub(crate) html: Option<PathBuf>,
    /// That file, opened by whoever ran this, before they became another.
    #[arg(skip)]
    pub(crate) opened: Option<std::fs::File>,
    /// Print a link that opens it in Slack's Block Kit Builder
    #[arg(long, conflicts_with_all = ["json", "html"])]
    pub(crate) link: bool,
    /// Say which routes match and why
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) what: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Write a commented default configuration
    Init {
        /// Where to; without it, it is printed
        file: Option<PathBuf>,
    },
    /// Report every problem of the configuration at once
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the configuration in force, secrets redacted
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A row's hash as the audit writes it.
fn hash(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash
        .then_some(text)
        .ok_or_else(|| "it is 64 letters a to f and digits, as `ackbell audit --verify` prints it".to_owned())
}
