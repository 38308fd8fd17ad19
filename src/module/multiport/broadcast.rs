//! `broadcast`: a request that every worker answers.
//!
//! As in the original, the location's own response gives the head, without its length and with status 200, and its body
//! is replaced by the bodies of subrequests to `URI/ADDRESS`, one for each worker and one after the other. A subrequest
//! whose status is not 200 adds nothing. A HEAD request has no body, so no worker is asked. A response that refuses the
//! request or redirects it is sent as it is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bstr::{BString, ByteSlice};
use http::StatusCode;
use parking_lot::Mutex;

use super::conf::Current;
use super::log;
use super::prefix::PrefixSwap;
use super::zone::worker_address;
use crate::http::body_reader::Transformed;
use crate::http::exchange::{Continuation, Exchange, ResponseFilter};
use crate::http::response::{Body, BodySource, Piece};
use crate::http::routes::Location;

/// Replaces the body of a response by the answers of all workers.
pub struct BroadcastFilter {
    /// Number of workers.
    pub workers: usize,
}

/// The answers to a request.
struct Broadcast {
    location: Arc<Location>,
    workers: usize,
    progress: Mutex<Progress>,
}

/// How far a request is.
#[derive(Default)]
struct Progress {
    /// Number of workers that were asked.
    asked: usize,
    /// Whether a worker has answered.
    is_answered: bool,
    /// Body of the present answer.
    body: Body,
    step: Step,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    /// An answer is being sent.
    #[default]
    Sending,
    /// The next worker must be asked.
    Wanting,
    /// The text behind the last answer is being sent.
    Ending,
    /// The address of a worker cannot be made.
    Failed,
}

impl ResponseFilter for BroadcastFilter {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().broadcast.is_some()
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        // Other statuses are refusals and redirects. A location without content of its own has 404, and is to answer.
        let status = exchange.response.status;
        let answers = status.is_success() || (exchange.has_content && status == StatusCode::NOT_FOUND);
        if exchange.is_subrequest() || !answers {
            return;
        }
        let (location, workers) = (exchange.location.clone(), self.workers);
        let broadcast = Arc::new(Broadcast { location, workers, progress: Mutex::default() });
        let response = &mut exchange.response;
        response.status = StatusCode::OK;
        (response.has_ranges, response.has_single_range) = (false, false);
        response.body = Body::Source(Box::new(Answers(broadcast.clone())));
        exchange.continuation = Some(broadcast);
    }
}

impl Broadcast {
    fn conf(&self) -> &Current {
        self.location.get()
    }

    /// The path of the subrequest to a worker; `None` if there is no such address.
    fn path(&self, worker: usize) -> Option<BString> {
        let target = self.conf().broadcast.as_ref()?;
        let address = worker_address(&target.base, worker)?;
        Some([&target.uri[..], b"/", &address].concat().into())
    }

    /// Makes the body of an answer the next part of the whole.
    fn accept(&self, mut body: Body) {
        let mut progress = self.progress.lock();
        if let Some(prefix) = self.conf().rewrite_prefix.as_ref().filter(|_| !progress.is_answered) {
            Transformed::replace(&mut body, PrefixSwap::new(&prefix.old, &prefix.new), None);
        }
        progress.is_answered = true;
        progress.body = body;
    }
}

impl Continuation for Broadcast {
    fn is_wanted(&self) -> bool {
        self.progress.lock().step == Step::Wanting
    }

    fn advance<'a>(
        self: Arc<Self>,
        exchange: &'a mut Exchange<'_>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let worker = self.progress.lock().asked;
            let Some(path) = self.path(worker) else {
                self.progress.lock().step = Step::Failed;
                let base = self.conf().broadcast.as_ref().map(|target| target.base.as_bstr());
                log::no_address(exchange, base.unwrap_or_default(), worker);
                return;
            };
            let (query, method) = (exchange.query.clone(), exchange.method().clone());
            let mut inner = exchange.subrequest(path, query, Some(method)).await;
            exchange.take_values(&mut inner);
            // One that closes has no response.
            let status = inner.closed_with().unwrap_or(inner.response.status.as_u16());
            match status {
                200 => self.accept(std::mem::take(&mut inner.response.body)),
                status => log::worker_failed(exchange, status),
            }
            let mut progress = self.progress.lock();
            progress.asked += 1;
            progress.step = Step::Sending;
        })
    }
}

/// The body with all answers.
struct Answers(Arc<Broadcast>);

impl BodySource for Answers {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        let mut progress = self.0.progress.lock();
        match progress.step {
            Step::Failed => return Poll::Ready(Some(Err(io::ErrorKind::InvalidInput.into()))),
            Step::Wanting => return Poll::Pending,
            Step::Sending | Step::Ending => {}
        }
        if let Some(piece) = ready!(progress.body.poll_piece(cx)) {
            return Poll::Ready(Some(piece));
        }
        if progress.step == Step::Ending {
            return Poll::Ready(None);
        }
        if progress.asked < self.0.workers {
            // The exchange looks for it and asks the next worker.
            progress.step = Step::Wanting;
            return Poll::Pending;
        }
        progress.step = Step::Ending;
        progress.body = Body::from(self.0.conf().suffix.0.to_vec());
        progress.body.poll_piece(cx)
    }

    fn length(&self) -> Option<u64> {
        None
    }
}
