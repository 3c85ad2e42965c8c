//! HTTP responses.

use crate::flow::callback::http_reply::{HttpReply, ReplyBody};
use crate::listen::oauth::{Page, policy};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

pub(super) type Reply = Response<Full<Bytes>>;

/// A status without a body.
pub(super) fn status(code: u16) -> Reply {
    reply(HttpReply { status: code, body: ReplyBody::Empty })
}

pub(super) fn reply(reply: HttpReply) -> Reply {
    let (kind, bytes) = match reply.body {
        ReplyBody::Empty => (None, Bytes::new()),
        ReplyBody::Text(text) => (Some("text/plain; charset=utf-8"), Bytes::from(text)),
        ReplyBody::Json(value) => (Some("application/json; charset=utf-8"), Bytes::from(value.to_string())),
    };
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

/// A page or a redirect for a browser.
pub(super) fn page(page: Page) -> Reply {
    let (mut reply, own) = match page {
        Page::Redirect { to, cookie } => (status(302), vec![(LOCATION, to), (SET_COOKIE, cookie)]),
        Page::Html { status: code, html } => {
            let mut reply = Response::new(Full::new(Bytes::from(html)));
            *reply.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (reply, vec![(CONTENT_TYPE, "text/html; charset=utf-8".to_owned())])
        }
    };
    // The browser's address holds a code of Slack: no referrer is sent, and nothing is cached.
    let always = [
        (CONTENT_SECURITY_POLICY, policy()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    for (name, value) in always.into_iter().chain(own) {
        match HeaderValue::from_str(&value) {
            Ok(value) => drop(reply.headers_mut().insert(name, value)),
            Err(_) => return status(500),
        }
    }
    reply
}
