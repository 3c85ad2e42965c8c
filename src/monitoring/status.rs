//! The status file (`status.dat`), read in one pass with constant memory: only the blocks of wanted objects are looked
//! into. The core writes it anew every few seconds and renames it, so it is opened anew each time and never half; Centreon
//! Engine alone writes over it ([`unchanging`]), and names the objects of comments by number ([`ids`]).

mod ids;
mod unchanging;

use super::error::ReadError;
use super::object_blocks::Lines;
use super::scope::Scope;
use crate::config::CoreKind;
use crate::model::core_snapshot::{Acknowledged, Acknowledgement, Downtime, Program, Snapshot, State};
use crate::model::object::Object;
use ids::Ids;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// `entry_type` of an acknowledgement's comment, and of a person's own
/// (<https://github.com/naemon/naemon-core/blob/master/src/naemon/comments.h>).
const ACKNOWLEDGEMENT: u8 = 4;
const USER: u8 = 1;
/// More comments or downtimes of one object are not kept: a broken script may have added thousands.
const NOTES_MAX: usize = 1000;
/// The block that every status file begins with lies within.
const HEAD_BYTES: u64 = 4096;

/// Reads the file's state of the wanted objects.
pub(super) fn read_file(kind: CoreKind, path: &Path, wanted: &[Object]) -> Result<Snapshot, ReadError> {
    unchanging::read(kind, path, |file| read(file, wanted))
}

/// When the file was written, as its first block says.
pub(super) fn created(path: &Path) -> Option<i64> {
    in_head(path, b"created=").map(|value| number(value.as_bytes()))
}

/// The version of the core that wrote it, as its first block says.
pub(super) fn version(path: &Path) -> Option<String> {
    in_head(path, b"version=")
}

fn in_head(path: &Path, key: &[u8]) -> Option<String> {
    let mut lines = Lines::new(File::open(path).ok()?.take(HEAD_BYTES));
    while let Some(line) = lines.next().ok()? {
        if let Some(value) = line.strip_prefix(key) {
            return Some(text(value));
        }
    }
    None
}

/// `None` when it isn't a status file, or ends inside a block.
pub(crate) fn read(file: impl Read, wanted: &[Object]) -> std::io::Result<Option<Snapshot>> {
    let mut hosts: HashMap<&[u8], Vec<&Object>> = HashMap::new();
    for object in wanted {
        hosts.entry(object.host.as_bytes()).or_default().push(object);
    }
    let mut reading = Reading { hosts, snapshot: Snapshot::default(), ids: Ids::default(), block: Block::Between };
    let mut lines = Lines::new(file);
    let mut is_status = false;
    while let Some(line) = lines.next()? {
        match reading.block {
            Block::Skipped if line != b"}" => {}
            Block::Between => is_status |= reading.enter(line),
            _ => reading.add(line),
        }
    }
    let is_whole = matches!(reading.block, Block::Between);
    reading.ids.finish(&mut reading.snapshot.states);
    Ok(Some(reading.snapshot).filter(|_| is_status && is_whole))
}

/// Everything in the file, or all that isn't well.
pub(super) fn list_file(kind: CoreKind, path: &Path, scope: Scope) -> Result<Vec<(Object, State)>, ReadError> {
    unchanging::read(kind, path, |file| list(file, scope))
}

/// `None` when it isn't a status file, or ends inside a block.
fn list(file: impl Read, scope: Scope) -> std::io::Result<Option<Vec<(Object, State)>>> {
    let (mut found, mut one, mut is_status) = (Vec::new(), None, false);
    let mut lines = Lines::new(file);
    while let Some(line) = lines.next()? {
        match (line, &mut one) {
            (b"info {", _) => is_status = true,
            (b"hoststatus {" | b"servicestatus {", _) => one = Some((Object::default(), State::default())),
            (b"}", Some(_)) => {
                found.extend(
                    one.take().filter(|(_, state)| scope == Scope::Names || state.code != 0 && !state.is_pending),
                );
            }
            (_, Some((object, state))) => {
                let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
                let (key, value) = (&line[..at], line.get(at + 1..).unwrap_or_default());
                match key {
                    b"host_name" => object.host = text(value),
                    b"service_description" => object.service = Some(text(value)),
                    _ if scope == Scope::Names => {}
                    _ => add_state_value(state, key, value),
                }
            }
            (_, None) => {}
        }
    }
    Ok(Some(found).filter(|_| is_status && one.is_none()))
}

