//! The lines of a core's files, with bounded memory whatever is in them.

use std::io::{self, BufRead, BufReader, Read};

/// How much of a line is kept: more than the longest plugin output a core writes.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// The same of a file of objects: a group's members stand on one line, tens of thousands of services in the longest.
pub(super) const MEMBERS_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Big enough that the calls cost nothing.
const BUFFER_BYTES: usize = 256 * 1024;

/// Line by line, without allocating; what a line has beyond its limit is passed over.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    bytes_max: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self::up_to(LINE_BYTES_MAX, reader)
    }

    /// With more, or less, of a line.
    pub(super) fn up_to(bytes_max: u64, reader: R) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, reader), line: Vec::new(), bytes_max }
    }

    /// The next line without its newline and the blanks around it; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        if (&mut self.reader).take(self.bytes_max).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(self.line.trim_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_lines_are_cut() {
        let text = [b"\ta=1\n".as_slice(), &vec![b'x'; 1_000_000], b"\n\tb=2"].concat();
        let mut lines = Lines::new(&text[..]);
        assert_eq!(lines.next().unwrap(), Some(&b"a=1"[..]));
        assert_eq!(lines.next().unwrap().unwrap().len(), 16 * 1024);
        assert_eq!(lines.next().unwrap(), Some(&b"b=2"[..]));
        assert_eq!(lines.next().unwrap(), None);
    }
}
