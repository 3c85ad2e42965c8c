//! Who may use the endpoints that aren't Slack's. Decided before a byte of the body is read.
//!
//! Over TCP, `/v1/webhook` needs the token. An address proves nothing: a request that a proxy on this machine passes on
//! comes from loopback, and need not show that it came from elsewhere. So without a token the endpoint is closed there,
//! unless the configuration opens it explicitly. Local programs have the UNIX socket, where the kernel says who they are.

use super::{Access, Peer};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// The headers that a proxy or a browser adds.
const GO_BETWEEN: [&str; 7] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via", "origin", "sec-fetch-site"];

/// Why a program may not send messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    NoToken,
    /// No token is configured.
    Closed,
    NotLocal,
    WrongUser,
}

/// Whether a program may send messages.
pub(super) fn admit(access: &Access, peer: Peer, headers: &HeaderMap) -> Result<(), Rejection> {
    if let Peer::Local { uid } = peer {
        let is_known = uid == 0 || uid == rustix::process::geteuid().as_raw() || access.intake_uids.contains(&uid);
        return if is_known { Ok(()) } else { Err(Rejection::WrongUser) };
    }
    let Some(token) = &access.intake_token else {
        return match access.intake_without_token {
            false => Err(Rejection::Closed),
            true if is_here(peer, headers) && names_this_machine(headers) => Ok(()),
            true => Err(Rejection::NotLocal),
        };
    };
    let shown = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    let shown = match shown.split_at_checked("Bearer ".len()) {
        Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"Bearer ") => shown.trim_ascii(),
        _ => return Err(Rejection::NoToken),
    };
    if shown.ct_eq(token.expose().as_bytes()).into() { Ok(()) } else { Err(Rejection::NoToken) }
}

/// From this machine, and without any sign of a proxy or a browser.
pub(super) fn is_here(peer: Peer, headers: &HeaderMap) -> bool {
    let Peer::Network(address) = peer else { return true };
    let is_direct = !GO_BETWEEN.iter().any(|name| headers.contains_key(HeaderName::from_static(name)));
    // With two names the proxy may have used the other one.
    address.ip().to_canonical().is_loopback() && is_direct && headers.get_all(HOST).iter().count() <= 1
}

/// The same for endpoints with numbers only: a scraper may use this machine's short name, or no name.
pub(super) fn is_asked_here(peer: Peer, headers: &HeaderMap) -> bool {
    let is_short = || headers.get(HOST).is_none_or(|host| host.to_str().is_ok_and(|host| !host.contains(['.', '['])));
    is_here(peer, headers) && (matches!(peer, Peer::Local { .. }) || is_short() || names_this_machine(headers))
}

/// A public name in `Host` came through a tunnel, or from a browser whose DNS gives this machine's address for it.
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

    fn asked(token: Option<&str>, peer: &str, headers: &[(&'static str, &str)]) -> Result<(), Rejection> {
        let access = Access {
            intake_token: token.map(|token| Secret::new(token.to_owned())),
            intake_without_token: token.is_none(),
            ..Access::default()
        };
        asked_of(&access, peer, headers)
    }

    fn asked_of(access: &Access, peer: &str, headers: &[(&'static str, &str)]) -> Result<(), Rejection> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        admit(access, Peer::Network(peer.parse().unwrap()), &map)
    }

    #[test]
    fn without_a_token_nobody_is_taken_over_tcp_and_by_the_socket_whom_the_kernel_vouches_for() {
        let closed = Access { intake_uids: vec![1234], ..Access::default() };
        // As nginx's plain `proxy_pass` hands it on: no sign of the proxy.
        for host in ["127.0.0.1:9277", "localhost"] {
            assert_eq!(asked_of(&closed, "127.0.0.1:4000", &[("host", host)]), Err(Rejection::Closed));
        }
        let own = rustix::process::geteuid().as_raw();
        for (uid, expected) in [
            (0, Ok(())),
            (own, Ok(())),
            (1234, Ok(())),
            (1235, Err(Rejection::WrongUser)),
            (65534, Err(Rejection::WrongUser)),
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
            assert_eq!(asked(None, here, headers), Err(Rejection::NotLocal), "{headers:?}");
        }
        assert_eq!(asked(None, "198.51.100.7:4000", &[host]), Err(Rejection::NotLocal));
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
        for other_host in ["bell.example.com", "bell.example.com:443", "198.51.100.7", "[2001:db8::1]:443"] {
            assert!(!asked(Some(other_host)), "{other_host}");
        }
    }

    #[test]
    fn with_a_token_it_must_be_shown() {
        let token = Some("0123456789abcdef");
        for (shown, expected) in [
            ("Bearer 0123456789abcdef", Ok(())),
            ("bearer  0123456789abcdef", Ok(())),
            ("Bearer 0123456789abcdeg", Err(Rejection::NoToken)),
            ("Bearer 0123456789abcde", Err(Rejection::NoToken)),
            ("Bearer ", Err(Rejection::NoToken)),
            ("Basic 0123456789abcdef", Err(Rejection::NoToken)),
            ("0123456789abcdef", Err(Rejection::NoToken)),
        ] {
            assert_eq!(asked(token, "198.51.100.7:1", &[("authorization", shown)]), expected, "{shown}");
        }
        assert_eq!(asked(token, "127.0.0.1:1", &[("host", "localhost")]), Err(Rejection::NoToken));
    }
}
