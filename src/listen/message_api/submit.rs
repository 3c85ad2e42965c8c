//! Hands what another program wrote to the spool: the 204 means that it survives a crash of the machine.

use crate::config::Config;
use crate::flow::callback::http_reply::{Answer, Body};
use crate::listen::message_api::message::read;
use crate::state_dir::spool::{Entry, Spool};
use crate::state_dir::wake;
use crate::system::clock;
use log::{error, info};
use std::path::PathBuf;

/// The way into the spool.
#[derive(Debug)]
pub(in crate::listen) struct Intake {
    spool: Spool,
    runtime_dir: PathBuf,
}

impl Intake {
    pub(in crate::listen) fn new(config: &Config) -> Self {
        Self { spool: Spool::new(&config.state_dir), runtime_dir: config.runtime_dir.clone() }
    }

    /// Takes one body. A key that was seen before is told apart where the spool is emptied, for there it is known for
    /// good: here it is kept and answered like any other.
    pub(in crate::listen) fn take(&self, bytes: &[u8], key: Option<&str>) -> Answer {
        let now = clock::wall_ms();
        let fresh = format!("{:016x}{:016x}", clock::random(), clock::random());
        let notification = match read(bytes, key, &fresh, now / 1000) {
            Ok(notification) => notification,
            Err(refusal) => return Answer::text(400, format!("{refusal}\n")),
        };
        let to = notification.to.join(" ");
        match self.spool.put(&Entry { received: now, notification }) {
            Ok(id) => {
                wake::hint(&self.runtime_dir);
                info!("handed in id={id} to={to}");
                Answer { status: 204, body: Body::Empty }
            }
            Err(e) => {
                error!("what a program handed in can't be kept reason={e} what=it was told to come again");
                Answer::text(503, "it can't be kept just now; send it again\n")
            }
        }
    }
}
