mod secured;
mod stand_in;

use super::*;
use serde_json::json;
use stand_in::{QUICK, StandIn, click, eventually, hear, hear_close, send_frame};
use std::time::Instant;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, Utf8Bytes};

const SOON: Duration = Duration::from_secs(5);
/// For tests that are about something else than silence.
const CALM: Timing = Timing { silence: Duration::from_secs(20), ..QUICK };

fn nothing(_: &Envelope) -> EnvelopeReply {
    EnvelopeReply::Empty
}

#[test]
fn a_click_is_taken_and_acknowledged_with_its_answer() {
    let slack = StandIn::start();
    let (socket, taken) = slack.run(CALM, |_| EnvelopeReply::Payload(json!({ "response_action": "clear" })));
    let mut server = slack.greet(1);
    assert!(slack.call().1.to_ascii_lowercase().contains("authorization: bearer xapp-1-a1"));
    send_frame(&mut server, &click("e1"));
    assert_eq!(hear(&mut server), json!({ "envelope_id": "e1", "payload": { "response_action": "clear" } }));
    let envelope = taken.recv_timeout(SOON).unwrap();
    let payload = json!({ "type": "block_actions" });
    assert_eq!(envelope, Envelope { kind: "interactive".into(), id: "e1".into(), payload });

    let mut event = click("e2");
    event["accepts_response_payload"] = json!(false);
    send_frame(&mut server, &event);
    assert_eq!(hear(&mut server), json!({ "envelope_id": "e2" }), "nobody asked for a payload");
    let status = eventually(|| Some(socket.status()).filter(|status| status.connected));
    assert_eq!(status.last_error, None);
}

#[test]
fn what_comes_twice_acts_once_and_what_was_refused_may_come_again() {
    let slack = StandIn::start();
    let is_full = Arc::new(Mutex::new(true));
    let full = Arc::clone(&is_full);
    let (_socket, taken) =
        slack.run(CALM, move |_| if *full.lock().unwrap() { EnvelopeReply::Refused } else { EnvelopeReply::Empty });
    let mut server = slack.greet(1);
    send_frame(&mut server, &click("e1"));
    taken.recv_timeout(SOON).unwrap();
    *is_full.lock().unwrap() = false;
    for _ in 0..2 {
        send_frame(&mut server, &click("e1"));
        assert_eq!(hear(&mut server), json!({ "envelope_id": "e1" }));
    }
    send_frame(&mut server, &click("e2"));
    hear(&mut server);
    let ids: Vec<String> = taken.try_iter().map(|envelope| envelope.id).collect();
    assert_eq!(ids, ["e1", "e2"]);
}

#[test]
fn an_answer_of_20_kib_is_left_out() {
    let slack = StandIn::start();
    let overhead = json!({ "envelope_id": "e1", "payload": "" }).to_string().len();
    let (_socket, _taken) = slack.run(CALM, move |envelope| {
        let bytes = connection::ACKNOWLEDGEMENT_BYTES_END - overhead - usize::from(envelope.id == "e1");
        EnvelopeReply::Payload(json!("x".repeat(bytes)))
    });
    let mut server = slack.greet(1);
    send_frame(&mut server, &click("e1"));
    assert_eq!(hear(&mut server)["payload"].as_str().unwrap().len(), 20 * 1024 - overhead - 1);
    send_frame(&mut server, &click("e2"));
    assert_eq!(hear(&mut server), json!({ "envelope_id": "e2" }));
}

