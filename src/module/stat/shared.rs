//! Documents shared by requests that come at the same time.
//!
//! At most one document is being made at any time. A request that comes meanwhile waits for the next one, together with
//! all others that have come: what it gets was read after it had come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::conf::StatDocument;
use super::overview::Overview;

/// The latest documents, as long as requests wait.
#[derive(Default)]
pub struct SharedDocuments {
    /// Number of overviews begun.
    begun: AtomicU64,
    /// Number of requests that wait.
    waiting: AtomicUsize,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    /// Number of the overview, counted as `begun`.
    number: u64,
    overview: Option<Arc<Overview>>,
    /// Documents made from it. The configuration bounds their number.
    documents: Vec<(StatDocument, Bytes)>,
}

/// A request that waits. The last one releases the documents.
struct Waiting<'s>(&'s SharedDocuments);

impl SharedDocuments {
    /// The document, made from an overview that begins after the call. `None` if that fails.
    pub(super) async fn get(
        &self,
        document: &StatDocument,
        overview: impl AsyncFnOnce() -> Option<Overview>,
        render: impl AsyncFnOnce(Arc<Overview>) -> Option<String>,
    ) -> Option<Bytes> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(self);
        let before = self.begun.load(Ordering::SeqCst);
        let mut latest = self.latest.lock().await;
        if latest.number <= before || latest.overview.is_none() {
            // Nothing is left of it if the request ends here.
            *latest = Latest { number: self.begun.fetch_add(1, Ordering::SeqCst) + 1, ..Latest::default() };
            latest.overview = overview().await.map(Arc::new);
        }
        if let Some((_, text)) = latest.documents.iter().find(|(known, _)| known == document) {
            return Some(text.clone());
        }
        let text: Bytes = render(latest.overview.clone()?).await?.into();
        latest.documents.push((document.clone(), text.clone()));
        Some(text)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::SeqCst) == 1
            && let Ok(mut latest) = self.0.latest.try_lock()
        {
            latest.overview = None;
            latest.documents = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::config::on_disk::OnDisk;
    use crate::media::statistics::Statistics;

    fn overview(uptime: u64) -> Overview {
        Overview {
            uptime,
            at: 0,
            generation: 1,
            current: None,
            on_disk: OnDisk::Same,
            refused: None,
            statistics: Statistics::default(),
            cluster: None,
        }
    }

    #[tokio::test]
    async fn requests_share_an_overview_that_began_after_they_came() {
        let (shared, gate) = (Arc::new(SharedDocuments::default()), Arc::new(Semaphore::new(0)));
        let made = Arc::new(AtomicU64::new(0));
        let ask = || {
            let (shared, gate, made) = (shared.clone(), gate.clone(), made.clone());
            tokio::spawn(async move {
                let overview = async || {
                    let number = made.fetch_add(1, Ordering::SeqCst) + 1;
                    gate.acquire().await.unwrap().forget();
                    Some(overview(number))
                };
                let render = async |overview: Arc<Overview>| Some(overview.uptime.to_string());
                shared.get(&StatDocument::System, overview, render).await.unwrap()
            })
        };
        let first = ask();
        while made.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        // They come while the first one is being made, which may have read old values.
        let later: Vec<_> = std::iter::repeat_with(ask).take(50).collect();
        while shared.waiting.load(Ordering::SeqCst) < 51 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), "1");
        for later in later {
            assert_eq!(later.await.unwrap(), "2");
        }
        assert_eq!(made.load(Ordering::SeqCst), 2);
        assert!(shared.latest.lock().await.documents.is_empty(), "nothing is kept when no request waits");
    }

    #[tokio::test]
    async fn a_request_that_ends_in_between_harms_no_other() {
        let shared = SharedDocuments::default();
        let never = async || std::future::pending().await;
        let render = async |overview: Arc<Overview>| Some(overview.uptime.to_string());
        tokio::select! {
            biased;
            _ = shared.get(&StatDocument::System, never, render) => panic!("it has no overview"),
            () = std::future::ready(()) => {}
        }
        let text = shared.get(&StatDocument::System, async || Some(overview(7)), render).await;
        assert_eq!(text.unwrap(), "7");
    }
}
