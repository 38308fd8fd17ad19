//! Writer of the lines of one log: to a file, plain, buffered or compressed, or another destination.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::libc::ENOSPC;

use super::memory::Ring;
use super::paths::{LineFile, PathFailure, Paths};
use super::spec::{Buffering, SinkSpec, SinkTarget};
use super::syslog::SyslogSocket;
use crate::limits;
use crate::log::file::{open_log, open_secret_log};
use crate::log::file_error::FileError;
use crate::log::form::LineForm;
use crate::log::level::LogLevel;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;
use crate::task::rights::OpenMode;

/// A line with its newline.
#[derive(Debug)]
pub(super) struct QueuedLine {
    /// Form, for lines of the error log.
    pub(super) form: LineForm,
    /// Level, for lines of the error log.
    pub(super) level: Option<LogLevel>,
    /// Its file, for a log with variables in its path.
    pub(super) file: Option<LineFile>,
    /// The line.
    pub(super) bytes: Vec<u8>,
}

/// Opens the file of a log.
type Opener = fn(&Path) -> io::Result<File>;

/// How the file of a destination is opened.
pub(super) fn opener(spec: &SinkSpec) -> Opener {
    match spec.open_mode() {
        OpenMode::AppendSecret => open_secret_log,
        OpenMode::Append | OpenMode::Read => open_log,
    }
}

/// Lines that were not written.
#[derive(Debug, Default)]
pub(super) struct WriteLoss {
    /// Their number.
    pub(super) lines: u64,
    /// The reason for the last of them, as in nginx's log.
    pub(super) why: Option<String>,
}

/// Writer of one log.
#[derive(Debug)]
pub(super) struct Writer {
    name: String,
    out: Destination,
    buffering: Option<Buffering>,
    buffer: Vec<u8>,
    /// Number of lines in the buffer.
    buffered: u64,
    /// Time at which the buffer is written.
    due: Option<Instant>,
    /// Until then a full disk is not tried again.
    full_until: Option<Instant>,
}

#[derive(Debug)]
enum Destination {
    /// A file; opened when needed, in this way, if the configuration did not name it in time.
    File(PathBuf, Option<File>, Opener),
    Stderr,
    Memory(Ring),
    Syslog(SyslogSocket),
    Paths(Paths),
}

impl WriteLoss {
    fn of(lines: u64, why: String) -> WriteLoss {
        WriteLoss { lines, why: Some(why) }
    }

    fn add(&mut self, other: WriteLoss) {
        self.lines += other.lines;
        self.why = other.why.or(self.why.take());
    }
}

impl Writer {
    /// Writer to a destination; `file` is the open file if it is one.
    pub(super) fn new(spec: &SinkSpec, file: Option<File>) -> Writer {
        let out = match &spec.target {
            SinkTarget::File(path) | SinkTarget::SecretFile(path) => {
                Destination::File(path.clone(), file, opener(spec))
            }
            SinkTarget::Stderr => Destination::Stderr,
            SinkTarget::Memory(size) => Destination::Memory(Ring::new(*size)),
            SinkTarget::Syslog(syslog) => Destination::Syslog(SyslogSocket::new(syslog.clone())),
            SinkTarget::Paths(paths) => Destination::Paths(Paths::new(paths.clone())),
        };
        Writer {
            name: spec.name(),
            out,
            buffering: spec.buffering.clone(),
            buffer: Vec::new(),
            buffered: 0,
            due: None,
            full_until: None,
        }
    }

