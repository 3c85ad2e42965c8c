//! The command line: clap's definitions, and from each verb to its function. The only reader of `argv` and of the
//! environment, the only printer, and the only place that decides exit codes.
//!
//! Imports every room. Never in here: what another program would need, too.

mod args;
mod audit;
mod check;
mod commands;
mod config;
mod database;
mod demo;
mod doctor;
mod history;
mod listen;
mod manifest;
mod missing_state_dir;
pub(crate) mod notify;
mod output;
mod pages;
mod preview;
mod queue;
mod relay_token;
mod replay;
mod sandbox;
mod secret_file;
mod setup;
pub(crate) mod terminal;
mod weekly;

use crate::config::{Config, LoadError, lenient};
use crate::state_dir::owner;
use crate::system::environment::Environment;
use crate::system::logging::{self, Reader};
use args::{Cli, NotifyVerb, QueueVerb, Verb};
use log::LevelFilter;
use output::Output;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::ExitCode;

/// The exit codes, after sysexits.h; 1 to 3 are a plugin's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
    Usage = 64,
    Unavailable = 69,
    CantWrite = 73,
    Later = 75,
    Refused = 77,
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the program on the process's arguments and environment.
pub(crate) fn main() -> ExitCode {
    prepare_process();
    let env = environment();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut out = Output::new(&env);
    match Cli::read(&arguments) {
        Ok(cli) => run(cli, &env, &mut out).into(),
        Err(e) if !e.use_stderr() => {
            out.line(&e.render().to_string());
            Exit::Done.into()
        }
        // A command definition with a typo must not lose the notification.
        Err(e) if arguments.get(1..).is_some_and(|rest| rest.iter().any(|argument| argument == "notify")) => {
            notify::forgiving(&arguments, &e, &env, &mut out).into()
        }
        Err(e)
            if arguments.iter().any(|argument| argument == "check")
                && !arguments.iter().any(|argument| argument == "config") =>
        {
            check::misused(&e, &mut out).into()
        }
        Err(e) => {
            out.error(e.render().to_string().trim_end().trim_start_matches("error: "));
            Exit::Usage.into()
        }
    }
}

/// The verb's function. Reads like the table of verbs in the manual.
fn run(mut cli: Cli, env: &Environment, out: &mut Output) -> Exit {
    let config = cli.config.as_deref();
    // Before a directory is made: a command that says nothing makes none.
    let completed = match &mut cli.verb {
        Verb::Database(args) => args.read_password(),
        Verb::Notify(NotifyVerb::Notify(args)) => notify::complete(args, env),
        _ => Ok(()),
    };
    if let Err(why) = completed {
        out.error(&why);
        return Exit::Usage;
    }
    let prepared =
        if cli.verb.works_on_the_state() { prepare(config, &mut cli.verb, env, out) } else { Ok(env.clone()) };
    let env = &match prepared {
        Ok(env) => env,
        Err(exit) => return exit,
    };
    match cli.verb {
        Verb::Notify(NotifyVerb::Notify(args)) => notify::run(args, config, env, out),
        Verb::Listen => {
            let reader = if env.get("JOURNAL_STREAM").is_some() { Reader::Journal } else { Reader::Person };
            logging::start(reader, level(cli.verbose, LevelFilter::Info));
            listen::run(config, env, out)
        }
        Verb::Queue(args) => {
            logging::start(Reader::Person, level(cli.verbose, LevelFilter::Warn));
            queue::run(args, config, env, out)
        }
        Verb::Doctor(args) => doctor::run(&args, config, env, out),
        Verb::Check(args) => check::run(&args, config, env, out),
        Verb::Audit(args) => audit::run(&args, config, env, out),
        Verb::History(args) => history::run(&args, config, env, out),
        Verb::Replay(args) => replay::run(&args, config, env, out),
        Verb::Weekly(args) => weekly::run(&args, config, env, out),
        Verb::Preview(args) => preview::run(&args, config, env, out),
        Verb::Config(args) => config::run(&args, config, env, out),
        Verb::Setup(args) => setup::run(&args, config, env, out),
        Verb::Sandbox(args) => {
            logging::start(Reader::Person, level(cli.verbose, LevelFilter::Info));
            sandbox::run(args, out)
        }
        Verb::Demo(args) => demo::run(&args, env, out),
        Verb::Commands(args) => commands::run(&args, out),
        Verb::Database(args) => database::run(&args, config, env, out),
        Verb::RelayToken(args) => relay_token::run(&args, out),
        Verb::Manifest(args) => manifest::run(&args, config, env, out),
        Verb::Completions { shell } => pages::completions(shell, out),
        Verb::Man { directory } => pages::man(&directory, out),
    }
}