struct Reading<'a> {
    hosts: HashMap<&'a [u8], Vec<&'a Object>>,
    snapshot: Snapshot,
    ids: Ids<'a>,
    block: Block<'a>,
}

/// The reader's position.
enum Block<'a> {
    Between,
    /// In a block that nobody asked about.
    Skipped,
    Info,
    Program,
    /// In an object's block whose names aren't both known yet.
    Unknown {
        kind: Kind,
        has_service: bool,
        objects: Vec<&'a Object>,
        /// If the block names its host by number.
        host_id: u64,
    },
    /// In the block of a host whose services alone are wanted.
    HostOf(&'a Object),
    Known {
        object: &'a Object,
        part: Part,
    },
    /// In a comment of an object whose number isn't in the file.
    Unplaced {
        has_service: bool,
        part: Part,
    },
}

#[derive(Clone, Copy)]
enum Kind {
    Status,
    Comment,
    Downtime,
}

/// The part that a block adds to its object when it ends.
enum Part {
    State(Box<State>),
    Comment { entry_type: u8, comment: Acknowledgement },
    Downtime(Downtime),
}

impl Reading<'_> {
    /// At the start of a block; `true` when it is the one every status file has.
    fn enter(&mut self, line: &[u8]) -> bool {
        let object = |kind, has_service| Block::Unknown { kind, has_service, objects: Vec::new(), host_id: 0 };
        self.block = match line {
            b"info {" => Block::Info,
            b"programstatus {" => Block::Program,
            b"hoststatus {" => object(Kind::Status, false),
            b"servicestatus {" => object(Kind::Status, true),
            b"hostcomment {" => object(Kind::Comment, false),
            b"servicecomment {" => object(Kind::Comment, true),
            b"hostdowntime {" => object(Kind::Downtime, false),
            b"servicedowntime {" => object(Kind::Downtime, true),
            other if other.ends_with(b"{") => Block::Skipped,
            _ => Block::Between,
        };
        matches!(self.block, Block::Info)
    }

    /// Inside of a block.
    fn add(&mut self, line: &[u8]) {
        if line == b"}" {
            match std::mem::replace(&mut self.block, Block::Between) {
                Block::Known { object, part } => part.put(object, &mut self.snapshot.states),
                Block::Unplaced { has_service, part } => self.ids.keep(has_service, part),
                _ => {}
            }
            return;
        }
        let Some(at) = line.iter().position(|byte| *byte == b'=') else {
            return;
        };
        let (key, value) = (&line[..at], &line[at + 1..]);
        match &mut self.block {
            Block::Info if key == b"created" => self.snapshot.created = number(value),
            Block::Program => add_program_value(&mut self.snapshot.program, key, value),
            Block::HostOf(object) if key == ids::HOST => self.ids.host(object, value),
            Block::Between | Block::Skipped | Block::Info | Block::HostOf(_) => {}
            Block::Unknown { kind, has_service, objects, host_id } => match key {
                b"host_name" => match self.hosts.get(value) {
                    Some(found) if *has_service => *objects = found.clone(),
                    Some(found) => match (found.iter().find(|object| object.service.is_none()), found.first(), *kind) {
                        (Some(object), ..) => self.block = Block::Known { object, part: Part::new(*kind) },
                        (None, Some(object), Kind::Status) => self.block = Block::HostOf(object),
                        _ => self.block = Block::Skipped,
                    },
                    None => self.block = Block::Skipped,
                },
                b"service_description" => {
                    let found = objects.iter().find(|o| o.service.as_ref().is_some_and(|s| s.as_bytes() == value));
                    self.block = match found {
                        Some(object) => Block::Known { object, part: Part::new(*kind) },
                        None => Block::Skipped,
                    };
                }
                b"host_id" if *has_service => *host_id = number(value),
                b"host_id" => self.block = self.ids.block_of(number(value), 0, Part::new(*kind)),
                b"service_id" => self.block = self.ids.block_of(*host_id, number(value), Part::new(*kind)),
                _ => {}
            },
            Block::Known { object, part: Part::State(_) } if key == ids::HOST => self.ids.host(object, value),
            Block::Known { object, part: Part::State(_) } if key == ids::SERVICE => self.ids.service(object, value),
            Block::Known { part, .. } | Block::Unplaced { part, .. } => part.add(key, value),
        }
    }
}

