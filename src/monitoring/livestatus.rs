//! Livestatus: the core's memory as tables, over a UNIX socket or TCP; and a way in for commands. Only Naemon's answers
//! one, and only when the core refuses it.
//! (<https://docs.checkmk.com/latest/en/livestatus.html>)

mod details;
mod table;

pub(super) use details::details;

use super::alternatives::{self, Attempt};
use super::error::{ReadError, Receipt, SendError};
use super::objects::Names;
use super::scope::Scope;
use super::socket::{Connection, End, connect_tcp, connect_tls, connect_unix, exchange};
use crate::config::{CoreKind, Livestatus, LivestatusAddress};
use crate::model::core_snapshot::{Acknowledgement, Downtime, Program, Snapshot, State};
use crate::model::notification::clean_line;
use crate::model::object::Object;
use crate::model::topology::Topology;
use crate::rules::authorise::Contact;
use crate::rules::command::ExternalCommand;
use crate::system::clock;
use table::{FORM, Table};

const NAME: &str = "Livestatus";
/// So many objects are asked for at once: a filter has a limit somewhere.
const OBJECTS_MAX: usize = 100;

/// Naemon's module undoes backslashes in a command before the core sees it: `\n` would become a new line there, and
/// whatever stands behind it another line of the core's files. The modules of Icinga 2 and Checkmk pass a command as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backslashes {
    Undone,
    Kept,
}

impl Backslashes {
    pub(super) fn from_kind(kind: CoreKind) -> Self {
        if kind.facts().undoes_backslashes { Self::Undone } else { Self::Kept }
    }
}

/// Each command on a connection of its own.
pub(super) fn send(
    address: &Livestatus,
    backslashes: Backslashes,
    command: &ExternalCommand,
) -> Result<Receipt, SendError> {
    for (done, line) in command.lines().iter().enumerate() {
        let line = line.trim_end();
        let line = if backslashes == Backslashes::Undone { line.replace('\\', "\\\\") } else { line.to_owned() };
        if let Err(error) = run(address, &line) {
            return Err(if done == 0 { error } else { SendError::Half(Box::new(error)) });
        }
    }
    Ok(Receipt { transport: NAME, answer: None, ..Receipt::default() })
}

/// Silence is a yes. The core may have run what it was given when no answer can be read: the state will show it. So
/// another address gets the command only when no byte of it was written.
fn run(addresses: &Livestatus, line: &str) -> Result<(), SendError> {
    const ANSWER_BYTES_MAX: usize = 16 * 1024;
    let request = format!("COMMAND {line}\n\n");
    let unreachable = |reason| SendError::Unreachable { transport: NAME, reason };
    let sent = alternatives::first(&addresses.0, |address| {
        let written = |e: std::io::Error| Attempt::Final(unreachable(format!("{address}: {e}")));
        let mut stream = connect(address).map_err(Attempt::next)?;
        stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).map_err(written)?;
        // There is no second request: it need not keep the connection open.
        stream.end_writing();
        Ok(exchange(stream, b"", ANSWER_BYTES_MAX, End::Connection))
    });
    let answer =
        sent.map_err(|failure| failure.into_error(|reason| unreachable(at(addresses, reason))))?.unwrap_or_default();
    let answer = clean_line(&String::from_utf8_lossy(&answer));
    match answer.split_once(':').map(|(code, reason)| (code.trim().parse::<u16>(), reason.trim())) {
        Some((Ok(400..), reason)) => Err(SendError::Refused(reason.chars().take(300).collect())),
        _ => Ok(()),
    }
}

/// The columns of [`table::Row::state`].
const STATE: &str = "state state_type acknowledged acknowledgement_type scheduled_downtime_depth notifications_enabled \
    last_check next_check last_state_change has_been_checked plugin_output";

fn connect(address: &LivestatusAddress) -> std::io::Result<Box<dyn Connection>> {
    Ok(match address {
        LivestatusAddress::Unix(path) => Box::new(connect_unix(path)?),
        LivestatusAddress::Tcp(address) => Box::new(connect_tcp(address)?),
        LivestatusAddress::Tls { address, ca_file, name } => {
            Box::new(connect_tls(address, ca_file.as_deref(), name.as_deref())?)
        }
    })
}

/// Everything in memory, or all that isn't well.
pub(super) fn list(address: &Livestatus, scope: Scope) -> Result<Vec<(Object, State)>, ReadError> {
    let more = match scope {
        // An object that was never checked has no state yet.
        Scope::Problems => format!(" {STATE}\nFilter: state != 0\nFilter: has_been_checked = 1"),
        Scope::Names => String::new(),
    };
    let ask = |table: &str| {
        let answer = ask(address, &format!("GET {table}{more}\n"));
        answer.map_err(|reason| unreadable(address, reason))
    };
    let (hosts, services) = (ask("hosts\nColumns: name name")?, ask("services\nColumns: host_name description")?);
    let object = |host: &str, service| Object { core: String::new(), host: host.to_owned(), service };
    let hosts = hosts.rows().map(|row| (object(row.text(0), None), row.state()));
    let services = services.rows().map(|row| (object(row.text(0), Some(row.text(1).to_owned())), row.state()));
    Ok(hosts.chain(services).collect())
}

