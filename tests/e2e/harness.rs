//! What every story is told with. `sandbox` is the stand-in for Slack, `site` a configuration and a state with the program
//! run there, `nagios` and `played` are cores, `on_call` has all of them together, with a listener; `wait` waits;
//! `postgres` is a database server, `proxy` the way to it, which a test breaks.

pub(crate) mod cluster;
pub(crate) mod nagios;
pub(crate) mod on_call;
pub(crate) mod played;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod sandbox;
pub(crate) mod site;
pub(crate) mod wait;
