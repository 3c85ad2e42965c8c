//! A Naemon as far as its two sockets go: the query handler takes commands and answers with a verdict, Livestatus tells
//! what the core holds. The exchanges are those recorded of Naemon 1.5.2 with its Livestatus 1.5.1: a `@` keeps the query
//! handler's connection open, and Livestatus undoes backslashes in commands.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What the core holds, and what it was told.
#[derive(Default)]
pub(super) struct Held {
    /// By table; a row by column.
    tables: BTreeMap<&'static str, Vec<Map<String, Value>>>,
    pub(super) commands: Vec<String>,
    /// What the query handler says instead of a verdict.
    pub(super) says: Option<&'static str>,
    /// Commands are taken and nothing comes of them.
    pub(super) forgets: bool,
}

pub(super) struct Naemon {
    held: Arc<Mutex<Held>>,
}

/// A row with the columns of such a table; a query for another one fails, as it does with the real one.
fn row(columns: &[(&str, Value)]) -> Map<String, Value> {
    columns.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn state(code: u8) -> Vec<(&'static str, Value)> {
    let numbers = ["acknowledged", "acknowledgement_type", "scheduled_downtime_depth", "last_check", "next_check"];
    let mut columns: Vec<_> = numbers.iter().map(|name| (*name, json!(0))).collect();
    columns.extend([
        ("state", json!(code)),
        ("state_type", json!(1)),
        ("notifications_enabled", json!(1)),
        ("has_been_checked", json!(1)),
    ]);
    columns.extend([("last_state_change", json!(now() - 60)), ("plugin_output", json!("DISK CRITICAL"))]);
    columns
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

impl Naemon {
    /// Plays it with `naemon.qh` and `live` in this directory: a host with a service in trouble, and its contact.
    pub(super) fn start(directory: &Path) -> Self {
        let mut held = Held::default();
        let (host, service) =
            ([("name", json!("web01"))], [("host_name", json!("web01")), ("description", json!("Disk"))]);
        let contacts = [("contacts", json!(["alice"]))];
        let of_host = [("alias", json!("Bob's laptop")), ("address", json!("192.0.2.10"))];
        let host = [&host[..], &of_host, &details("web01"), &contacts, &state(0)].concat();
        held.tables.insert("hosts", vec![row(&host)]);
        let service = [&service[..], &details(""), &contacts, &state(2)].concat();
        held.tables.insert("services", vec![row(&service)]);
        let email = ("email", json!("alice@example.com"));
        let contact = [("name", json!("alice")), email, ("address1", json!("")), ("can_submit_commands", json!(1))];
        held.tables.insert("contacts", vec![row(&[&contact[..], &VARIABLES.map(|name| (name, json!([])))].concat())]);
        held.tables.insert("contactgroups", vec![row(&[("name", json!("ops")), ("members", json!(["alice"]))])]);
        held.tables.insert("comments", Vec::new());
        held.tables.insert("downtimes", Vec::new());
        let program = [("nagios_pid", json!(7)), ("program_start", json!(now() - 900))];
        let switches = [("enable_notifications", json!(1)), ("check_external_commands", json!(1))];
        held.tables.insert("status", vec![row(&[program, switches].concat())]);
        let held = Arc::new(Mutex::new(held));
        serve(&directory.join("naemon.qh"), b"\0", &held, Held::take);
        serve(&directory.join("live"), b"\n\n", &held, Held::answer);
        Self { held }
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().unwrap())
    }
}

const VARIABLES: [&str; 2] = ["custom_variable_names", "custom_variable_values"];

/// What an object has beside its state, as naemon-livestatus 1.5.1 names the columns.
fn details(display_name: &str) -> Vec<(&'static str, Value)> {
    let variables = VARIABLES.map(|name| (name, json!([])));
    let links = ["action_url_expanded", "notes_url_expanded"].map(|name| (name, json!("")));
    let rest = [("display_name", json!(display_name)), ("groups", json!(["linux"]))];
    [&rest[..], &links, &variables].concat()
}

/// Answers each connection once, then closes it. The thread ends with the test's process.
fn serve(path: &Path, end: &'static [u8], held: &Arc<Mutex<Held>>, answer: fn(&mut Held, &str) -> Vec<u8>) {
    let (listener, held) = (UnixListener::bind(path).unwrap(), Arc::clone(held));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: UnixStream = stream.unwrap();
            let (mut asked, mut byte) = (Vec::new(), [0]);
            while !asked.ends_with(end) && stream.read(&mut byte).unwrap() == 1 {
                asked.push(byte[0]);
            }
            let asked = String::from_utf8(asked).unwrap();
            let said = answer(&mut held.lock().unwrap(), asked.trim_end_matches('\0'));
            stream.write_all(&said).unwrap();
            if asked.starts_with('@') {
                std::mem::forget(stream);
            }
        }
    });
}

