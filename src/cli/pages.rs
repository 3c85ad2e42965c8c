//! Completions and man pages, from the same definitions as `--help`.

use super::args::Cli;
use super::{Exit, Output};
use clap::{Command, CommandFactory};
use std::fs;
use std::io;
use std::path::Path;

pub(super) fn completions(shell: clap_complete::Shell, out: &mut Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ackbell", &mut script);
    out.line(&String::from_utf8_lossy(&script));
    Exit::Done
}

/// Writes `ackbell.1` and a page for each verb.
pub(super) fn man(directory: &Path, out: &mut Output) -> Exit {
    match write_pages(directory) {
        Ok(pages) => {
            out.line(&format!("{pages} pages written to {}", directory.display()));
            Exit::Done
        }
        Err(e) => {
            out.error(&format!("can't write man pages to {}: {e}", directory.display()));
            Exit::CantWrite
        }
    }
}

fn write_pages(directory: &Path) -> io::Result<usize> {
    fs::create_dir_all(directory)?;
    let mut command = Cli::command();
    command.build();
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    let pages: Vec<(String, Command)> = std::iter::once(("ackbell".to_owned(), command.clone()))
        .chain(verbs.map(|verb| (format!("ackbell-{}", verb.get_name()), verb.clone())))
        .collect();
    for (name, command) in &pages {
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).title(name.clone()).render(&mut page)?;
        fs::write(directory.join(format!("{name}.1")), page)?;
    }
    Ok(pages.len())
}
