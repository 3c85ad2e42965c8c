//! The sandbox's web page in a real browser, with a real core behind it.

use crate::browser::Browser;
use crate::harness::nagios::Nagios;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Nothing complained, and nobody off this machine was asked.
#[track_caller]
pub(crate) fn assert_quiet(browser: &Browser) {
    let (console, asked) = browser.noticed();
    assert!(console.is_empty(), "{console:?} {asked:?}");
    let strange: Vec<_> = asked.iter().filter(|url| !is_here(url)).collect();
    assert!(!asked.is_empty() && strange.is_empty(), "{strange:?}");
}

fn is_here(url: &str) -> bool {
    ["http://127.0.0.1:", "data:", "file:///", "about:", "chrome"].iter().any(|start| url.starts_with(start))
}

/// Nothing is wider than the window.
#[track_caller]
pub(crate) fn assert_fits(browser: &Browser) {
    let width = browser.run(
        "const wide = [...document.querySelectorAll('main *')].filter(n => n.getBoundingClientRect().right > innerWidth + 1 && !n.closest('[popover]'));
         return [document.documentElement.scrollWidth <= innerWidth, wide.map(n => n.className)]",
    );
    assert_eq!(width, json!([true, []]));
}

#[test]
#[ignore = "needs nagios4, chromium and root: tests/run"]
fn an_evening_on_call_in_the_page() {
    let night = OnCall::with_nagios(Way::Http, "");
    let browser = Browser::of(1440, 900, "light");
    browser.open(&night.sandbox.url);
    browser.wait_for("#messages", "Nothing was posted here yet");
    browser.run("window.opened = true");
    // A problem comes by itself.
    night.core.set("Disk", 2, "DISK CRITICAL - 3% free\nold logs|/=97%;80;90");
    browser.wait_for("#messages", "CRITICAL Disk on Web 01");
    browser.picture("problem-light");
    // One tap, and the same card says so once the core does.
    browser.press("#messages [data-action=acknowledge]");
    browser.wait_for("#messages", "ACKNOWLEDGED, CRITICAL");
    browser.wait_for("#messages", "acknowledged by alice");
    assert_eq!(browser.run("return document.querySelectorAll('#messages article').length"), 1);
    browser.picture("acknowledged-light");
    menu_and_thread(&night, &browser);
    forms(&night, &browser);
    looks(&browser);
    assert_eq!(browser.run("return window.opened"), true, "no reload was needed");
    night.sandbox.assert_respected();
    assert_quiet(&browser);
}

/// A menu's choice, its private answer, and the thread of a card.
fn menu_and_thread(night: &OnCall<Nagios>, browser: &Browser) {
    night.core.set("Load", 1, "load is high");
    browser.wait_for("#messages", "WARNING Load on Web 01");
    let card = "#messages article:last-of-type";
    browser.press(&format!("{card} [data-action=more]"));
    browser.wait("the menu", || browser.run("return !!document.querySelector(':popover-open')") == true);
    browser.picture("menu-light");
    browser.press(":popover-open [data-option=recheck]");
    browser.wait_for("#messages .alone", "Only visible to you");
    browser.wait_for("#messages .alone", "Checked: Load on Web 01 is WARNING");
    night.core.set("Disk", 2, "DISK CRITICAL - 2% free");
    browser.press("#messages .replies");
    browser.wait_for("#thread", "ACKNOWLEDGED, CRITICAL Disk on Web 01");
    browser.picture("thread-light");
    // Escape closes it, and the focus is back on its message.
    browser.keys("\u{e00c}");
    browser.wait("the thread's end", || browser.run("return document.getElementById('thread').hidden") == true);
    assert_eq!(browser.run("return document.activeElement.tagName"), "ARTICLE");
}

