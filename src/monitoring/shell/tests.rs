use super::*;

/// All that a shipped line may have: names, numbers, the core's own words, and what every version takes quotes out of. Not
/// an acknowledgement's texts: they are cleaned only where the main configuration says so, and whoever may acknowledge
/// would not need a monitored machine to use that.
const ALLOWED: [&str; 31] = [
    "NOTIFICATIONTYPE",
    "HOSTNAME",
    "SERVICEDESC",
    "CONTACTNAME",
    "TIMET",
    "HOSTSTATEID",
    "SERVICESTATEID",
    "HOSTOUTPUT",
    "SERVICEOUTPUT",
    "LONGHOSTOUTPUT",
    "LONGSERVICEOUTPUT",
    "HOSTPERFDATA",
    "SERVICEPERFDATA",
    "HOSTNOTIFICATIONNUMBER",
    "SERVICENOTIFICATIONNUMBER",
    "HOSTNOTIFICATIONID",
    "SERVICENOTIFICATIONID",
    "HOSTPROBLEMID",
    "SERVICEPROBLEMID",
    "LASTHOSTPROBLEMID",
    "LASTSERVICEPROBLEMID",
    "HOSTATTEMPT",
    "SERVICEATTEMPT",
    "MAXHOSTATTEMPTS",
    "MAXSERVICEATTEMPTS",
    "HOSTDURATIONSEC",
    "SERVICEDURATIONSEC",
    "LASTHOSTSTATECHANGE",
    "LASTSERVICESTATECHANGE",
    "HOSTSTATE",
    "SERVICESTATE",
];

#[test]
fn no_shipped_definition_has_free_text_on_its_shell_line() {
    for kind in [CoreKind::Nagios, CoreKind::Naemon, CoreKind::OpenItCockpit] {
        let lines: Vec<&str> =
            kind.facts().definitions.lines().filter(|line| is_ours(line) && line.contains("$HOSTNAME$")).collect();
        assert_eq!(lines.len(), 2, "{kind:?}: one for hosts, one for services");
        for line in lines {
            assert_eq!(free_texts(line), [""; 0], "{kind:?}");
            for name in macros(line) {
                assert!(ALLOWED.contains(&name), "{kind:?}: ${name}$ is not known to be harmless");
                assert!(line.contains(&format!(" '${name}$'")), "{kind:?}: ${name}$ stands in no single quotes");
            }
        }
    }
}

/// The findings, with these lines in the main configuration and these objects.
fn found(lines: &str, objects: &str) -> Vec<(DangerKind, String)> {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("nagios.cfg"), format!("object_cache_file=objects.cache\n{lines}")).unwrap();
    std::fs::write(path("objects.cache"), objects).unwrap();
    let core = Core { main_config: Some(path("nagios.cfg")), ..Core::default() };
    let root = format!("{}/", directory.path().display());
    dangers(&core).unwrap().into_iter().map(|danger| (danger.what, danger.found.replace(&root, ""))).collect()
}

fn command(line: &str) -> String {
    format!("define command {{\n\tcommand_name\ttell\n\tcommand_line\t{line}\n\t}}\n")
}

const BOTH: &str = "illegal_object_name_chars=`~!$%^&*|'\"<>?,()=\nillegal_macro_output_chars=`~$&|'\"<>\n";

#[test]
fn a_line_that_is_missing_or_lacks_a_character_is_told() {
    assert_eq!(found(BOTH, ""), []);
    let [output, names] = &found("", "")[..] else { panic!() };
    let text = "nagios.cfg has no illegal_macro_output_chars, and it has no default: what a monitored machine prints can run commands as the core's user";
    assert_eq!(output, &(DangerKind::Output, text.to_owned()));
    let text = "nagios.cfg has no illegal_object_name_chars, and it has no default: a name with a quote in it breaks the core's shell lines, and can run commands";
    assert_eq!(names, &(DangerKind::Names, text.to_owned()));
    let lacks = |what, chars: &str| {
        found(&format!("{BOTH}illegal_macro_output_chars={chars}\n"), "")
            == [(
                what,
                format!(
                    "illegal_macro_output_chars in nagios.cfg lacks {}",
                    match what {
                        DangerKind::Output =>
                            "' \": what a monitored machine prints can run commands as the core's user",
                        _ => "& <: definitions that don't use single quotes let what a plugin prints run commands",
                    }
                ),
            )]
    };
    assert!(lacks(DangerKind::Output, "`$&|<>") && lacks(DangerKind::Characters, "`$|'\">"));
}

