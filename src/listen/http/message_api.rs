//! `POST /v1/webhook`: who may hand in what another program wrote. Decided before a byte of the body is read.
//!
//! Over TCP whoever shows the token. An address says nothing: what a proxy on this machine hands on comes from loopback,
//! and need not tell that it came from elsewhere. So without a token it is closed there, unless the configuration says
//! in so many words that it is open. Local programs have the UNIX socket, where the kernel says who they are.

use super::request::{BodyError, Reply, Visit, read, reply, status};
use super::{Access, BODY_WITHIN, Peer, lock};
use crate::listen::message_api::message::BODY_BYTES_MAX;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long the disk may take to make it durable; longer, and the sender is told to come again.
const KEPT_WITHIN: Duration = Duration::from_secs(20);
/// What a proxy or a browser adds.
const GO_BETWEEN: [&str; 7] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via", "origin", "sec-fetch-site"];

/// Why somebody may not hand anything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stranger {
    NoToken,
    /// Nobody is let in this way.
    Closed,
    NotHere,
    NotTheirs,
}

impl Visit<'_> {
    pub(super) async fn intake(&self, headers: &HeaderMap, body: Incoming) -> Reply {
        let access = lock(&self.shared.access).clone();
        match admit(&access, self.peer, headers) {
            Ok(()) => {}
            Err(Stranger::NoToken) => {
                let mut reply = self.refuse(401, "no_intake_token", "path=/v1/webhook reason=no or a wrong token");
                reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                return reply;
            }
            Err(Stranger::NotTheirs) => {
                let remedy = "remedy=name that user in [listen] intake_users";
                return self.refuse(403, "not_theirs", format_args!("path=/v1/webhook reason=another user {remedy}"));
            }
            Err(Stranger::Closed) => {
                let remedy = "remedy=set [listen] intake_token, or use the socket \"intake\" in the runtime directory";
                return self.refuse(403, "closed", format_args!("path=/v1/webhook reason=no token is set {remedy}"));
            }
            Err(Stranger::NotHere) => {
                let remedy = "remedy=set [listen] intake_token, and send it as `Authorization: Bearer TOKEN`";
                return self.refuse(
                    403,
                    "not_local",
                    format_args!("path=/v1/webhook reason=not this machine {remedy}"),
                );
            }
        }
        let (bytes, room) = match timeout(BODY_WITHIN, read(&self.shared.big_bodies, BODY_BYTES_MAX, body)).await {
            Ok(Ok(read)) => read,
            Ok(Err(BodyError::TooLarge)) => return self.refuse(413, "oversized", "reason=body over 256 KiB"),
            Ok(Err(BodyError::NoRoom)) => return self.refuse(503, "no_room", "reason=too many large bodies at once"),
            Ok(Err(BodyError::Broken(e))) => return self.refuse(400, "broken_body", format_args!("reason={e}")),
            Err(_) => return self.refuse(408, "slow", "reason=the body took too long"),
        };
        let Ok(turn) = Arc::clone(&self.shared.taken).try_acquire_owned() else {
            return self.refuse(503, "too_many", "reason=requests come faster than they are taken");
        };
        let key = headers.get("idempotency-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
        let hand_in = Arc::clone(&self.shared.handlers.intake);
        self.place.set_busy(true);
        let task = spawn_blocking(move || {
            let _held = (turn, room);
            hand_in(&bytes, key.as_deref())
        });
        let kept = timeout(KEPT_WITHIN, task).await;
        self.place.set_busy(false);
        match kept {
            Ok(Ok(answer)) => {
                self.shared.strangers.count(if answer.status == 204 { "handed_in" } else { "not_handed_in" });
                reply(answer)
            }
            Ok(Err(_)) => self.refuse(500, "panicked", "path=/v1/webhook reason=a bug"),
            Err(_) => {
                self.shared.strangers.tell("late", "path=/v1/webhook reason=the disk takes too long");
                status(503)
            }
        }
    }
}

fn admit(access: &Access, peer: Peer, headers: &HeaderMap) -> Result<(), Stranger> {
    if let Peer::Local { uid } = peer {
        let is_known = uid == 0 || uid == rustix::process::geteuid().as_raw() || access.intake_uids.contains(&uid);
        return if is_known { Ok(()) } else { Err(Stranger::NotTheirs) };
    }
    let Some(token) = &access.intake_token else {
        return match access.intake_without_token {
            false => Err(Stranger::Closed),
            true if is_here(peer, headers) && names_this_machine(headers) => Ok(()),
            true => Err(Stranger::NotHere),
        };
    };
    let shown = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    let shown = match shown.split_at_checked("Bearer ".len()) {
        Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"Bearer ") => shown.trim_ascii(),
        _ => return Err(Stranger::NoToken),
    };
    if shown.ct_eq(token.expose().as_bytes()).into() { Ok(()) } else { Err(Stranger::NoToken) }
}

/// From this machine, and nothing tells of a proxy or a browser.
pub(super) fn is_here(peer: Peer, headers: &HeaderMap) -> bool {
    let Peer::Network(address) = peer else { return true };
    let is_direct = !GO_BETWEEN.iter().any(|name| headers.contains_key(HeaderName::from_static(name)));
    // Of two names the proxy may have gone by the other.
    address.ip().to_canonical().is_loopback() && is_direct && headers.get_all(HOST).iter().count() <= 1
}

