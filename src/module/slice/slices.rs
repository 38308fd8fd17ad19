//! The slices of a response: the one that is sent, and the next one, which a subrequest fetches.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bstr::{BString, ByteSlice};
use http::StatusCode;
use parking_lot::Mutex;

use super::log;
use super::range::{ContentRange, WrongSlice, content_range};
use crate::http::exchange::{Continuation, Exchange};
use crate::http::log::READING_UPSTREAM_HEAD;
use crate::http::response::{Body, BodySource, BrokenBody, Piece, Response};

/// The slices of a request.
#[derive(Debug)]
pub(super) struct Slices {
    size: u64,
    progress: Mutex<Progress>,
}

/// How far a request is.
#[derive(Debug, Default)]
struct Progress {
    /// Start of the slice that is fetched; `None` until `$slice_range` was used.
    start: Option<u64>,
    /// Tag of the first slice, which the others must have.
    tag: Option<BString>,
    /// End of what is sent.
    end: u64,
    /// Body of the present slice.
    body: Body,
    /// Bytes of its range that are still to be sent.
    left: u64,
    step: Step,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// The body is being sent.
    #[default]
    Sending,
    /// The next slice must be fetched.
    Wanting,
    /// A slice could not be fetched.
    Failed,
}

impl Slices {
    pub(super) fn new(size: u64) -> Self {
        Slices { size, progress: Mutex::default() }
    }

    /// Range of the slice to be fetched, as `Range` has it. `start` is the first byte that the client asks for.
    pub(super) fn range(&self, start: impl FnOnce() -> u64) -> String {
        let mut progress = self.progress.lock();
        let start = *progress.start.get_or_insert_with(|| self.size * (start() / self.size));
        format!("bytes={start}-{}", start.saturating_add(self.size - 1))
    }

    /// Whether `$slice_range` was used.
    pub(super) fn is_used(&self) -> bool {
        self.progress.lock().start.is_some()
    }

    /// Checks the response with a slice; the next slice is the one behind it. Returns the slice's range and the length of
    /// the whole.
    fn accept(&self, progress: &mut Progress, response: &Response) -> Result<(Range<u64>, u64), WrongSlice> {
        if response.status != StatusCode::PARTIAL_CONTENT {
            return Err(WrongSlice::Status(response.status));
        }
        let tag = response.headers.get(b"ETag");
        if progress.tag.as_ref().is_some_and(|known| tag != Some(known.as_bstr())) {
            return Err(WrongSlice::Tag);
        }
        progress.tag = progress.tag.take().or(tag.map(|tag| tag.to_owned()));
        let range = response.headers.get(b"Content-Range").and_then(|text| content_range(text));
        let Some(ContentRange { part, whole }) = range else { return Err(WrongSlice::NoRange) };
        let Some(whole) = whole else { return Err(WrongSlice::NoLength) };
        let start = progress.start.unwrap_or(0);
        let end = start.saturating_add(self.size).min(whole);
        if part != (start..end) {
            return Err(WrongSlice::Range(part));
        }
        progress.start = Some(end);
        progress.left = end - start;
        Ok((part, whole))
    }

    /// Makes the response with the first slice one with the whole, which then may be cut to ranges.
    pub(super) fn begin(self: &Arc<Self>, response: &mut Response) -> Result<(), WrongSlice> {
        let mut progress = self.progress.lock();
        let (part, whole) = self.accept(&mut progress, response)?;
        progress.end = whole;
        progress.body = std::mem::take(&mut response.body);
        drop(progress);
        response.status = StatusCode::OK;
        if let Some(foreign) = &mut response.foreign {
            // As in nginx, the status is no longer the backend's.
            foreign.status_line.clear();
        }
        response.headers.remove(b"Content-Range");
        response.headers.remove(b"Accept-Ranges");
        // Slices are fetched one after the other, for one range.
        (response.has_ranges, response.has_single_range) = (true, true);
        response.body = Body::Source(Box::new(SlicedBody {
            slices: self.clone(),
            offset: part.start,
            whole,
            is_cut: false,
        }));
        Ok(())
    }
}

impl Continuation for Slices {
    fn is_wanted(&self) -> bool {
        self.progress.lock().step == Step::Wanting
    }

    fn advance<'a>(
        self: Arc<Self>,
        exchange: &'a mut Exchange<'_>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let slices = self.clone();
            let mut inner = exchange.repeat(move |kept| drop(kept.insert(slices))).await;
            exchange.take_values(&mut inner);
            let mut progress = self.progress.lock();
            match self.accept(&mut progress, &inner.response) {
                Ok(_) => {
                    progress.body = std::mem::take(&mut inner.response.body);
                    progress.step = Step::Sending;
                }
                Err(wrong) => {
                    progress.step = Step::Failed;
                    drop(progress);
                    inner.response.body.keep_nothing();
                    inner.doing = Some(READING_UPSTREAM_HEAD);
                    log::wrong_slice(&inner, &wrong);
                }
            }
        })
    }
}

/// A slice that ends before its range does. nginx goes on with the next one, and the client takes that for the missing bytes.
fn shorter(missing: u64) -> BrokenBody {
    // As in nginx, what another server has cut short is complete.
    BrokenBody { text: log::shorter(missing), doing: None, is_sent: true, counts_as_complete: true }
}

/// The body with all slices.
struct SlicedBody {
    slices: Arc<Slices>,
    /// Where the first slice begins.
    offset: u64,
    whole: u64,
    is_cut: bool,
}

