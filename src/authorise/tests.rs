use super::*;
use crate::config::Pattern;

fn person() -> Person {
    Person {
        integration: "default".into(),
        team_id: "T1".into(),
        user_id: "U0123ABCDEF".into(),
        name: "Alice".into(),
        email: Some("Alice@example.com".into()),
        groups: vec!["S0123ABCDEF".into(), "dba".into()],
        ..Person::default()
    }
}

fn contact(name: &str, email: &str) -> Contact {
    Contact { name: name.into(), email: Some(email.into()), can_submit_commands: true, is_objects: false }
}

fn rule(allows: bool, who: Who) -> AccessRule {
    let (hosts, services, cores) = (Vec::new(), Vec::new(), Vec::new());
    AccessRule { line: 7, allows, who: vec![who], channels: Vec::new(), actions: Vec::new(), hosts, services, cores }
}

/// The author, or the refusal's text.
fn decided(person: &Person, access: &Access, contacts: Option<&[Contact]>) -> Result<String, String> {
    let object = Object { core: String::new(), host: "db01".into(), service: Some("MySQL".into()) };
    let asked = Asked {
        person,
        team_id: "T1",
        channel: Some("C0123ABCDEF"),
        object: &object,
        host_label: Some("Database 1"),
        service_label: None,
    };
    match authorise(&asked, &Action::RemoveAcknowledgement, access, contacts) {
        Verdict::Allowed(authorised) => Ok(authorised.author().to_owned()),
        Verdict::Refused(refusal) => Err(refusal.to_string()),
    }
}

#[test]
fn without_rules_everybody_of_the_workspace_may() {
    assert_eq!(decided(&person(), &Access::default(), None), Ok("Alice".into()));
}

#[test]
fn outsiders_are_refused_whatever_the_rules_say() {
    let open = Access { rules: vec![rule(true, Who::Everyone)], ..Access::default() };
    for (outsider, start) in [
        (Person { team_id: "T2".into(), ..person() }, "People of other workspaces"),
        (Person { team_id: String::new(), ..person() }, "People of other workspaces"),
        (Person { is_stranger: true, ..person() }, "People of other workspaces"),
        (Person { is_bot: true, ..person() }, "Bots"),
        (Person { is_guest: true, ..person() }, "Guests"),
    ] {
        assert!(decided(&outsider, &open, None).unwrap_err().starts_with(start), "{outsider:?}");
    }
    let guest = Person { is_guest: true, ..person() };
    assert!(decided(&guest, &Access { guests: true, ..Access::default() }, None).is_ok());
    // Nobody has no workspace.
    let asked_nowhere = Person { team_id: String::new(), ..person() };
    assert!(decided(&asked_nowhere, &Access { guests: true, ..open }, None).is_err());
}

#[test]
fn the_first_rule_that_matches_decides() {
    let (me, other) = (Who::User("U0123ABCDEF".into()), Who::User("U0999ABCDEF".into()));
    for (rules, allowed) in [
        (vec![rule(false, me.clone())], false),
        (vec![rule(false, other.clone())], true),
        (vec![rule(true, me.clone())], true),
        // An allow rule closes the door to all it doesn't name.
        (vec![rule(true, other.clone())], false),
        (vec![rule(true, other.clone()), rule(true, Who::Everyone)], true),
        (vec![rule(false, me.clone()), rule(true, Who::Everyone)], false),
        (vec![rule(true, me), rule(false, Who::Everyone)], true),
    ] {
        let access = Access { rules, ..Access::default() };
        assert_eq!(decided(&person(), &access, None).is_ok(), allowed, "{access:?}");
    }
}

#[test]
fn every_given_part_of_a_rule_must_match() {
    let pattern = |text: &str| vec![Pattern(text.into())];
    let base = || rule(false, Who::Everyone);
    for (rule, matches) in [
        (rule(false, Who::Email("alice@example.com".into())), true),
        (rule(false, Who::Email("bob@example.com".into())), false),
        (rule(false, Who::Group("S0123ABCDEF".into())), true),
        (rule(false, Who::Group("dba".into())), true),
        (rule(false, Who::Group("ops".into())), false),
        (AccessRule { channels: vec!["C0123ABCDEF".into()], ..base() }, true),
        (AccessRule { channels: vec!["C0999ABCDEF".into()], ..base() }, false),
        (AccessRule { actions: vec!["unacknowledge".into()], ..base() }, true),
        (AccessRule { actions: vec!["acknowledge".into()], ..base() }, false),
        (AccessRule { hosts: pattern("db*"), services: pattern("my?ql"), ..base() }, true),
        (AccessRule { hosts: pattern("database*"), ..base() }, true),
        (AccessRule { hosts: pattern("!db*"), ..base() }, false),
        (AccessRule { hosts: pattern("db*"), services: pattern("Disk"), ..base() }, false),
        (AccessRule { cores: pattern("branch"), ..base() }, false),
    ] {
        let access = Access { rules: vec![rule], ask: Some("#help".into()), ..Access::default() };
        let expected = Err("You may not remove acknowledgements here. Ask #help.".to_owned());
        let found = decided(&person(), &access, None);
        assert_eq!(found, if matches { expected } else { Ok("Alice".into()) }, "{access:?}");
    }
}

