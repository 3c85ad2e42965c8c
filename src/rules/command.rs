//! External commands: what a person wants of the core, and the lines that say it.
//!
//! Pure. An [`ExternalCommand`] is made only from an [`Authorised`], or beside a core from the parts of one, and no text in it can add a second command or a
//! field: a comment is cleaned, and a name that a transport can't carry is refused by that transport
//! ([`ExternalCommand::unsayable`]). A core of the Nagios family puts author and
//! comment into the shell lines of *every* notification command it has, not only of ours, and most versions as they are:
//! so nothing that a shell knows goes into such a core ([`Wording`]).
//! The commands: <https://www.naemon.io/documentation/developer/externalcommands/>.

mod lines;

use crate::model::action::Action;
use crate::model::notification::{clean_field, clean_line, without_controls};
use crate::model::object::Object;
use crate::rules::authorise::Authorised;
use serde::{Deserialize, Serialize};

/// No core has a longer name: both names and a comment must fit into one line.
const NAME_BYTES_MAX: usize = 1000;
/// The furthest time that a command may name: the year 2100. A core on 32 bits of time stops before.
const TIME_MAX: i64 = 4_102_444_800;

/// A command that can be written as it is. Only [`ExternalCommand::new`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExternalCommand {
    action: Action,
    object: Object,
    author: String,
    time: i64,
    dialect: Dialect,
}

/// The parts of a command on their way to a relay, which makes a command of them beside its core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandParts {
    pub(crate) action: Action,
    pub(crate) object: Object,
    pub(crate) author: String,
}

/// Differences between the cores in the same commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// It ends an acknowledgement by itself: `ACKNOWLEDGE_*_PROBLEM_EXPIRE`.
    pub(crate) knows_expiry: bool,
    /// `SCHEDULE_HOST_SVC_DOWNTIME` is for the host, too.
    pub(crate) services_include_host: bool,
}

/// Why it can't be said to a core, as a sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(
        "\"{0}\" can't be named in a command: it is empty or has a control character in it; rename it in the monitoring"
    )]
    Name(String),
    #[error("the name of the host or service is too long for a command")]
    NameTooLong,
    #[error("the downtime must end after it starts")]
    EndsBeforeStart,
    #[error("the downtime would be over already")]
    Over,
    #[error("a flexible downtime lasts at least a minute")]
    TooShort,
    #[error("the time is out of range")]
    Time,
    #[error("that is no downtime's id")]
    DowntimeId,
}

/// How what a person wrote is said to a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wording {
    /// As it was typed: for the Icinga 2 API, whose core starts commands without a shell.
    AsTyped,
    /// Without a character that any shell or any core's list of illegal ones knows, each replaced by one that looks like it.
    LookAlikes,
}

impl Wording {
    fn of(self, text: &str) -> String {
        match self {
            Self::AsTyped => without_controls(text),
            Self::LookAlikes => clean_field(text).chars().map(look_alike).collect(),
        }
    }
}

/// Characters that look the same to a person and mean nothing to a shell.
fn look_alike(c: char) -> char {
    match c {
        '\'' => '’',
        '"' => '”',
        '`' => '‘',
        '$' => '＄',
        '&' => '＆',
        '|' => '¦',
        '<' => '‹',
        '>' => '›',
        '~' => '∼',
        '\\' => '＼',
        other => other,
    }
}

impl ExternalCommand {
    /// Checks and cleans every part. `now` in Unix seconds stamps the command.
    pub(crate) fn new(authorised: &Authorised, wording: Wording, now: i64) -> Result<Self, CommandError> {
        let (action, object) = (authorised.action().clone(), authorised.object().clone());
        let parts = CommandParts { action, object, author: authorised.author().to_owned() };
        Self::checked(parts, wording, now)
    }

    /// What this command is made of.
    pub(crate) fn parts(&self) -> CommandParts {
        let Self { action, object, author, .. } = self.clone();
        CommandParts { action, object, author }
    }