impl Held {
    /// `#command run [UNIX] NAME;arguments`
    fn take(&mut self, query: &str) -> Vec<u8> {
        let line = query.trim_start_matches(['@', '#']).strip_prefix("command run ");
        let line = line.unwrap_or_else(|| panic!("{query}"));
        let said = if let Some(said) = self.says {
            self.commands.push(line.to_owned());
            said
        } else if self.run(line) {
            "200: OK"
        } else {
            "400: Failed validation of service as type service (argument 0)\n"
        };
        format!("{said}\0").into_bytes()
    }

    /// Whether the command is one for this core's objects.
    fn run(&mut self, line: &str) -> bool {
        self.commands.push(line.to_owned());
        let (time, command) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")).unwrap();
        let parts: Vec<&str> = command.splitn(8, ';').collect();
        match parts.as_slice() {
            ["ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk", sticky, _, _, author, comment] => {
                if !self.forgets {
                    self.acknowledge(sticky, author, comment, time.parse().unwrap());
                }
                true
            }
            ["REMOVE_SVC_ACKNOWLEDGEMENT", "web01", "Disk"] => {
                self.tables.get_mut("services").unwrap()[0].insert("acknowledged".to_owned(), json!(0));
                self.tables.get_mut("comments").unwrap().clear();
                true
            }
            _ => false,
        }
    }

    fn acknowledge(&mut self, sticky: &str, author: &str, comment: &str, time: u64) {
        let service = &mut self.tables.get_mut("services").unwrap()[0];
        let kind = if sticky == "0" { 1 } else { 2 };
        service.extend([("acknowledged".to_owned(), json!(1)), ("acknowledgement_type".to_owned(), json!(kind))]);
        let object = [("host_name", json!("web01")), ("service_description", json!("Disk")), ("entry_type", json!(4))];
        let words = [("author", json!(author)), ("comment", json!(comment)), ("entry_time", json!(time))];
        self.tables.get_mut("comments").unwrap().push(row(&[object, words].concat()));
    }

    /// A command, answered only when it is refused; or a query with the headers that matter: `Columns`, `Filter` with `=`, `And`, `Or`.
    fn answer(&mut self, query: &str) -> Vec<u8> {
        if let Some(line) = query.strip_prefix("COMMAND ") {
            let is_good = self.run(&undone(line.trim_end()));
            let refusal: &[u8] = b"400: Failed validation of service as type service (argument 0)\n";
            return if is_good { Vec::new() } else { refusal.to_vec() };
        }
        let mut lines = query.trim_end().lines();
        let table = lines.next().and_then(|line| line.strip_prefix("GET ")).unwrap_or_else(|| panic!("{query}"));
        let headers: Vec<(&str, &str)> = lines.map(|line| line.split_once(": ").unwrap()).collect();
        for needed in [("OutputFormat", "csv"), ("Separators", "0 0 1 2"), ("ResponseHeader", "fixed16")] {
            assert!(headers.contains(&needed), "{query}");
        }
        let columns: Vec<&str> =
            headers.iter().filter(|(name, _)| *name == "Columns").flat_map(|(_, names)| names.split(' ')).collect();
        let rows = self.tables[table].iter().filter(|row| passes(row, &headers));
        let value =
            |row: &Map<String, Value>, name: &str| row.get(name).cloned().unwrap_or_else(|| panic!("{name}: {query}"));
        let fields = rows.flat_map(|row| columns.iter().map(|name| field(&value(row, name))));
        let body: String = fields.map(|field| field + "\0").collect();
        format!("200 {:>11}\n{body}", body.len()).into_bytes()
    }
}

/// As text; the members of a list behind the third separator.
fn field(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(field).collect::<Vec<_>>().join("\u{1}"),
        other => other.to_string(),
    }
}

/// What Livestatus makes of a command: `\n` is a new line, any other backslash goes.
fn undone(line: &str) -> String {
    let (mut text, mut characters) = (String::new(), line.chars());
    while let Some(c) = characters.next() {
        text.extend(match c {
            '\\' => characters.next().map(|next| if next == 'n' { '\n' } else { next }),
            other => Some(other),
        });
    }
    text
}

/// Filters are a stack: `And: 2` takes two off it and puts their sum there.
fn passes(row: &Map<String, Value>, headers: &[(&str, &str)]) -> bool {
    let mut stack = Vec::new();
    for (name, value) in headers {
        let last = |stack: &mut Vec<bool>| stack.split_off(stack.len() - value.parse::<usize>().unwrap());
        match *name {
            "Filter" => {
                let (column, wanted) = value.split_once(" = ").unwrap();
                stack.push(row[column] == wanted);
            }
            "And" => {
                let all = last(&mut stack).into_iter().all(|passes| passes);
                stack.push(all);
            }
            "Or" => {
                let any = last(&mut stack).into_iter().any(|passes| passes);
                stack.push(any);
            }
            _ => {}
        }
    }
    stack.into_iter().all(|passes| passes)
}
