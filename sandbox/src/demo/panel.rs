//! What the page shows beside the channel, and its buttons: `GET /demo/state`, `POST /demo/action/ID`.

use super::DemoFiles;
use super::run::{Order, Running, Seen, lock};
use super::scenario::Action;
use super::values;
use crate::clock::wall_s;
use crate::page::Extra;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much of the end of a log is read, and how many lines of it are shown.
const LOG_BYTES: u64 = 16 * 1024;
const LOG_LINES: usize = 40;
/// The queue is asked for at most so often, however many look at the page.
const QUEUE_EVERY: Duration = Duration::from_secs(1);

/// What the page's questions are answered from.
#[derive(Debug)]
pub(super) struct Panel {
    seen: Arc<Mutex<Seen>>,
    orders: Sender<Order>,
    files: DemoFiles,
    program: PathBuf,
    queue: Option<(Instant, Vec<String>)>,
}

/// Answers for the sandbox's server; before the core runs there is nothing to say.
pub(super) fn extra(panel: &Arc<Mutex<Option<Panel>>>) -> Extra {
    let panel = Arc::clone(panel);
    Extra(Arc::new(move |method, path| {
        let asked = path.strip_prefix("/demo/")?;
        let mut panel = panel.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match panel.as_mut() {
            Some(panel) => panel.answer(method, asked),
            None => (503, json!({"ok": false, "error": "the demo is starting"})),
        };
        Some((answer.0, answer.1.to_string()))
    }))
}

impl Panel {
    pub(super) fn new(program: &Path, files: &DemoFiles, core: &Running) -> Self {
        let (seen, orders) = (Arc::clone(&core.seen), core.orders.clone());
        Self { seen, orders, files: files.clone(), program: program.to_owned(), queue: None }
    }

    fn answer(&mut self, method: &str, asked: &str) -> (u16, Value) {
        let (asked, query) = asked.split_once('?').unwrap_or((asked, ""));
        match (method, asked, asked.strip_prefix("action/")) {
            ("GET", "values/render", _) => (200, values::rendered(&lock(&self.seen).core, query, wall_s())),
            ("GET", "state", _) => (200, self.state()),
            ("POST", _, Some(id)) => self.perform(id),
            (_, "state" | "values/render", _) | (_, _, Some(_)) => {
                (405, json!({"ok": false, "error": "GET state, POST action/ID"}))
            }
            _ => (404, json!({"ok": false, "error": "there is no such page"})),
        }
    }

    fn perform(&self, id: &str) -> (u16, Value) {
        let Some(action) = Action::ALL.into_iter().find(|action| action.id() == id) else {
            return (404, json!({"ok": false, "error": format!("there is no action {id}")}));
        };
        let seen = lock(&self.seen);
        if !action.makes_sense(&seen.core, seen.is_running) {
            return (409, json!({"ok": false, "error": "there is nothing to do for it now"}));
        }
        match self.orders.send(Order::Do(action)) {
            Ok(()) => (200, json!({"ok": true})),
            Err(_) => (503, json!({"ok": false, "error": "the demo ends"})),
        }
    }

    fn state(&mut self) -> Value {
        let queue = self.queue();
        let seen = lock(&self.seen);
        let actions: Vec<Value> = Action::ALL
            .into_iter()
            .filter(|action| action.makes_sense(&seen.core, seen.is_running))
            .map(|action| json!({"id": action.id(), "label": action.label()}))
            .collect();
        let panels = [
            ("Command file", commands(&seen)),
            ("Queue", queue),
            ("The core's state", states(&seen)),
            ("The core's log", tail(&self.files.core_log)),
            ("The listener's log", tail(&self.files.listener_log)),
        ];
        let panels: Vec<Value> = panels.iter().map(|(title, lines)| json!({"title": title, "lines": lines})).collect();
        json!({"panels": panels, "actions": actions})
    }

    /// What `ackbell queue list` says.
    fn queue(&mut self) -> Vec<String> {
        if let Some((_, lines)) = self.queue.as_ref().filter(|(at, _)| at.elapsed() < QUEUE_EVERY) {
            return lines.clone();
        }
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.files.config).args(["queue", "list"]).env_clear().stdin(Stdio::null());
        let lines = match command.output() {
            Ok(done) => {
                let output = if done.status.success() { done.stdout } else { done.stderr };
                String::from_utf8_lossy(&output).lines().map(str::to_owned).collect()
            }
            Err(e) => vec![e.to_string()],
        };
        self.queue = Some((Instant::now(), lines.clone()));
        lines
    }
}

fn commands(seen: &Seen) -> Vec<String> {
    if !seen.is_running {
        return vec!["nobody reads it: the core is stopped".to_owned()];
    }
    seen.commands.iter().cloned().collect()
}

/// What isn't simply well, a line each.
fn states(seen: &Seen) -> Vec<String> {
    let mut lines = Vec::new();
    if !seen.is_running {
        lines.push("the core is stopped; this is its last state".to_owned());
    }
    for object in &seen.core.objects {
        let depth = object.downtime_depth();
        let marks = [
            (object.acknowledged > 0).then(|| {
                let comment = object.comments.iter().rev().find(|comment| comment.entry_type == 4);
                comment.map_or_else(String::new, |c| format!("acknowledged by {}: {}", c.author, c.text))
            }),
            (depth > 0).then(|| "in downtime".to_owned()),
            (depth == 0 && !object.downtimes.is_empty()).then(|| "downtime scheduled".to_owned()),
            (!object.notifications_enabled).then(|| "notifications off".to_owned()),
        ];
        let marks: Vec<String> = marks.into_iter().flatten().collect();
        if object.now.code != 0 || !marks.is_empty() {
            let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join("; ")) };
            lines.push(format!("{} {}{marks}", object.state(), object.label()));
        }
    }
    let well = seen.core.objects.iter().filter(|object| object.now.code == 0).count();
    lines.push(format!("{well} of {} hosts and services are well", seen.core.objects.len()));
    lines
}

fn tail(path: &Path) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}
