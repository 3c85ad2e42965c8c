//! Naemon's query handler: a socket that takes a command and says at once what the core makes of it.
//! (<https://www.naemon.io/documentation/developer/queryhandler.html>)

use super::error::{Receipt, SendError};
use super::socket::{End, connect_unix, exchange};
use crate::rules::command::ExternalCommand;
use std::path::Path;

const NAME: &str = "query handler";
/// A verdict is one short line.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why the command isn't taken here.
#[derive(Debug)]
pub(super) enum Failure {
    /// A core without commands in its query handler, as Nagios 4.
    NoHandler,
    /// Nobody has the command.
    Unreachable(String),
    /// The core's verdict, a second command that failed after the first, or no answer: the core may have run what it was
    /// given, or may once it goes on, so no other transport gets it, too.
    Final(SendError),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self::Final(error)
    }
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoHandler => Self::Refused("its query handler takes no commands".to_owned()),
            Failure::Unreachable(reason) => Self::Unreachable { transport: NAME, reason },
            Failure::Final(error) => error,
        }
    }
}

/// Each command on a connection of its own: the handler closes it after its answer.
pub(super) fn send(path: &Path, command: &ExternalCommand) -> Result<Receipt, Failure> {
    let mut answers = Vec::new();
    for line in command.lines() {
        match run(path, line.trim_end()) {
            Ok(answer) => answers.push(answer),
            Err(failure) if answers.is_empty() => return Err(failure),
            Err(failure) => return Err(Failure::Final(SendError::Half(Box::new(failure.into())))),
        }
    }
    Ok(Receipt { transport: NAME, answer: answers.pop(), ..Receipt::default() })
}

fn run(path: &Path, line: &str) -> Result<String, Failure> {
    let reason = |e: std::io::Error| format!("{}: {e}", path.display());
    let stream = connect_unix(path).map_err(|e| Failure::Unreachable(reason(e)))?;
    // `#` asks for the connection to end with the answer, `@` keeps it open. The answer ends with a NUL whatever the
    // connection does then.
    let answer = exchange(stream, format!("#command run {line}\0").as_bytes(), ANSWER_BYTES_MAX, End::Nul)
        .map_err(|e| Failure::Final(SendError::Unreachable { transport: NAME, reason: reason(e) }))?;
    let answer = String::from_utf8_lossy(&answer).trim_matches(['\0', '\n', ' ']).to_owned();
    let (code, text) = answer.split_once(':').unwrap_or((&answer, ""));
    match code.trim().parse::<u16>() {
        Ok(200..300) => Ok(answer),
        Ok(404) => Err(Failure::NoHandler),
        Ok(_) => Err(Failure::Final(SendError::Refused(text.trim().to_owned()))),
        // It may have run it before it died.
        Err(_) => Err(Failure::Final(SendError::Unreachable {
            transport: NAME,
            reason: format!("{} gave no answer that can be read", path.display()),
        })),
    }
}
