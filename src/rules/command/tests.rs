use super::lines::PIPE_BUF;
use super::*;
use crate::config::Access;
use crate::rules::authorise::{Caller, Contact, ObjectNames, Person, Right, authorise};
use proptest::prelude::*;
use std::time::Duration;

const NOW: i64 = 1_795_240_000;

/// The command of a contact of that name who may do everything.
pub(crate) fn command(
    action: &Action,
    host: &str,
    service: Option<&str>,
    name: &str,
) -> Result<ExternalCommand, CommandError> {
    worded(action, host, service, name, Wording::LookAlikes)
}

/// The same, for a core that takes this wording.
pub(crate) fn worded(
    action: &Action,
    host: &str,
    service: Option<&str>,
    name: &str,
    wording: Wording,
) -> Result<ExternalCommand, CommandError> {
    let object = Object { core: String::new(), host: host.into(), service: service.map(str::to_owned) };
    let email = Some("a@example.com".to_owned());
    let person = Person {
        team_id: "T1".into(),
        user_id: "U1".into(),
        email: email.clone(),
        is_guest: Some(false),
        ..Person::default()
    };
    let contact = Contact { name: name.into(), email, can_submit_commands: true, is_objects: true };
    let caller = Caller { person, team_id: "T1".into(), channel: None, acts: true };
    let access = Access::default();
    let permission = caller.admit(&access).unwrap().ask(Right::Act(action)).unwrap();
    let authorised = authorise(&permission, &ObjectNames::bare(&object), Some(&[contact])).unwrap();
    ExternalCommand::new(&authorised, wording, NOW)
}

fn acknowledge(comment: &str) -> Action {
    Action::Acknowledge { sticky: true, notify: true, persistent: false, comment: comment.into(), expiry: None }
}

fn downtime(host_services: bool, flexible: Option<u64>) -> Action {
    let flexible = flexible.map(Duration::from_secs);
    Action::Downtime { start: NOW, end: NOW + 7200, flexible, comment: "up;grade".into(), host_services }
}

#[test]
fn each_action_is_its_line() {
    let (web, disk) = (("web01", None), ("web01", Some("Disk /")));
    for ((host, service), action, expected) in [
        (web, acknowledge(""), "ACKNOWLEDGE_HOST_PROBLEM;web01;2;1;0;al,ice;acknowledged in Slack"),
        (disk, acknowledge("it's me"), "ACKNOWLEDGE_SVC_PROBLEM;web01;Disk /;2;1;0;al,ice;it’s me"),
        (disk, acknowledge("a;b\nc\0d\u{85}e"), "ACKNOWLEDGE_SVC_PROBLEM;web01;Disk /;2;1;0;al,ice;a,b c d e"),
        (web, Action::RemoveAcknowledgement, "REMOVE_HOST_ACKNOWLEDGEMENT;web01"),
        (disk, Action::RemoveAcknowledgement, "REMOVE_SVC_ACKNOWLEDGEMENT;web01;Disk /"),
        (web, downtime(false, None), "SCHEDULE_HOST_DOWNTIME;web01;1795240000;1795247200;1;0;7200;al,ice;up,grade"),
        (
            disk,
            downtime(true, Some(600)),
            "SCHEDULE_SVC_DOWNTIME;web01;Disk /;1795240000;1795247200;0;0;600;al,ice;up,grade",
        ),
        (web, Action::CancelDowntime { id: "7".into() }, "DEL_HOST_DOWNTIME;7"),
        (disk, Action::CancelDowntime { id: "7".into() }, "DEL_SVC_DOWNTIME;7"),
        (web, Action::Recheck { at: NOW }, "SCHEDULE_FORCED_HOST_CHECK;web01;1795240000"),
        (disk, Action::Recheck { at: NOW }, "SCHEDULE_FORCED_SVC_CHECK;web01;Disk /;1795240000"),
        (web, Action::StopNotifications, "DISABLE_HOST_NOTIFICATIONS;web01"),
        (disk, Action::ResumeNotifications, "ENABLE_SVC_NOTIFICATIONS;web01;Disk /"),
        (disk, Action::Comment { persistent: true, comment: "hi".into() }, "ADD_SVC_COMMENT;web01;Disk /;1;al,ice;hi"),
    ] {
        let lines = command(&action, host, service, "al;ice").unwrap().lines();
        assert_eq!(lines, [format!("[1795240000] {expected}\n")]);
    }
}

/// Every character that a shell or a core's list of illegal ones knows.
const SPECIAL: &str = "`~$&|'\"<>\\";