    /// Time at which [`Writer::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.out {
            Destination::Paths(paths) => paths.due(),
            _ => self.due,
        }
    }

    /// Writes a buffer whose time has come, and closes files without lines.
    pub(super) fn tick(&mut self) -> WriteLoss {
        let now = Instant::now();
        if let Destination::Paths(paths) = &mut self.out {
            paths.expire(now);
        }
        if self.due.is_some_and(|due| due <= now) { self.flush() } else { WriteLoss::default() }
    }

    /// Opens the files again; `file` is the new file if it is open already. The buffer goes to the old file.
    ///
    /// # Errors
    ///
    /// The file cannot be opened; the old one stays.
    pub(super) fn reopen(&mut self, file: Option<File>) -> (WriteLoss, Result<(), FileError>) {
        let lost = self.flush();
        self.full_until = None;
        let opened = match &mut self.out {
            Destination::File(path, current, open) => match file.map_or_else(|| open(path), Ok) {
                Ok(file) => {
                    *current = Some(file);
                    Ok(())
                }
                Err(error) => Err(FileError::of("open", path)(error)),
            },
            Destination::Paths(paths) => {
                paths.close();
                Ok(())
            }
            Destination::Stderr | Destination::Memory(_) | Destination::Syslog(_) => Ok(()),
        };
        (lost, opened)
    }

    /// Writes lines in their order.
    pub(super) fn write(&mut self, lines: &[QueuedLine]) -> WriteLoss {
        let mut lost = WriteLoss::default();
        match &mut self.out {
            Destination::Syslog(socket) => {
                for line in lines {
                    if let Err(error) = socket.send(line.level.map(|level| level as u8), &line.bytes) {
                        let why = format!("send() to \"{}\" failed ({})", self.name, os_text(&error));
                        lost.add(WriteLoss::of(1, why));
                    }
                }
            }
            Destination::Paths(paths) => {
                for line in lines {
                    let Some(file) = &line.file else { continue };
                    if let Err(failure) = paths.write(file, &line.bytes) {
                        lost.add(WriteLoss::of(1, failure_text(&self.name, file, &failure)));
                    }
                }
            }
            Destination::Memory(ring) => lines.iter().for_each(|line| ring.write(&line.bytes)),
            Destination::File(..) | Destination::Stderr => match self.buffering.clone() {
                Some(buffering) => {
                    lines.iter().for_each(|line| lost.add(self.collect(&buffering, &line.bytes)));
                }
                None => {
                    let text = match lines {
                        [line] => return self.put(&line.bytes, 1),
                        lines => lines.iter().map(|line| &line.bytes[..]).collect::<Vec<_>>().concat(),
                    };
                    lost = self.put(&text, lines.len() as u64);
                }
            },
        }
        lost
    }

    /// Adds a line to the buffer.
    fn collect(&mut self, buffering: &Buffering, line: &[u8]) -> WriteLoss {
        let mut lost = WriteLoss::default();
        if self.buffer.len() + line.len() > buffering.size {
            lost = self.flush();
        }
        if line.len() > buffering.size {
            lost.add(self.put_packed(line, 1, buffering.gzip));
            return lost;
        }
        if self.buffer.is_empty() {
            self.due = buffering.flush.and_then(|time| Instant::now().checked_add(time));
        }
        self.buffer.extend_from_slice(line);
        self.buffered += 1;
        lost
    }

    /// Writes what is in the buffer.
    pub(super) fn flush(&mut self) -> WriteLoss {
        self.due = None;
        if self.buffer.is_empty() {
            return WriteLoss::default();
        }
        let text = std::mem::take(&mut self.buffer);
        let lines = std::mem::take(&mut self.buffered);
        let gzip = self.buffering.as_ref().and_then(|buffering| buffering.gzip);
        let lost = self.put_packed(&text, lines, gzip);
        self.buffer = text;
        self.buffer.clear();
        lost
    }

    fn put_packed(&mut self, text: &[u8], lines: u64, gzip: Option<u32>) -> WriteLoss {
        let Some(level) = gzip else { return self.put(text, lines) };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        match encoder.write_all(text).and_then(|()| encoder.finish()) {
            Ok(packed) => self.put(&packed, lines),
            Err(error) => WriteLoss::of(lines, format!("gzip of \"{}\" failed ({error})", self.name)),
        }
    }

    /// Writes text that consists of this many lines.
    fn put(&mut self, text: &[u8], lines: u64) -> WriteLoss {
        if self.full_until.is_some_and(|until| Instant::now() < until) {
            return WriteLoss { lines, why: None };
        }
        self.full_until = None;
        let written = match &mut self.out {
            Destination::File(path, file, open) => {
                if file.is_none() {
                    match open(path) {
                        Ok(opened) => *file = Some(opened),
                        Err(error) => {
                            let (path, error) = (Shown::path(path), os_text(&error));
                            return WriteLoss::of(lines, format!("open() \"{path}\" failed ({error})"));
                        }
                    }
                }
                match file {
                    Some(file) => file.write_all(text),
                    None => Err(io::ErrorKind::NotConnected.into()),
                }
            }
            _ => io::stderr().write_all(text),
        };
        match written {
            Ok(()) => WriteLoss::default(),
            Err(error) => {
                if error.raw_os_error() == Some(ENOSPC) {
                    // Writing to a full disk may take much longer than to another one.
                    self.full_until = Instant::now().checked_add(limits::LOG_DISK_FULL);
                }
                WriteLoss::of(lines, format!("write() to \"{}\" failed ({})", self.name, os_text(&error)))
            }
        }
    }
}

