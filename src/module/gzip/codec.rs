//! Compression and decompression of bodies while they are sent.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::http::body_reader::{Transform, is_full};
use crate::http::response::BrokenBody;

/// Bytes that are compressed or decompressed at once.
const STEP: usize = 8 * 1024;

/// log2 of the window of nginx and of all that it speaks to.
const WINDOW: u8 = 15;

/// Lengths before and after compression; 0 until the end.
#[derive(Debug, Default)]
pub(super) struct Ratio {
    before: AtomicU64,
    after: AtomicU64,
}

impl Ratio {
    /// The ratio with two decimals; `None` until the end.
    pub(super) fn text(&self) -> Option<String> {
        let (before, after) = (self.before.load(Ordering::Relaxed), self.after.load(Ordering::Relaxed));
        let thousandths = before.saturating_mul(1000).checked_div(after)?;
        // As nginx rounds: 2.125 becomes 2.13.
        let hundredths = thousandths / 10 + u64::from(thousandths % 10 > 4);
        Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
    }
}

/// Compresses.
pub(super) struct Gzip {
    stream: Compress,
    buffer: Box<[u8]>,
    ratio: Arc<Ratio>,
}

impl Gzip {
    /// A compression with this level; the lengths are told at its end.
    pub(super) fn new(level: u32, ratio: Arc<Ratio>) -> Self {
        let stream = Compress::new_gzip(Compression::new(level), WINDOW);
        Gzip { stream, buffer: vec![0; STEP].into(), ratio }
    }

    /// One step of the stream; returns the number of bytes taken, and whether the stream is complete.
    fn step(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        flush: FlushCompress,
    ) -> io::Result<(usize, bool)> {
        let (taken, made) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.compress(input, &mut self.buffer, flush).map_err(io::Error::other)?;
        let count = |after: u64, before: u64| usize::try_from(after - before).unwrap_or(0);
        output.extend_from_slice(&self.buffer[..count(self.stream.total_out(), made)]);
        Ok((count(self.stream.total_in(), taken), status == Status::StreamEnd))
    }
}

impl Transform for Gzip {
    fn take(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        while !input.is_empty() && !is_full(output) {
            let (taken, _) = self.step(input, output, FlushCompress::None)?;
            *input = &input[taken..];
        }
        Ok(())
    }