/// The same for what tells no more than numbers: who scrapes may call this machine by its short name, or not at all.
pub(super) fn is_asked_here(peer: Peer, headers: &HeaderMap) -> bool {
    let is_short = || headers.get(HOST).is_none_or(|host| host.to_str().is_ok_and(|host| !host.contains(['.', '['])));
    is_here(peer, headers) && (matches!(peer, Peer::Local { .. }) || is_short() || names_this_machine(headers))
}

/// A public name in `Host` came through a tunnel, or a browser that was told the name is this machine's.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::secret::Secret;

    fn asked(token: Option<&str>, peer: &str, headers: &[(&'static str, &str)]) -> Result<(), Stranger> {
        let access = Access {
            intake_token: token.map(|token| Secret::new(token.to_owned())),
            intake_without_token: token.is_none(),
            ..Access::default()
        };
        asked_of(&access, peer, headers)
    }

    fn asked_of(access: &Access, peer: &str, headers: &[(&'static str, &str)]) -> Result<(), Stranger> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        admit(access, Peer::Network(peer.parse().unwrap()), &map)
    }

    #[test]
    fn without_a_token_nobody_is_taken_over_tcp_and_by_the_socket_whom_the_kernel_vouches_for() {
        let closed = Access { intake_uids: vec![1234], ..Access::default() };
        // As nginx's plain `proxy_pass` hands it on: nothing tells of the proxy.
        for host in ["127.0.0.1:9277", "localhost"] {
            assert_eq!(asked_of(&closed, "127.0.0.1:4000", &[("host", host)]), Err(Stranger::Closed));
        }
        let own = rustix::process::geteuid().as_raw();
        for (uid, expected) in [
            (0, Ok(())),
            (own, Ok(())),
            (1234, Ok(())),
            (1235, Err(Stranger::NotTheirs)),
            (65534, Err(Stranger::NotTheirs)),
        ] {
            assert_eq!(admit(&closed, Peer::Local { uid }, &HeaderMap::new()), expected, "{uid}");
        }
    }

    #[test]
    fn where_no_token_is_wanted_only_this_machine_is_taken() {
        let (here, host) = ("127.0.0.1:4000", ("host", "localhost:9277"));
        for (peer, name) in
            [(here, "localhost:9277"), (here, "127.0.0.1"), ("[::1]:1", "[::1]:9277"), ("[::1]:1", "[::1]")]
        {
            assert_eq!(asked(None, peer, &[("host", name)]), Ok(()), "{peer} {name}");
        }
        for headers in [
            &[host, ("x-forwarded-for", "198.51.100.7")][..],
            &[host, ("origin", "https://evil.example")],
            &[("host", "bell.example.com")],
            &[("host", "localhost.evil.example:9277")],
            &[],
        ] {
            assert_eq!(asked(None, here, headers), Err(Stranger::NotHere), "{headers:?}");
        }
        assert_eq!(asked(None, "198.51.100.7:4000", &[host]), Err(Stranger::NotHere));
    }

    #[test]
    fn numbers_are_told_where_this_machine_is_named() {
        let asked = |host: Option<&str>| {
            let headers = host.map(|host| (HOST, HeaderValue::from_str(host).unwrap()));
            is_asked_here(Peer::Network("127.0.0.1:4000".parse().unwrap()), &headers.into_iter().collect())
        };
        for here in
            [None, Some("localhost:9277"), Some("127.0.0.1:9277"), Some("[::1]:9277"), Some("mon"), Some("mon:9277")]
        {
            assert!(asked(here), "{here:?}");
        }
        let twice = [HeaderValue::from_static("localhost"), HeaderValue::from_static("bell.example.com")];
        let twice: HeaderMap = twice.into_iter().fold(HeaderMap::new(), |mut headers, host| {
            headers.append(HOST, host);
            headers
        });
        assert!(!is_asked_here(Peer::Network("127.0.0.1:4000".parse().unwrap()), &twice));
        // As a proxy hands it on that leaves the name and adds nothing.
        for elsewhere in ["bell.example.com", "bell.example.com:443", "198.51.100.7", "[2001:db8::1]:443"] {
            assert!(!asked(Some(elsewhere)), "{elsewhere}");
        }
    }

    #[test]
    fn with_a_token_it_must_be_shown() {
        let token = Some("0123456789abcdef");
        for (shown, expected) in [
            ("Bearer 0123456789abcdef", Ok(())),
            ("bearer  0123456789abcdef", Ok(())),
            ("Bearer 0123456789abcdeg", Err(Stranger::NoToken)),
            ("Bearer 0123456789abcde", Err(Stranger::NoToken)),
            ("Bearer ", Err(Stranger::NoToken)),
            ("Basic 0123456789abcdef", Err(Stranger::NoToken)),
            ("0123456789abcdef", Err(Stranger::NoToken)),
        ] {
            assert_eq!(asked(token, "198.51.100.7:1", &[("authorization", shown)]), expected, "{shown}");
        }
        assert_eq!(asked(token, "127.0.0.1:1", &[("host", "localhost")]), Err(Stranger::NoToken));
    }
}
