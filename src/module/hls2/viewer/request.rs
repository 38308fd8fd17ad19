//! Requests of viewers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{ViewerRefusal, ViewerRequest, ViewerState, now};
use crate::limits;
use crate::media::session::mark;
use crate::module::hls2::conf::Conf;
use crate::module::hls2::log;
use crate::module::hls2::{FragmentPiece, Fragments, LookedUp, PlaylistReload};

impl ViewerRequest {
    /// Whether playlist requests with this query are allowed (`hls2_session_bind args`).
    pub fn allows(&self, query: &[u8]) -> bool {
        let allowed = !self.viewer.conf.session_bind.to_args()
            || PlaylistReload::arguments(&self.viewer.session.identity.pargs)
                == PlaylistReload::arguments(query);
        if !allowed {
            log::other_arguments(&self.viewer.session);
        }
        allowed
    }

    /// Settings of the viewer's application when it came.
    pub fn conf(&self) -> &Arc<Conf> {
        &self.viewer.conf
    }

    /// Waits for the verdict.
    ///
    /// # Errors
    ///
    /// The viewer is refused or has disconnected.
    pub async fn admitted(&self) -> Result<Arc<Fragments>, ViewerRefusal> {
        let mut state = self.viewer.state.subscribe();
        // The sender lives in the viewer, so the wait ends with a value.
        let _ = state.wait_for(|state| !matches!(state, ViewerState::Asking)).await;
        let now = state.borrow().clone();
        match now {
            ViewerState::Watching(fragments) => Ok(fragments),
            ViewerState::Denied(denied) => Err(denied),
            ViewerState::Asking => Err(ViewerRefusal::Over),
        }
    }

    /// The playlist, once there are enough fragments.
    ///
    /// # Errors
    ///
    /// The viewer is refused, or there is no playlist.
    pub async fn playlist(
        &self,
        name: &[u8],
        base_url: &str,
        reload: &PlaylistReload,
    ) -> Result<String, ViewerRefusal> {
        let fragments = self.admitted().await?;
        if let Some((msn, part)) = reload.wanted {
            let has = || fragments.has(msn, part).ok_or(ViewerRefusal::BadRequest);
            self.until(&fragments, || has().map(|has| has.then_some(()))).await?;
        }
        let make = || fragments.playlist(&mut self.viewer.place.lock().playlist, name, base_url, reload.skip);
        self.watch(&fragments, || Ok(make())).await
    }

    /// A part or an initialisation segment, once it is made.
    ///
    /// # Errors
    ///
    /// The viewer is refused, or the piece did not come in time.
    pub async fn piece(&self, id: u64, piece: FragmentPiece) -> Result<LookedUp, ViewerRefusal> {
        let fragments = self.admitted().await?;
        let look = || Ok(Some(fragments.piece(id, piece)).filter(|found| *found != LookedUp::Awaited));
        self.until(&fragments, look).await
    }

    /// As [`watch`](Self::watch), for as long as a request may wait.
    async fn until<T>(
        &self,
        fragments: &Fragments,
        look: impl Fn() -> Result<Option<T>, ViewerRefusal>,
    ) -> Result<T, ViewerRefusal> {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if self.viewer.place.lock().requests > limits::HLS2_WAITING {
            return Err(ViewerRefusal::Crowded);
        }
        let patience = Duration::from_millis(fragments.patience_ms());
        let waiting = tokio::time::timeout(patience, self.watch(fragments, look));
        waiting.await.unwrap_or(Err(ViewerRefusal::Late))
    }

    /// Looks again after each fragment and part until something is found.
    async fn watch<T>(
        &self,
        fragments: &Fragments,
        look: impl Fn() -> Result<Option<T>, ViewerRefusal>,
    ) -> Result<T, ViewerRefusal> {
        let mut completed = fragments.watch();
        let mut state = self.viewer.state.subscribe();
        loop {
            completed.mark_unchanged();
            if let Some(found) = look()? {
                return Ok(found);
            }
            tokio::select! {
                _ = completed.changed() => {}
                denied = state.wait_for(|state| matches!(state, ViewerState::Denied(_))) => {
                    return Err(match denied.as_deref() {
                        Ok(ViewerState::Denied(denied)) => *denied,
                        _ => ViewerRefusal::Over,
                    });
                }
            }
        }
    }

    /// Counts bytes of a response.
    pub fn sent(&self, bytes: usize) {
        self.viewer.absent.lock().take();
        let session = &self.viewer.session;
        mark(&session.moments.first_data);
        session.link.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for ViewerRequest {
    fn drop(&mut self) {
        let mut place = self.viewer.place.lock();
        place.requests -= 1;
        place.playlist.touch(now());
    }
}
