//! The addresses of a core that has several, each asked by itself: whoever looks after ackbell wants to know that one is
//! down while another still answers.

use super::transport::CommandApi;
use super::{alternatives, icinga2, livestatus, openitcockpit};
use crate::config::{Api, Core, Livestatus};

/// One address of several, and why it doesn't answer.
#[derive(Debug)]
pub(crate) struct Address {
    /// Without a password that it may have.
    pub(crate) name: String,
    pub(crate) answers: Result<(), String>,
}

/// Whether the core has several addresses by one way.
pub(crate) fn has_several(core: &Core) -> bool {
    core.livestatus.as_ref().is_some_and(|all| all.0.len() > 1)
        || core.api.as_ref().is_some_and(|api| api.urls.len() > 1)
}

/// Asks each of several addresses; none where a way has only one. Takes some seconds for each that is down.
pub(crate) fn probe_each(core: &Core) -> Vec<Address> {
    let mut found = Vec::new();
    if let Some(several) = core.livestatus.as_ref().filter(|all| all.0.len() > 1) {
        found.extend(several.0.iter().map(|address| {
            let answers = livestatus::answers(&Livestatus::from(address.clone()));
            of(alternatives::name(address), answers)
        }));
    }
    if let Some(api) = core.api.as_ref().filter(|api| api.urls.len() > 1) {
        found.extend(api.urls.iter().map(|url| {
            let one = Core { api: Some(Api { urls: vec![url.clone()], ..api.clone() }), ..core.clone() };
            let answers = match CommandApi::from_core(&one) {
                Some(CommandApi::Icinga2(api)) => icinga2::probe(api),
                Some(CommandApi::OpenItCockpit(api)) => openitcockpit::probe(api),
                None => Ok(()),
            };
            of(alternatives::name(url), answers.map_err(|e| e.to_string()))
        }));
    }
    found
}

/// What was found counts for the next command, too.
fn of(name: String, answers: Result<(), String>) -> Address {
    alternatives::remember(&name, answers.is_ok());
    Address { name, answers }
}
