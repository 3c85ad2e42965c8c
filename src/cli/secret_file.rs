//! A secret in a file that a flag names.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Longer than any secret.
const BYTES_MAX: u64 = 64 * 1024;

/// Reads it without blanks and ends of lines around it. Whoever types the command may name a pipe.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_control) {
        return Err(io::Error::new(ErrorKind::InvalidData, "one line with the secret is expected in it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn one_line_is_a_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (content, secret) in
            [("s3cret ümlaut\n", Some("s3cret ümlaut")), ("a\nb", None), (" \r\n", None), ("a\0", None)]
        {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&path).ok().as_deref(), secret, "{content:?}");
        }
        let endless = read("/dev/zero".as_ref()).unwrap_err();
        assert_eq!(endless.to_string(), "one line with the secret is expected in it");
    }
}
