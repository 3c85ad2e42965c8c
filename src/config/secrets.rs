//! Secrets of the configuration: in the file, in a file of their own, or in the environment.

use super::lenient;
use super::problem::{Mistake, Problems};
use super::reader::{Table, Text};
use super::tree::Span;
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directories and the environment for the secrets of an integration.
pub(super) struct LoadContext<'a> {
    pub(super) base: &'a Path,
    /// The directory of the installations.
    pub(super) state_dir: &'a Path,
    /// Empty for all but the default: only that one is configured by the environment.
    pub(super) env: Environment,
    pub(super) sources: &'a mut Vec<PathBuf>,
}

pub(super) type Check = fn(&str) -> Result<(), Mistake>;

pub(super) fn one_secret(
    table: &mut Table<'_>,
    keys: (&'static str, &'static str),
    names: &[&str],
    check: Check,
    context: &mut LoadContext<'_>,
    problems: &mut Problems<'_>,
) -> Option<Secret> {
    let mut found = secrets(table, keys, names, check, context, problems);
    if found.len() > 1 {
        problems.error(table.span, Mistake::new(format!("\"{}\" takes one value", keys.0)));
    }
    found.pop()
}

/// The values of a secret: in the file, in a file of its own, or in the environment, in that order.
pub(super) fn secrets(
    table: &mut Table<'_>,
    keys: (&'static str, &'static str),
    names: &[&str],
    check: Check,
    context: &mut LoadContext<'_>,
    problems: &mut Problems<'_>,
) -> Vec<Secret> {
    with_files(table, keys, names, check, context, problems).into_iter().map(|(_, secret)| secret).collect()
}

/// The same, each with the file of its own that it comes from.
pub(super) fn with_files(
    table: &mut Table<'_>,
    (key, file_key): (&'static str, &'static str),
    names: &[&str],
    check: Check,
    context: &mut LoadContext<'_>,
    problems: &mut Problems<'_>,
) -> Vec<(Option<PathBuf>, Secret)> {
    let inline = table.texts(key, problems);
    let files = table.texts(file_key, problems);
    if let (Some(_), Some(files)) = (&inline, &files) {
        let mistake = Mistake::new(format!("both \"{key}\" and \"{file_key}\" are given")).remedy("keep one of them");
        problems.error(files.first().map(|text| text.span), mistake);
    }
    let mut found = Vec::new();
    let mut take = |value: &str, file: Option<&Path>, span: Option<Span>, problems: &mut Problems<'_>| {
        let checked = if value.is_empty() { Err(Mistake::new("it is empty")) } else { check(value) };
        match checked {
            Ok(()) => found.push((file.map(Path::to_owned), Secret::new(value.to_owned()))),
            Err(mistake) => problems.error(span, mistake.about(key)),
        }
    };
    if let Some(texts) = inline {
        warn_if_readable(context.sources.first().cloned().as_deref(), texts.first(), problems);
        for text in texts {
            take(text.text.trim(), None, Some(text.span), problems);
        }
    } else if let Some(texts) = files {
        for text in texts {
            let path = context.base.join(text.text);
            if let Some(value) = read_secret(&path, text, file_key, problems) {
                take(&value, Some(&path), Some(text.span), problems);
            }
            context.sources.push(path);
        }
    } else if let Some((_, value)) =
        names.iter().filter_map(|name| Some((name, context.env.get(name)?))).find(|(_, v)| !v.is_empty())
    {
        take(value.trim(), None, None, problems);
    }
    found
}

/// A secret that is given as a file only: its path and what is in it.
pub(super) fn only_in_file(
    table: &mut Table<'_>,
    file_key: &'static str,
    context: &mut LoadContext<'_>,
    problems: &mut Problems<'_>,
) -> Option<(PathBuf, Secret)> {
    let text = table.text(file_key, problems)?;
    let path = context.base.join(text.text);
    let value = read_secret(&path, text, file_key, problems);
    context.sources.push(path.clone());
    value.map(|value| (path, Secret::new(value)))
}

fn read_secret(path: &Path, text: Text<'_>, key: &str, problems: &mut Problems<'_>) -> Option<String> {
    match lenient::read_text(path) {
        Ok(value) => {
            warn_if_readable(Some(path), Some(&text), problems);
            Some(value.trim().to_owned())
        }
        Err(e) => {
            let mistake = Mistake::new(format!("{key}: can't read {}: {e}", path.display()));
            problems.error(
                Some(text.span),
                mistake.remedy("the file must exist and be readable by the group of the core's user"),
            );
            None
        }
    }
}

/// Warns of a file with secrets that everybody may read, and refuses one that others may write.
fn warn_if_readable(path: Option<&Path>, text: Option<&Text<'_>>, problems: &mut Problems<'_>) {
    let Some((path, mode)) = path.and_then(|path| Some((path, fs::metadata(path).ok()?.mode()))) else {
        return;
    };
    let span = text.map(|text| text.span);
    let remedy = format!("chmod 0640 {}", path.display());
    if mode & 0o022 != 0 {
        let message = format!("{} holds a secret and others may write it (mode {:04o})", path.display(), mode & 0o7777);
        problems.error(span, Mistake::new(message).remedy(remedy));
    } else if mode & 0o004 != 0 {
        let message =
            format!("{} holds a secret and everybody may read it (mode {:04o})", path.display(), mode & 0o7777);
        problems.warning(span, Mistake::new(message).remedy(remedy));
    }
}

/// People make these up: blanks and umlauts are fine.
pub(super) fn password(value: &str) -> Result<(), Mistake> {
    if value.chars().any(char::is_control) {
        return Err(Mistake::new("it has control characters").remedy("copy it again, on one line"));
    }
    Ok(())
}

pub(super) fn any(value: &str) -> Result<(), Mistake> {
    printable(value)
}

pub(super) fn printable(value: &str) -> Result<(), Mistake> {
    if value.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Mistake::new("it has blanks or other characters a secret never has").remedy("copy it again, on one line"))
}

pub(super) fn app_token(value: &str) -> Result<(), Mistake> {
    match value {
        v if v.starts_with("xapp-") => printable(v),
        v if v.starts_with("xoxb-") => Err(Mistake::new("that is a bot token").remedy("put it into bot_token")),
        _ => Err(Mistake::new("that isn't an app-level token").remedy("it starts with xapp-")),
    }
}
