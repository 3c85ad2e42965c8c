//! The shell lines of a core: whether its main configuration takes quotes out of what goes there, and whether a
//! definition in force has a text there that nothing takes them out of.
//!
//! `illegal_macro_output_chars` is what a core deletes from outputs, `illegal_object_name_chars` what it refuses in the names
//! of objects. Neither has a default, in any version: without the line a core deletes and refuses nothing. Centreon Engine
//! alone has one.

use super::objects::{FILE_BYTES_MAX, Piece, walk};
use super::paths::{self, Paths};
use crate::config::{Core, CoreKind, ShellLines};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The lines as every core's own sample has them.
pub(crate) const MACRO_CHARS: &str = "illegal_macro_output_chars=`~$&|'\"<>";
const NAME_CHARS: &str = "illegal_object_name_chars=`~!$%^&*|'\"<>?,()=";
/// What a shell makes something of, quoted in whatever way. `~` and the rest of the samples' lists harm nobody.
const DANGEROUS: &str = "`$&|'\"<>";

/// So many macros of a line are named.
const MACROS_SHOWN: usize = 3;
/// The one that ends our definitions' quotes.
const QUOTE: char = '\'';

/// Parts of the names of macros whose values anybody may write who may edit an object, order a downtime or click.
const FREE_TEXTS: [&str; 14] = [
    "ALIAS",
    "DISPLAYNAME",
    "ADDRESS",
    "URL",
    "NOTES",
    "GROUPNAME",
    "GROUPMEMBERS",
    "EMAIL",
    "PAGER",
    "NOTIFICATIONAUTHOR",
    "NOTIFICATIONCOMMENT",
    "_HOST",
    "_SERVICE",
    "_CONTACT",
];

/// Something that lets a text reach a shell, or that loses notifications since it would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Danger {
    pub(crate) what: DangerKind,
    pub(crate) found: String,
    pub(crate) remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DangerKind {
    /// The output of a monitored machine reaches the shell with its quotes.
    Output,
    /// A list lacks a character that our own definitions can do without.
    Characters,
    /// Names may have quotes, or one has.
    Names,
    /// A definition in force passes free text.
    Definition,
    /// An object has a quote in a text that a definition in force passes.
    Quote,
}

/// All of a core, the worst first; `None` where nothing can be looked at, or the core starts commands without a shell.
pub(crate) fn dangers(core: &Core) -> Option<Vec<Danger>> {
    let shell = core.kind.facts().shell;
    if shell == ShellLines::None {
        return None;
    }
    let (path, main) = paths::main_config(core)?;
    if shell == ShellLines::Centreon {
        return Some(unquoted(&path, main.illegal_macro_chars.as_deref()).into_iter().collect());
    }
    let mut found = Vec::new();
    found.extend(lacking(&path, main.illegal_macro_chars.as_deref(), MACRO_CHARS, DangerKind::Output));
    let mut in_force = InForce::default();
    if let Some(file) = Paths::find(core).objects_file.and_then(|path| File::open(path).ok()) {
        // The part that was read before an error counts.
        let _ = in_force.read(file.take(FILE_BYTES_MAX));
    }
    found.extend(in_force.definitions(core.kind));
    found.extend(lacking(&path, main.illegal_name_chars.as_deref(), NAME_CHARS, DangerKind::Names));
    Some(found)
}

/// Centreon Engine cuts the line into arguments by itself, and deletes the characters of one list from every macro of a
/// notification's line, texts and names as well (`macro_options` in `engine/src/service.cc`). That list has a default with
/// both quotes (`common/engine_conf/state_helper.cc`); a line without them lets a value end its argument.
fn unquoted(path: &Path, set: Option<&str>) -> Option<Danger> {
    set.filter(|set| !set.contains(QUOTE)).map(|_| Danger {
        what: DangerKind::Output,
        found: format!(
            "illegal_macro_output_chars in {} lacks {QUOTE}: what a monitored machine prints can add arguments to ackbell's \
             command line",
            path.display()
        ),
        remedy: format!("add {QUOTE} to it in Centreon's web page (the poller's engine configuration), and export"),
    })
}

/// A fault in one of the two lines.
fn lacking(path: &Path, set: Option<&str>, wanted: &str, what: DangerKind) -> Option<Danger> {
    let (name, path) = (wanted.split('=').next().unwrap_or_default(), path.display());
    let missing: String = DANGEROUS.chars().filter(|c| !set.unwrap_or_default().contains(*c)).collect();
    if missing.is_empty() {
        return None;
    }
    let shown: Vec<String> = missing.chars().map(String::from).collect();
    let lacks = match set {
        None => format!("{path} has no {name}, and it has no default"),
        Some(_) => format!("{name} in {path} lacks {}", shown.join(" ")),
    };
    let is_open = missing.contains(QUOTE);
    let (what, so) = match what {
        DangerKind::Output if is_open => (what, "what a monitored machine prints can run commands as the core's user"),
        DangerKind::Output => {
            (DangerKind::Characters, "definitions that don't use single quotes let what a plugin prints run commands")
        }
        _ => (what, "a name with a quote in it breaks the core's shell lines, and can run commands"),
    };
    let remedy = format!("set {wanted} there, and restart the core");
    Some(Danger { what, found: format!("{lacks}: {so}"), remedy })
}

