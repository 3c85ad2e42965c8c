//! A panel as Grafana renders it, by `/render/d-solo/` (<https://grafana.com/docs/grafana/v7.2/sharing/share-panel/>, of the
//! *Direct link rendered image*).
//!
//! A Grafana without a renderer, or with too much to render, answers 200 and a picture of its own that says so
//! (`pkg/services/rendering/rendering.go`). Those have a fixed size, so that the size asked for tells a panel from them.

use super::{SourceError, Wanted, http};
use crate::config::GrafanaSource;
use crate::system::environment::Environment;
use crate::system::fetch::{self, Bounds, FetchError, Login};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;

/// For one picture: a browser starts for it.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Grafana is to give up before we do, and say so.
const RENDER_SECONDS: u32 = 15;
/// A picture without any compression has 2.
const BYTES_MAX: u64 = 3_000_000;
/// As wide and high as our own, with letters that can be read on a phone.
const SIZE: (u32, u32) = (600, 280);
const SCALE: u32 = 2;

const START: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

/// The picture, as PNG.
pub(crate) fn render(source: &GrafanaSource, wanted: &Wanted<'_>, env: &Environment) -> Result<Vec<u8>, SourceError> {
    let address = http::filled(&source.url, wanted, |name| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string());
    let ((width, height), from, to) = (SIZE, wanted.from.saturating_mul(1000), wanted.to.saturating_mul(1000));
    let url = format!(
        "{address}&from={from}&to={to}&width={width}&height={height}&scale={SCALE}&tz=UTC&timeout={RENDER_SECONDS}"
    );
    let login = source.token.as_ref().map(Login::Bearer);
    let bounds =
        Bounds { bytes_max: BYTES_MAX, timeout: TIMEOUT, redirects_max: 0, ca_file: source.ca_file.as_deref() };
    let png = fetch::get_within(&url, login, &bounds, env).map_err(|e| match e {
        FetchError::Redirects => "it redirects, as to its login page: it needs a token, or another one".into(),
        FetchError::Login(status) => format!("it answered {status}: it needs a token, or another one").into(),
        other => SourceError::Fetch(other),
    })?;
    check(&png)?;
    Ok(png)
}

/// Says why the bytes aren't the picture that was asked for.
fn check(bytes: &[u8]) -> Result<(), String> {
    let number = |at: usize| bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_be_bytes);
    if !bytes.starts_with(START) {
        return Err(http::unexpected(bytes, "a picture", "no PNG"));
    }
    if !bytes.ends_with(END) {
        return Err("its picture is cut off".to_owned());
    }
    let (width, height) = (number(START.len()), number(START.len() + 4));
    if (width, height) == (SIZE.0 * SCALE, SIZE.1 * SCALE) || (width, height) == SIZE {
        return Ok(());
    }
    Err(format!("its picture has {width} x {height}, not the size asked for: it most likely says that it can't render"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        [START, &width.to_be_bytes(), &height.to_be_bytes(), b"...", END].concat()
    }

    #[test]
    fn only_a_whole_picture_of_the_size_asked_for_is_one() {
        assert_eq!(check(&png(1200, 560)), Ok(()));
        assert_eq!(check(&png(600, 280)), Ok(()));
        let reason = |bytes: &[u8]| check(bytes).unwrap_err();
        assert!(reason(&png(1000, 500)).contains("1000 x 500, not the size"));
        assert_eq!(reason(&png(1200, 560)[..30]), "its picture is cut off");
        assert_eq!(reason(b"<!DOCTYPE html>"), "it answered a web page, not a picture");
        assert_eq!(reason(b"{}"), "it answered no PNG");
        assert_eq!(reason(b""), "it answered no PNG");
    }
}
