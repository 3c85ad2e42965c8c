//! `ackbell commands CORE`: the definitions of `contrib/`, for where the program is.

use super::args::CommandsArgs;
use super::{Exit, Output};
use crate::setup::contrib;

pub(super) fn run(args: &CommandsArgs, out: &mut Output) -> Exit {
    out.line(&contrib(args.core).replace("/usr/bin/ackbell", &args.binary));
    Exit::Done
}
