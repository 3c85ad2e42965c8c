//! Through a proxy: CONNECT with credentials, from the configuration or the environment.

use crate::harness::process::text;
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A proxy that wants `user:p@ss`, and remembers what it was asked.
struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || serve(client, &seen));
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut client: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        head.push(line.trim().to_owned());
    }
    seen.lock().unwrap().push(head[0].clone());
    // base64 of user:p@ss
    if !head.iter().any(|line| line.eq_ignore_ascii_case("proxy-authorization: basic dXNlcjpwQHNz")) {
        let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let address = head[0].split(' ').nth(1).unwrap().replace("localhost", "127.0.0.1");
    let mut server = TcpStream::connect(address).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || copy(&mut from_server, &mut to_client));
    copy(&mut client, &mut server);
}

fn copy(from: &mut TcpStream, to: &mut TcpStream) {
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn the_proxy_of_the_configuration_and_of_the_environment_are_used() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = crate::answers::certificate(directory.path());
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let sandbox = Sandbox::start(&["--burst", "9", "--tls-cert", cert, "--tls-key", key]);
    let url = sandbox.url.replace("127.0.0.1", "localhost");
    let proxy = Proxy::start();
    let slack = format!("[slack]\nwebhook_url = \"{url}/services/T0SANDBOX/B1/x\"\nca_file = \"{cert}\"\n");
    let address = |password: &str| format!("http://user:{password}@127.0.0.1:{}", proxy.port);
    let notify = |config: &str, env: &[(&str, &str)]| {
        let site = Site::new(&format!("{config}[outbox]\ntime_budget = \"3s\"\n"));
        let done = site
            .command(&["notify", "--hostname", "h", "--hoststate", "1"])
            .envs(env.iter().copied())
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(0));
        (proxy.asked().len(), sandbox.messages().len(), text(&done.stderr))
    };
    let good = address("p%40ss");
    assert_eq!(notify(&format!("{slack}proxy = \"{good}\"\n"), &[]), (1, 1, String::new()));
    assert_eq!(notify(&slack, &[("HTTPS_PROXY", &good)]), (2, 2, String::new()));
    // Not for this host, not for plain http only, and not when the configuration says none.
    assert_eq!(notify(&slack, &[("HTTPS_PROXY", &good), ("NO_PROXY", "localhost,.corp")]), (2, 3, String::new()));
    assert_eq!(notify(&slack, &[("http_proxy", &good), ("HTTP_PROXY", &good)]), (2, 4, String::new()));
    assert_eq!(notify(&format!("{slack}proxy = \"none\"\n"), &[("HTTPS_PROXY", &good)]), (2, 5, String::new()));
    let (asked, arrived, said) = notify(&format!("{slack}proxy = \"{}\"\n", address("wrong")), &[]);
    assert!(asked > 2 && arrived == 5, "{asked} {arrived}");
    assert!(said.contains("407") && !said.contains("wrong"), "{said}");
    assert_eq!(proxy.asked()[0], format!("CONNECT {} HTTP/1.1", url.strip_prefix("https://").unwrap()));
}
