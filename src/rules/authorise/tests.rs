use super::*;
use crate::config::AccessRule;
use crate::model::pattern::Pattern;
use crate::rules::slash::SlashAction;

fn person() -> Person {
    Person {
        integration: "default".into(),
        team_id: "T1".into(),
        user_id: "U0123ABCDEF".into(),
        name: "Alice".into(),
        email: Some("Alice@example.com".into()),
        is_guest: Some(false),
        groups: vec!["S0123ABCDEF".into(), "dba".into()],
        ..Person::default()
    }
}

fn contact(name: &str, email: &str) -> Contact {
    Contact { name: name.into(), email: Some(email.into()), can_submit_commands: true, is_objects: false }
}

fn rule(allows: bool, who: Who) -> AccessRule {
    let (hosts, services, cores) = (Vec::new(), Vec::new(), Vec::new());
    let (integrations, channels, actions) = (Vec::new(), Vec::new(), Vec::new());
    AccessRule { line: 7, allows, who: vec![who], integrations, channels, actions, hosts, services, cores }
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern((*text).to_owned())).collect()
}

/// Somebody of the workspace T1, in a channel.
fn caller(person: &Person) -> Caller {
    Caller { person: person.clone(), team_id: "T1".into(), channel: Some("C0123ABCDEF".into()), acts: true }
}

fn db01() -> Object {
    Object { core: String::new(), host: "db01".into(), service: Some("MySQL".into()) }
}

/// With what people call it.
fn named(object: &Object) -> ObjectNames<'_> {
    ObjectNames { host_labels: vec!["Database 1"], ..ObjectNames::bare(object) }
}

/// Asks in the order of every request; the author, or the refusal.
fn decide(caller: &Caller, right: Right<'_>, access: &Access, contacts: Option<&[Contact]>) -> Result<String, Refusal> {
    let object = db01();
    let permission = caller.admit(access)?.ask(right)?;
    match right {
        Right::Act(_) => {
            authorise(&permission, &named(&object), contacts).map(|authorised| authorised.author().to_owned())
        }
        Right::View | Right::Subscribe => permission.may(&named(&object), contacts).map(|()| String::new()),
    }
}

/// The author, or the refusal's text.
fn decided(person: &Person, access: &Access, contacts: Option<&[Contact]>) -> Result<String, String> {
    decide(&caller(person), Right::Act(&Action::RemoveAcknowledgement), access, contacts).map_err(|no| no.to_string())
}

#[test]
fn without_rules_everybody_of_the_workspace_may() {
    assert_eq!(decided(&person(), &Access::default(), None), Ok("Alice (Slack U0123ABCDEF)".into()));
}

#[test]
fn outsiders_are_refused_whatever_the_rules_say() {
    let open = Access { rules: vec![rule(true, Who::Everyone)], ..Access::default() };
    for (outsider, start) in [
        (Person { team_id: "T2".into(), ..person() }, "Users from other workspaces"),
        (Person { team_id: String::new(), ..person() }, "Users from other workspaces"),
        (Person { is_outsider: true, ..person() }, "Users from other workspaces"),
        (Person { is_bot: true, ..person() }, "Bots"),
        // With only a webhook nobody can be asked.
        (Person { is_guest: None, ..person() }, "Guests aren't allowed to use these actions, and with only a webhook"),
        (Person { is_guest: Some(true), ..person() }, "Guests"),
    ] {
        assert!(decided(&outsider, &open, None).unwrap_err().starts_with(start), "{outsider:?}");
    }
    let guest = Person { is_guest: Some(true), ..person() };
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
        // An allow rule refuses everything it doesn't name.
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
        assert_eq!(found, if matches { expected } else { Ok("Alice (Slack U0123ABCDEF)".into()) }, "{access:?}");
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
    assert_eq!(
        decided(&unknown, &Access::default(), Some(&contacts)),
        Ok("Ali ce, [1] NOPE (Slack U0123ABCDEF)".into())
    );
    let nameless = Person { name: "\u{202e}\n".into(), ..unknown };
    assert_eq!(decided(&nameless, &Access::default(), None), Ok("Somebody (Slack U0123ABCDEF)".into()));
    // openITCOCKPIT's contacts.
    let uuid = [contact("c36b8048-93ce-4385-ac19-ab5c90574b77", "alice@example.com")];
    assert_eq!(decided(&person(), &Access::default(), Some(&uuid)), Ok("Alice (Slack U0123ABCDEF)".into()));
    let endless = Person { name: "ä".repeat(1000), email: None, ..person() };
    assert_eq!(decided(&endless, &Access::default(), None), Ok(format!("{} (Slack U0123ABCDEF)", "ä".repeat(80))));
    // In Slack everybody may take any name, also a contact's or one with another person's id.
    let liar = Person { name: "bob (Slack U0999999999)".into(), email: None, ..person() };
    let name = decided(&liar, &Access::default(), Some(&contacts)).unwrap();
    assert_eq!(name, "bob (Slack U0999999999) (Slack U0123ABCDEF)");
}