/// Whether it answers; the reason without the address.
pub(super) fn answers(address: &Livestatus) -> Result<(), String> {
    ask(address, "GET status\nColumns: nagios_pid\n").map(drop)
}

/// Whether one of them answers.
pub(super) fn probe(address: &Livestatus) -> Result<(), SendError> {
    answers(address).map_err(|reason| SendError::Unreachable { transport: NAME, reason: at(address, reason) })
}

/// The reason with its address; of several each reason has its own.
fn at(addresses: &Livestatus, reason: String) -> String {
    if addresses.0.len() > 1 { reason } else { format!("{addresses}: {reason}") }
}

fn unreadable(address: &Livestatus, reason: String) -> ReadError {
    let origin = if address.0.len() > 1 { NAME.to_owned() } else { format!("{NAME} at {address}") };
    ReadError::Unreadable { origin, reason }
}

/// The core's version.
pub(super) fn version(address: &Livestatus) -> Option<String> {
    let found = ask(address, "GET status\nColumns: program_version\n").ok()?;
    found.rows().next().map(|row| row.text(0).to_owned())
}

/// The wanted objects' state as it is in memory now.
pub(super) fn read(address: &Livestatus, wanted: &[Object]) -> Result<Snapshot, ReadError> {
    // Before asking: what the core does meanwhile is later.
    let created = clock::wall_ms() / 1000;
    let ask = |query: &str| {
        let answer = ask(address, query);
        answer.map_err(|reason| unreadable(address, reason))
    };
    snapshot(&ask, wanted, created)
}

/// For the fuzzer: as if these were the core's answers, one to each question in turn.
#[cfg(any(fuzzing, test))]
pub(crate) fn read_from(answers: &[&str], wanted: &[Object], created: i64) -> Result<Snapshot, ReadError> {
    let asked = std::cell::Cell::new(0);
    let ask = |query: &str| {
        let answer = answers[asked.replace(asked.get() + 1) % answers.len()];
        Table::parse(answer.as_bytes(), query)
            .map_err(|reason| ReadError::Unreadable { origin: "the fuzzer".to_owned(), reason })
    };
    snapshot(&ask, wanted, created)
}

fn snapshot(
    ask: &impl Fn(&str) -> Result<Table, ReadError>,
    wanted: &[Object],
    created: i64,
) -> Result<Snapshot, ReadError> {
    let mut snapshot = Snapshot { created, ..Snapshot::default() };
    let status = ask("GET status\nColumns: nagios_pid program_start enable_notifications check_external_commands\n")?;
    if let Some(row) = status.rows().next() {
        snapshot.program = Program {
            pid: row.number(0).try_into().ok(),
            start: Some(row.number(1)),
            notifications_enabled: Some(row.number(2) != 0),
            external_commands_checked: Some(row.number(3) != 0),
        };
    }
    // A newline in a name would be a header of the query; no core has such names.
    let askable: Vec<&Object> = wanted.iter().filter(|object| !has_control(object)).collect();
    for wanted in askable.chunks(OBJECTS_MAX) {
        read_some(ask, wanted, &mut snapshot)?;
    }
    Ok(snapshot)
}

/// All contacts, each with whether it belongs to the object; groups are resolved by the core.
pub(super) fn contacts(address: &Livestatus, object: &Object) -> Option<Vec<Contact>> {
    if has_control(object) {
        return None;
    }
    let query = match object.service {
        Some(_) => format!("GET services\nColumns: contacts\n{}", filter(&[object], "host_name", "description")),
        None => format!("GET hosts\nColumns: contacts\n{}", filter(&[object], "name", "")),
    };
    let own = ask(address, &query).ok()?;
    let own: Vec<&str> = own.rows().next().map(|row| row.texts(0)).unwrap_or_default();
    let all = ask(address, "GET contacts\nColumns: name email can_submit_commands\n").ok()?;
    let contact = |row: table::Row<'_>| Contact {
        name: row.text(0).to_owned(),
        email: Some(row.text(1).to_owned()).filter(|email| !email.is_empty()),
        can_submit_commands: row.number(2) != 0,
        is_objects: own.contains(&row.text(0)),
    };
    Some(all.rows().map(contact).collect())
}

/// Display names of all hosts and services.
pub(super) fn labels(address: &Livestatus) -> Option<Names> {
    let hosts = ask(address, "GET hosts\nColumns: name display_name alias\n").ok()?;
    let services = ask(address, "GET services\nColumns: host_name description display_name\n").ok()?;
    let mut names = Names::default();
    for row in hosts.rows() {
        names.put((row.text(0).to_owned(), String::new()), row.text(1));
        names.put_alias(row.text(0), row.text(2));
    }
    for row in services.rows() {
        names.put((row.text(0).to_owned(), row.text(1).to_owned()), row.text(2));
    }
    Some(names)
}