/// A form: what is wrong stands beside it, then it acts.
fn forms(night: &OnCall<Nagios>, browser: &Browser) {
    browser.press("#messages article [data-action=acknowledge_with]");
    browser.wait_for("dialog", "Tell the contacts");
    browser.picture("modal-acknowledge");
    browser.type_into("#field-comment", "restarting it");
    browser.press("dialog [value=notify]");
    browser.press("dialog [type=submit]");
    browser.wait_for("#messages article:nth-of-type(2) blockquote", "restarting it");
    let line = "EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Load;2;0;0;alice;restarting it";
    assert!(night.core.log().contains(line), "{}", night.core.log());
    browser.press("#messages article [data-action=downtime]");
    browser.wait_for("dialog", "Schedule a downtime");
    browser.picture("modal-light");
    browser.press("dialog [type=submit]");
    browser.wait_for("dialog [data-block=comment] .wrong", "Please complete this required field");
    assert_eq!(browser.run("return document.activeElement.id"), "field-comment");
    // The app itself refuses a blank.
    browser.type_into("#field-comment", " ");
    browser.press("dialog [type=submit]");
    browser.wait_for("dialog [data-block=comment] .wrong", "Please say why.");
    browser.picture("modal-error");
    // However often one tabs, the focus stays in the form.
    for _ in 0..20 {
        browser.keys("\u{e004}");
    }
    let inside = "return document.activeElement === document.body || !!document.activeElement.closest('dialog')";
    assert_eq!(browser.run(inside), true);
    browser.type_into("#field-comment", "a new disk");
    browser.press("dialog [value=flexible]");
    browser.press("dialog [type=submit]");
    browser.wait_gone("dialog");
    browser.wait("the core's word", || night.core.log().contains("SCHEDULE_SVC_DOWNTIME;web01;"));
    browser.wait("its words", || night.core.log().contains(";0;0;7200;alice;a new disk"));
}

/// Dark, and as narrow as a phone.
fn looks(browser: &Browser) {
    let ground = "return getComputedStyle(document.documentElement).backgroundColor";
    let light = browser.run(ground);
    browser.prefer("dark");
    assert_ne!(browser.run(ground), light);
    browser.picture("dark");
    browser.press("#theme");
    assert_eq!(browser.run(ground), light, "the switch wins over the system");
    browser.press("#theme");
    browser.resize(390, 844);
    browser.press("#close-panel");
    browser.picture("phone-dark");
    assert_fits(browser);
    browser.press("#messages .replies");
    browser.wait_for("#thread", "2 replies");
    browser.picture("phone-thread");
    assert_fits(browser);
    browser.press("#thread [aria-label='Close the thread']");
    browser.press("#messages article [data-action=downtime]");
    browser.wait_for("dialog", "Schedule a downtime");
    browser.picture("phone-modal");
    browser.keys("\u{e00c}");
    browser.wait_gone("dialog");
    browser.press("#open-sidebar");
    let slid = || browser.run("return document.getElementById('sidebar').getBoundingClientRect().left === 0") == true;
    browser.wait("the channels", slid);
    browser.picture("phone-channels");
    browser.press("[data-place=C0DB000001]");
    browser.wait_for("#title", "db-alerts");
    browser.press("#open-panel");
    browser.wait_for("#wire", "chat.postMessage");
    browser.press("#wire .call:last-child summary");
    browser.wait_for("#wire .call[open] .whole", "\"channel\"");
    browser.picture("phone-wire");
    assert_fits(browser);
    browser.press("#close-panel");
    browser.resize(1440, 900);
}

