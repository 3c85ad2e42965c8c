//! A network between a listener and its database: every byte comes so much later, each way, in the order in which it was
//! sent. usage: far PORT MICROSECONDS; prints the port that it listens on.
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in receiver {
            // The kernel wakes us some 60 µs late; the rest is waited for awake.
            thread::sleep(due.saturating_duration_since(Instant::now()).saturating_sub(Duration::from_micros(70)));
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut bytes = vec![0; 65536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if sender.send((Instant::now() + delay, bytes[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let (port, delay) = (u16::try_from(numbers[0]).expect("a port"), Duration::from_micros(numbers[1]));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("its address").port());
    for client in listener.incoming().flatten() {
        let server = TcpStream::connect(("127.0.0.1", port)).expect("the database");
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("no delay of its own");
        }
        let (from, to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
        thread::spawn(move || carry(from, to, delay));
        thread::spawn(move || carry(server, client, delay));
    }
}
