//! Notes the beginning of what is sent and received in a handshake: the TLS library tells neither the identifier of a session, nor a
//! server's name as its client writes it.

use std::io::{self, IoSlice, Read, Write};

/// Bytes up to the end of the session's identifier: heads of record and message, version, random number, and identifier.
const NOTED: usize = 5 + 4 + 2 + 32 + 1 + 32;

/// The first bytes that were sent.
#[derive(Debug, Default)]
pub(super) struct FirstSent(Vec<u8>);

/// A reader of a client's first message, which is noted. The TLS library bounds it.
pub(super) struct NotingReader<'n, R>(pub(super) R, pub(super) &'n mut Vec<u8>);

impl<R: Read> Read for NotingReader<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buf)?;
        self.1.extend_from_slice(&buf[..count]);
        Ok(count)
    }
}

/// The name in a client's first message (RFC 6066 §3) as it is written there; `None` if it is spread over several records.
pub(super) fn name_as_written(message: &[u8], name: &str) -> Option<Box<str>> {
    const HOST_NAME: u8 = 0;
    let [a, b] = u16::try_from(name.len()).ok()?.to_be_bytes();
    let head = [HOST_NAME, a, b];
    let written = message.windows(head.len() + name.len()).find_map(|part| {
        let written = part.strip_prefix(&head)?;
        written.eq_ignore_ascii_case(name.as_bytes()).then_some(written)
    });
    std::str::from_utf8(written?).ok().map(Into::into)
}

/// A writer whose first bytes are noted.
pub(super) struct Noting<'n, W>(pub(super) W, pub(super) &'n mut FirstSent);

impl FirstSent {
    /// Identifier of the session in the ServerHello (RFC 5246 §7.4.1.3); empty if there is none.
    pub(super) fn session_id(&self) -> &[u8] {
        const HANDSHAKE: u8 = 22;
        const SERVER_HELLO: u8 = 2;
        const LENGTH_AT: usize = 5 + 4 + 2 + 32;
        let first = &self.0;
        if first.first() != Some(&HANDSHAKE) || first.get(5) != Some(&SERVER_HELLO) {
            return &[];
        }
        let length = first.get(LENGTH_AT).map_or(0, |length| usize::from(*length));
        first.get(LENGTH_AT + 1..LENGTH_AT + 1 + length).unwrap_or_default()
    }

    fn note(&mut self, bytes: &[u8]) {
        let room = NOTED - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl<W: Write> Write for Noting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.0.write(bytes)?;
        self.1.note(&bytes[..count]);
        Ok(count)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = self.0.write_vectored(parts)?;
        let mut left = count;
        for part in parts {
            let sent = part.len().min(left);
            self.1.note(&part[..sent]);
            left -= sent;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