#[test]
#[ignore = "needs nagios4, chromium and root: tests/run"]
fn a_storm_a_failing_slack_and_the_demo_in_the_page() {
    let night = OnCall::with_nagios(Way::Http, "[storm]\nthreshold = 2\nwindow = \"10s\"\n");
    let browser = Browser::of(1440, 900, "light");
    browser.open(&format!("{}/#C0OPS00001", night.sandbox.url));
    // The switch makes the next calls fail, and says how many are left.
    browser.press("[data-fault='500']");
    browser.wait_for("#faults", "500 for 3 more");
    for service in ["Disk", "Load", "Flap", "Big"] {
        night.core.set(service, 2, "no data received");
    }
    browser.wait_for("#wire .status.bad", "500");
    browser.wait_for("#messages", "4 problems on 1 host");
    browser.picture("storm-light");
    // Slack asks before; who says no does nothing.
    browser.press("#messages [data-action=acknowledge_all]");
    browser.wait_for("dialog", "Acknowledge all?");
    browser.picture("confirm-light");
    browser.press("dialog .button:not(.primary)");
    browser.wait_gone("dialog");
    browser.press("#messages [data-action=acknowledge_all]");
    browser.press("dialog .primary");
    browser.wait_for("#messages", "4 acknowledged");
    browser.wait_for("#messages .alone", "Acknowledged 4 of 4 problems.");
    assert!(!browser.text("#faults").contains("more"));
    demo(&night, &browser);
    assert_quiet(&browser);
}

/// What a demo adds: its panels, and buttons that ask it to do something.
fn demo(night: &OnCall<Nagios>, browser: &Browser) {
    browser.run(
        "const real = window.fetch; window.pressed = [];
         window.fetch = async (path, order) => {
            if (path === '/demo/state') return Response.json({panels: [{title: 'The core', lines: ['Disk CRITICAL']}], actions: [{id: 'fix', label: 'Repair the disk'}]});
            if (path.startsWith('/demo/')) { pressed.push(`${order.method} ${path}`); return Response.json({}); }
            const answer = await real(path, order);
            return path === '/_sandbox/page' ? Response.json({...await answer.json(), demo: true}) : answer;
         }",
    );
    night.sandbox.tell("state", &json!({"pace": {"burst": 400}}));
    browser.wait_for("#extra", "Disk CRITICAL");
    browser.press("#wire .call:last-child summary");
    browser.wait_for("#wire .call[open] .whole", "\"text\"");
    browser.picture("demo-light");
    browser.press("[data-demo=fix]");
    browser.wait("the order", || browser.run("return pressed") == json!(["POST /demo/action/fix"]));
}

#[test]
#[ignore = "needs chromium: tests/run"]
fn every_kind_of_block_and_place_is_drawn() {
    let sandbox = Sandbox::start(&["--burst", "500"]);
    let browser = Browser::start();
    browser.resize(1440, 1000);
    let text = |words: &str| json!({"type": "plain_text", "text": words});
    let option = |words: &str| json!({"text": text(words), "value": words});
    let blocks = json!([
        {"type": "header", "text": text("A header :bell:")},
        {"type": "section", "text": {"type": "mrkdwn", "text":
            "*bold* _italic_ ~struck~ `code` snake_case <https://example.com/a?b=1&amp;c=2|a link> <@U0BOB00001> <!here> <!subteam^S0ONCALL01> <#C0DB000001> &lt;b&gt; *\u{2060}no bold*\u{2060}\n> quoted"},
            "accessory": {"type": "button", "action_id": "web", "text": text("Open"), "url": "https://example.com/"}},
        {"type": "section", "fields": [text("one"), text("two")]},
        {"type": "divider"},
        {"type": "actions", "elements": [
            {"type": "button", "action_id": "stop", "style": "danger", "text": text("Stop")},
            {"type": "static_select", "action_id": "pick", "placeholder": text("Pick one"), "options": [option("a"), option("b")]},
            {"type": "datepicker", "action_id": "day", "initial_date": "2026-03-31"}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "rich", "style": {"bold": true}}]}]},
    ]);
    sandbox.api("chat.postMessage", &json!({"channel": "C0OPS00001", "text": "all kinds", "blocks": blocks}));
    let old = json!([{"color": "danger", "title": "Old", "text": "attached", "fields": [{"title": "Field", "value": "its value"}]}]);
    sandbox.api("chat.postMessage", &json!({"channel": "U0ALICE001", "text": "directly", "attachments": old}));
    let view = json!({"type": "home", "blocks": [{"type": "section", "text": text("Nothing is broken")}]});
    sandbox.api("views.publish", &json!({"user_id": "U0ALICE001", "view": view}));
    browser.open(&format!("{}/#C0OPS00001", sandbox.url));
    browser.wait_for("#messages", "A header");
    let words = browser.text("#messages .section");
    let expected = "bold italic struck code snake_case a link @bob @here @oncall #db-alerts <b> *\u{2060}no bold*";
    assert!(words.starts_with(expected), "{words}");
    assert_eq!(browser.text("#messages blockquote"), "quoted");
    assert_eq!(browser.run("return document.querySelector('#messages [data-action=web]').target"), "_blank");
    browser.picture("kinds-light");
    // Nobody listens: the person is told.
    sandbox.tell("state", &json!({"app": {"socket_mode": false}}));
    browser.press("#messages [data-action=stop]");
    browser.wait_for("#toasts", "not configured to handle interactive responses");
    slash_command(&sandbox, &browser);
    // The direct message is news, and the app has a Home.
    browser.wait_for("[data-place=D0ALICE001] .count", "1");
    browser.press("[data-place=D0ALICE001]");
    browser.wait_for("#messages .attachment", "its value");
    browser.press("#tab-home");
    browser.wait_for("#messages .home", "Nothing is broken");
    browser.picture("home-light");
    assert_quiet(&browser);
}

