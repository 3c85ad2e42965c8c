//! The core's definitions: a file of our own, verified by the core itself.

use super::{End, Exit, Prompt, SetupContext};
use crate::config::Core;
use crate::monitoring::local::{Local, Verification};
use crate::monitoring::shell::{self, Danger, DangerKind};
use crate::setup::write_files::{self, Planned};
use crate::setup::{self, Choices};
use std::path::{Path, PathBuf};

/// The core's notification commands and contact.
pub(super) enum Definitions {
    /// None are made for this core, or there is no core.
    Nothing,
    /// To be put where the core reads them by hand.
    Shown(String),
    /// A file of our own.
    File { local: Box<Local>, path: PathBuf, text: String, bare: String, is_there: bool },
    /// They aren't written, and why.
    Not(String),
}

impl Definitions {
    pub(super) fn choose(context: &SetupContext<'_>, choices: &Choices, prompt: &mut Prompt<'_>) -> Self {
        let Some(local) = &choices.core else { return Self::Nothing };
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/bin/ackbell"));
        let Some((text, bare)) = setup::definitions(local.kind, &program, &context.path) else {
            return Self::Not(format!(
                "the core's definitions need plain paths (letters, digits, / . _ - +), not {} and {}",
                program.display(),
                context.path.display()
            ));
        };
        let dangers = dangers(local);
        let (refused, warned): (Vec<&Danger>, Vec<&Danger>) =
            dangers.iter().partition(|danger| danger.what == DangerKind::Output);
        for Danger { found, remedy, .. } in warned {
            prompt.out.line(&format!("! {found}\n  {remedy}"));
        }
        let refused = refused.first().map(|Danger { found, remedy, .. }| format!("{found}\n  {remedy}"));
        let wanted = context.args.definitions.clone().or_else(|| local.definitions.clone());
        let path = wanted.filter(|path| path != Path::new("-"));
        let path = path.map(|path| std::path::absolute(&path).unwrap_or(path));
        let there = path.as_ref().and_then(|path| write_files::read(path).ok());
        let is_there = there.as_ref().is_some_and(|there| *there == text || *there == bare);
        if let Some(why) = refused {
            // Definitions that hand a monitored machine the core's shell are not written; those that are there stay.
            if path.is_some() && !is_there {
                return Self::Not(format!("{why}; then run setup again"));
            }
            prompt.out.line(&format!("! {why}"));
        }
        let Some(path) = path else { return Self::Shown(text) };
        if is_there {
            return Self::File { local: Box::new(local.clone()), path, text, bare, is_there: true };
        }
        if there.is_some_and(|there| !there.contains("ackbell")) {
            return Self::Not(format!("{} isn't ackbell's: name another file with --definitions", path.display()));
        }
        if let Verification::Bad(errors) = local.verify() {
            prompt.out.line(&format!("! the core's own configuration has errors already:\n{errors}"));
            let how = format!("repair it, then: ackbell commands {}", local.kind.name());
            return Self::Not(how);
        }
        Self::File { local: Box::new(local.clone()), path, text, bare, is_there: false }
    }

    pub(super) fn is_to_write(&self) -> bool {
        matches!(self, Self::File { is_there: false, .. })
    }

    pub(super) fn show(&self, in_full: bool, prompt: &mut Prompt<'_>) {
        match self {
            Self::Nothing => {}
            Self::Not(why) => prompt.out.line(&format!("! no definitions are written: {why}")),
            Self::Shown(text) => prompt.out.line(&format!("\nFor the core:\n{text}")),
            Self::File { path, is_there: true, .. } => {
                prompt.out.line(&format!("✓ the core's definitions are in {}", path.display()));
            }
            Self::File { path, text, .. } => {
                prompt.out.line(&format!(
                    "  {}  (0644): the core's notification commands and the contact \"slack\"",
                    path.display()
                ));
                if in_full {
                    prompt.out.line(text);
                }
            }
        }
    }

    /// Writes them, and lets the core judge; what it doesn't like is taken back.
    pub(super) fn put(&self, prompt: &mut Prompt<'_>) -> Result<(), End> {
        let Self::File { local, path, text, bare, is_there: false } = self else { return Ok(()) };
        let done = {
            let _whole = prompt.write();
            install(local, path, text, bare)?
        };
        prompt.out.line(&format!("✓ {}{done}", path.display()));
        Ok(())
    }
}

/// Definitions by which a text reaches the core's shell.
fn dangers(local: &Local) -> Vec<Danger> {
    let core = Core { kind: local.kind, main_config: Some(local.main_config.clone()), ..Core::default() };
    shell::dangers(&core).unwrap_or_default()
}

fn install(local: &Local, path: &Path, text: &str, bare: &str) -> Result<&'static str, End> {
    let before = write_files::read(path).ok();
    let write = |content: &str| {
        let file = Planned { path: path.to_owned(), content: content.to_owned(), mode: 0o644, backup: None };
        write_files::files(&[file], local.account.as_ref())
    };
    let fail = |e: write_files::WriteError| End::Failed(Exit::CantWrite, e.to_string());
    write(text).map_err(fail)?;
    match local.verify() {
        Verification::Good => return Ok(": the core verified it"),
        Verification::NotHere => return Ok(" (the core's program isn't here to verify it)"),
        Verification::Bad(_) => {}
    }
    // A core without the host that the check of ackbell belongs to.
    write(bare).map_err(fail)?;
    let Verification::Bad(errors) = local.verify() else {
        return Ok(": the core verified it; without the check of ackbell itself, as it has no host localhost");
    };
    let back = match before {
        Some(before) => write(&before).is_ok(),
        None => std::fs::remove_file(path).is_ok(),
    };
    let taken = if back { "was taken back" } else { "must be removed" };
    Err(End::Failed(Exit::Config, format!("the core refuses its definitions; {} {taken}:\n{errors}", path.display())))
}
