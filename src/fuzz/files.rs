//! The files that others write: the core's, the spool's after a crash of the machine, and the configuration.

use super::{NOW, wanted};
use crate::config::{self, Config, Core, CoreKind, lenient};
use crate::model::incoming::Incoming;
use crate::model::notification::Notification;
use crate::monitoring::contacts::Contacts;
use crate::monitoring::paths::Paths;
use crate::rules::confirm::{Expectation, judge};
use crate::rules::render::{Interactivity, RenderContext, card};
use crate::slack::blocks;
use crate::system::environment::Environment;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// How many comments or downtimes of one object are kept, of each kind.
const NOTES_MAX: usize = 1000;

/// A core's `status.dat`, and its log: nothing is returned about an object that nobody asked about.
pub fn status(bytes: &[u8]) {
    let wanted = wanted();
    if let Ok(Some(snapshot)) = crate::monitoring::status::read(bytes, &wanted) {
        for (object, state) in &snapshot.states {
            assert!(wanted.contains(object), "{object} was not asked about");
            let notes = [state.acknowledgements.len(), state.comments.len(), state.downtimes.len()];
            assert!(notes.iter().all(|count| *count <= NOTES_MAX), "{notes:?} notes");
            let _ = state.acknowledgement();
        }
        for (object, effect) in wanted.into_iter().zip(effects()) {
            let (author, lines) = ("alice".to_owned(), Vec::new());
            let expected = Expectation { object, author, sent_at: NOW, before: None, effect, lines };
            let _ = (judge(&expected, &snapshot, false), judge(&expected, &snapshot, true));
        }
    }
    let line = "[1795240000] ACKNOWLEDGE_HOST_PROBLEM;web01;2;1;0;alice;looking\n";
    let _ = crate::monitoring::log::result_in(&String::from_utf8_lossy(bytes), line, NOW);
}

fn effects() -> [crate::rules::confirm::Effect; 4] {
    use crate::rules::confirm::Effect;
    let comment = "looking".to_owned();
    [
        Effect::Acknowledged { comment: comment.clone(), expires: false },
        Effect::Checked { at: NOW },
        Effect::Downtime { start: NOW, end: NOW + 7200, comment, flexible: None },
        Effect::Notifications { enabled: false },
    ]
}

/// A core's `objects.cache`: display names and contacts; and its main configuration.
pub fn objects(bytes: &[u8]) {
    for ((host, _), name) in crate::monitoring::objects::read(bytes).labels {
        assert!(!host.is_empty() && !name.is_empty(), "a name of nothing");
    }
    // A kind without usual places: no time is spent on looking there.
    let path = Some(written("objects.cache", bytes));
    let core = Core { kind: CoreKind::Checkmk, objects_file: path.clone(), ..Core::default() };
    let (mut contacts, wanted) = (Contacts::default(), wanted());
    contacts.prepare(&core, &wanted);
    assert!(contacts.of(&core, &wanted[1]).is_some(), "the file is there");
    let _ = Paths::find(&Core { kind: CoreKind::Checkmk, main_config: path, ..Core::default() });
}

/// A spool file: what is read is the same after it was written again, and can be shown.
pub fn spool(bytes: &[u8]) {
    if let Ok(entry) = crate::state_dir::spool::decode(bytes) {
        keep_incoming(&entry.incoming);
    }
}

/// An entry is read back as it was kept.
pub(super) fn keep_incoming(incoming: &Incoming) {
    let text = serde_json::to_string(incoming).expect("an entry can be kept");
    assert_eq!(&Incoming::from_json(&text).expect("an entry that was kept is read"), incoming, "the outbox changes it");
    if let Some(notification) = incoming.notification() {
        keep(notification);
    }
}