#[test]
fn required_contacts_are_the_objects_own() {
    let access = Access { require_contact: true, ..Access::default() };
    let with_contacts = |contacts: Option<&[Contact]>| decided(&person(), &access, contacts);
    assert!(with_contacts(None).unwrap_err().contains("can't be read"));
    assert!(with_contacts(Some(&[])).unwrap_err().contains("knows no contact with your e-mail address"));
    let other = contact("alice", "alice@example.com");
    assert!(
        with_contacts(Some(std::slice::from_ref(&other)))
            .unwrap_err()
            .contains("MySQL on db01, and alice isn't one of them")
    );
    let own = Contact { is_objects: true, ..contact("alice-sms", "alice@example.com") };
    assert_eq!(with_contacts(Some(&[other.clone(), own.clone()])), Ok("alice-sms".into()));
    let mute = Contact { can_submit_commands: false, ..own };
    assert!(with_contacts(Some(&[other, mute.clone()])).is_err());
    let refusal = decided(&person(), &Access::default(), Some(&[mute])).unwrap_err();
    assert!(refusal.contains("lets the contact alice-sms submit no commands"), "{refusal}");
}

#[test]
fn looking_is_closed_only_by_rules_that_name_it() {
    let may = |access: &Access| decide(&caller(&person()), Right::View, access, None).is_ok();
    let others = AccessRule { actions: vec!["acknowledge".into()], ..rule(true, Who::Email("bob@example.com".into())) };
    assert!(may(&Access { rules: vec![others.clone()], require_contact: true, ..Access::default() }));
    let viewers = AccessRule { actions: vec!["view".into()], ..others };
    assert!(!may(&Access { rules: vec![viewers], ..Access::default() }));
    assert!(!may(&Access { rules: vec![rule(false, Who::Everyone)], ..Access::default() }));
    let outsider = Person { team_id: "T2".into(), ..person() };
    assert!(decide(&caller(&outsider), Right::View, &Access::default(), None).is_err());
}