/// A command goes to the app with its words, and the app's answer is shown to the one who asked.
fn slash_command(sandbox: &Sandbox, browser: &Browser) {
    let app = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", app.local_addr().unwrap());
    sandbox.tell("state", &json!({"app": {"slash_url": url}}));
    let asked = std::thread::spawn(move || {
        let (mut socket, _) = app.accept().unwrap();
        let mut asked = [0; 8192];
        let length = socket.read(&mut asked).unwrap();
        let body = r#"{"response_type": "ephemeral", "text": "*Help* is near"}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        socket.write_all(format!("{head}{body}").as_bytes()).unwrap();
        text(&asked[..length])
    });
    browser.type_into("#command", "/ackbell help me\n");
    browser.wait_for("#messages .alone", "Help is near");
    let asked = asked.join().unwrap();
    assert!(asked.contains("command=%2Fackbell") && asked.contains("text=help+me"), "{asked}");
    sandbox.tell("state", &json!({"app": {"slash_url": null}}));
}

#[test]
#[ignore = "needs chromium: tests/run"]
fn a_preview_is_one_file_that_looks_the_same() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "app_token = \"xapp-1\"\n");
    let file = site.dir.path().join("preview.html");
    let done = site.run(&["preview", "--html", file.to_str().unwrap()]);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), String::new()), "{}", text(&done.stderr));
    let browser = Browser::of(390, 844, "dark");
    browser.open(&format!("file://{}", file.display()));
    browser.wait_for("#preview", "ACKNOWLEDGED, CRITICAL");
    browser.wait_for("#preview", "47 problems");
    assert_fits(&browser);
    browser.picture("preview-phone-dark");
    assert_eq!(browser.run("return getComputedStyle(document.querySelector('.attachment'), '::before').width"), "4px");
    assert!(browser.run("return document.querySelectorAll('pre').length").as_u64().unwrap() > 3);
    assert_quiet(&browser);
    // Without a file it is printed, for one notification too.
    let done = site.run(&["preview", "--html", "--hostname", "<b>web01</b>", "--hoststate", "1"]);
    assert!(
        text(&done.stdout).contains("\\u003cb>web01") || text(&done.stdout).contains("&lt;b"),
        "{}",
        text(&done.stdout)
    );
    assert_eq!(sandbox.messages().len(), 0);
}
