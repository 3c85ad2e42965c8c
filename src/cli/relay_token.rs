//! `ackbell relay-token`: a token, and where it goes on both sides.

use super::args::RelayTokenArgs;
use super::{Exit, Output};
use crate::system::secret::unguessable;

/// Prints; writes nothing.
pub(super) fn run(args: &RelayTokenArgs, out: &mut Output) -> Exit {
    let token = match unguessable() {
        Ok(token) => token,
        Err(e) => {
            out.error(&format!("can't make a token: /dev/urandom: {e}"));
            return Exit::Unavailable;
        }
    };
    let RelayTokenArgs { name, to } = args;
    out.line(&format!(
        "The token, for a file {name}.token beside the configuration on both machines (chmod 0640, group of the core's user):

{token}

At the centre, which reaches Slack, in ackbell.toml:

[cores.{name}]
relay_token_file = \"{name}.token\"

Beside the core, all of ackbell.toml:

[relay]
to = \"{to}\"
token_file = \"{name}.token\"

Then, on both: systemctl restart ackbell; ackbell doctor"
    ));
    Exit::Done
}
