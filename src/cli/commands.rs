//! `ackbell commands CORE`: the definitions of `contrib/`, for where the program is.

use super::args::{CommandsArgs, Definitions};
use super::{Exit, Output};

pub(super) fn run(args: &CommandsArgs, out: &mut Output) -> Exit {
    let text = match args.core {
        Definitions::Nagios => include_str!("../../contrib/nagios/ackbell.cfg"),
        Definitions::Naemon => include_str!("../../contrib/naemon/ackbell.cfg"),
        Definitions::Icinga2 => include_str!("../../contrib/icinga2/ackbell.conf"),
        Definitions::Openitcockpit => include_str!("../../contrib/openitcockpit/ackbell.txt"),
        Definitions::Checkmk => include_str!("../../contrib/checkmk/ackbell"),
    };
    out.line(&text.replace("/usr/bin/ackbell", &args.binary));
    Exit::Done
}