    fn end(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        while !is_full(output) {
            if self.step(b"", output, FlushCompress::Finish)?.1 {
                self.ratio.before.store(self.stream.total_in(), Ordering::Relaxed);
                self.ratio.after.store(self.stream.total_out(), Ordering::Relaxed);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn flush(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let before = output.len();
            self.step(b"", output, FlushCompress::Sync)?;
            if output.len() - before < STEP {
                return Ok(());
            }
        }
    }
}

/// Decompresses. Several gzip files one behind the other are one.
pub(super) struct Gunzip {
    stream: Decompress,
    buffer: Box<[u8]>,
    /// Whether the input so far ends with a whole gzip file.
    is_complete: bool,
}

impl Gunzip {
    pub(super) fn new() -> Self {
        let stream = Decompress::new_gzip(WINDOW);
        Gunzip { stream, buffer: vec![0; STEP].into(), is_complete: false }
    }

    /// One step of the stream; returns the numbers of bytes taken and made.
    fn step(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<(usize, usize)> {
        if self.is_complete {
            (self.stream, self.is_complete) = (Decompress::new_gzip(WINDOW), false);
        }
        let (taken, made) = (self.stream.total_in(), self.stream.total_out());
        let result = self.stream.decompress(input, &mut self.buffer, FlushDecompress::None);
        // zlib's Z_DATA_ERROR, as nginx tells it.
        let status = result.map_err(|_| broken("inflate() failed: 0, -3", false))?;
        self.is_complete = status == Status::StreamEnd;
        let count = |after: u64, before: u64| usize::try_from(after - before).unwrap_or(0);
        let made = count(self.stream.total_out(), made);
        output.extend_from_slice(&self.buffer[..made]);
        Ok((count(self.stream.total_in(), taken), made))
    }
}

fn broken(what: &str, is_sent: bool) -> io::Error {
    BrokenBody { text: what.to_owned(), doing: None, is_sent, counts_as_complete: false }.into()
}

impl Transform for Gunzip {
    fn take(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        while !input.is_empty() && !is_full(output) {
            let (taken, _) = self.step(input, output)?;
            *input = &input[taken..];
        }
        Ok(())
    }

    fn end(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        while !self.is_complete && !is_full(output) {
            // The last input may have filled the buffer.
            if self.step(b"", output)?.1 == 0 && !self.is_complete {
                // As in nginx, the client gets what there was.
                return Err(broken("inflate() returned -5 on response end", self.stream.total_out() > 0));
            }
        }
        Ok(self.is_complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a transformation makes of an input that comes in pieces of `size` bytes.
    fn through(transform: &mut dyn Transform, input: &[u8], size: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        for mut piece in input.chunks(size) {
            while !piece.is_empty() {
                let mut output = Vec::new();
                transform.take(&mut piece, &mut output)?;
                assert!(output.len() < crate::limits::HTTP_FILTER_BYTES + STEP);
                all.extend(output);
            }
        }
        loop {
            let mut output = Vec::new();
            let is_done = transform.end(&mut output)?;
            assert!(output.len() < crate::limits::HTTP_FILTER_BYTES + STEP);
            all.extend(output);
            if is_done {
                return Ok(all);
            }
        }
    }

    fn text(length: u32) -> Vec<u8> {
        (0..length).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 20).to_string().into_bytes()).collect()
    }

    #[test]
    fn what_is_compressed_is_decompressed_whatever_the_pieces() {
        for (input, size) in
            [(text(0), 1), (text(10), 1), (text(100_000), 1000), (vec![0; 3_000_000], 32_768)]
        {
            let ratio = Arc::<Ratio>::default();
            assert_eq!(ratio.text(), None);
            let packed = through(&mut Gzip::new(6, ratio.clone()), &input, size).unwrap();
            assert_eq!(ratio.before.load(Ordering::Relaxed), input.len() as u64);
            assert_eq!(ratio.after.load(Ordering::Relaxed), packed.len() as u64);
            for size in [1, 7, 100_000] {
                assert!(through(&mut Gunzip::new(), &packed, size).unwrap() == input);
            }
        }
    }

    #[test]
    fn several_files_are_one_and_an_incomplete_one_is_an_error() {
        let pack = |text: &[u8]| through(&mut Gzip::new(1, Arc::default()), text, 100).unwrap();
        let both = [pack(b"first "), pack(b"second")].concat();
        for size in [1, 5, 1000] {
            assert_eq!(through(&mut Gunzip::new(), &both, size).unwrap(), b"first second");
            assert!(through(&mut Gunzip::new(), &both[..both.len() - 1], size).is_err());
        }
        assert!(through(&mut Gunzip::new(), b"not gzip at all", 100).is_err());
        assert!(through(&mut Gunzip::new(), b"", 100).is_err());
    }

    #[test]
    fn what_came_before_a_failure_can_be_decompressed() {
        let mut gzip = Gzip::new(6, Arc::default());
        let mut output = Vec::new();
        gzip.take(&mut &b"some text"[..], &mut output).unwrap();
        gzip.flush(&mut output).unwrap();
        let (mut gunzip, mut text) = (Gunzip::new(), Vec::new());
        gunzip.take(&mut &output[..], &mut text).unwrap();
        assert_eq!(text, b"some text");
        let failed = gunzip.end(&mut text).unwrap_err();
        assert!(BrokenBody::of(&failed).is_some_and(|broken| broken.is_sent && !broken.counts_as_complete));
    }

    #[test]
    fn ratios_are_rounded_as_in_nginx() {
        let ratio =
            |before, after| Ratio { before: AtomicU64::new(before), after: AtomicU64::new(after) }.text();
        assert_eq!(ratio(0, 0), None);
        assert_eq!(ratio(17, 8).as_deref(), Some("2.13"));
        assert_eq!(ratio(1999, 1000).as_deref(), Some("2.00"));
        assert_eq!(ratio(5, 25).as_deref(), Some("0.20"));
    }
}
