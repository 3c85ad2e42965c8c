//! The kinds of monitoring cores, and everything that is the same for all cores of a kind.
//!
//! A new kind is a row here, its usual paths (`monitoring/paths`), its definitions (`contrib/`) and, where its web page has
//! addresses of its own, `rules/render/links`.

use crate::model::notification::LongOutput;

/// Which monitoring core it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CoreKind {
    #[default]
    Nagios,
    Naemon,
    Icinga2,
    #[value(name = "openitcockpit")]
    OpenItCockpit,
    Checkmk,
    Centreon,
}

/// One kind of core.
#[derive(Debug)]
pub(crate) struct KindFacts {
    kind: CoreKind,
    /// In the configuration.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// The notification commands in `contrib/`.
    pub(crate) definitions: &'static str,
    /// Where the definitions go, if ackbell may write them: a file of this name in a directory of the core's objects.
    pub(crate) definitions_file: Option<&'static str>,
    /// The users it may run as, where its main configuration doesn't name one.
    pub(crate) users: &'static [&'static str],
    /// Its systemd unit, for people.
    pub(crate) unit: &'static str,
    /// Its main configuration, for people.
    pub(crate) main_config: &'static str,
    /// The programs that verify the main configuration, and the arguments before its path.
    pub(crate) verify: Option<(&'static [&'static str], &'static [&'static str])>,
    pub(crate) api_login: Option<ApiLoginKind>,
    /// Whether it ends an acknowledgement by itself.
    pub(crate) expiry: Expiry,
    pub(crate) shell: ShellLines,
    /// How it writes a plugin's long output into an argument.
    pub(crate) long_output: LongOutput,
    /// Whether its Livestatus undoes backslashes in a command (Naemon's does).
    pub(crate) undoes_backslashes: bool,
}

/// How ackbell logs in at the core's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiLoginKind {
    /// `api_user` and `api_password`.
    Basic,
    /// `api_key`.
    Key,
}

/// Whether a core ends an acknowledgement by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    Always,
    Never,
    /// A Naemon since that version (`ACKNOWLEDGE_*_PROBLEM_EXPIRE`); not by an API.
    Since(u32, u32),
}

/// Who takes the quotes out of the lines that a core hands to a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShellLines {
    /// It starts commands without a shell.
    None,
    /// The main configuration's illegal characters.
    IllegalChars,
    /// It deletes quotes from every value by a list of its own.
    Centreon,
}

static KINDS: [KindFacts; 6] = [
    KindFacts {
        kind: CoreKind::Nagios,
        name: "nagios",
        title: "Nagios",
        definitions: include_str!("../../contrib/nagios/ackbell.cfg"),
        definitions_file: Some("ackbell.cfg"),
        users: &["nagios"],
        unit: "nagios4 (nagios, naemon)",
        main_config: "nagios.cfg",
        verify: Some((&["nagios4", "nagios"], &["-v"])),
        api_login: None,
        expiry: Expiry::Never,
        shell: ShellLines::IllegalChars,
        long_output: LongOutput::Nagios,
        undoes_backslashes: false,
    },
    KindFacts {
        kind: CoreKind::Naemon,
        name: "naemon",
        title: "Naemon",
        definitions: include_str!("../../contrib/naemon/ackbell.cfg"),
        definitions_file: Some("ackbell.cfg"),
        users: &["naemon"],
        unit: "nagios4 (nagios, naemon)",
        main_config: "nagios.cfg",
        verify: Some((&["naemon"], &["-v"])),
        api_login: None,
        expiry: Expiry::Since(1, 4),
        shell: ShellLines::IllegalChars,
        long_output: LongOutput::Naemon,
        undoes_backslashes: true,
    },
    KindFacts {
        kind: CoreKind::Icinga2,
        name: "icinga2",
        title: "Icinga 2",
        definitions: include_str!("../../contrib/icinga2/ackbell.conf"),
        definitions_file: Some("ackbell.conf"),
        users: &["nagios", "icinga"],
        unit: "nagios4 (nagios, naemon)",
        main_config: "nagios.cfg",
        verify: Some((&["icinga2"], &["daemon", "-C", "-c"])),
        api_login: Some(ApiLoginKind::Basic),
        expiry: Expiry::Always,
        shell: ShellLines::None,
        long_output: LongOutput::AsItIs,
        undoes_backslashes: false,
    },
    KindFacts {
        kind: CoreKind::OpenItCockpit,
        name: "openitcockpit",
        title: "openITCOCKPIT",
        definitions: include_str!("../../contrib/openitcockpit/ackbell.txt"),
        definitions_file: None,
        users: &["nagios"],
        unit: "nagios4 (nagios, naemon)",
        main_config: "nagios.cfg",
        verify: None,
        api_login: Some(ApiLoginKind::Key),
        expiry: Expiry::Since(1, 4),
        shell: ShellLines::IllegalChars,
        long_output: LongOutput::Naemon,
        undoes_backslashes: true,
    },
    KindFacts {
        kind: CoreKind::Checkmk,
        name: "checkmk",
        title: "Checkmk",
        definitions: include_str!("../../contrib/checkmk/ackbell"),
        definitions_file: None,
        users: &["nagios"],
        unit: "nagios4 (nagios, naemon)",
        main_config: "nagios.cfg",
        verify: None,
        api_login: None,
        expiry: Expiry::Never,
        shell: ShellLines::None,
        long_output: LongOutput::AsItIs,
        undoes_backslashes: false,
    },
    KindFacts {
        kind: CoreKind::Centreon,
        name: "centreon",
        title: "Centreon",
        definitions: include_str!("../../contrib/centreon/ackbell.txt"),
        definitions_file: None,
        users: &["centreon-engine"],
        unit: "centengine",
        main_config: "centengine.cfg, by the poller's engine configuration in Centreon's web page",
        verify: None,
        api_login: None,
        expiry: Expiry::Never,
        shell: ShellLines::Centreon,
        // It escapes newlines as a Naemon does, and undoes that itself where it cuts the line into arguments.
        long_output: LongOutput::AsItIs,
        undoes_backslashes: false,
    },
];

impl CoreKind {
    /// Everything that is the same for all cores of this kind.
    pub(crate) fn facts(self) -> &'static KindFacts {
        KINDS.iter().find(|facts| facts.kind == self).unwrap_or(&KINDS[0])
    }

    /// Its name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        self.facts().name
    }

    /// All kinds by their names.
    pub(super) fn named() -> [(&'static str, Self); KINDS.len()] {
        KINDS.each_ref().map(|facts| (facts.name, facts.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_kind_has_a_row_of_its_own_and_its_name_on_the_command_line() {
        for kind in CoreKind::value_variants() {
            assert_eq!(kind.facts().kind, *kind);
            assert!(CoreKind::named().contains(&(kind.name(), *kind)));
            assert_eq!(kind.to_possible_value().unwrap().get_name(), kind.name());
        }
    }
}
