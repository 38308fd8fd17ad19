//! Running work: restarting tasks, waiting for tasks, and blocking disk work.

pub mod backoff;
pub mod clock;
pub mod disk;
pub mod fault;
pub mod lifetime;
pub mod loader;
pub mod log;
pub mod patience;
pub mod questions;
pub mod rights;
pub mod supervise;
pub mod user;
pub mod woken;

use std::time::Instant;

/// Random bytes for a handshake.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for chunk in seed.chunks_mut(8) {
        // Each state is keyed by the system's randomness; handshake bytes must be unpredictable, not secret.
        chunk.copy_from_slice(&random().to_ne_bytes());
    }
    seed
}

/// A random number, for spreading events in time.
pub fn random() -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8)
}

/// Waits until this time; forever if it is `None`.
pub async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