/// The parents of all hosts, and the number of their services.
pub(super) fn topology(address: &Livestatus) -> Option<Topology> {
    topology_from(&|query: &str| ask(address, query)).ok()
}

fn topology_from(ask: &impl Fn(&str) -> Result<Table, String>) -> Result<Topology, String> {
    let hosts = ask("GET hosts\nColumns: name parents\n")?;
    let services = ask("GET services\nColumns: host_name\n")?;
    let mut topology = Topology::default();
    for row in hosts.rows() {
        for parent in row.texts(1) {
            topology.add_parent(row.text(0), parent);
        }
    }
    for row in services.rows() {
        topology.add_service(row.text(0));
    }
    Ok(topology)
}

fn has_control(object: &Object) -> bool {
    let service = object.service.as_deref().unwrap_or_default();
    object.host.chars().chain(service.chars()).any(char::is_control)
}

fn read_some(
    ask: &impl Fn(&str) -> Result<Table, ReadError>,
    wanted: &[&Object],
    snapshot: &mut Snapshot,
) -> Result<(), ReadError> {
    let (services, hosts): (Vec<&Object>, Vec<&Object>) = wanted.iter().partition(|object| object.service.is_some());
    if !hosts.is_empty() {
        let filter = filter(&hosts, "name", "");
        let found = ask(&format!("GET hosts\nColumns: name name {STATE}\n{filter}"))?;
        snapshot.states.extend(found.rows().filter_map(|row| {
            let object = hosts.iter().find(|object| object.host == row.text(0))?;
            Some(((*object).clone(), row.state()))
        }));
    }
    if !services.is_empty() {
        let filter = filter(&services, "host_name", "description");
        let found = ask(&format!("GET services\nColumns: host_name description {STATE}\n{filter}"))?;
        snapshot.states.extend(found.rows().filter_map(|row| {
            let is_it =
                |object: &&&Object| object.host == row.text(0) && object.service.as_deref() == Some(row.text(1));
            Some(((*services.iter().find(is_it)?).clone(), row.state()))
        }));
    }
    // By host: a host's own comments have an empty service.
    let filter = filter(wanted, "host_name", "");
    let comments = ask(&format!(
        "GET comments\nColumns: host_name service_description author comment entry_time entry_type\n{filter}"
    ))?;
    for row in comments.rows() {
        if let Some(state) = state_of(snapshot, wanted, row.text(0), row.text(1)) {
            let comment = Acknowledgement {
                author: row.text(2).to_owned(),
                comment: row.text(3).to_owned(),
                time: row.number(4),
            };
            match row.number(5) {
                4 => state.acknowledgements.push(comment),
                1 => state.comments.push(comment),
                _ => {}
            }
        }
    }
    let downtimes = ask(&format!(
        "GET downtimes\nColumns: host_name service_description id author comment start_time end_time fixed\n{filter}"
    ))?;
    for row in downtimes.rows() {
        if let Some(state) = state_of(snapshot, wanted, row.text(0), row.text(1)) {
            state.downtimes.push(Downtime {
                id: row.number(2).to_string(),
                author: row.text(3).to_owned(),
                comment: row.text(4).to_owned(),
                start: row.number(5),
                end: row.number(6),
                is_fixed: row.number(7) != 0,
            });
        }
    }
    Ok(())
}

fn state_of<'a>(snapshot: &'a mut Snapshot, wanted: &[&Object], host: &str, service: &str) -> Option<&'a mut State> {
    let service = Some(service).filter(|service| !service.is_empty());
    let object = wanted.iter().find(|object| object.host == host && object.service.as_deref() == service)?;
    snapshot.states.get_mut(*object)
}

/// Any of the objects: by the host's column, and the service's where it has a name.
fn filter(objects: &[&Object], host: &str, service: &str) -> String {
    let mut text = String::new();
    for object in objects {
        text.push_str(&format!("Filter: {host} = {}\n", object.host));
        if let Some(name) = object.service.as_deref().filter(|_| !service.is_empty()) {
            text.push_str(&format!("Filter: {service} = {name}\nAnd: 2\n"));
        }
    }
    if objects.len() > 1 {
        text.push_str(&format!("Or: {}\n", objects.len()));
    }
    text
}

/// One query on a connection of its own, at the first address that answers.
fn ask(addresses: &Livestatus, query: &str) -> Result<Table, String> {
    const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
    let request = format!("{query}{FORM}\n");
    let (request, limit) = (request.as_bytes(), ANSWER_BYTES_MAX);
    let answer = alternatives::first(&addresses.0, |address| {
        let answer = connect(address).and_then(|stream| exchange(stream, request, limit, End::Connection));
        // Something that forwards connections takes them while the core behind it is away.
        match answer {
            Ok(answer) if answer.is_empty() && addresses.0.len() > 1 => Err(Attempt::next("no answer")),
            answer => answer.map_err(Attempt::next),
        }
    });
    Table::parse(&answer.map_err(|failure| failure.into_error(|reason: String| reason))?, query)
}

#[cfg(test)]
mod tests;