/// Root becomes the owner of what the verb works on. The directories that were found then stay the ones that are meant,
/// whatever somebody writes into the configuration meanwhile.
fn prepare(config: Option<&Path>, verb: &mut Verb, env: &Environment, out: &mut Output) -> Result<Environment, Exit> {
    if !owner::is_root() {
        return Ok(env.clone());
    }
    let (dirs, path) = (lenient::state_dirs_at_once(config, env), lenient::config_path(config));
    let makes_state_dir = match &*verb {
        Verb::Notify(NotifyVerb::Notify(args)) => !args.dry_run,
        Verb::Queue(args) => matches!(args.what, QueueVerb::Flush),
        Verb::History(args) => args.what.is_some(),
        other => matches!(other, Verb::Notify(_) | Verb::Listen),
    };
    if makes_state_dir {
        let made = missing_state_dir::make_for_owner(&dirs.state_dir, &path, env);
        // `notify` asks again, and then still posts.
        if let Err(why) = made.or_else(|why| if matches!(verb, Verb::Notify(_)) { Ok(()) } else { Err(why) }) {
            out.error(&why);
            return Err(Exit::CantWrite);
        }
    }
    let Some(owner) = owner::to_become(&dirs, &path) else { return Ok(env.clone()) };
    // `notify` does what the core's own would: what it may not read waits for the listener.
    let is_notify = matches!(verb, Verb::Notify(_));
    if let Some(text) = owner::own_file(&path).filter(|_| !is_notify) {
        owner::read_before(crate::config::secret_files(&path, &text));
    }
    if let Verb::Preview(args) = verb
        && let Some(file) = args.html.as_ref().filter(|file| file.as_path() != Path::new("-"))
    {
        // Named by root on the command line, so it is root's to write. A failure to open it is reported when it is written.
        args.opened = OpenOptions::new().write(true).create(true).truncate(false).open(file).ok();
    }
    if matches!(verb, Verb::Listen) {
        owner::make_runtime_dir(&dirs.runtime_dir, &owner);
    }
    if let Err(e) = owner::become_owner(&owner) {
        if matches!(verb, Verb::Check(_)) {
            out.line(&format!("ACKBELL UNKNOWN - {e}"));
            return Err(Exit::Unknown);
        }
        out.error(&e.to_string());
        return Err(if is_notify { Exit::CantWrite } else { Exit::Refused });
    }
    Ok(env.clone().with("ACKBELL_STATE_DIR", dirs.state_dir).with("ACKBELL_RUNTIME_DIR", dirs.runtime_dir))
}

/// The configuration, its warnings printed; or the reason and the exit code.
fn load(path: Option<&Path>, env: &Environment, out: &mut Output) -> Result<Config, Exit> {
    match crate::config::load(path, env) {
        Ok((config, warnings)) => {
            for warning in warnings {
                out.error(&warning.to_string());
            }
            Ok(config)
        }
        Err(e) => Err(refuse(&e, out)),
    }
}

fn refuse(error: &LoadError, out: &mut Output) -> Exit {
    out.error(&error.to_string());
    Exit::Config
}

/// A remedy whose commands of ours name the configuration that this one was started with.
fn pasteable(remedy: &str, config: Option<&Path>) -> String {
    let Some(config) = config else {
        return remedy.to_owned();
    };
    let verbs = ["config", "doctor", "preview", "queue"];
    verbs.into_iter().fold(remedy.to_owned(), |text, verb| {
        text.replace(&format!("ackbell {verb}"), &format!("ackbell --config {} {verb}", config.display()))
    })
}

fn level(verbose: u8, least: LevelFilter) -> LevelFilter {
    match verbose {
        0 => least,
        1 => least.max(LevelFilter::Info),
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}

/// What a core gives us isn't ours: its umask, and a file size limit that would kill us in mid-write.
fn prepare_process() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o007));
    // With a handler of ours the write returns EFBIG instead; SIGPIPE is ignored by Rust already.
    let ignored = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, ignored);
}

fn environment() -> Environment {
    Environment::new(std::env::vars_os())
}
