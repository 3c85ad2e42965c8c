//! `ackbell commands CORE`: the definitions of `contrib/`, for where the program is.

use super::args::CommandsArgs;
use super::{Exit, Output};

pub(super) fn run(args: &CommandsArgs, out: &mut Output) -> Exit {
    out.line(&args.core.facts().definitions.replace("/usr/bin/ackbell", &args.binary));
    Exit::Done
}