#[test]
fn fragments_pauses_and_noise_are_put_up_with() {
    let slack = StandIn::start();
    let (_socket, _taken) = slack.run(QUICK, nothing);
    let mut server = slack.greet(1);
    let text = click("e1").to_string();
    let parts: Vec<&str> = text.split_inclusive(',').collect();
    for (index, part) in parts.iter().enumerate() {
        let opcode = OpCode::Data(if index == 0 { Data::Text } else { Data::Continue });
        let is_last = index + 1 == parts.len();
        server.send(Message::Frame(Frame::message(Utf8Bytes::from(*part), opcode, is_last))).unwrap();
        server.send(Message::Ping(vec![7].into())).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(hear(&mut server), json!({ "envelope_id": "e1" }));

    server.send(Message::binary(vec![0, 159, 146, 150])).unwrap();
    for noise in ["", "[", "5", "{\"type\":5}", "{\"envelope_id\":7}", &"[".repeat(100_000)] {
        server.send(Message::text(noise)).unwrap();
    }
    send_frame(&mut server, &click("e2"));
    assert_eq!(hear(&mut server), json!({ "envelope_id": "e2" }));
}

#[test]
fn a_ping_is_answered_at_once() {
    let slack = StandIn::start();
    let (_socket, _taken) = slack.run(CALM, nothing);
    let mut server = slack.greet(1);
    let started = Instant::now();
    server.send(Message::Ping(vec![1, 2].into())).unwrap();
    assert_eq!(server.read().unwrap(), Message::Pong(vec![1, 2].into()));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_message_of_more_than_a_mebibyte_ends_the_connection_and_the_next_serves() {
    let slack = StandIn::start();
    let (_socket, taken) = slack.run(CALM, nothing);
    let mut server = slack.greet(1);
    let mut huge = click("e1");
    huge["payload"]["text"] = json!("x".repeat(connect::MESSAGE_BYTES_MAX));
    let _ = server.send(Message::text(huge.to_string()));
    let mut server = slack.greet(1);
    send_frame(&mut server, &click("e2"));
    assert_eq!(hear(&mut server), json!({ "envelope_id": "e2" }));
    assert_eq!(taken.recv_timeout(SOON).unwrap().id, "e2");
}

#[test]
fn the_next_connection_is_greeted_before_the_old_one_is_closed() {
    for reason in ["warning", "refresh_requested"] {
        let slack = StandIn::start();
        let (socket, _taken) = slack.run(CALM, nothing);
        let mut old = slack.greet(1);
        send_frame(&mut old, &click("e1"));
        hear(&mut old);
        send_frame(&mut old, &json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "h" } }));
        let mut new = slack.accept();
        send_frame(&mut old, &click("e2"));
        assert_eq!(hear(&mut old), json!({ "envelope_id": "e2" }), "the old one still serves");
        send_frame(&mut new, &json!({ "type": "hello", "num_connections": 2 }));
        assert_eq!(hear_close(&mut old), "closed by ackbell");
        send_frame(&mut new, &click("e3"));
        assert_eq!(hear(&mut new), json!({ "envelope_id": "e3" }));
        let status = eventually(|| Some(socket.status()).filter(|status| status.num_connections == 2));
        assert_eq!((status.connected, status.other_connections()), (true, 0));
    }
}

#[test]
fn a_click_that_crosses_our_close_is_taken_still() {
    let slack = StandIn::start();
    let (socket, taken) = slack.run(Timing { close: Duration::from_secs(2), ..CALM }, nothing);
    let mut server = slack.greet(1);
    eventually(|| socket.status().connected.then_some(()));
    let stopping = std::thread::spawn(move || drop(socket));
    let Message::Close(_) = peek_close(&mut server) else { panic!() };
    stopping.join().unwrap();
    assert_eq!(taken.recv_timeout(SOON).unwrap().id, "late");
}

/// Sends a click before it reads the Close that is on its way.
fn peek_close(server: &mut stand_in::Server) -> Message {
    let mut byte = [0];
    server.get_ref().peek(&mut byte).unwrap();
    send_frame(server, &click("late"));
    server.read().unwrap()
}

#[test]
fn the_other_nodes_connections_are_no_strangers() {
    let slack = StandIn::start();
    let others = Arc::new(AtomicU64::new(1));
    let (socket, _taken) = slack.run_beside(&others, CALM, nothing);
    // Ours, one of another node that isn't known yet, one of a known node, and a stranger's.
    let _server = slack.greet(4);
    let status = eventually(|| Some(socket.status()).filter(|status| status.connected));
    assert_eq!(status.other_connections(), 2);
    others.store(2, Ordering::Relaxed);
    assert_eq!(socket.status().other_connections(), 1);
    // A node that ended had been counted.
    others.store(0, Ordering::Relaxed);
    assert_eq!(socket.status().other_connections(), 1);
}

#[test]
fn a_dead_peer_is_pinged_then_left() {
    let slack = StandIn::start();
    let (socket, _taken) = slack.run(QUICK, nothing);
    let server = slack.greet(1);
    slack.call();
    let mut byte = [0];
    server.get_ref().peek(&mut byte).unwrap();
    assert_eq!(byte[0], 0x89, "a ping after the silence");
    // It stays open, but nobody answers on it any more.
    let mut next = slack.greet(2);
    let status = eventually(|| Some(socket.status()).filter(|status| status.connected && status.num_connections == 2));
    assert_eq!(status.other_connections(), 1, "Slack still counts the dead one");
    // This one answers the pings, and lives.
    next.get_ref().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let until = Instant::now() + QUICK.silence * 5;
    let mut pings = 0;
    while Instant::now() < until {
        pings += usize::from(matches!(next.read(), Ok(Message::Ping(_))));
    }
    assert!(pings >= 2 && slack.call().0 < until && slack.is_quiet(Duration::ZERO), "{pings} pings");
}

