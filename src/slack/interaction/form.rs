//! `application/x-www-form-urlencoded` (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>), strictly:
//! no field twice, whole escapes, UTF-8.

use super::DecodeError;
use std::collections::BTreeMap;

/// The most fields a form may have; a slash command has about 15.
const FIELDS_MAX: usize = 64;

/// The fields by name.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, DecodeError> {
    let mut fields = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if fields.insert(unescape(name)?, unescape(value)?).is_some() {
            return Err(DecodeError::Form("a field is given twice"));
        }
        if fields.len() > FIELDS_MAX {
            return Err(DecodeError::Form("too many fields"));
        }
    }
    Ok(fields)
}

fn unescape(text: &str) -> Result<String, DecodeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(DecodeError::Form("a broken escape")),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