impl Part {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Status => Self::State(Box::default()),
            Kind::Comment => Self::Comment { entry_type: 0, comment: Acknowledgement::default() },
            Kind::Downtime => Self::Downtime(Downtime::default()),
        }
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        match self {
            Self::State(state) => add_state_value(state, key, value),
            Self::Comment { entry_type, comment } => match key {
                b"entry_type" => *entry_type = number(value),
                b"entry_time" => comment.time = number(value),
                b"author" => comment.author = text(value),
                b"comment_data" => comment.comment = text(value),
                _ => {}
            },
            Self::Downtime(downtime) => match key {
                b"downtime_id" => downtime.id = text(value),
                b"start_time" => downtime.start = number(value),
                b"end_time" => downtime.end = number(value),
                b"fixed" => downtime.is_fixed = value == b"1",
                b"author" => downtime.author = text(value),
                b"comment" => downtime.comment = text(value),
                _ => {}
            },
        }
    }

    /// The status blocks stand before the comments and downtimes; what has none doesn't exist.
    fn put(self, object: &Object, states: &mut HashMap<Object, State>) {
        match (self, states.get_mut(object)) {
            (Self::State(own), _) => {
                states.insert(object.clone(), *own);
            }
            (Self::Comment { entry_type: ACKNOWLEDGEMENT, comment }, Some(state)) => {
                push(&mut state.acknowledgements, comment);
            }
            (Self::Comment { entry_type: USER, comment }, Some(state)) => push(&mut state.comments, comment),
            (Self::Downtime(downtime), Some(state)) => push(&mut state.downtimes, downtime),
            (Self::Comment { .. } | Self::Downtime(_), _) => {}
        }
    }
}

/// The latest are last, and count: the first goes when there are too many.
fn push<T>(list: &mut Vec<T>, new: T) {
    if list.len() == NOTES_MAX {
        list.remove(0);
    }
    list.push(new);
}

fn add_program_value(program: &mut Program, key: &[u8], value: &[u8]) {
    match key {
        b"nagios_pid" => program.pid = Some(number(value)),
        b"program_start" => program.start = Some(number(value)),
        b"enable_notifications" => program.notifications_enabled = Some(value == b"1"),
        b"check_external_commands" => program.external_commands_checked = Some(value == b"1"),
        _ => {}
    }
}

fn add_state_value(state: &mut State, key: &[u8], value: &[u8]) {
    match key {
        b"current_state" => state.code = number(value),
        b"state_type" => state.is_hard = value == b"1",
        b"has_been_checked" => state.is_pending = value == b"0",
        // `acknowledgement_type` alone says nothing: Naemon leaves it behind.
        b"problem_has_been_acknowledged" if value == b"1" => state.acknowledged = Acknowledged::Normal,
        b"acknowledgement_type" if value == b"2" && state.acknowledged != Acknowledged::No => {
            state.acknowledged = Acknowledged::Sticky;
        }
        b"current_problem_id" if value != b"0" => state.problem_id = text(value),
        b"scheduled_downtime_depth" => state.downtime_depth = number(value),
        b"notifications_enabled" => state.notifications_enabled = value == b"1",
        b"last_check" => state.last_check = number(value),
        b"next_check" => state.next_check = number(value),
        b"last_state_change" => state.last_state_change = number(value),
        b"plugin_output" => state.output = text(value),
        _ => {}
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// The number's whole part; what is none is 0.
fn number<T: std::str::FromStr + Default>(value: &[u8]) -> T {
    let text = std::str::from_utf8(value).unwrap_or_default();
    text.split('.').next().unwrap_or_default().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests;
