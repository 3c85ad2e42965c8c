//! Commands as people type them, and their parsed form.

use super::*;
use proptest::prelude::*;

fn what(text: &str) -> SlashOrder {
    parse("/mon", text).unwrap().what
}

fn named(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| (*token).to_owned()).collect()
}

#[test]
fn names_with_blanks_and_phones_quotes() {
    for text in [
        "status \"web 01/Disk C:\"",
        "status “web 01/Disk C:”",
        "show \"web 01\"/\"Disk C:\"",
        "STATUS 'web 01'/‘Disk C:’",
        "status \"web\u{2060} 01/Disk C:\"",
    ] {
        assert_eq!(what(text), SlashOrder::Status(named(&["web 01/Disk C:"])), "{text}");
    }
    assert_eq!(
        what("ack a/b it's O'Neill's &amp; mine"),
        SlashOrder::Action(
            SlashAction::Acknowledge,
            WrittenName {
                tokens: named(&["a/b", "it's", "O'Neill's", "&", "mine"]),
                behind: ["it's O'Neill's & mine", "O'Neill's & mine", "& mine", "mine", ""].map(str::to_owned).into()
            }
        )
    );
    assert_eq!(parse("/mon", "status \"web 01").unwrap_err(), "The closing quote of \"web 01 is missing.");
}

#[test]
fn every_verb_of_the_help_is_known() {
    for (verb, behind, _) in VERBS {
        let argument = if behind.starts_with("HOST") { " h" } else { "" };
        assert!(parse("/mon", &format!("{verb}{argument}")).is_ok(), "{verb}");
        if !argument.is_empty() {
            assert!(parse("/mon", verb).unwrap_err().starts_with("Which host or service? Usage: `/mon "), "{verb}");
        }
    }
    assert_eq!(what(""), SlashOrder::Help);
    assert_eq!(
        parse("/mon", "problmes").unwrap_err(),
        "Unknown command \"problmes\". Did you mean `/mon problems`? See `/mon help`."
    );
    assert_eq!(parse("/mon", "xyzzy").unwrap_err(), "Unknown command \"xyzzy\". See `/mon help`.");
}

#[test]
fn flags_stand_anywhere() {
    let order = parse("/mon", "problems --public db* --core branch").unwrap();
    assert_eq!((order.is_public, order.core.as_deref()), (true, Some("branch")));
    assert_eq!(order.what, SlashOrder::Problems(Filter::of("db*").unwrap()));
    assert_eq!(parse("/mon", "problems --core").unwrap_err(), "--core needs a value.");
}

#[test]
fn what_is_too_much_says_which_limit() {
    let patterns = |count: usize| (0..count).map(|i| format!("a{i}")).collect::<Vec<_>>().join(",");
    for (text, expected) in [
        (format!("subscribe host={} service=a", patterns(50)), "Too many patterns in a filter: 51; the maximum is 50."),
        (format!("problems {}", ["a"; 21].join(" ")), "Too many words in a filter: 21; the maximum is 20."),
        (format!("problems {}", "a".repeat(501)), "Too many characters in a filter: 501; the maximum is 500."),
        (format!("unsubscribe {}", "a".repeat(501)), "Too many characters in a filter: 501; the maximum is 500."),
        (format!("status {}", "a/".repeat(21)), "Too many slashes in a name: 21; the maximum is 20."),
        (format!("ack h {}", "a".repeat(2000)), "Too many characters: 2006; the maximum is 2000."),
    ] {
        assert_eq!(parse("/mon", &text).unwrap_err(), expected);
    }
    assert!(parse("/mon", &format!("problems host={}", patterns(50))).is_ok());
    assert!(parse("/mon", &format!("ack h/a/b see {}", "/x".repeat(100))).is_err(), "they are looked for in the name");
    assert!(parse("/mon", &format!("ack h {} {}", ["w"; 11].join(" "), "/x".repeat(100))).is_ok());
    // One that was kept is read, however long.
    assert!(Filter::of(&format!("host={}", patterns(60))).is_ok());
    // A name has no line of its own: it would be a line of a query.
    assert_eq!(what("status \"a\nFilter: b\""), SlashOrder::Status(named(&["a Filter: b"])));
}

#[test]
fn downtimes_have_a_length() {
    let good = Ok((Duration::from_secs(7200), "a  \"new\" disk".to_owned()));
    assert_eq!(downtime("/mon", "2h a  \"new\" disk"), good);
    assert!(downtime("/mon", "soon").unwrap_err().starts_with("\"soon\" isn't a duration."));
    assert!(downtime("/mon", "").is_err() && downtime("/mon", "5s").is_err());
}

#[test]
fn a_comment_is_what_was_typed() {
    for (text, name, comment) in [
        ("ack web01/HTTP 'twas the cron job", 1, "'twas the cron job"),
        ("ack web01/HTTP rebooted, then \"reboot\"", 1, "rebooted, then \"reboot\""),
        ("ack web01/HTTP see `run.sh`", 1, "see `run.sh`"),
        ("ack web01/HTTP used the --core flag of the tool", 1, "used the --core flag of the tool"),
        ("ack --core branch web01 a  b", 1, "a  b"),
        ("ack \"web 01/Disk C:\" 1 &lt; 2 &amp;&amp; “so”", 1, "1 < 2 && “so”"),
        (
            "ack web 01 see <http://wiki.example.com/x|wiki.example.com/x> of <@U0123ABCDEF|alice>",
            2,
            "see wiki.example.com/x of @alice",
        ),
        ("downtime web01 2h --public", 1, "2h --public"),
    ] {
        let SlashOrder::Action(_, written) = what(text) else { panic!("{text}") };
        assert_eq!(written.behind(name), comment, "{text}");
    }
    assert_eq!(parse("/mon", "ack --core branch web01 x").unwrap().core.as_deref(), Some("branch"));
}

#[test]
fn what_a_client_makes_of_the_text_is_undone() {
    let order = parse("/mon", "problems —public critical").unwrap();
    assert_eq!((order.is_public, order.what), (true, SlashOrder::Problems(Filter::of("critical").unwrap())));
    assert_eq!(parse("/mon", "problems –core branch").unwrap().core.as_deref(), Some("branch"));
    for (text, name) in [
        ("status <http://web01.example.com|web01.example.com>", "web01.example.com"),
        ("status <https://web01.example.com/x>", "https://web01.example.com/x"),
        ("status <mailto:a@example.com|a@example.com>", "a@example.com"),
        ("status <#C0123ABCDEF|ops>", "#ops"),
        ("status <!here>", "@here"),
        ("status a&lt;b", "a<b"),
        ("status a<b", "a<b"),
    ] {
        assert_eq!(what(text), SlashOrder::Status(named(&[name])), "{text}");
    }
    let unknown = "Unknown flag --pubic; the flags are --public and --core NAME.";
    assert_eq!(parse("/mon", "problems --pubic").unwrap_err(), unknown);
    assert_eq!(what("status \"--public\""), SlashOrder::Status(named(&["--public"])));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        drop(parse("/mon", &text));
    }

    #[test]
    fn a_quoted_word_is_one_word(token in "[a-z '/=]{1,12}") {
        prop_assert_eq!(tokens(&quoted(&token)), Ok(vec![token]));
    }
}