/// The shell lines of the core, by its file of objects.
#[derive(Debug, Default)]
struct InForce {
    /// Our commands with free texts on their lines: the name, and the macros.
    commands: Vec<(String, Vec<String>)>,
    /// How many objects have a quote in such a text, or in a name, and the first of each.
    quoted: Counted,
    named: Counted,
}

#[derive(Debug, Default)]
struct Counted {
    count: usize,
    first: String,
}

impl Counted {
    fn add(&mut self, one: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = one();
        }
        self.count += 1;
    }

    /// `web01's alias`, or `web01's alias and 3 more`.
    fn shown(&self) -> String {
        match self.count {
            0 | 1 => self.first.clone(),
            count => format!("{} and {} more", self.first, count - 1),
        }
    }
}

impl InForce {
    fn read(&mut self, file: impl Read) -> std::io::Result<()> {
        let (mut name, mut service) = (String::new(), String::new());
        let mut texts: Vec<String> = Vec::new();
        walk(file, &[b"command", b"host", b"service", b"contact"], |piece| match piece {
            Piece::Start(_) => {
                name.clear();
                service.clear();
                texts.clear();
            }
            Piece::Field("command_name" | "host_name" | "contact_name", value) => value.clone_into(&mut name),
            Piece::Field("service_description", value) => value.clone_into(&mut service),
            Piece::Field("command_line", line) if is_ours(line) => {
                let macros = free_texts(line);
                if !macros.is_empty() {
                    self.commands.push((name.clone(), macros));
                }
            }
            Piece::Field(
                key @ ("alias" | "display_name" | "address" | "notes_url" | "action_url" | "email"),
                value,
            ) if value.contains([QUOTE, '"']) => {
                texts.push(key.to_owned());
            }
            Piece::Field(..) => {}
            Piece::End => {
                let object = || if service.is_empty() { name.clone() } else { format!("{service} on {name}") };
                if name.contains(QUOTE) || service.contains(QUOTE) {
                    self.named.add(object);
                }
                for key in &texts {
                    self.quoted.add(|| format!("{}'s {key}", object()));
                }
            }
        })
    }

    fn definitions(&self, kind: CoreKind) -> Vec<Danger> {
        let remedy = format!(
            "ackbell commands {} prints definitions without them; put them in the old ones' place and reload the core",
            kind.name()
        );
        let mut found: Vec<Danger> = Vec::new();
        for (name, macros) in &self.commands {
            let mut shown = macros.iter().take(MACROS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
            if macros.len() > MACROS_SHOWN {
                shown.push_str(&format!(" and {} more", macros.len() - MACROS_SHOWN));
            }
            let text = format!(
                "the command {name} has {shown} on its shell line: whoever may write that can run commands as the core's user"
            );
            found.push(Danger { what: DangerKind::Definition, found: text, remedy: remedy.clone() });
        }
        if !self.commands.is_empty() && self.quoted.count > 0 {
            let text =
                format!("a quote in {}: by such a definition no notification about it arrives", self.quoted.shown());
            found.push(Danger { what: DangerKind::Quote, found: text, remedy });
        }
        if self.named.count > 0 {
            let found_text = format!("a quote in the name of {}: no notification about it arrives", self.named.shown());
            let remedy = format!("rename it, and set {NAME_CHARS} in the core's main configuration");
            found.push(Danger { what: DangerKind::Names, found: found_text, remedy });
        }
        found
    }
}

/// `/usr/bin/ackbell --config FILE notify --type Host ...`, however it is quoted.
fn is_ours(line: &str) -> bool {
    let mut tokens = line.split_ascii_whitespace();
    tokens.any(|token| token.trim_matches(['\'', '"']).rsplit('/').next() == Some("ackbell"))
        && tokens.any(|token| token == "notify")
}

/// The macros on a line, without their dollars; `$$` is a dollar.
fn macros(line: &str) -> impl Iterator<Item = &str> {
    line.split('$').skip(1).step_by(2).filter(|name| !name.is_empty())
}

/// Those with free text, once each, as they are written. An on-demand macro (`$HOSTALIAS:web01$`) counts by its name.
fn free_texts(line: &str) -> Vec<String> {
    let is_free = |name: &str| FREE_TEXTS.iter().any(|part| name.split(':').next().unwrap_or_default().contains(part));
    let mut found: Vec<String> = macros(line).filter(|name| is_free(name)).map(|name| format!("${name}$")).collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests;