#[test]
fn what_a_person_wrote_is_harmless_in_every_shell_and_read_back_as_it_was_sent() {
    let hostile = "x'$(id >CANARY)'y `id` \"C:\\\" a|b & ~ <c>";
    let harmless = "x’＄(id ›CANARY)’y ‘id‘ ”C:＼” a¦b ＆ ∼ ‹c›";
    let flexible = Some(Duration::from_secs(600));
    for action in [
        acknowledge(hostile),
        Action::Comment { persistent: false, comment: hostile.into() },
        Action::Downtime { start: NOW, end: NOW + 9, flexible, comment: hostile.into(), host_services: false },
    ] {
        let made = command(&action, "web01", None, hostile).unwrap();
        assert!(made.lines()[0].ends_with(&format!(";{harmless};{harmless}\n")), "{:?}", made.lines());
        let expected = crate::rules::confirm::Expectation::from_command(&made, None);
        let effect = serde_json::to_string(&expected.effect).unwrap();
        assert!(expected.author == harmless && effect.contains(harmless), "{expected:?}");
        // Icinga 2's API leads to no shell.
        let made = worded(&action, "web01", None, hostile, Wording::AsTyped).unwrap();
        assert!(made.lines()[0].ends_with(&format!(";{hostile};{hostile}\n")), "{:?}", made.lines());
    }
}

#[test]
fn a_name_with_a_semicolon_is_said_to_be_unsayable_in_a_line() {
    let unsayable = |action: &Action, host: &str, service| {
        command(action, host, service, "a").unwrap().unsayable().map(str::to_owned)
    };
    assert_eq!(unsayable(&acknowledge("x"), "a;b", None).as_deref(), Some("a;b"));
    assert_eq!(unsayable(&Action::RemoveAcknowledgement, "a", Some("b;c")).as_deref(), Some("b;c"));
    assert_eq!(unsayable(&acknowledge("x;y"), "a", Some("b,c")), None);
    // A downtime is cancelled by its number alone.
    assert_eq!(unsayable(&Action::CancelDowntime { id: "7".into() }, "a;b", None), None);
    assert_eq!(unsayable(&Action::CancelDowntime { id: "a;b!x".into() }, "a;b", None).as_deref(), Some("a;b!x"));
}

#[test]
fn each_core_gets_what_it_understands() {
    let until = Action::Acknowledge {
        sticky: true,
        notify: false,
        persistent: true,
        comment: "x".into(),
        expiry: Some(NOW + 60),
    };
    let knows = Dialect { knows_expiry: true, services_include_host: true };
    let knows_not = Dialect { knows_expiry: false, services_include_host: false };
    let lines_of = |action: &Action, service, dialect| {
        command(action, "web01", service, "alice").unwrap().towards(dialect).lines().concat()
    };
    assert_eq!(
        lines_of(&until, Some("Disk"), knows),
        "[1795240000] ACKNOWLEDGE_SVC_PROBLEM_EXPIRE;web01;Disk;2;0;1;1795240060;alice;x\n"
    );
    assert_eq!(
        lines_of(&until, None, knows),
        "[1795240000] ACKNOWLEDGE_HOST_PROBLEM_EXPIRE;web01;2;0;1;1795240060;alice;x\n"
    );
    assert_eq!(lines_of(&until, None, knows_not), "[1795240000] ACKNOWLEDGE_HOST_PROBLEM;web01;2;0;1;alice;x\n");
    // Icinga 2 schedules the host's, too: with both the host would have two.
    let lines = lines_of(&downtime(true, None), None, knows);
    assert!(
        lines.starts_with("[1795240000] SCHEDULE_HOST_SVC_DOWNTIME;web01;") && lines.lines().count() == 1,
        "{lines}"
    );
    assert_eq!(lines_of(&downtime(true, None), None, knows_not).lines().count(), 2);
}

#[test]
fn a_host_with_its_services_is_two_commands() {
    let lines = command(&downtime(true, None), "web01", None, "alice").unwrap().lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("[1795240000] SCHEDULE_HOST_DOWNTIME;web01;1795240000;"));
    assert!(lines[1].starts_with("[1795240000] SCHEDULE_HOST_SVC_DOWNTIME;web01;1795240000;"));
}

#[test]
fn what_cannot_be_said_is_refused() {
    for (host, service) in [("a\nb", None), ("a", Some("b\0")), ("", None), ("a", Some("")), ("a\t", None)] {
        assert!(matches!(command(&acknowledge("x"), host, service, "a"), Err(CommandError::Name(_))), "{host:?}");
    }
    assert_eq!(command(&acknowledge("x"), &"a".repeat(1001), None, "a"), Err(CommandError::NameTooLong));
    let downtime = |start, end, flexible: Option<u64>| Action::Downtime {
        start,
        end,
        flexible: flexible.map(Duration::from_secs),
        comment: String::new(),
        host_services: false,
    };
    for (action, error) in [
        (downtime(NOW + 10, NOW + 10, None), CommandError::EndsBeforeStart),
        (downtime(NOW - 10, NOW, None), CommandError::Over),
        (downtime(NOW, NOW + 10, Some(5)), CommandError::TooShort),
        (downtime(NOW, i64::MAX, None), CommandError::Time),
        (downtime(NOW, NOW + 10, Some(u64::MAX)), CommandError::Time),
        (Action::Recheck { at: -1 }, CommandError::Time),
        (Action::CancelDowntime { id: "1\n2".into() }, CommandError::DowntimeId),
        (Action::CancelDowntime { id: String::new() }, CommandError::DowntimeId),
    ] {
        assert_eq!(command(&action, "web01", None, "alice"), Err(error), "{action:?}");
    }
}

