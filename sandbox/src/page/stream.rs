//! Tells the page that something changed, as server-sent events; what changed, the page asks for itself.

use std::io::{self, Write};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use crate::state::{State, lock};
use crate::wire::{Answer, Request};

/// How long a change waits for others at most.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// After so many looks without a change a comment is sent: a page that was closed is noticed only by writing.
const LOOKS_MAX: u32 = 100;

/// Whether the request opens the stream.
pub(crate) fn is_for(request: &Request) -> bool {
    request.method == "GET" && request.path == "/_sandbox/changes"
}

/// Writes the number of the state whenever it changes, until the page is closed.
pub(crate) fn serve(line: &mut impl Write, state: &Mutex<State>) -> io::Result<()> {
    let head = Answer::typed(200, "text/event-stream", Vec::new()).with_header("cache-control", "no-store");
    line.write_all(&head.head(None, false))?;
    let (mut last_sent, mut looks) = (None, 0);
    loop {
        let revision = lock(state).revision;
        looks += 1;
        if last_sent != Some(revision) {
            write!(line, "data: {revision}\n\n")?;
            (last_sent, looks) = (Some(revision), 0);
        } else if looks == LOOKS_MAX {
            line.write_all(b":\n\n")?;
            looks = 0;
        }
        line.flush()?;
        sleep(LOOK_EVERY);
    }
}
