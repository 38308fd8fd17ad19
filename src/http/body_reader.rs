//! Bodies that filters change: read into memory in small pieces, and changed while they are sent.

use std::io;
use std::os::unix::fs::FileExt;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::task::JoinHandle;

use super::response::{Body, BodySource, BrokenBody, FilePart, Piece};
use crate::limits;
use crate::net::file::read_present;
use crate::task::disk::{self, DiskWork};

/// Changes a body piece by piece.
pub trait Transform: Send + Sync {
    /// Takes bytes from the beginning of the input and appends what they become. It stops when the input is empty or the
    /// output [`is_full`].
    ///
    /// # Errors
    ///
    /// The input is invalid.
    fn take(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> io::Result<()>;

    /// Appends what is left after the input's end. It stops when the output [`is_full`]; returns whether nothing is left.
    ///
    /// # Errors
    ///
    /// The input is incomplete.
    fn end(&mut self, output: &mut Vec<u8>) -> io::Result<bool>;

    /// Appends what is held back of the input so far, because the input ends too early, or more is waited for and the
    /// body [`is_flushed`](BodySource::is_flushed).
    ///
    /// # Errors
    ///
    /// It cannot be told apart yet.
    fn flush(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        let _ = output;
        Ok(())
    }
}

/// Whether a piece of a changed body is long enough to be sent.
pub fn is_full(output: &[u8]) -> bool {
    output.len() >= limits::HTTP_FILTER_BYTES
}

/// A body that is changed while it is sent. It reads no faster than the client does.
pub struct Transformed<T> {
    reader: BodyReader,
    transform: T,
    input: Bytes,
    state: State,
    length: Option<u64>,
    /// Whether something of the input may be held back.
    holds: bool,
    /// The failure of the input, until what came before is handed out.
    failure: Option<io::Error>,
    turns: Turns,
}

/// How far a changed body is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ending,
    Done,
}

impl<T: Transform + 'static> Transformed<T> {
    /// Replaces a body by what it is changed into. `length` is the length of the result, if it is known.
    pub fn replace(body: &mut Body, transform: T, length: Option<u64>) {
        let source = Transformed {
            reader: BodyReader::new(std::mem::take(body)),
            transform,
            input: Bytes::new(),
            state: State::Reading,
            length,
            holds: false,
            failure: None,
            turns: Turns::default(),
        };
        *body = Body::Source(Box::new(source));
    }

    /// What is sent while more of the input is waited for.
    fn poll_flushed(&mut self) -> Poll<Option<io::Result<Piece>>> {
        if !self.holds || !self.reader.body.is_flushed() {
            return Poll::Pending;
        }
        self.holds = false;
        let mut output = Vec::new();
        match self.transform.flush(&mut output) {
            Ok(()) if output.is_empty() => Poll::Pending,
            Ok(()) => Poll::Ready(Some(Ok(Piece::Memory(output.into())))),
            Err(error) => {
                self.state = State::Done;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    /// One step; a part of the result may be appended.
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if self.state == State::Ending {
            if self.transform.end(output)? {
                self.state = State::Done;
            }
            return Ok(());
        }
        let mut rest = &self.input[..];
        self.transform.take(&mut rest, output)?;
        let used = self.input.len() - rest.len();
        self.input.advance(used);
        if self.input.is_empty() && self.reader.is_at_end() && !is_full(output) {
            // What the end adds is sent with the last piece. Its failure comes after that piece.
            let is_done = matches!(self.transform.end(output), Ok(true));
            self.state = if is_done { State::Done } else { State::Ending };
        }
        Ok(())
    }
}

impl<T: Transform + 'static> BodySource for Transformed<T> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        while self.state != State::Done {
            ready!(self.turns.poll(cx));
            if self.state == State::Reading && self.input.is_empty() {
                let Poll::Ready(read) = self.reader.poll_bytes(cx) else { return self.poll_flushed() };
                match read {
                    Some(Ok(bytes)) => self.input = bytes,
                    Some(Err(error)) => {
                        self.state = State::Done;
                        let mut output = Vec::new();
                        if BrokenBody::is_passed_on(&error)
                            && self.transform.flush(&mut output).is_ok()
                            && !output.is_empty()
                        {
                            self.failure = Some(error);
                            return Poll::Ready(Some(Ok(Piece::Memory(output.into()))));
                        }
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => self.state = State::Ending,
                }
            }
            let (before, mut output) = (self.input.len(), Vec::new());
            if let Err(error) = self.step(&mut output) {
                self.state = State::Done;
                return Poll::Ready(Some(Err(error)));
            }
            self.holds |= self.input.len() < before;
            self.turns.worked(before - self.input.len() + output.len());
            if !output.is_empty() {
                return Poll::Ready(Some(Ok(Piece::Memory(output.into()))));
            }
        }
        Poll::Ready(self.failure.take().map(Err))
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn is_flushed(&self) -> bool {
        self.reader.body.is_flushed()
    }
}

