//! Checkmk's `etc/check_mk/multisite.d/sites.mk`: a statement of Python, `sites.update({...})`, with a dictionary for each
//! site by its id. (<https://docs.checkmk.com/latest/en/distributed_monitoring.html>; `cmk/gui/sites.py`)

use super::python::{self, Item, Value};
use super::{Fault, Found};
use crate::config::values::is_link;

pub(super) fn read(text: &str) -> Result<Vec<Found>, Fault> {
    let mut found = Vec::new();
    for sites in python::values_of(text, "sites")? {
        let Value::Dict(entries) = &sites.value else {
            return Err(fault(&sites, "sites isn't a dictionary of sites"));
        };
        for (id, site) in entries {
            let (Value::Text(name), Value::Dict(keys)) = (&id.value, &site.value) else {
                return Err(fault(id, "a site is an id with a dictionary: 'paris': {...}"));
            };
            found.push(core(name, id.line, keys));
        }
    }
    Ok(found)
}

fn fault(item: &Item, message: &str) -> Fault {
    Fault { line: item.line, message: message.to_owned() }
}

fn core(name: &str, line: usize, keys: &[(Item, Item)]) -> Found {
    let mut core = Found { line, name: name.to_owned(), kind: "checkmk", ..Found::default() };
    let get = |key: &str| of(keys, key);
    if let Some(Value::Text(alias)) = get("alias") {
        core.notes.push(alias.clone());
    }
    if let Some(Value::Text(url)) = get("multisiteurl") {
        // As http://central/paris/check_mk/; a path alone says no host.
        let page = url.trim_end_matches('/').trim_end_matches("/check_mk");
        core.url = is_link(page).then(|| page.to_owned());
    }
    match get("socket") {
        None | Some(Value::None) => core.addresses.push(own(name)),
        Some(Value::Text(text)) if text == "local" => core.addresses.push(own(name)),
        Some(Value::Text(text)) if text == "disabled" => core.disabled = Some("its status isn't read there".to_owned()),
        Some(Value::Text(text)) => core.add(&text.replacen("tcp6:", "tcp:", 1)),
        Some(Value::List(parts)) => socket(&mut core, name, parts),
        Some(_) => core.notes.push("Not taken over: socket, which isn't a connection that ackbell knows".to_owned()),
    }
    if matches!(get("disabled"), Some(Value::True)) {
        core.disabled = Some("the site is disabled there".to_owned());
    }
    core
}

fn of<'a>(keys: &'a [(Item, Item)], key: &str) -> Option<&'a Value> {
    keys.iter().find(|(name, _)| matches!(&name.value, Value::Text(text) if text == key)).map(|(_, item)| &item.value)
}

/// The socket of a site of this machine.
fn own(site: &str) -> String {
    format!("/omd/sites/{site}/tmp/run/live")
}

/// `('tcp', {'address': ('10.0.0.2', 6557), 'tls': ('plain_text', {})})` and its like.
fn socket(core: &mut Found, site: &str, parts: &[Item]) {
    let how = match parts {
        [Item { value: Value::Text(how), .. }, ..] => how.as_str(),
        _ => "",
    };
    let none: &[(Item, Item)] = &[];
    let keys = match parts.get(1).map(|item| &item.value) {
        Some(Value::Dict(keys)) => keys.as_slice(),
        _ => none,
    };
    match how {
        "local" => core.addresses.push(own(site)),
        "disabled" => core.disabled = Some("its status isn't read there".to_owned()),
        "unix" => match of(keys, "path") {
            Some(Value::Text(path)) => core.add(path),
            _ => core.notes.push("Not taken over: socket, which has no path".to_owned()),
        },
        "tcp" | "tcp6" => {
            let Some(Value::List(address)) = of(keys, "address") else {
                core.notes.push("Not taken over: socket, which has no address".to_owned());
                return;
            };
            let [Item { value: Value::Text(host), .. }, Item { value: Value::Number(port), .. }, ..] =
                address.as_slice()
            else {
                core.notes.push("Not taken over: socket, whose address isn't a host and a port".to_owned());
                return;
            };
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let is_encrypted = matches!(of(keys, "tls"), Some(Value::List(tls))
                if matches!(tls.first(), Some(Item { value: Value::Text(how), .. }) if how == "encrypted"));
            core.add(&format!("{}{host}:{port}", if is_encrypted { "tls://" } else { "" }));
        }
        other => core.notes.push(format!("Not taken over: socket ({other}), which ackbell doesn't know")),
    }
}
