//! The machine under the program, and what every room needs of it: clock, JSON of bounded size, log, secrets, files
//! below a directory that somebody else may write, systemd.
//!
//! Imports nothing of the program. Nothing here knows of monitoring or Slack.

pub(crate) mod beneath;
pub(crate) mod clock;
pub(crate) mod environment;
pub(crate) mod fetch;
pub(crate) mod host;
pub(crate) mod json;
pub(crate) mod logging;
pub(crate) mod order;
pub(crate) mod regular_file;
pub(crate) mod seal;
pub(crate) mod secret;
pub(crate) mod systemd;
pub(crate) mod tls;
