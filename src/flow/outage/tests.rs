use super::*;
use crate::model::notification::Notification;
use crate::state_dir::spool::Entry;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};

/// A Slack that answers one call after the other so, and gives what it was asked.
fn slack(answers: &'static [&'static str]) -> (String, Receiver<String>) {
    let (listener, (heard, calls)) = (TcpListener::bind("127.0.0.1:0").unwrap(), channel());
    let url = format!("http://{}/api/", listener.local_addr().unwrap());
    spawn(move || {
        for answer in answers {
            let (mut stream, mut asked, mut bytes) = (listener.accept().unwrap().0, String::new(), [0; 4096]);
            while !asked.ends_with('}') {
                let read = stream.read(&mut bytes).unwrap();
                asked.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            heard.send(asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, calls)
}

const WAIT: &str = "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const DONE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"ok\":true,\"channel\":\"C1\",\"ts\":\"1.2\"}";

#[test]
fn slack_is_called_again_when_it_wants_it_and_not_before() {
    let (url, calls) = slack(&[WAIT, DONE, WAIT, DONE]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    let slack = format!("[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#ops\"\napi_url = \"{url}\"\n");
    std::fs::write(&path, format!("state_dir = \"state\"\n{slack}")).unwrap();
    let (config, _) = crate::config::load(Some(&path), &Environment::default()).unwrap();
    let spool = Spool::new(&config.state_dir);
    spool.prepare().unwrap();
    let put = || spool.put(&Entry { received: 5, incoming: Incoming::Notification(Notification::example()) }).unwrap();
    let mut announcer = OutageAnnouncer::new(&config, &Environment::default());
    announcer.announced_after = ANNOUNCED_AFTER;
    put();
    let mut look = |database: Database<u64>| {
        announcer.look(database);
        let asked: Vec<String> = calls.try_iter().collect();
        asked
    };
    let rests = Duration::from_millis(1050);

    assert_eq!(look(Database::Away(59)).len(), 0);
    assert_eq!(look(Database::Away(60)).len(), 1);
    assert_eq!(look(Database::Away(61)).len(), 0, "Slack said to wait");
    sleep(rests);
    let posted = look(Database::Away(62)).concat();
    assert!(posted.starts_with("POST /api/chat.postMessage") && posted.contains("1 notification waits"), "{posted}");
    // Between two edits more come; then the database is back.
    let more = [put(), put()];
    assert_eq!(look(Database::Away(63)).len(), 0);
    more.iter().chain(&spool.oldest(9).unwrap()).for_each(|id| spool.remove(id).unwrap());
    assert!(look(Database::Reached(0)).concat().starts_with("POST /api/chat.update"));
    assert_eq!(look(Database::Reached(0)).len(), 0, "Slack said to wait");
    assert!(outage::read(&config.state_dir).is_some());
    sleep(rests);
    let ended = look(Database::Reached(1)).concat();
    assert!(ended.contains("All 3 notifications that waited are in the outbox now."), "{ended}");
    assert_eq!(outage::read(&config.state_dir), None);
}
