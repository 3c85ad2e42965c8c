//! The state directory, read from its own line alone: on the `notify` path, and even if the rest of the file is broken.
//!
//! A typo in another key must never send notifications to a directory that the listener doesn't read.

use crate::state_dir::{StateDirs, owner};
use crate::system::environment::Environment;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The default path of the configuration.
pub(crate) const CONFIG: &str = "/etc/ackbell/ackbell.toml";
/// The default state directory, which the packages make.
pub(crate) const STATE_DIR: &str = "/var/lib/ackbell";
const RUNTIME_DIR: &str = "/run/ackbell";
/// A larger file isn't a configuration.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Between two looks at an empty file, and how many more there are: 0.2 s, for a file that stays empty too.
const REREAD: Duration = Duration::from_millis(10);
const REREADS_MAX: u32 = 20;

/// The configuration's path: the argument (which clap also takes from `ACKBELL_CONFIG`), else the default.
pub(crate) fn config_path(argument: Option<&Path>) -> PathBuf {
    // Its paths are relative to it, whatever the process's directory.
    argument.map_or_else(|| PathBuf::from(CONFIG), |path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// The directories; `ACKBELL_STATE_DIR` and `ACKBELL_RUNTIME_DIR` win over the file, the file over the defaults.
pub(crate) fn state_dirs(argument: Option<&Path>, env: &Environment) -> StateDirs {
    let path = config_path(argument);
    let (text, problem) = match read_written(&path) {
        Ok(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), None),
        // Nobody named a configuration and there is none: the defaults are meant.
        Err(e) if e.kind() == ErrorKind::NotFound && argument.is_none() => (String::new(), None),
        Err(e) => (String::new(), Some(format!("can't read the configuration {}: {e}", path.display()))),
    };
    let base = path.parent().unwrap_or(Path::new("/"));
    let configured = |name: &str, key: &str| {
        let from_env = env.os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        from_env.or_else(|| key_in(&text, &path, key).map(|value| base.join(value)))
    };
    let state_dir = configured("ACKBELL_STATE_DIR", "state_dir").unwrap_or_else(|| PathBuf::from(STATE_DIR));
    let runtime_dir = configured("ACKBELL_RUNTIME_DIR", "runtime_dir").unwrap_or_else(|| {
        // systemd makes it; without it, and without root, nobody could.
        let is_usual = state_dir == Path::new(STATE_DIR) && Path::new(RUNTIME_DIR).is_dir();
        if is_usual { PathBuf::from(RUNTIME_DIR) } else { state_dir.clone() }
    });
    let problem = problem.filter(|_| env.os("ACKBELL_STATE_DIR").is_none());
    StateDirs { state_dir, runtime_dir, problem }
}

/// The same without waiting for somebody at the other end, should the configuration be a FIFO: then the file says nothing.
pub(crate) fn state_dirs_at_once(argument: Option<&Path>, env: &Environment) -> StateDirs {
    let path = config_path(argument);
    let is_plain = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    state_dirs(if is_plain { argument } else { Some(Path::new("/dev/null")) }, env)
}

/// The value of a key that stands on a line of its own at the top of the file.
pub(super) fn key_in(text: &str, path: &Path, key: &str) -> Option<String> {
    if is_json(path) { json_key(text, key) } else { toml_key(text, key) }
}

pub(super) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// An empty file is being written: what writes in place first empties it, and whoever reads it in that instant would
/// take the defaults: a `notify` would leave its notification where no listener looks, a listener would know no place
/// for what waits. So it is read again, for a while.
pub(super) fn read_written(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for _ in 0..=REREADS_MAX {
        match File::open(path) {
            // Root read it before it became the core's user, who may not.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                return owner::was_read(path).ok_or(e);
            }
            file => file?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?,
        };
        if !bytes.is_empty() || !path.is_file() {
            break;
        }
        std::thread::sleep(REREAD);
    }
    Ok(bytes)
}

fn toml_key(text: &str, key: &str) -> Option<String> {
    let mut top = text.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    top.find_map(|line| {
        let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim_start();
        match value.as_bytes().first()? {
            b'\'' => value[1..].split_once('\'').map(|(inside, _)| inside.to_owned()),
            // A TOML basic string and a JSON string agree on everything a path needs.
            b'"' => json_string(value),
            _ => None,
        }
    })
}

fn json_key(text: &str, key: &str) -> Option<String> {
    let quoted = format!("\"{key}\"");
    let mut rest = text;
    while let Some(at) = rest.find(&quoted) {
        rest = &rest[at + quoted.len()..];
        if let Some(value) = rest.trim_start().strip_prefix(':') {
            return json_string(value.trim_start());
        }
    }
    None
}

/// The JSON string at the start of the text, whatever follows it.
fn json_string(text: &str) -> Option<String> {
    serde_json::Deserializer::from_str(text).into_iter::<String>().next()?.ok()
}

/// A text of bounded length, whatever the file is.
pub(super) fn read_text(path: &Path) -> std::io::Result<String> {
    String::from_utf8(read_written(path)?)
        .map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_whatever_stands_around_it() {
        let toml = Path::new("a.toml");
        for (text, expected) in [
            ("state_dir = \"/srv/a\" # here\n[slack]\nbroken ==", Some("/srv/a")),
            ("nonsense [[\n  state_dir='/srv/b'\n", Some("/srv/b")),
            ("[slack]\nstate_dir = \"/srv/a\"", None),
            ("state_dirs = \"/srv/a\"\n# state_dir = \"/x\"", None),
            ("state_dir = \"/srv", None),
            ("", None),
        ] {
            assert_eq!(key_in(text, toml, "state_dir").as_deref(), expected, "{text}");
        }
        let json = Path::new("a.json");
        assert_eq!(key_in("{\"slack\": {,, \"state_dir\" : \"/srv/c\"", json, "state_dir").as_deref(), Some("/srv/c"));
    }

    #[test]
    fn a_file_that_is_just_being_written_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        std::fs::write(&path, "").unwrap();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                std::thread::sleep(REREAD * 3);
                std::fs::write(path, "state_dir = \"state\"\n").unwrap();
            }
        });
        let dirs = state_dirs(Some(&path), &Environment::default());
        assert_eq!((dirs.state_dir, dirs.problem), (directory.path().join("state"), None));
        writer.join().unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(state_dirs(Some(&path), &Environment::default()).state_dir, Path::new(STATE_DIR));
        let empty = crate::config::load(Some(&path), &Environment::default()).unwrap_err().to_string();
        assert!(empty.ends_with("ackbell.toml: it is empty"), "{empty}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", name in "a\\.(toml|json)") {
            let _ = key_in(&format!("state_dir{text}"), Path::new(&name), "state_dir");
        }
    }
}