fn failure_text(name: &str, file: &LineFile, failure: &PathFailure) -> String {
    match failure {
        PathFailure::Root(root, error) => {
            format!("testing \"{}\" existence failed ({})", Shown::path(root), os_text(error))
        }
        PathFailure::Misled => {
            format!("\"{}\" leads out of the directories of \"{name}\"", Shown::new(&file.path))
        }
        PathFailure::Open(path, error) => {
            format!("open() \"{}\" failed ({})", Shown::path(path), os_text(error))
        }
        PathFailure::Write(path, error) => {
            format!("write() to \"{}\" failed ({})", Shown::path(path), os_text(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use flate2::read::MultiGzDecoder;

    use super::*;

    fn line(text: &str) -> QueuedLine {
        QueuedLine { form: LineForm::Text, level: None, file: None, bytes: text.as_bytes().to_vec() }
    }

    fn buffered(path: &Path, size: usize, flush: Option<Duration>, gzip: Option<u32>) -> Writer {
        let buffering = Some(Buffering { size, flush, gzip });
        Writer::new(&SinkSpec { target: SinkTarget::File(path.to_owned()), buffering }, None)
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_buffer_is_written_when_the_next_line_does_not_fit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut writer = buffered(&path, 10, Some(Duration::from_secs(600)), None);
        writer.write(&[line("1234\n"), line("5678\n")]);
        assert!(read(&path).is_empty() && writer.due().is_some());
        writer.write(&[line("9\n")]);
        assert_eq!(read(&path), "1234\n5678\n");
        writer.write(&[line("longer than the buffer\n")]);
        assert_eq!(read(&path), "1234\n5678\n9\nlonger than the buffer\n");
        writer.write(&[line("x\n")]);
        assert!(writer.tick().lines == 0 && !read(&path).ends_with("x\n"));
        writer.due = Some(Instant::now());
        writer.tick();
        assert!(read(&path).ends_with("x\n") && writer.due().is_none());
    }

    #[test]
    fn each_buffer_is_a_gzip_member() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.gz");
        let mut writer = buffered(&path, 8, None, Some(1));
        (0..5).for_each(|n| drop(writer.write(&[line(&format!("line{n}\n"))])));
        writer.flush();
        let mut text = String::new();
        MultiGzDecoder::new(File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "line0\nline1\nline2\nline3\nline4\n");
    }

    #[test]
    fn lines_for_a_full_disk_are_counted_and_the_disk_is_left_alone_for_a_while() {
        let mut writer = Writer::new(&SinkSpec::file("/dev/full".into()), None);
        let lost = writer.write(&[line("a\n"), line("b\n")]);
        assert_eq!(lost.lines, 2);
        assert_eq!(lost.why.unwrap(), "write() to \"/dev/full\" failed (28: No space left on device)");
        let lost = writer.write(&[line("c\n")]);
        assert!(lost.lines == 1 && lost.why.is_none(), "{lost:?}");
    }

    #[test]
    fn after_reopening_lines_go_to_the_new_file_and_the_buffer_to_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut writer = buffered(&path, 100, None, None);
        writer.write(&[line("0\n")]);
        writer.flush();
        writer.write(&[line("1\n")]);
        std::fs::rename(&path, &old).unwrap();
        assert!(writer.reopen(None).1.is_ok());
        writer.write(&[line("2\n")]);
        writer.flush();
        assert_eq!((read(&old), read(&path)), ("0\n1\n".into(), "2\n".into()));
    }
}
