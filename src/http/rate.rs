//! Limits of rates, as in nginx: the bytes that may have passed after a number of seconds.

use std::time::{Duration, Instant};

use crate::limits;

/// A limit in force.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// Bytes per second; not 0.
    pub bytes: u64,
    /// Bytes before the limit applies.
    pub after: u64,
    /// Begin of the transfer.
    pub began: Instant,
}

impl RateLimit {
    /// Number of bytes that may pass now, given that `passed` have.
    ///
    /// # Errors
    ///
    /// No byte may be sent now; the time after which some may.
    pub fn room(&self, passed: u64) -> Result<usize, Duration> {
        let seconds = self.began.elapsed().as_secs() + 1;
        let allowed = self.bytes.saturating_mul(seconds).saturating_add(self.after);
        let room = allowed.saturating_sub(passed);
        if room > 0 {
            return Ok(usize::try_from(room).unwrap_or(usize::MAX));
        }
        let excess = passed - allowed;
        let millis = (excess.saturating_mul(1000) / self.bytes).saturating_add(1).min(limits::HTTP_RATE_WAIT);
        Err(Duration::from_millis(millis))
    }
}

/// Number of bytes that may be written now, after waiting until there are some.
pub(super) async fn room(rate: RateLimit, sent: u64) -> usize {
    loop {
        match rate.room(sent) {
            Ok(room) => return room,
            Err(wait) => tokio::time::sleep(wait).await,
        }
    }
}
