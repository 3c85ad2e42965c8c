use super::*;
use crate::model::notification::Fields;

const NAGIOS: &str = include_str!("../../../tests/samples/nagios-4.4.6-objects.cache");

fn notification(pairs: &[(&'static str, &str)]) -> Notification {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.put(name, value);
    }
    fields.into_notification(7)
}

/// The notification as filled in, with this file and this configuration.
fn filled(objects: &str, config: &str, pairs: &[(&'static str, &str)]) -> Notification {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("objects.cache"), objects).unwrap();
    let path = directory.path().join("ackbell.toml");
    fs::write(&path, format!("[core]\nobjects_file = \"objects.cache\"\n{config}")).unwrap();
    let (config, _) = crate::config::load(Some(&path), &crate::system::environment::Environment::default()).unwrap();
    let mut made = notification(pairs);
    Details::default().fill(&mut [&mut made], &config, &UsedVars::of(&config, &[]));
    made
}

const MYSQL: [(&str, &str); 3] = [("hostname", "db01"), ("servicedesc", "MySQL"), ("contact", "alice")];

#[test]
fn what_no_command_line_may_carry_is_looked_up() {
    let more = "define service {\n\thost_name\tdb01\n\tservice_description\tMySQL\n\tdisplay_name\tMySQL's $(id)\n\
        \taction_url\thttps://g.example.com/?h=$HOSTNAME$&s=$SERVICEDESC$&a=$HOSTALIAS$&r=$_SERVICERUN$&u=$USER1$x&$$\n\t_RUN\t'a b'\n\t}\n";
    let config = "[[route]]\nmatch = { var = { run = \"*\" } }\nto = [\"#a\"]\n[slack]\nwebhook_url = \"https://hooks.slack.com/services/T0/B0/x\"\n";
    let made = filled(&format!("{NAGIOS}{more}"), config, &MYSQL);
    assert_eq!(made.host.alias.as_deref(), Some("Database 1"));
    assert_eq!(made.host.address.as_deref(), Some("192.0.2.20"));
    assert_eq!((made.host_groups, made.service_groups), (vec!["linux".to_owned()], vec!["shop".to_owned()]));
    assert_eq!(made.service.unwrap().display_name.as_deref(), Some("MySQL's $(id)"));
    let url = "https://g.example.com/?h=db01&s=MySQL&a=Database%201&r=%27a%20b%27&u=x&$";
    assert_eq!(made.action_url.as_deref(), Some(url));
    assert_eq!(made.contact.email.as_deref(), Some("alice@example.com"));
    assert_eq!(made.contact.address.as_deref(), Some("U012ABCDEF"));
    assert_eq!(made.contact.groups, ["ops"]);
    // Variables that nothing uses aren't read: `_SLACKCHANNEL` and `_SLACKID` are there, too.
    assert_eq!(made.vars, [("run".to_owned(), "'a b'".to_owned())].into());
}

#[test]
fn what_the_definition_passed_wins() {
    let passed =
        [("hostalias", "mine"), ("hostgroups", "own"), ("contact-email", "x@example.com"), ("hostaddress", "::1")];
    let made = filled(NAGIOS, "", &[&MYSQL[..], &passed[..]].concat());
    let contact = made.contact;
    assert_eq!((made.host.alias.as_deref(), made.host.address.as_deref()), (Some("mine"), Some("::1")));
    assert_eq!((made.host_groups, contact.email.as_deref()), (vec!["own".to_owned()], Some("x@example.com")));
}

#[test]
fn a_core_that_does_not_know_or_cannot_be_asked_changes_nothing() {
    for objects in ["", "\u{0}\n}\ndefine host {\n", NAGIOS] {
        let pairs = [("hostname", "nohost"), ("contact", "nobody")];
        let same = notification(&pairs);
        assert_eq!(filled(objects, "", &pairs), same);
    }
}

#[test]
fn a_group_of_any_size_is_read_to_its_end() {
    let members: Vec<String> = (0..40_000).map(|number| format!("host{number:05}")).collect();
    let groups = format!("define hostgroup {{\n\thostgroup_name\tall\n\tmembers\t{}\n\t}}\n", members.join(","));
    let made = filled(&groups, "", &[("hostname", "host39999")]);
    assert_eq!(made.host_groups, ["all"]);
}

#[test]
fn a_file_that_changed_is_read_again_and_one_that_did_not_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("objects.cache");
    fs::write(&path, NAGIOS).unwrap();
    let own = directory.path().join("ackbell.toml");
    fs::write(&own, "[core]\nobjects_file = \"objects.cache\"\n").unwrap();
    let (config, _) = crate::config::load(Some(&own), &crate::system::environment::Environment::default()).unwrap();
    let mut details = Details::default();
    let alias = |details: &mut Details| {
        let mut made = notification(&MYSQL);
        details.fill(&mut [&mut made], &config, &UsedVars::of(&config, &[]));
        made.host.alias.unwrap_or_default()
    };
    assert_eq!(alias(&mut details), "Database 1");
    fs::write(&path, NAGIOS.replace("Database 1", "Database one")).unwrap();
    assert_eq!(alias(&mut details), "Database one");
    fs::remove_file(&path).unwrap();
    assert_eq!(alias(&mut details), "Database one", "the core is being upgraded: what was known holds");
}