#[test]
fn a_definition_in_force_with_free_text_is_told_and_whom_it_loses() {
    let old = command(
        "/usr/bin/ackbell --config /x notify --hostalias '$HOSTALIAS$' --comment '$NOTIFICATIONCOMMENT$' --var a='$_HOSTTEAM$' --output '$HOSTOUTPUT$'",
    );
    let host = "define host {\n\thost_name\tweb01\n\talias\tBob's laptop\n\t}\n";
    let service = "define service {\n\thost_name\tweb01\n\tservice_description\tDisk\n\tnotes_url\thttp://x/?'\n\t}\n";
    let text = "the command tell has $HOSTALIAS$, $NOTIFICATIONCOMMENT$, $_HOSTTEAM$ on its shell line: whoever may write that can run commands as the core's user";
    assert_eq!(found(BOTH, &old), [(DangerKind::Definition, text.to_owned())]);
    let quote = "a quote in web01's alias and 1 more: by such a definition no notification about it arrives";
    let expected = [(DangerKind::Definition, text.to_owned()), (DangerKind::Quote, quote.to_owned())];
    assert_eq!(found(BOTH, &format!("{old}{host}{service}")), expected);
    // Quotes harm nobody where no line has them; other people's commands are theirs.
    for harmless in [
        command("/usr/bin/ackbell notify --from-env"),
        command("/bin/mail -s '$HOSTALIAS$'"),
        command("/usr/bin/ackbell check '$HOSTALIAS$'"),
        CoreKind::Nagios.facts().definitions.to_owned(),
    ] {
        assert_eq!(found(BOTH, &format!("{harmless}{host}{service}")), []);
    }
    let named = "define service {\n\thost_name\tweb01\n\tservice_description\tBob's\n\t}\n";
    let text = "a quote in the name of Bob's on web01: no notification about it arrives";
    assert_eq!(found(BOTH, named), [(DangerKind::Names, text.to_owned())]);
}

#[test]
fn a_core_without_a_shell_has_no_such_danger() {
    for kind in [CoreKind::Icinga2, CoreKind::Checkmk] {
        assert_eq!(dangers(&Core { kind, main_config: Some("/nowhere".into()), ..Core::default() }), None);
    }
}

/// Centreon Engine cuts the line by itself (`common/process/src/process_args.cc`): a backslash takes what follows it, also a
/// closing quote, and quotes are deleted from every value. So whatever somebody may write has a blank for its last backslash.
#[test]
fn every_text_on_centreons_lines_ends_with_a_blank_for_its_backslash() {
    let lines: Vec<&str> = CoreKind::Centreon
        .facts()
        .definitions
        .lines()
        .filter(|line| is_ours(line) && line.contains("$HOSTNAME$"))
        .collect();
    assert_eq!(lines.len(), 2, "one for hosts, one for services");
    let is_number = |name: &str| {
        ["ID", "NUMBER", "ATTEMPT", "ATTEMPTS", "SEC", "CHANGE", "TIMET", "NOTIFICATIONTYPE"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    for line in lines {
        for name in macros(line) {
            let is_guarded = line.contains(&format!(" '${name}$ '"));
            let is_harmless = is_number(name) && !FREE_TEXTS.iter().any(|part| name.contains(part));
            assert!(is_guarded || is_harmless, "${name}$");
        }
    }
}

#[test]
fn a_centreon_deletes_quotes_unless_its_list_lacks_them() {
    let of = |lines: &str| {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("centengine.cfg");
        std::fs::write(&main, lines).unwrap();
        dangers(&Core { kind: CoreKind::Centreon, main_config: Some(main), ..Core::default() }).unwrap()
    };
    // Its own default, its sample's line.
    for good in ["", "illegal_macro_output_chars=`~$^&\"|'<>\n"] {
        assert_eq!(of(good), [], "{good}");
    }
    let found = of("illegal_macro_output_chars=`~$^&\"|<>\n");
    assert_eq!((found.len(), found[0].what), (1, DangerKind::Output));
    assert!(
        found[0]
            .found
            .ends_with("lacks ': what a monitored machine prints can add arguments to ackbell's command line")
    );
}