/// Who, by which rule, to which right: asked before anything is looked up, and about the object db01 (Database 1).
#[test]
fn what_is_decided_before_and_about_an_object() {
    let me = || Who::User("U0123ABCDEF".into());
    let acknowledge = SlashAction::Acknowledge.stand_in();
    let on = |allows, hosts: &[&str]| AccessRule { hosts: patterns(hosts), ..rule(allows, me()) };
    let names = |action: &str| vec![action.to_owned()];
    let here = |name: &str| vec![name.to_owned()];
    for (what, rules, right, anywhere, about) in [
        ("no rule", vec![], Right::View, true, true),
        ("denied", vec![rule(false, me())], Right::View, false, false),
        ("denied elsewhere", vec![on(false, &["web*"])], Right::View, true, true),
        ("denied here", vec![on(false, &["db*"])], Right::View, true, false),
        ("denied by what people call it", vec![on(false, &["database*"])], Right::Act(&acknowledge), true, false),
        ("allowed elsewhere", vec![on(true, &["web*"])], Right::Act(&acknowledge), true, false),
        ("allowed here", vec![on(true, &["db*"])], Right::Act(&acknowledge), true, true),
        (
            "somebody else is allowed",
            vec![rule(true, Who::User("U0999ABCDEF".into()))],
            Right::Act(&acknowledge),
            false,
            false,
        ),
        (
            "allowed another thing",
            vec![AccessRule { actions: names("recheck"), ..rule(true, me()) }],
            Right::Act(&acknowledge),
            false,
            false,
        ),
        (
            "looking isn't closed by that",
            vec![AccessRule { actions: names("recheck"), ..rule(true, me()) }],
            Right::View,
            true,
            true,
        ),
        (
            "denied on a core, which may be another",
            vec![AccessRule { cores: patterns(&["branch"]), ..rule(false, me()) }],
            Right::View,
            true,
            true,
        ),
        (
            "another integration's",
            vec![AccessRule { integrations: here("second"), ..rule(false, me()) }],
            Right::View,
            true,
            true,
        ),
        (
            "this integration's",
            vec![AccessRule { integrations: here("default"), ..rule(false, me()) }],
            Right::View,
            false,
            false,
        ),
        (
            "subscribing closed",
            vec![AccessRule { actions: names("subscribe"), ..rule(false, me()) }],
            Right::Subscribe,
            false,
            false,
        ),
    ] {
        let (access, caller) = (Access { rules, ..Access::default() }, caller(&person()));
        assert_eq!(caller.admit(&access).unwrap().ask(right).is_ok(), anywhere, "{what}: at all");
        assert_eq!(decide(&caller, right, &access, None).is_ok(), about, "{what}: db01");
    }
}

#[test]
fn whose_integration_does_not_act_may_only_look() {
    let reader = Caller { acts: false, ..caller(&person()) };
    let access = Access { rules: vec![rule(true, Who::Everyone)], ..Access::default() };
    let acknowledge = SlashAction::Acknowledge.stand_in();
    assert!(decide(&reader, Right::View, &access, None).is_ok());
    for right in [Right::Act(&acknowledge), Right::Subscribe] {
        let refusal = decide(&reader, right, &access, None).unwrap_err();
        assert_eq!(refusal.reason, "Users of this workspace may only view states here");
    }
}

#[test]
fn a_name_that_cannot_be_known_is_in_doubt_one_that_is_denied() {
    let object = db01();
    let unknown = ObjectNames { are_all: false, ..ObjectNames::bare(&object) };
    let host = Object { service: None, ..db01() };
    let unknown_host = ObjectNames { are_all: false, ..ObjectNames::bare(&host) };
    let may = |rules: Vec<AccessRule>, named: &ObjectNames<'_>| {
        let (access, caller) = (Access { rules, ..Access::default() }, caller(&person()));
        caller.admit(&access).unwrap().ask(Right::View).unwrap().may(named, None).is_ok()
    };
    let denied = AccessRule { hosts: patterns(&["secret*"]), ..rule(false, Who::Everyone) };
    assert!(!may(vec![denied.clone()], &unknown) && may(vec![denied], &ObjectNames::bare(&object)));
    let service = AccessRule { services: patterns(&["secret*"]), ..rule(false, Who::Everyone) };
    assert!(!may(vec![service.clone()], &unknown) && may(vec![service], &unknown_host));
    let but = AccessRule { hosts: patterns(&["!secret*"]), actions: vec!["view".into()], ..rule(true, Who::Everyone) };
    assert!(!may(vec![but.clone()], &unknown) && may(vec![but], &ObjectNames::bare(&object)));
    assert!(may(vec![rule(true, Who::Everyone)], &unknown), "rules without names need none");
}

#[test]
fn an_address_is_compared_letter_by_letter_of_ascii() {
    // The Kelvin sign's small letter is k in Unicode.
    let kelvin = Person { email: Some("\u{212a}im@example.com".into()), ..person() };
    let rules = vec![rule(false, Who::Email("kim@example.com".into()))];
    assert!(decided(&kelvin, &Access { rules, ..Access::default() }, None).is_ok());
    let contacts = [contact("kim", "kim@example.com")];
    assert_eq!(decided(&kelvin, &Access::default(), Some(&contacts)), Ok("Alice (Slack U0123ABCDEF)".into()));
    let people = [(Who::Email("kim@example.com".into()), "kim".to_owned())];
    let access = Access { people: people.into(), ..Access::default() };
    assert_eq!(decided(&kelvin, &access, None), Ok("Alice (Slack U0123ABCDEF)".into()));
    let both = [contact("alice", "oncall@example.com, alice@EXAMPLE.com")];
    assert_eq!(decided(&person(), &Access::default(), Some(&both)), Ok("alice".into()), "a contact may have several");
}

