//! `notify`'s own arguments: one per field of a notification.

use crate::model::notification::{FIELDS, Field, Fields};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::ffi::OsString;

/// What openITCOCKPIT's own notification commands pass beside the fields, so that their lines work with `ackbell notify` as
/// the program: `SHORT LONG`. Nobody needs the values.
pub(crate) const IGNORED_VALUES: [(Option<char>, &str); 8] = [
    (None, "format"),
    (None, "contactalias"),
    (None, "contactpager"),
    (None, "user-id"),
    (None, "proxy"),
    (None, "pushover-api-token"),
    (None, "pushover-user-token"),
    (Some('m'), "method"),
];
/// The same without values.
pub(crate) const IGNORED_FLAGS: [(Option<char>, &str); 2] = [(None, "no-emoji"), (Some('q'), "quiet")];
/// The host's output in a service's notification, where the service's own comes beside it.
pub(crate) const HOST_OUTPUT: &str = "hostoutput";

/// `notify`: one argument per [`Field`], and a few of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct NotifyArgs {
    pub(crate) fields: Fields,
    pub(crate) from_env: bool,
    pub(crate) dry_run: bool,
}

impl FromArgMatches for NotifyArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut made = Self::default();
        for field in &FIELDS {
            if let Some(value) = matches.get_one::<OsString>(field.name) {
                made.fields.put(field.name, &value.to_string_lossy());
            }
        }
        if let Some(value) =
            matches.get_one::<OsString>(HOST_OUTPUT).filter(|_| !made.fields.values.contains_key("output"))
        {
            made.fields.put("output", &value.to_string_lossy());
        }
        for pair in matches.get_many::<OsString>("var").into_iter().flatten() {
            let pair = pair.to_string_lossy();
            let (key, value) = pair.split_once('=').unwrap_or((&pair, ""));
            made.fields.vars.push((key.to_owned(), value.to_owned()));
        }
        let to = matches.get_many::<OsString>("to").into_iter().flatten();
        made.fields.to = to.map(|destination| destination.to_string_lossy().into_owned()).collect();
        made.from_env = matches.get_flag("from-env");
        made.dry_run = matches.get_flag("dry-run");
        Ok(made)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for NotifyArgs {
    fn augment_args(command: Command) -> Command {
        let value = |name: &'static str| {
            Arg::new(name).long(name).allow_hyphen_values(true).value_parser(clap::value_parser!(OsString))
        };
        let one = |field: &Field| {
            // Said in the help itself: man pages leave clap's own list of aliases out.
            let names: Vec<String> = field.aliases.iter().map(|alias| format!("--{alias}")).collect();
            let also = if names.is_empty() { String::new() } else { format!("; also {}", names.join(", ")) };
            let arg =
                value(field.name).value_name(field.value).help(format!("{}{also}", field.help)).action(ArgAction::Set);
            let arg = if field.name == "type" { arg.short('t') } else { arg };
            arg.overrides_with(field.name).aliases(field.aliases)
        };
        let ignored = |(short, name): (Option<char>, &'static str)| {
            let arg = value(name).hide(true).action(ArgAction::Set).overrides_with(name);
            short.map_or_else(|| arg.clone(), |short| arg.clone().short(short))
        };
        let ignored_flag = |(short, name): (Option<char>, &'static str)| {
            let arg = flag(name).hide(true);
            short.map_or_else(|| arg.clone(), |short| arg.clone().short(short))
        };
        command
            .args(IGNORED_VALUES.map(ignored))
            .args(IGNORED_FLAGS.map(ignored_flag))
            .arg(value(HOST_OUTPUT).hide(true).action(ArgAction::Set).overrides_with(HOST_OUTPUT))
            .args(FIELDS.iter().map(one))
            .arg(value("var").value_name("KEY=VALUE").action(ArgAction::Append).help("A custom variable; repeatable"))
            .arg(
                value("to")
                    .value_name("DESTINATION")
                    .action(ArgAction::Append)
                    .help("Overrides the routes; repeatable"),
            )
            .arg(
                flag("from-env")
                    .help("Also read the core's macros from the environment: NAGIOS_*, ICINGA_*, or Icinga 2's names"),
            )
            .arg(flag("dry-run").help("Print what would be sent; send and keep nothing"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).overrides_with(name)
}
