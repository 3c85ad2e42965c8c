//! A panel that Grafana renders as the picture, and a Grafana that doesn't.

use super::source::{Answer, Server, graphite, ok};
use super::{allow_files, notify, pictures, shown, shows};
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::wait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A picture as far as anybody looks who doesn't draw it.
fn png(width: u32, height: u32) -> (String, Vec<u8>) {
    let start = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes()].concat();
    let body = [start.as_slice(), b"\x08\x02\0\0\0....", b"\0\0\0\0IEND\xaeB`\x82"].concat();
    ("200 OK\r\nContent-Type: image/png".to_owned(), body)
}

/// A listener with a Grafana, which may upload files.
fn with_grafana(night: &mut OnCall, url: &str, more: &str) {
    fs::write(night.site.dir.path().join("token"), "glsa_s3cret").unwrap();
    allow_files(night);
    night.begin(&format!(
        "[curve]\npicture = true\nnotifications = false\n[curve.grafana]\ntoken_file = \"token\"\n\
         url = \"{url}/sub/d-solo/u1/disk?orgId=1&from=now-1h&panelId=4&width=9&var-host={{host}}&var-disk={{service}}\"\n{more}"
    ));
}

#[test]
fn a_panel_that_grafana_renders_is_the_picture() {
    let grafana = Server::start(|_| png(1200, 560));
    let graphite = Server::start(|_| ok(graphite()));
    let mut night = OnCall::prepare(Way::Http, "500");
    let of_graphite = format!("[curve.graphite]\nurl = \"{}\"\ntarget = \"{{host}}\"\n", graphite.url);
    with_grafana(&mut night, &grafana.url, &of_graphite);
    notify(&night.site, "Disk /var?x", "used=95%;80;90", &[]);
    let card = night.expect("CRITICAL: Disk /var?x on web01");
    shows(&night, &card, "Last 1 h: from 70 % to 95 %.");
    let picture = wait::until("the picture", || pictures(&night).pop());
    assert_eq!(picture["thread_ts"], card["ts"], "{picture}");
    let file = &night.sandbox.get("files")[0];
    let bytes = BASE64_STANDARD.decode(file["bytes"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, png(1200, 560).1, "as Grafana made it");
    let request = &grafana.asked()[0];
    let wanted = "GET /sub/render/d-solo/u1/disk?orgId=1&panelId=4&var-host=web01&var-disk=Disk%20%2Fvar%3Fx&from=1";
    assert!(request.starts_with(wanted), "{request}");
    assert!(request.contains("&width=600&height=280&scale=2&tz=UTC&timeout=15 HTTP"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer glsa_s3cret"), "{request}");
    assert!(!night.run(&["config", "show"]).contains("glsa") && !night.site.log().contains("glsa"));
    // Without any value the card stays as it is, and the thread has the picture; once, however often it is notified.
    with_grafana(&mut night, &grafana.url, "");
    for _ in 0..2 {
        notify(&night.site, "Ping", "rta=900ms;100;500", &[]);
    }
    let card = night.expect("CRITICAL: Ping on web01");
    let picture =
        wait::until("the picture", || pictures(&night).into_iter().find(|one| one["thread_ts"] == card["ts"]));
    notify(&night.site, "Ping", "rta=901ms;100;500", &[]);
    notify(&night.site, "Other", "", &[]);
    night.expect("CRITICAL: Other on web01");
    night.rests();
    assert_eq!(pictures(&night).len(), 2, "{picture}");
    assert!(!shown(&card.now()).contains("Last "), "{}", card.now());
    night.sandbox.assert_respected();
}

#[test]
fn a_grafana_that_gives_no_picture_is_named_and_the_card_stays_as_it_is() {
    let answers: [(&str, Answer); 8] = [
        ("it answered a web page, not a picture", || ok(b"<!DOCTYPE html><html>Grafana</html>".to_vec())),
        ("it answered 401: it needs a token, or another one", || ("401 Unauthorized".to_owned(), b"{}".to_vec())),
        ("it redirects, as to its login page: it needs a token", || {
            ("302 Found\r\nLocation: /login".to_owned(), Vec::new())
        }),
        ("it answered 500", || ("500 Internal Server Error".to_owned(), b"Rendering failed.".to_vec())),
        ("it answered 404: Dashboard not found", || {
            ("404 Not Found".to_owned(), br#"{"message": "Dashboard\n not found"}"#.to_vec())
        }),
        ("it has more than 3 MB", || ok(vec![b' '; 50_000_000])),
        ("its picture has 1000 x 500, not the size asked for", || png(1000, 500)),
        ("its picture is cut off", || (png(1200, 560).0, png(1200, 560).1[..30].to_vec())),
    ];
    let which = Arc::new(AtomicUsize::new(0));
    let number = Arc::clone(&which);
    let server = Server::start(move |_| answers[number.load(Ordering::Relaxed)].1());
    let graphite = Server::start(|_| ok(graphite()));
    let mut night = OnCall::prepare(Way::Http, "500");
    with_grafana(&mut night, &server.url, "");
    notify(&night.site, "Load", "load1=12;5;10", &[]);
    let card = night.expect("CRITICAL: Load on web01");
    for (n, (reason, _)) in answers.iter().enumerate() {
        which.store(n, Ordering::Relaxed);
        let found = text(&night.site.run(&["doctor"]).stdout);
        assert!(found.contains(&format!("grafana: nothing for Load on web01: {reason}")), "{found}");
    }
    wait::until("the reason", || night.site.log().contains("no curve source=grafana reason="));
    night.rests();
    assert_eq!(pictures(&night), [] as [Value; 0]);
    assert!(!shown(&card.now()).contains("Last "), "{}", card.now());
    assert_eq!(night.site.queue()["dead"], 0);
    // Where there are values, ours is drawn in its place.
    with_grafana(
        &mut night,
        &server.url,
        &format!("[curve.graphite]\nurl = \"{}\"\ntarget = \"{{host}}\"\n", graphite.url),
    );
    notify(&night.site, "Disk", "used=95%;80;90", &[]);
    night.expect("CRITICAL: Disk on web01");
    wait::until("the picture", || pictures(&night).pop());
    // A slow one holds up neither cards nor the curves of others.
    server.after_ms.store(60_000, Ordering::Relaxed);
    for n in 0..2 {
        notify(&night.site, &format!("Slow{n}"), "used=95%;80;90", &[]);
        let card = night.expect(&format!("CRITICAL: Slow{n} on web01"));
        shows(&night, &card, "Last 1 h: from 70 % to 95 %.");
    }
    night.sandbox.assert_respected();
}
