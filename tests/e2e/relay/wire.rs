//! A way between a relay and its centre that a test cuts where it wants.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of some bytes.
pub(super) enum Passing {
    On,
    /// The connection ends before they arrive.
    Cut,
    /// They arrive, and the connection ends.
    OnAndCut,
}

pub(super) struct Bytes<'a> {
    pub(super) is_from_relay: bool,
    pub(super) bytes: &'a [u8],
}

impl Bytes<'_> {
    pub(super) fn contains(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// The address of a way to there; the hook sees everything that passes.
pub(super) fn wire(to: String, hook: impl FnMut(&Bytes<'_>) -> Passing + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let hook = Arc::new(Mutex::new(hook));
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(&to) else { continue };
            for is_from_relay in [true, false] {
                let (near, far, hook) = (near.try_clone().unwrap(), far.try_clone().unwrap(), Arc::clone(&hook));
                let (mut read, mut write) = if is_from_relay { (near, far) } else { (far, near) };
                std::thread::spawn(move || {
                    let mut chunk = vec![0; 65536];
                    while let Ok(count @ 1..) = read.read(&mut chunk) {
                        let bytes = &chunk[..count];
                        let passing = hook.lock().unwrap()(&Bytes { is_from_relay, bytes });
                        let passes = !matches!(passing, Passing::Cut) && write.write_all(bytes).is_ok();
                        if !passes || matches!(passing, Passing::OnAndCut) {
                            break;
                        }
                    }
                    let _ = (read.shutdown(Shutdown::Both), write.shutdown(Shutdown::Both));
                });
            }
        }
    });
    address
}