#[test]
fn a_long_comment_is_cut_between_characters_and_says_so() {
    let command = command(&acknowledge(&"ä".repeat(5000)), "web01", Some("Disk"), "alice").unwrap();
    let lines = command.lines();
    assert!((PIPE_BUF - 2..=PIPE_BUF).contains(&lines[0].len()), "{}", lines[0].len());
    assert!(lines[0].ends_with("ää…\n"));
    let Action::Acknowledge { comment, .. } = command.action() else { panic!() };
    assert!(lines[0].ends_with(&format!(";{comment}\n")), "the typed part is what is sent");
}

fn actions() -> impl Strategy<Value = Action> {
    let text = ".{0,40}|\\PC{0,4000}|[;\n\r\0\\[\\]0-9A-Z_ ]{0,60}";
    prop_oneof![
        (any::<(bool, bool, bool)>(), text).prop_map(|((sticky, notify, persistent), comment)| Action::Acknowledge {
            sticky,
            notify,
            persistent,
            comment,
            expiry: None
        }),
        Just(Action::RemoveAcknowledgement),
        (any::<i64>(), any::<i64>(), proptest::option::of(any::<u64>()), text, any::<bool>()).prop_map(
            |(start, end, flexible, comment, host_services)| Action::Downtime {
                start: start % (2 * TIME_MAX),
                end: end % (2 * TIME_MAX),
                flexible: flexible.map(|seconds| Duration::from_secs(seconds % 100_000)),
                comment,
                host_services,
            }
        ),
        text.prop_map(|id| Action::CancelDowntime { id }),
        any::<i64>().prop_map(|at| Action::Recheck { at }),
        Just(Action::StopNotifications),
        Just(Action::ResumeNotifications),
        (any::<bool>(), text).prop_map(|(persistent, comment)| Action::Comment { persistent, comment }),
    ]
}

/// How many `;` a command's line has.
fn semicolons(name: &str) -> usize {
    match name {
        "ACKNOWLEDGE_HOST_PROBLEM" => 6,
        "ACKNOWLEDGE_SVC_PROBLEM" => 7,
        "SCHEDULE_HOST_DOWNTIME" | "SCHEDULE_HOST_SVC_DOWNTIME" => 8,
        "SCHEDULE_SVC_DOWNTIME" => 9,
        "ADD_HOST_COMMENT" => 4,
        "ADD_SVC_COMMENT" => 5,
        "SCHEDULE_FORCED_SVC_CHECK" => 3,
        "SCHEDULE_FORCED_HOST_CHECK"
        | "REMOVE_SVC_ACKNOWLEDGEMENT"
        | "DISABLE_SVC_NOTIFICATIONS"
        | "ENABLE_SVC_NOTIFICATIONS" => 2,
        "REMOVE_HOST_ACKNOWLEDGEMENT"
        | "DISABLE_HOST_NOTIFICATIONS"
        | "ENABLE_HOST_NOTIFICATIONS"
        | "DEL_HOST_DOWNTIME"
        | "DEL_SVC_DOWNTIME" => 1,
        other => panic!("{other}"),
    }
}

proptest! {
    #[test]
    fn no_text_adds_a_command_or_a_field(
        action in actions(),
        host in "web01|.{0,20}|\\PC{1,1500}|[;\n]a",
        service in proptest::option::of("Disk|.{0,20}|\\PC{1,1200}"),
        name in ".{0,200}|[;\n\r]{0,5}",
    ) {
        let Ok(command) = command(&action, &host, service.as_deref(), &name) else { return Ok(()) };
        if command.unsayable().is_some() {
            return Ok(());
        }
        let lines = command.lines();
        prop_assert!(lines.concat().len() <= PIPE_BUF);
        prop_assert!((1..=2).contains(&lines.len()));
        for line in lines {
            prop_assert_eq!(line.chars().filter(|c| c.is_control()).count(), 1);
            let line = line.strip_suffix('\n').unwrap();
            let (stamp, rest) = line.split_once("] ").unwrap();
            prop_assert_eq!(stamp, format!("[{NOW}"));
            let name = rest.split(';').next().unwrap();
            prop_assert_eq!(rest.matches(';').count(), semicolons(name), "{}", rest);
            prop_assert!(!rest.ends_with(';'), "{}", rest);
            let fields = rest.replacen(&host, "", 1).replacen(service.as_deref().unwrap_or_default(), "", 1);
            let is_text = matches!(action, Action::Acknowledge { .. } | Action::Downtime { .. } | Action::Comment { .. });
            prop_assert!(!is_text || !fields.contains(|c| SPECIAL.contains(c)), "{}", rest);
        }
    }
}