#[test]
fn too_many_connections_are_backed_off_from() {
    let slack = StandIn::start();
    let timing = Timing { healthy: Duration::from_secs(60), ..CALM };
    let (socket, _taken) = slack.run(timing, nothing);
    let mut times = Vec::new();
    for _ in 0..5 {
        let mut server = slack.accept();
        times.push(slack.call().0);
        send_frame(&mut server, &json!({ "type": "disconnect", "reason": "too_many_websockets" }));
        assert_eq!(hear_close(&mut server), "too many");
    }
    let pauses: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses[3] >= timing.retry_first * 4 && pauses[0] >= timing.retry_first / 2, "{pauses:?}");
    let status = eventually(|| Some(socket.status()).filter(|status| status.last_error.is_some()));
    assert_eq!(status.last_error.as_deref(), Some("the app has all the connections Slack allows (10)"));
    assert!(!status.connected);
}

#[test]
fn a_switched_off_socket_mode_is_asked_rarely_or_when_told() {
    let slack = StandIn::start();
    let (socket, _taken) = slack.run(Timing { link_disabled: Duration::from_secs(60), ..CALM }, nothing);
    let mut server = slack.greet(1);
    slack.call();
    send_frame(&mut server, &json!({ "type": "disconnect", "reason": "link_disabled" }));
    hear_close(&mut server);
    assert!(slack.is_quiet(CALM.retry_max));
    socket.retry_now();
    slack.call();
    let _server = slack.greet(1);
    eventually(|| socket.status().connected.then_some(()));
}

#[test]
fn a_refused_token_is_tried_again_later() {
    let slack = StandIn::start();
    slack.answer_next(&[r#"{"ok":false,"error":"invalid_auth"}"#, r#"{"ok":false,"error":"user_removed_from_team"}"#]);
    let (socket, _taken) = slack.run(CALM, nothing);
    let first = slack.call().0;
    let status = eventually(|| Some(socket.status()).filter(|status| status.last_error.is_some()));
    assert_eq!(status.last_error.as_deref(), Some("invalid_auth"));
    let second = slack.call().0;
    assert!(slack.call().0 - second >= CALM.hopeless && second - first >= CALM.hopeless);
    let _server = slack.greet(1);
    eventually(|| socket.status().connected.then_some(()));
}

#[test]
fn only_a_stand_in_may_do_without_tls() {
    let slack = StandIn::start();
    slack.answer_next(&[r#"{"ok":true,"url":"ws://192.0.2.1/?ticket=secret"}"#]);
    let (socket, _taken) = slack.run(CALM, nothing);
    let status = eventually(|| Some(socket.status()).filter(|status| status.last_error.is_some()));
    assert_eq!(status.last_error.as_deref(), Some("Slack gave an address that can't be used"));
}

#[test]
fn the_end_is_quick_and_polite() {
    let slack = StandIn::start();
    let (socket, _taken) = slack.run(CALM, nothing);
    let mut server = slack.greet(1);
    eventually(|| socket.status().connected.then_some(()));
    let client = std::thread::spawn(move || {
        let started = Instant::now();
        drop(socket);
        started.elapsed()
    });
    assert_eq!(hear_close(&mut server), "closed by ackbell");
    let _ = server.flush();
    assert!(client.join().unwrap() < Duration::from_secs(1));

    // While it is connecting to nobody, too.
    let slack = StandIn::start();
    let (socket, _taken) = slack.run(CALM, nothing);
    slack.call();
    let started = Instant::now();
    drop(socket);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_panic_costs_one_connection_and_acknowledges_nothing() {
    let slack = StandIn::start();
    let (_socket, _taken) = slack.run(CALM, |envelope| {
        assert!(envelope.id != "bad", "played");
        EnvelopeReply::Empty
    });
    let mut server = slack.greet(1);
    send_frame(&mut server, &click("bad"));
    assert!(server.read().is_err());
    let mut server = slack.greet(1);
    send_frame(&mut server, &click("e1"));
    assert_eq!(hear(&mut server), json!({ "envelope_id": "e1" }));
}
