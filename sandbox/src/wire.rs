//! Just enough HTTP/1.1, on our own sockets, so that broken answers can be played too.

use std::io::{self, BufRead, ErrorKind, Read, Write};

use serde_json::Value;

/// The longest head that is read.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The longest body that is read; Slack's own limits are far below.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most header fields that are read.
const HEADERS_MAX: usize = 100;

/// A request as it came over the wire.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path without the query.
    pub(super) path: String,
    /// The query without the `?`, still encoded.
    pub(super) query: String,
    /// Names in lower case, in order.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the connection may be used again.
    pub(super) keep_alive: bool,
}

impl Request {
    /// The first header field of that (lower-case) name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The media type in lower case, without parameters; empty if there is none.
    pub(super) fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The `charset` parameter of the content type, in lower case.
    pub(super) fn charset(&self) -> Option<String> {
        self.header("content-type")?.split(';').skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let matches = name.trim().eq_ignore_ascii_case("charset");
            matches.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
        })
    }
}

/// An answer before it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A `text/plain` answer, as webhooks give.
    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", body.as_bytes().to_vec())
    }

    /// An HTML page, as proxies and failing front ends give.
    pub(super) fn html(status: u16, body: &str) -> Self {
        Self::typed(status, "text/html; charset=utf-8", body.as_bytes().to_vec())
    }

    /// A JSON answer.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::typed(status, "application/json; charset=utf-8", body.to_string().into_bytes())
    }

    /// An answer of any media type.
    pub(super) fn typed(status: u16, media: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), media.to_owned())], body }
    }

    /// The same answer with one more header field.
    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The status line and header fields; `length` is what `content-length` says, if anything.
    pub(super) fn head(&self, length: Option<usize>, keep_alive: bool) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        // Writing to a String can't fail.
        for (name, value) in &self.headers {
            _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(length) = length {
            _ = write!(head, "content-length: {length}\r\n");
        }
        _ = write!(head, "connection: {}\r\n\r\n", if keep_alive { "keep-alive" } else { "close" });
        head.into_bytes()
    }

    /// The whole answer as bytes.
    pub(super) fn bytes(&self, keep_alive: bool) -> Vec<u8> {
        let mut bytes = self.head(Some(self.body.len()), keep_alive);
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

/// Reads one request; `None` when the peer closed between two.
pub(super) fn read_request<S: BufRead + AnswerEarly>(stream: &mut S) -> io::Result<Option<Request>> {
    let Some(head) = read_head(stream)? else { return Ok(None) };
    let mut request = parse_head(&head)?;
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.answer_early(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = read_body(stream, &request.headers)?.unwrap_or_default();
    Ok(Some(request))
}

/// What can be written to while it is read from: a client that sent `Expect` waits for a line.
pub(super) trait AnswerEarly {
    /// Writes an interim answer.
    fn answer_early(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl<T: Read + Write> AnswerEarly for io::BufReader<T> {
    fn answer_early(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.get_mut().write_all(bytes)?;
        self.get_mut().flush()
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn read_head<S: BufRead>(stream: &mut S) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        let room = u64::try_from(HEAD_BYTES_MAX - before).unwrap_or(0);
        stream.by_ref().take(room).read_until(b'\n', &mut head)?;
        if head.len() == before {
            return if before == 0 { Ok(None) } else { Err(bad("the head is cut off or too long")) };
        }
        if head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
            return Ok(Some(head));
        }
    }
}

fn parse_head(head: &[u8]) -> io::Result<Request> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let status = parsed.parse(head).map_err(|error| bad(&error.to_string()))?;
    if status.is_partial() {
        return Err(bad("the head is incomplete"));
    }
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = header_fields(parsed.headers);
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        keep_alive: parsed.version == Some(1),
    };
    if let Some(value) = request.header("connection") {
        let value = value.to_ascii_lowercase();
        request.keep_alive = value.contains("keep-alive") || (request.keep_alive && !value.contains("close"));
    }
    Ok(request)
}

/// Reads the answer of somebody else's server.
pub(super) fn read_answer<S: BufRead>(stream: &mut S) -> io::Result<Answer> {
    let head = read_head(stream)?.ok_or(ErrorKind::UnexpectedEof)?;
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut fields);
    parsed.parse(&head).map_err(|error| bad(&error.to_string()))?;
    let (status, headers) = (parsed.code.unwrap_or(0), header_fields(parsed.headers));
    let body = match read_body(stream, &headers)? {
        Some(body) => body,
        None if status == 204 => Vec::new(),
        None => {
            let mut body = Vec::new();
            stream.by_ref().take(u64::try_from(BODY_BYTES_MAX).unwrap_or(0)).read_to_end(&mut body)?;
            body
        }
    };
    Ok(Answer { status, headers, body })
}

fn header_fields(fields: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |value| String::from_utf8_lossy(value).trim().to_owned();
    fields.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect()
}

/// The body, or `None` when its length isn't said.
fn read_body<S: BufRead>(stream: &mut S, headers: &[(String, String)]) -> io::Result<Option<Vec<u8>>> {
    let header = |name| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
        return read_chunks(stream).map(Some);
    }
    let Some(length) = header("content-length") else { return Ok(None) };
    let length: usize = length.parse().map_err(|_| bad("content-length isn't a number"))?;
    if length > BODY_BYTES_MAX {
        return Err(bad("the body is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(body))
}

fn read_chunks<S: BufRead>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| bad("a chunk's size isn't a number"))?;
        if size == 0 {
            while !read_line(stream)?.trim().is_empty() {}
            return Ok(body);
        }
        if size > BODY_BYTES_MAX || body.len() + size > BODY_BYTES_MAX {
            return Err(bad("the body is too long"));
        }
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..])?;
        read_line(stream)?;
    }
}

fn read_line<S: BufRead>(stream: &mut S) -> io::Result<String> {
    let mut line = Vec::new();
    stream.by_ref().take(1024).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Decodes `application/x-www-form-urlencoded`, also the form of a query.
pub(super) fn form_fields(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_decode(name), form_decode(value))
        })
        .collect()
}

fn form_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match (bytes[at], hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Encodes one field's name or value for such a form.
pub(super) fn form_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn read(bytes: &[u8]) -> io::Result<Option<Request>> {
        read_request(&mut BufReader::new(io::Cursor::new(bytes.to_vec())))
    }

    #[test]
    fn reads_a_request_with_length_and_one_in_chunks() {
        let request = read(b"POST /a?b=c HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi").unwrap().unwrap();
        assert_eq!((request.path.as_str(), request.query.as_str(), request.body.as_slice()), ("/a", "b=c", &b"hi"[..]));
        let chunks = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n";
        assert_eq!(read(chunks).unwrap().unwrap().body, b"hi!");
    }

    #[test]
    fn a_closed_connection_is_no_request_and_a_cut_one_an_error() {
        assert!(read(b"").unwrap().is_none());
        assert!(read(b"POST / HTT").is_err());
        assert!(read(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhi").is_err());
    }

    #[test]
    fn decodes_forms() {
        let fields = form_fields("payload=%7B%7D&a=b+c&d");
        let expected = [("payload", "{}"), ("a", "b c"), ("d", "")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
