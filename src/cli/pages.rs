//! Completions and man pages, from the same definitions as `--help`.

use super::args::Cli;
use super::{Exit, Output};
use crate::config::keys::{Key, SECTIONS, Section};
use clap::{Command, CommandFactory};
use clap_mangen::roff::{Roff, bold, italic, roman};
use std::path::Path;
use std::{fs, io};

const VERSION: &str = concat!("ackbell ", env!("CARGO_PKG_VERSION"));
const MANUAL: &str = "ackbell";
/// A version, not a date, says how old a page is. Without its quotes an empty argument is left out, and the next takes
/// its place.
const NO_DATE: &str = "\"\"";
const INTRODUCTION: &str = "TOML; a file whose name ends in .json is JSON with the same keys. Paths are relative to the file. \
    Spans of time are written as 30s, 5m, 2h, 3d. Unknown keys are mistakes: `ackbell config check` reports all of them at once, \
    with their lines. A change takes effect at once in a running listener; one with mistakes is refused there, and the old \
    configuration stays. A file that holds a secret must not be readable by everybody: mode 0640, with the group of the core's user.";
const EXAMPLE: &str = "[slack]\nbot_token_file = \"bot-token\"\napp_token_file = \"app-token\"\nchannel = \"#ops\"\n\n\
    [[route]]\nmatch = { hostgroup = \"databases\", state = [\"critical\", \"down\"] }\nto = \"#db-alerts\"\n\n\
    [core]\nkind = \"naemon\"";

pub(super) fn completions(shell: clap_complete::Shell, out: &mut Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut <Cli>::command(), "ackbell", &mut script);
    out.line(&String::from_utf8_lossy(&script));
    Exit::Done
}

/// Writes `ackbell.1`, a page for each verb and its parts, and `ackbell.toml.5`.
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
    let mut command = without_help(<Cli>::command());
    command.build();
    let mut pages = Vec::new();
    collect("ackbell", &command, &mut pages);
    for (name, command) in &pages {
        let mut page = Vec::new();
        let man = clap_mangen::Man::new(command.clone()).title(name.clone()).date(NO_DATE);
        man.source(VERSION).manual(MANUAL).render(&mut page)?;
        // The generator writes break, blank line, break before a list of values; one of them is what shows.
        let page = String::from_utf8_lossy(&page).replace("\n.br\n\n.br\n", "\n.sp\n");
        fs::write(directory.join(format!("{name}.1")), page)?;
    }
    fs::write(directory.join("ackbell.toml.5"), configuration())?;
    Ok(pages.len() + 1)
}

/// Without the verb `help`, at any depth: it has no page.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// A command's page and those of its verbs.
fn collect(name: &str, command: &Command, pages: &mut Vec<(String, Command)>) {
    pages.push((name.to_owned(), command.clone().display_name(name.to_owned())));
    for verb in command.get_subcommands() {
        collect(&format!("{name}-{}", verb.get_name()), verb, pages);
    }
}

/// `ackbell.toml(5)`, from the table of keys.
fn configuration() -> String {
    let mut page = Roff::new();
    page.control("TH", ["ackbell.toml", "5", NO_DATE, VERSION, MANUAL]);
    page.control("SH", ["NAME"]);
    page.text([roman("ackbell.toml - the configuration of ackbell")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("/etc/ackbell/ackbell.toml"), roman(", or what --config or ACKBELL_CONFIG name")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(INTRODUCTION)]);
    for section in &SECTIONS {
        describe(section, &mut page);
    }
    page.control("SH", ["EXAMPLE"]);
    page.control("nf", []);
    page.text([roman(EXAMPLE)]);
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("ackbell"),
        roman("(1), "),
        bold("ackbell-config"),
        roman("(1), "),
        bold("ackbell-setup"),
        roman("(1)"),
    ]);
    page.render()
}

fn describe(section: &Section, page: &mut Roff) {
    page.control("SH", [if section.header.is_empty() { "THE TOP OF THE FILE" } else { section.header }]);
    page.text([roman(section.about)]);
    for Key { name, kind, default, example, about } in section.keys {
        page.control("TP", []);
        page.text([bold(*name), roman(" ("), italic(*kind), roman(")")]);
        let default = if default.is_empty() { String::new() } else { format!(" Default: {default}.") };
        page.text([roman(format!("{about}{default}"))]);
        page.control("br", []);
        page.text([roman("Example: "), bold(format!("{name} = {example}"))]);
    }
}