impl BodySource for SlicedBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        let mut progress = self.slices.progress.lock();
        // What is before the first slice was never fetched, since the client asked for a range behind it.
        if progress.step == Step::Failed || self.offset > 0 && !self.is_cut {
            return Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into())));
        }
        if progress.step == Step::Wanting {
            return Poll::Pending;
        }
        match ready!(progress.body.poll_piece(cx)) {
            Some(Ok(mut piece)) if progress.left > 0 || piece.length() == 0 => {
                piece.truncate(progress.left);
                progress.left -= piece.length();
                return Poll::Ready(Some(Ok(piece)));
            }
            Some(Err(error)) if progress.left > 0 => return Poll::Ready(Some(Err(error))),
            // The rest of one that is longer than its range is not wanted.
            Some(_) => progress.body = Body::default(),
            None if progress.left > 0 => {
                progress.step = Step::Failed;
                return Poll::Ready(Some(Err(shorter(progress.left).into())));
            }
            None => {}
        }
        if progress.start.is_none_or(|start| start >= progress.end) {
            return Poll::Ready(None);
        }
        // The exchange looks for it and fetches the next slice.
        progress.step = Step::Wanting;
        Poll::Pending
    }

    fn length(&self) -> Option<u64> {
        Some(self.whole)
    }

    fn cut(&mut self, part: &Range<u64>) -> u64 {
        let mut progress = self.slices.progress.lock();
        self.is_cut = true;
        progress.end = part.end;
        let Some(next) = progress.start else { return 0 };
        if next > part.start {
            return self.offset;
        }
        // The client asks for the end, for example: the slices before are left out.
        let start = self.slices.size * (part.start / self.slices.size);
        progress.start = Some(start);
        (progress.body, progress.left) = (Body::default(), 0);
        start
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn slice(range: &str, tag: &str, body: &'static str) -> Response {
        let mut response = Response::new(StatusCode::PARTIAL_CONTENT, body);
        response.headers.append("Content-Range", range.to_owned());
        response.headers.append("ETag", tag.to_owned());
        response
    }

    #[test]
    fn slices_must_follow_each_other() {
        let slices = Arc::new(Slices::new(4));
        assert!(!slices.is_used());
        assert_eq!(slices.range(|| 6), "bytes=4-7");
        assert_eq!(slices.range(|| 0), "bytes=4-7");
        let mut first = slice("bytes 4-7/10", "x", "4567");
        slices.begin(&mut first).unwrap();
        assert_eq!((first.status, first.body.length()), (StatusCode::OK, Some(10)));
        assert_eq!(slices.range(|| 0), "bytes=8-11");
        let accept = |response: &Response| slices.accept(&mut slices.progress.lock(), response).map(drop);
        assert_eq!(accept(&slice("bytes 8-9/10", "y", "")), Err(WrongSlice::Tag));
        assert_eq!(accept(&slice("bytes 8-8/10", "x", "")), Err(WrongSlice::Range(8..9)));
        assert_eq!(accept(&slice("bytes 8-9/*", "x", "")), Err(WrongSlice::NoLength));
        assert_eq!(accept(&slice("8-9/10", "x", "")), Err(WrongSlice::NoRange));
        let status = StatusCode::OK;
        assert_eq!(accept(&Response::new(status, "")), Err(WrongSlice::Status(status)));
        assert_eq!(accept(&slice("bytes 8-9/10", "x", "")), Ok(()));
    }

    #[tokio::test]
    async fn the_next_slice_is_fetched_when_the_present_one_is_sent() {
        let slices = Arc::new(Slices::new(4));
        slices.range(|| 0);
        let mut response = slice("bytes 0-3/6", "x", "0123");
        slices.begin(&mut response).unwrap();
        let mut poll = async move || {
            poll_fn(|cx| match response.body.poll_piece(cx) {
                Poll::Pending => Poll::Ready(None),
                Poll::Ready(piece) => Poll::Ready(Some(piece.map(|piece| piece.unwrap().length()))),
            })
            .await
        };
        assert_eq!(poll().await, Some(Some(4)));
        assert!(!slices.is_wanted());
        assert_eq!(poll().await, None);
        assert!(slices.is_wanted());
        {
            let mut progress = slices.progress.lock();
            slices.accept(&mut progress, &slice("bytes 4-5/6", "x", "")).unwrap();
            (progress.body, progress.step) = (Body::from("45"), Step::Sending);
        }
        assert_eq!(poll().await, Some(Some(2)));
        assert_eq!(poll().await, Some(None));
        assert!(!slices.is_wanted());
    }

    #[tokio::test]
    async fn a_slice_has_the_length_of_its_range() {
        for (sent, wanted) in [("01234567", Some("0123")), ("012", None)] {
            let slices = Arc::new(Slices::new(4));
            slices.range(|| 0);
            let mut response = slice("bytes 0-3/4", "x", sent);
            slices.begin(&mut response).unwrap();
            let mut body = Vec::new();
            let is_complete = loop {
                match poll_fn(|cx| response.body.poll_piece(cx)).await {
                    Some(Ok(Piece::Memory(bytes))) => body.extend_from_slice(&bytes),
                    Some(Ok(Piece::File(_))) => panic!("it is in memory"),
                    Some(Err(error)) => {
                        assert!(BrokenBody::is_passed_on(&error));
                        break false;
                    }
                    None => break true,
                }
            };
            assert_eq!(is_complete.then_some(&body[..]), wanted.map(str::as_bytes));
        }
    }

    #[test]
    fn slices_before_a_range_are_left_out() {
        let slices = Arc::new(Slices::new(4));
        slices.range(|| 0);
        let mut response = slice("bytes 0-3/100", "x", "0123");
        slices.begin(&mut response).unwrap();
        let Body::Source(source) = &mut response.body else { panic!("it is produced") };
        assert_eq!(source.cut(&(90..100)), 88);
        assert_eq!(slices.range(|| 0), "bytes=88-91");
    }
}