/// What is kept is what is read back, and it can be shown.
pub(super) fn keep(notification: &Notification) {
    static STYLE: LazyLock<Config> = LazyLock::new(|| load("toml", b"\n").expect("a configuration without a mistake"));
    let text = serde_json::to_string(notification).expect("a notification can be kept");
    let again: Notification = serde_json::from_str(&text).expect("a notification that was kept is read");
    assert_eq!(&again, notification, "the outbox changes a notification");
    let facts = RenderContext { interactivity: Interactivity::Forms, ..RenderContext::bare(&STYLE.message, None, NOW) };
    let card = card(&again, &facts);
    let _ = (blocks::message(&card), blocks::plain(&card), blocks::reply(&card));
}

/// A configuration, as TOML and as JSON: taken and shown, or refused with at least one problem.
pub fn configuration(bytes: &[u8]) {
    for extension in ["toml", "json"] {
        match load(extension, bytes) {
            Ok(config) => {
                drop(config::show(&config));
                let dirs = lenient::state_dirs(config.path.as_deref(), &Environment::default());
                let both = (&dirs.state_dir, &dirs.runtime_dir);
                assert_eq!(both, (&config.state_dir, &config.runtime_dir), "notify and listen meet at two places");
            }
            Err(e) => assert!(!e.to_string().is_empty(), "refused without a word"),
        }
    }
}

fn load(extension: &str, bytes: &[u8]) -> Result<Config, config::LoadError> {
    let path = written(&format!("ackbell.{extension}"), bytes);
    let (config, warnings) = config::load(Some(&path), &Environment::default())?;
    let _ = warnings.iter().map(ToString::to_string).collect::<String>();
    Ok(config)
}

/// The answers of Livestatus, one after the other with an empty line between: nothing is returned about an object that nobody
/// asked about.
pub fn livestatus(bytes: &[u8]) {
    let (wanted, text) = (wanted(), String::from_utf8_lossy(bytes));
    let answers: Vec<&str> = text.split("\n\n").collect();
    if let Ok(snapshot) = crate::monitoring::livestatus::read_from(&answers, &wanted, NOW) {
        assert!(snapshot.states.keys().all(|object| wanted.contains(object)), "of an object that nobody asked about");
        for (object, effect) in wanted.into_iter().zip(effects()) {
            let (author, lines) = ("alice".to_owned(), Vec::new());
            drop(judge(&Expectation { object, author, sent_at: NOW, before: None, effect, lines }, &snapshot, true));
        }
    }
}

/// The answers of an Icinga 2 API, one after the other with an empty line between: nothing is returned about an object that
/// nobody asked about, and no line of it breaks ours.
pub fn icinga2(bytes: &[u8]) {
    let (wanted, text) = (wanted(), String::from_utf8_lossy(bytes));
    let answers: Vec<&str> = text.split("\n\n").collect();
    if let Ok(snapshot) = crate::monitoring::icinga2::state::read_from(&answers, &wanted, NOW) {
        assert!(snapshot.states.keys().all(|object| wanted.contains(object)), "of an object that nobody asked about");
        for (object, effect) in wanted.iter().zip(effects()) {
            let (author, lines) = ("alice".to_owned(), Vec::new());
            let expected = Expectation { object: object.clone(), author, sent_at: NOW, before: None, effect, lines };
            drop(judge(&expected, &snapshot, true));
        }
    }
    let command = super::click::recheck(&wanted[1]).expect("a command");
    for status in [200, 403, 404, 409, 500, 503] {
        let text = match crate::monitoring::icinga2::verdict_of(status, answers[0], &command) {
            Ok(receipt) => receipt.answer.unwrap_or_default(),
            Err(e) => e.to_string(),
        };
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// A file of this thread with that content, in memory where the system has such a place; gone with the thread.
pub(super) fn written(name: &str, bytes: &[u8]) -> PathBuf {
    thread_local! { static ROOM: Room = Room::new(); }
    let path = ROOM.with(|room| room.0.join(name));
    std::fs::write(&path, bytes).expect("room for the file");
    path
}

struct Room(PathBuf);

impl Room {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let name = format!("ackbell-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        let room = base.join(name);
        std::fs::create_dir_all(&room).expect("a directory for the files");
        Self(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