#[test]
fn a_subscription_reaches_no_further_than_its_rule() {
    let may = |filter: &Matcher, rules: Vec<AccessRule>, known: &KnownNames| {
        let (access, caller) = (Access { rules, ..Access::default() }, caller(&person()));
        caller.admit(&access).and_then(|admitted| admitted.ask(Right::Subscribe)?.covers(filter, known)).is_ok()
    };
    let filter = |hosts: &[&str]| Matcher { host: patterns(hosts), ..Matcher::default() };
    let of = |host: &str| if host.is_empty() { filter(&[]) } else { filter(&[host]) };
    let nothing = KnownNames::default();
    let hosts = |allows, hosts: &[&str]| AccessRule { hosts: patterns(hosts), ..rule(allows, Who::Everyone) };
    for (pattern, allowed, expected) in [
        ("db01", "db*", true),
        ("db*", "db*", true),
        ("db0*", "db*", true),
        ("db0?", "db*", true),
        ("*", "db*", false),
        ("d*", "db*", false),
        ("db*", "db?", false),
        ("db*", "db??", false),
        ("db*", "db???", false),
        ("db*", "db??*", false),
        ("db??*", "db?*", true),
        ("d*b*", "d*", true),
        ("", "db*", false),
        ("!db01", "db*", false),
        ("web*", "!db*", false),
        ("web01", "!db*", true),
    ] {
        let expected = (may(&of(pattern), vec![hosts(true, &[allowed])], &nothing), expected);
        assert_eq!(expected.0, expected.1, "{pattern} under allow {allowed}");
    }
    for (pattern, expected) in [("web01", true), ("db01", false), ("web*", false), ("*", false), ("", false)] {
        assert_eq!(may(&of(pattern), vec![hosts(false, &["db*"])], &nothing), expected, "{pattern} under deny db*");
    }
    // Each host by the rule that is about it.
    let either = || vec![hosts(true, &["db*"]), hosts(true, &["web*"])];
    assert!(
        may(&filter(&["db1*", "web1*"]), either(), &nothing) && !may(&filter(&["db1*", "mail*"]), either(), &nothing)
    );
    // Both must match: it is no more than either.
    let both = Matcher { also: vec![filter(&["*prod"])], ..filter(&["db*"]) };
    assert!(may(&both, vec![hosts(true, &["db*"])], &nothing) && may(&both, vec![hosts(true, &["*prod"])], &nothing));
    assert!(!may(&both, vec![hosts(true, &["web*"])], &nothing) && !may(&both, vec![hosts(false, &["db*"])], &nothing));
    let one = Matcher { also: vec![filter(&["web01"])], ..filter(&["*"]) };
    assert!(may(&one, vec![hosts(false, &["db*"])], &nothing), "web01 alone");
    // By another name, too.
    let known = KnownNames { hosts: vec![vec!["db01".into(), "Database 1".into()]], services: Vec::new() };
    assert!(!may(&of("Database 1"), vec![hosts(false, &["db*"])], &known));
    assert!(may(&of("Database 2"), vec![hosts(false, &["db*"])], &known));
}

/// 150 of each were 3.4 million objects, and half a gigabyte.
#[test]
fn a_filter_of_long_lists_costs_their_sum() {
    let many = |initial: char| (0..150).map(|i| Pattern(format!("{initial}{i}"))).collect::<Vec<_>>();
    let filter = Matcher { host: many('h'), service: many('s'), core: many('c'), ..Matcher::default() };
    let access = Access { rules: vec![rule(true, Who::Everyone)], ..Access::default() };
    let (caller, started) = (caller(&person()), std::time::Instant::now());
    let permission = caller.admit(&access).unwrap().ask(Right::Subscribe).unwrap();
    assert_eq!(permission.covers(&filter, &KnownNames::default()), Ok(()));
    assert!(started.elapsed() < std::time::Duration::from_secs(1), "{:?}", started.elapsed());
}