    /// Beside a core, from the parts that its centre sent: whether they may be said was decided there by an
    /// [`Authorised`], everything else is checked and cleaned here again.
    pub(crate) fn from_centre(parts: CommandParts, wording: Wording, now: i64) -> Result<Self, CommandError> {
        Self::checked(parts, wording, now)
    }

    fn checked(parts: CommandParts, wording: Wording, now: i64) -> Result<Self, CommandError> {
        let CommandParts { mut action, object, author } = parts;
        check_name(&object.host)?;
        object.service.as_deref().map_or(Ok(()), check_name)?;
        check_times(&action, now)?;
        if let Action::CancelDowntime { id } = &action
            && (id.is_empty() || id.len() > NAME_BYTES_MAX || id.chars().any(char::is_control))
        {
            return Err(CommandError::DowntimeId);
        }
        let default = action.default_comment();
        if let Some(comment) = action.comment_mut() {
            *comment = Some(wording.of(comment)).filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned());
        }
        let dialect = Dialect { knows_expiry: true, services_include_host: false };
        let author = wording.of(&author);
        let command = Self { action, object, author, time: now, dialect };
        lines::fitted(command).ok_or(CommandError::NameTooLong)
    }

    /// The same for a core that understands it so.
    #[must_use]
    pub(crate) fn towards(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        if let Action::Acknowledge { expiry, .. } = &mut self.action
            && !dialect.knows_expiry
        {
            *expiry = None;
        }
        self
    }

    /// The name that no line can say: fields end at a semicolon, and there is no escape. An API has fields of its own.
    pub(crate) fn unsayable(&self) -> Option<&str> {
        let names = match &self.action {
            Action::CancelDowntime { id } => [Some(id), None],
            _ => [Some(&self.object.host), self.object.service.as_ref()],
        };
        names.into_iter().flatten().map(String::as_str).find(|name| name.contains(';'))
    }

    /// With its comment as it is sent: cleaned, and cut where it didn't fit.
    pub(crate) fn action(&self) -> &Action {
        &self.action
    }

    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    pub(crate) fn author(&self) -> &str {
        &self.author
    }

    /// The command's time stamp, Unix seconds.
    pub(crate) fn time(&self) -> i64 {
        self.time
    }

    /// One command a line, `[UNIX] NAME;arg;...` with its newline; all together at most `PIPE_BUF` bytes, so that one
    /// write passes them whole (`pipe(7)`).
    pub(crate) fn lines(&self) -> Vec<String> {
        lines::build(self)
    }
}

fn check_name(name: &str) -> Result<(), CommandError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(CommandError::NameTooLong);
    }
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(CommandError::Name(clean_line(name)));
    }
    Ok(())
}

fn check_times(action: &Action, now: i64) -> Result<(), CommandError> {
    let in_range = |time: i64| if (0..=TIME_MAX).contains(&time) { Ok(()) } else { Err(CommandError::Time) };
    match action {
        Action::Downtime { start, end, flexible, .. } => {
            in_range(*start)?;
            in_range(*end)?;
            let seconds = flexible.map(|duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
            match seconds {
                _ if end <= start => Err(CommandError::EndsBeforeStart),
                _ if *end <= now => Err(CommandError::Over),
                Some(..60) => Err(CommandError::TooShort),
                Some(seconds) => in_range(seconds),
                None => Ok(()),
            }
        }
        Action::Recheck { at } => in_range(*at),
        Action::Acknowledge { expiry: Some(at), .. } if *at <= now => Err(CommandError::Time),
        Action::Acknowledge { expiry, .. } => expiry.map_or(Ok(()), in_range),
        Action::RemoveAcknowledgement
        | Action::CancelDowntime { .. }
        | Action::StopNotifications
        | Action::ResumeNotifications
        | Action::Comment { .. } => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