/// Reads a body into memory; from files on another thread if the disk has to be waited for.
pub struct BodyReader {
    body: Body,
    /// Bytes that are there but not handed out yet.
    bytes: Bytes,
    part: Option<FilePart>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl BodyReader {
    /// A reader of this body.
    pub fn new(body: Body) -> Self {
        BodyReader { body, bytes: Bytes::new(), part: None, reading: None }
    }

    /// Whether it is known that no more bytes come.
    fn is_at_end(&self) -> bool {
        let is_read = self.part.as_ref().is_none_or(|part| part.length == 0);
        let Body::Pieces(pieces) = &self.body else { return false };
        self.bytes.is_empty() && is_read && pieces.iter().all(|piece| piece.length() == 0)
    }

    /// The next bytes: some, but no more than [`limits::HTTP_FILTER_BYTES`]; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of the body, and of reading its files; one that has become shorter is an error, too.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if !self.bytes.is_empty() {
                let length = self.bytes.len().min(limits::HTTP_FILTER_BYTES);
                return Poll::Ready(Some(Ok(self.bytes.split_to(length))));
            }
            if let Some(part) = self.part.as_mut().filter(|part| part.length > 0) {
                match ready!(poll_read(part, &mut self.reading, cx)) {
                    Ok(bytes) => self.bytes = bytes,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
                continue;
            }
            match ready!(self.body.poll_piece(cx)) {
                Some(Ok(Piece::Memory(bytes))) => self.bytes = bytes,
                Some(Ok(Piece::File(part))) => self.part = Some(part),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// Reads from the beginning of a part, which becomes shorter.
fn poll_read(
    part: &mut FilePart,
    reading: &mut Option<JoinHandle<io::Result<Bytes>>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    let want = usize::try_from(part.length).unwrap_or(usize::MAX).min(limits::HTTP_FILTER_BYTES);
    let bytes = match reading {
        Some(task) => {
            let read = ready!(std::pin::Pin::new(task).poll(cx));
            *reading = None;
            match read.map_err(io::Error::other) {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) | Err(error) => return Poll::Ready(Err(error)),
            }
        }
        None => {
            let mut bytes = vec![0; want];
            match read_present(&part.file, &mut bytes, part.start) {
                Some(Ok(length)) => {
                    bytes.truncate(length);
                    bytes.into()
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => {
                    *reading = Some(read_later(part, want));
                    return poll_read(part, reading, cx);
                }
            }
        }
    };
    if bytes.is_empty() {
        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
    }
    part.start += bytes.len() as u64;
    part.length -= bytes.len() as u64;
    Poll::Ready(Ok(bytes))
}

/// Reads from the beginning of a part on a thread that may wait for the disk.
pub(super) fn read_later(part: &FilePart, want: usize) -> JoinHandle<io::Result<Bytes>> {
    let (file, start) = (part.file.clone(), part.start);
    disk::spawn(DiskWork::Served, move || {
        let mut bytes = vec![0; want];
        let length = file.read_at(&mut bytes, start)?;
        bytes.truncate(length);
        Ok(bytes.into())
    })
}

/// Lets other tasks of the worker run after some work.
#[derive(Default)]
struct Turns(usize);

impl Turns {
    /// Counts bytes that were worked on.
    fn worked(&mut self, bytes: usize) {
        self.0 += bytes;
    }

    /// Ready unless it is the others' turn.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 < limits::HTTP_FILTER_TURN {
            return Poll::Ready(());
        }
        self.0 = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Repeats each byte, in output pieces of at most the bound.
    struct Repeat(usize);

    impl Transform for Repeat {
        fn take(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> io::Result<()> {
            while let [first, rest @ ..] = *input
                && !is_full(output)
            {
                output.resize(output.len() + self.0, *first);
                *input = rest;
            }
            Ok(())
        }

        fn end(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
            output.push(b'.');
            Ok(true)
        }
    }

    /// All pieces of a body, and how often it let others run.
    async fn pieces(body: &mut Body) -> (Vec<Bytes>, usize) {
        let (mut pieces, mut turns) = (Vec::new(), 0);
        let mut was_pending = false;
        loop {
            let piece = std::future::poll_fn(|cx| {
                let polled = body.poll_piece(cx);
                turns += usize::from(polled.is_pending());
                was_pending |= polled.is_pending();
                polled
            });
            match piece.await {
                Some(piece) => match piece.unwrap() {
                    Piece::Memory(bytes) => pieces.push(bytes),
                    Piece::File(_) => panic!("a file is not changed"),
                },
                None => return (pieces, turns),
            }
        }
    }

    #[tokio::test]
    async fn pieces_and_files_are_read_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let text: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &text).unwrap();
        let file = Arc::new(std::fs::File::open(&path).unwrap());
        let part = |start, length| Piece::File(FilePart { file: file.clone(), start, length });
        let pieces_of_it = [
            Piece::Memory(Bytes::from_static(b"<")),
            part(10, 150_000),
            Piece::Memory(Bytes::new()),
            part(0, 0),
            Piece::Memory(Bytes::from(text.clone())),
        ];
        let mut body = Body::Pieces(pieces_of_it.into_iter().collect());
        Transformed::replace(&mut body, Repeat(1), None);
        let (pieces, turns) = pieces(&mut body).await;
        assert!(pieces.iter().all(|piece| piece.len() <= limits::HTTP_FILTER_BYTES));
        assert!(turns >= 350_000 / limits::HTTP_FILTER_TURN, "{turns}");
        assert!(pieces.concat() == [b"<", &text[10..150_010], &text, b"."].concat());
    }

    #[tokio::test]
    async fn what_the_end_adds_is_no_piece_of_its_own() {
        let mut body = Body::from("text");
        Transformed::replace(&mut body, Repeat(1), None);
        assert_eq!(pieces(&mut body).await.0, ["text."]);
    }

    #[tokio::test]
    async fn output_is_bounded_and_lets_others_run() {
        let mut body = Body::from(vec![b'x'; 1000]);
        Transformed::replace(&mut body, Repeat(5000), None);
        let (pieces, turns) = pieces(&mut body).await;
        assert!(pieces.iter().all(|piece| piece.len() < limits::HTTP_FILTER_BYTES + 5000));
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), 5_000_001);
        assert!(turns > 10, "{turns}");
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "text").unwrap();
        let file = Arc::new(std::fs::File::open(&path).unwrap());
        let mut body = Body::from(Piece::File(FilePart { file, start: 0, length: 10 }));
        Transformed::replace(&mut body, Repeat(1), None);
        let first = std::future::poll_fn(|cx| body.poll_piece(cx)).await;
        assert!(matches!(first, Some(Ok(piece)) if piece.length() == 4));
        assert!(matches!(std::future::poll_fn(|cx| body.poll_piece(cx)).await, Some(Err(_))));
        assert!(std::future::poll_fn(|cx| body.poll_piece(cx)).await.is_none());
    }
}
