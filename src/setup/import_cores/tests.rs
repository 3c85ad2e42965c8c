use super::*;
use crate::config::load;
use crate::system::environment::Environment;
use proptest::prelude::*;

const LMD: &str = "Listen = [\"127.0.0.1:3333\"]\nSkipSSLCheck = 0\n\n[[Connections]]\nname = \"Site A\"\nid = \"a1\"\n\
    source = [\"192.0.2.10:6557\", \"tls://192.0.2.20:6557\", \"192.0.2.30:6557\"]\ntlsSkipVerify = 1\n\n[[connections]]\n\
    Name = \"local\"\nSource = \"/var/tmp/live.sock\"\n\n[[Connections]]\nname = \"local\"\nid = \"x\"\n\
    source = [\"https://web/thruk/\"]\n";

const THRUK: &str = "use_frames = 0\n<Component Thruk::Backend>\n  <peer>\n    name = External Naemon\n    id   = ext\n    \
    type = livestatus\n    <options>\n      peer = 192.0.2.10:6557   # main\n      peer = 192.0.2.11:6557\n      \
    fallback_peer = https://192.0.2.12/thruk\n    </options>\n    <configtool>\n      core_conf = /etc/x.cfg\n    \
    </configtool>\n  </peer>\n  # <peer>\n  <peer>\n    name \"tools\"\n    type = configonly\n  </peer>\n</Component>\n";

const CHECKMK: &str = "# Written by Checkmk\n# encoding: utf-8\n\nother = {'a': [1, -2.5, None]}\n\nsites.update({'central': \
    {'alias': 'The \\u201ccentral\\u201d',\n             'socket': ('local', None),\n             'disabled': False},\n \
    'paris': {'alias': u'Paris',\n           'multisiteurl': 'https://paris.example.com/paris/check_mk/',\n           \
    'socket': ('tcp', {'address': ('192.0.2.7', 6557),\n                              'tls': ('plain_text', {})}),\n           \
    'timeout': 5},\n 'rome': {'socket': ('tcp6', {'address': ('2001:db8::7', 6557), 'tls': ('encrypted', {'verify': True})})},\n \
    'old': {'socket': 'tcp:192.0.2.8:6557', 'disabled': True},\n 'pipe': {'socket': ('unix', {'path': '/run/live'})},\n})\n";

/// What the configuration's reader makes of it: names and addresses.
fn cores(text: &str) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let (config, _) = load(Some(&path), &Environment::default()).unwrap_or_else(|e| panic!("{text}\n{e}"));
    config.cores.into_iter().map(|core| (core.name, core.livestatus.unwrap().to_string())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect()
}

#[test]
fn the_cores_of_an_lmd_are_tables() {
    let text = translate(LMD).unwrap();
    assert_eq!(
        cores(&text),
        pairs(&[
            ("Site A", "tcp:192.0.2.10:6557, tls:192.0.2.20:6557, tcp:192.0.2.30:6557"),
            ("local", "/var/tmp/live.sock")
        ])
    );
    for expected in [
        "# Not taken over: tlsSkipVerify\n",
        "# TLS: add livestatus_ca_file",
        "# another core is named \"local\", too",
        "# Not taken over: https://web/thruk/: that is a Thruk",
        "# Not in force: it has no address that ackbell can use\n#[cores.\"local 2\"]\n",
        "# line 4\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn the_backends_of_a_thruk_are_tables() {
    let text = translate(THRUK).unwrap();
    assert_eq!(cores(&text), pairs(&[("External Naemon", "tcp:192.0.2.10:6557, tcp:192.0.2.11:6557")]));
    assert!(text.contains("# Not taken over: https://192.0.2.12/thruk: that is a Thruk"), "{text}");
    assert!(text.contains("# Not in force: it is there for Thruk's configuration tool only\n#[cores.tools]"), "{text}");
}

#[test]
fn the_sites_of_a_checkmk_are_tables() {
    let text = translate(CHECKMK).unwrap();
    let expected = [
        ("central", "/omd/sites/central/tmp/run/live"),
        ("paris", "tcp:192.0.2.7:6557"),
        ("rome", "tls:[2001:db8::7]:6557"),
        ("pipe", "/run/live"),
    ];
    assert_eq!(cores(&text), pairs(&expected));
    for expected in [
        "# The \u{201c}central\u{201d}\n[cores.central]\nkind = \"checkmk\"\n",
        "url = \"https://paris.example.com/paris\"\n",
        "# Not in force: the site is disabled there\n#[cores.old]\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn a_bad_file_is_told_with_its_line() {
    for (text, expected) in [
        ("", "line 1: this is no lmd.ini"),
        ("[[Connections]]\nname = \"a\"\nsource = 7\n", "line 3: source isn't a string"),
        ("[[Connections]]\nname = \"a\nsource = 7\n", "line 2: "),
        ("[[Connections]]\nsource = [\"/a\"]\n", "line 2: the connection has neither name nor id"),
        ("<Component Thruk::Backend>\n<peer>\n<options>\n</peer>\n", "line 4: </peer> closes <options> of line 3"),
        ("<Component Thruk::Backend>\n<peer>\n", "line 2: <peer> is never closed"),
        ("<peer>\n</peer\n", "line 2: \"</peer\" doesn't end with >"),
        ("sites.update({\n'a': {'socket': open('/x')}})\n", "line 2: a plain value is missing, at \"open('/x')}})\""),
        ("sites.update({'a': {}\n", "line 2: \"}\" is missing, at the end"),
        ("sites = 'x\n", "line 1: the string has no end"),
        ("sites = ['x']\n", "line 1: sites isn't a dictionary of sites"),
        ("import os\nsites = {}\n", "line 1: only values are read here"),
    ] {
        let fault = translate(text).unwrap_err().to_string();
        assert!(fault.starts_with(expected), "{fault}");
    }
    let deep = format!("sites = {}", "[".repeat(100_000));
    assert!(translate(&deep).unwrap_err().message.starts_with("values are nested too deep"));
}

proptest! {
    /// Whatever is cut out of a file or put into it: a fault, or tables that the configuration takes.
    #[test]
    fn a_broken_file_makes_no_broken_configuration(
        which in 0..3usize, at in 0..2000usize, length in 0..30usize, garbage in "[\\PC\n\"'{}\\[\\]()<>\\\\#=,:]{0,8}",
    ) {
        let text: Vec<char> = [LMD, THRUK, CHECKMK][which].chars().collect();
        let at = at % text.len();
        let rest = &text[(at + length).min(text.len())..];
        let text: String = text[..at].iter().copied().chain(garbage.chars()).chain(rest.iter().copied()).collect();
        if let Ok(tables) = translate(&text) {
            cores(&tables);
        }
    }
}
