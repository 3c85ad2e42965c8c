//! RRDs, read by Debian's `rrdtool fetch`: started with a list of arguments, never by a shell, and ended after its time.

use super::{ANSWER_BYTES_MAX, SourceError, TIMEOUT, Wanted, pnp};
use crate::config::RrdSource;
use crate::model::curve::Series;
use crate::system::fetch::FetchError;
use crate::system::regular_file;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How every RRD begins (`rrd_format.h`).
const COOKIE: [u8; 4] = *b"RRD\0";
/// How often it is looked whether the program ended.
const LOOK: Duration = Duration::from_millis(5);

/// The values.
pub(super) fn values(source: &RrdSource, wanted: &Wanted<'_>) -> Result<Series, SourceError> {
    let location = pnp::locate(&source.directory, wanted)?;
    check(&location.file)?;
    let mut command = Command::new(&source.rrdtool);
    command.arg("fetch").arg(&location.file).arg("AVERAGE");
    command.args(["--start", &wanted.from.to_string(), "--end", &wanted.to.to_string()]);
    // A decimal comma isn't a number to us.
    command.env("LC_ALL", "C").current_dir("/");
    let text = run(&mut command, TIMEOUT)?;
    column(&text, &location.data_source, wanted.to)
        .ok_or_else(|| format!("{} has no data source \"{}\"", location.file.display(), location.data_source).into())
}

/// Says what is wrong with a file before a program is started for it.
fn check(path: &Path) -> Result<(), String> {
    let of = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut start = [0; COOKIE.len()];
    match regular_file::open(path).map_err(of)?.read_exact(&mut start) {
        Ok(()) if start == COOKIE => Ok(()),
        _ => Err(format!("{} isn't an RRD", path.display())),
    }
}

/// The values of a data source. `rrdtool` prints the names, then `TIME: VALUE VALUE`, and rows to come as `nan`.
fn column(text: &str, data_source: &str, to: i64) -> Option<Series> {
    let mut lines = text.lines();
    let index = lines.next()?.split_whitespace().position(|name| name == data_source)?;
    let value = |line: &str| {
        let (at, values) = line.split_once(':')?;
        Some((at.trim().parse().ok()?, values.split_whitespace().nth(index)?.parse().ok()?))
    };
    Some(Series::new(lines.filter_map(value).filter(|(at, _)| *at <= to).collect()))
}

/// What a program prints; it is killed when its time is over.
fn run(command: &mut Command, timeout: Duration) -> Result<String, SourceError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("{program} isn't installed: apt install rrdtool"),
        _ => format!("{program}: {e}"),
    })?;
    let (sender, receiver) = channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    let reading = std::thread::Builder::new().name("rrdtool".into()).spawn(move || {
        // An error is little: it fits into the pipe, so that one pipe after the other is read.
        let texts = pipes.map(|pipe| pipe.map_or_else(String::new, start_of));
        // Nobody waits any more for what took too long.
        let _ = sender.send(texts);
    });
    let deadline = Instant::now() + timeout;
    let status = match (reading, wait(&mut child, deadline)) {
        (Ok(_), Ok(Some(status))) => status,
        (reading, ended) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(match (reading, ended) {
                (Err(e), _) => format!("no thread could be started: {e}").into(),
                (_, Err(e)) => format!("{program}: {e}").into(),
                _ => FetchError::Slow(timeout).into(),
            });
        }
    };
    // A child of it may hold the pipes open.
    let [out, err] = receiver.recv_timeout(LOOK * 100).map_err(|_| FetchError::Slow(timeout))?;
    if status.success() {
        return Ok(out);
    }
    let reason: String = err.trim().chars().take(200).collect();
    Err(format!("rrdtool: {}", reason.trim_start_matches("ERROR: ")).into())
}

fn start_of(pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // The part that was read before an error counts.
    let _ = pipe.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<std::process::ExitStatus>> {
    loop {
        match child.try_wait()? {
            None if Instant::now() < deadline => std::thread::sleep(LOOK),
            ended => return Ok(ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_of_a_data_source_is_read() {
        let text = "                          1                   2\n\n1700000040: 1.0000000000e+00 2.5e+00\n\
                    1700000100: nan -nan\n1700000160: 3.0e+00 4.0e+00\n1700000220: 9e+00 9e+00\n";
        let values = |name: &str| column(text, name, 1_700_000_160);
        assert_eq!(values("2").unwrap().0, [(1_700_000_040, 2.5), (1_700_000_160, 4.0)]);
        assert_eq!(values("3"), None);
        assert_eq!(column("", "1", 0), None);
    }

    #[test]
    fn a_program_that_hangs_or_is_missing_is_named() {
        let started = Instant::now();
        let slow = run(Command::new("/bin/sleep").arg("60"), Duration::from_millis(200)).unwrap_err();
        assert!(slow.is_slow() && started.elapsed() < Duration::from_secs(5), "{slow}");
        let missing = run(&mut Command::new("/nowhere/rrdtool"), TIMEOUT).unwrap_err();
        assert_eq!(missing.to_string(), "/nowhere/rrdtool isn't installed: apt install rrdtool");
        let flood = run(Command::new("/usr/bin/yes").arg("1: 2"), Duration::from_millis(500));
        assert!(flood.is_err(), "it ends with its pipe, and isn't read for ever");
    }
}
