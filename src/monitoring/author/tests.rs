use super::*;
use crate::model::notification::Fields;

const T: i64 = 1_795_234_400;
const HOSTILE: &str = "x'$(id >CANARY)'y; \"z\" \\n";

fn notification(kind: &str, host: &str, service: &str, time: i64) -> Notification {
    let mut fields = Fields::default();
    for (name, value) in [("notificationtype", kind), ("hostname", host), ("servicedesc", service)] {
        fields.put(name, value);
    }
    let mut made = fields.into_notification(time);
    (made.host_groups, made.service_groups) = (vec!["linux".into()], vec!["shop".into()]);
    made
}

/// The author and the comment that this log gives, as `author: comment`.
fn by_log(log: &str, notification: &Notification) -> Option<String> {
    in_log(log, notification).map(|found| format!("{}: {}", found.author, found.comment))
}

#[test]
fn each_command_that_a_notification_comes_of_says_who_and_what() {
    let downtime = format!("{};{};1;0;3600;eve;{HOSTILE}", T - 1, T + 3600);
    for (kind, service, command) in [
        ("ACKNOWLEDGEMENT", "", format!("ACKNOWLEDGE_HOST_PROBLEM;web01;2;1;1;eve;{HOSTILE}")),
        ("ACKNOWLEDGEMENT", "Disk", format!("ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;1;eve;{HOSTILE}")),
        ("ACKNOWLEDGEMENT", "Disk", format!("ACKNOWLEDGE_SVC_PROBLEM_EXPIRE;web01;Disk;2;1;1;99;eve;{HOSTILE}")),
        ("CUSTOM", "", format!("SEND_CUSTOM_HOST_NOTIFICATION;web01;0;eve;{HOSTILE}")),
        ("CUSTOM", "Disk", format!("SEND_CUSTOM_SVC_NOTIFICATION;web01;Disk;2;eve;{HOSTILE}")),
        ("DOWNTIMESTART", "", format!("SCHEDULE_HOST_DOWNTIME;web01;{downtime}")),
        ("DOWNTIMESTART", "", format!("SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME;web01;{downtime}")),
        ("DOWNTIMESTART", "", format!("SCHEDULE_HOSTGROUP_HOST_DOWNTIME;linux;{downtime}")),
        ("DOWNTIMECANCELLED", "Disk", format!("SCHEDULE_SVC_DOWNTIME;web01;Disk;{downtime}")),
        ("DOWNTIMEEND", "Disk", format!("SCHEDULE_HOST_SVC_DOWNTIME;web01;{downtime}")),
        ("DOWNTIMESTART", "Disk", format!("SCHEDULE_HOSTGROUP_SVC_DOWNTIME;linux;{downtime}")),
        ("DOWNTIMESTART", "Disk", format!("SCHEDULE_SERVICEGROUP_SVC_DOWNTIME;shop;{downtime}")),
    ] {
        let notified = notification(kind, "web01", service, T);
        let log = format!("[{}] SERVICE ALERT: web01;Disk;x\n[{T}] EXTERNAL COMMAND: {command}\nx\n", T - 9);
        assert_eq!(by_log(&log, &notified).as_deref(), Some(&*format!("eve: {HOSTILE}")), "{command}");
        let others = [(";web01;", "web0", service), (";web01;Disk;", "web01", "Dis")];
        for (own, host, service) in others.into_iter().filter(|(own, ..)| command.contains(own)) {
            assert_eq!(by_log(&log, &notification(kind, host, service, T)), None, "{own} {command}");
        }
        // Neither an order of long before nor one after it belongs to the notification.
        let early = log.replace(&format!("[{T}]"), &format!("[{}]", T - 3600));
        let is_downtime = kind.starts_with("DOWNTIME");
        assert_eq!(by_log(&early, &notified).is_some(), is_downtime, "{command}");
        assert_eq!(by_log(&log.replace(&format!("[{T}]"), &format!("[{}]", T + 9)), &notified), None, "{command}");
        assert_eq!(by_log(&log, &notification("PROBLEM", "web01", service, T)), None);
    }
}

#[test]
fn of_several_the_latest_is_meant() {
    let line = |time: i64, author: &str| {
        format!("[{time}] EXTERNAL COMMAND: ACKNOWLEDGE_HOST_PROBLEM;web01;2;1;1;{author};x\n")
    };
    let notified = notification("ACKNOWLEDGEMENT", "web01", "", T);
    let log = [line(T - 5, "alice"), line(T, "bob"), line(T, "carol"), line(T + 20, "dave")].concat();
    assert_eq!(by_log(&log, &notified).as_deref(), Some("carol: x"));
}

#[test]
fn what_the_definition_passed_is_not_asked_for() {
    let mut notified = notification("CUSTOM", "web01", "", T);
    notified.author = Some("alice".into());
    assert!(!is_missing(&notified) && is_missing(&notification("CUSTOM", "web01", "", T)));
    assert!(!is_missing(&notification("FLAPPINGSTART", "web01", "", T)));
    let log = format!("[{T}] EXTERNAL COMMAND: SEND_CUSTOM_HOST_NOTIFICATION;web01;0;eve;x\n");
    assert_eq!(by_log(&log, &notified), None);
}

#[test]
fn a_state_says_it_where_no_log_does_or_will_say_it_soon() {
    let directory = tempfile::tempdir().unwrap();
    let status = directory.path().join("status.dat");
    let core = Core {
        status_file: Some(status.clone()),
        log_file: Some(directory.path().join("none")),
        main_config: Some(directory.path().join("none.cfg")),
        ..Core::default()
    };
    let write = |created: i64, more: &str| {
        let host = "hoststatus {\n\thost_name=web01\n\tproblem_has_been_acknowledged=1\n\tcurrent_state=1\n\t}\n";
        std::fs::write(&status, format!("info {{\n\tcreated={created}\n\t}}\n{host}{more}")).unwrap();
    };
    let look = |kind: &str| {
        let mut notified = notification(kind, "web01", "", T);
        let later = fill(&core, &mut [&mut notified]);
        (notified.author.unwrap_or_default(), notified.comment.unwrap_or_default(), later[0])
    };
    let nothing = |later| (String::new(), String::new(), later);
    assert_eq!(look("ACKNOWLEDGEMENT"), nothing(false), "nothing says when it would be there");
    write(T, "");
    assert_eq!([look("ACKNOWLEDGEMENT"), look("DOWNTIMESTART")], [nothing(true), nothing(true)]);
    assert_eq!([look("CUSTOM"), look("DOWNTIMEEND")], [nothing(false), nothing(false)]);
    let comment = format!(
        "hostcomment {{\n\thost_name=web01\n\tentry_type=4\n\tentry_time={T}\n\tauthor=eve\n\tcomment_data=x'y\n\t}}\n"
    );
    let downtime = |start: i64, author: &str| {
        format!(
            "hostdowntime {{\n\thost_name=web01\n\tstart_time={start}\n\tend_time={}\n\tauthor={author}\n\tcomment=z\n\t}}\n",
            T + 9
        )
    };
    let found = |author: &str, comment: &str| (author.to_owned(), comment.to_owned(), false);
    write(T, &[comment, downtime(T - 500, "old"), downtime(T, "new"), downtime(T + 5, "later")].concat());
    assert_eq!([look("ACKNOWLEDGEMENT"), look("DOWNTIMESTART")], [found("eve", "x'y"), found("new", "z")]);
    // A state from after it that doesn't know it never will.
    write(T + 2, "");
    assert_eq!([look("ACKNOWLEDGEMENT"), look("DOWNTIMESTART")], [nothing(false), nothing(false)]);
}