#[test]
fn the_author_is_the_contact_then_the_name_then_the_id() {
    let contacts = [contact("bob", "bob@example.com"), contact("alice-mail", "alice@EXAMPLE.com")];
    assert_eq!(decided(&person(), &Access::default(), Some(&contacts)), Ok("alice-mail".into()));
    let people = [(Who::Email("alice@example.com".into()), "al;i\nce".to_owned())];
    let access = Access { people: people.into(), ..Access::default() };
    assert_eq!(decided(&person(), &access, Some(&contacts)), Ok("al,i ce".into()));
    let unknown = Person { email: None, name: "Ali\u{0}ce; [1] NOPE\n".into(), ..person() };
    assert_eq!(decided(&unknown, &Access::default(), Some(&contacts)), Ok("Ali ce, [1] NOPE".into()));
    let nameless = Person { name: "\u{202e}\n".into(), ..unknown };
    assert_eq!(decided(&nameless, &Access::default(), None), Ok("U0123ABCDEF".into()));
    // openITCOCKPIT's contacts.
    let uuid = [contact("c36b8048-93ce-4385-ac19-ab5c90574b77", "alice@example.com")];
    assert_eq!(decided(&person(), &Access::default(), Some(&uuid)), Ok("Alice".into()));
    let endless = Person { name: "ä".repeat(1000), email: None, ..person() };
    assert_eq!(decided(&endless, &Access::default(), None), Ok("ä".repeat(100)));
}

#[test]
fn required_contacts_are_the_objects_own() {
    let access = Access { require_contact: true, ..Access::default() };
    let told = |contacts: Option<&[Contact]>| decided(&person(), &access, contacts);
    assert!(told(None).unwrap_err().contains("can't be read"));
    assert!(told(Some(&[])).unwrap_err().contains("knows no contact with your e-mail address"));
    let other = contact("alice", "alice@example.com");
    assert!(told(Some(std::slice::from_ref(&other))).unwrap_err().contains("MySQL on db01, and alice is none"));
    let own = Contact { is_objects: true, ..contact("alice-sms", "alice@example.com") };
    assert_eq!(told(Some(&[other.clone(), own.clone()])), Ok("alice-sms".into()));
    let mute = Contact { can_submit_commands: false, ..own };
    assert!(told(Some(&[other, mute.clone()])).is_err());
    let said = decided(&person(), &Access::default(), Some(&[mute])).unwrap_err();
    assert!(said.contains("lets the contact alice-sms submit no commands"), "{said}");
}

#[test]
fn looking_is_closed_only_by_rules_that_name_it() {
    let object = Object { core: String::new(), host: "db01".into(), service: None };
    let who = person();
    let asked =
        Asked { person: &who, team_id: "T1", channel: None, object: &object, host_label: None, service_label: None };
    let may = |access: &Access| permit(&asked, Right::View, access, None).is_ok();
    let others = AccessRule { actions: vec!["acknowledge".into()], ..rule(true, Who::Email("bob@example.com".into())) };
    assert!(may(&Access { rules: vec![others.clone()], require_contact: true, ..Access::default() }));
    let viewers = AccessRule { actions: vec!["view".into()], ..others };
    assert!(!may(&Access { rules: vec![viewers], ..Access::default() }));
    assert!(!may(&Access { rules: vec![rule(false, Who::Everyone)], ..Access::default() }));
    let stranger = Person { team_id: "T2".into(), ..person() };
    assert!(permit(&Asked { person: &stranger, ..asked }, Right::View, &Access::default(), None).is_err());
}

#[test]
fn a_subscription_reaches_no_further_than_its_rule() {
    let who = person();
    let may = |pattern: &str, rule: AccessRule| {
        let object = Object { core: String::new(), host: pattern.into(), service: None };
        let asked = Asked {
            person: &who,
            team_id: "T1",
            channel: None,
            object: &object,
            host_label: None,
            service_label: None,
        };
        permit(&asked, Right::Subscribe, &Access { rules: vec![rule], ..Access::default() }, None).is_ok()
    };
    let hosts = |allows, patterns: &[&str]| AccessRule {
        hosts: patterns.iter().map(|text| Pattern((*text).to_owned())).collect(),
        ..rule(allows, Who::Everyone)
    };
    for (pattern, allowed, expected) in [
        ("db01", "db*", true),
        ("db*", "db*", true),
        ("db0*", "db*", true),
        ("db0?", "db*", true),
        ("*", "db*", false),
        ("d*", "db*", false),
        ("db*", "db?", false),
        ("db*", "db???", false),
        ("", "db*", false),
        ("!db01", "db*", false),
        ("web*", "!db*", false),
        ("web01", "!db*", true),
    ] {
        assert_eq!(may(pattern, hosts(true, &[allowed])), expected, "{pattern} under allow {allowed}");
    }
    for (pattern, expected) in [("web01", true), ("db01", false), ("web*", false), ("*", false), ("", false)] {
        assert_eq!(may(pattern, hosts(false, &["db*"])), expected, "{pattern} under deny db*");
    }
}
