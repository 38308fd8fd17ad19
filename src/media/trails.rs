//! This server's part in trails: hops of its own streams, and proofs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::log;
use super::relay_conf::MainCurrent;
use super::session::{Identity, Role};
use super::trail::{self, Claim, Hop, MediaOrigin, Trail};
use super::trail_proof::{ProofKeys, ProofPurpose, ProofVerdict};
use crate::config::model::Config;
use crate::directive::ConfPath;
use crate::hub::registry::{StreamKey, StreamRegistry};
use crate::net::secret::{self, Secret, SecretError};
use crate::task::clock;

/// Makes and recognises hops of this process's streams, and makes and checks proofs.
pub struct Trails {
    /// Random and secret.
    mark: [u8; 32],
    /// Keys of proofs; a reload replaces them.
    keys: ArcSwap<ProofKeys>,
}

impl Trails {
    /// `mark` is random and secret.
    pub fn new(mark: [u8; 32], secrets: Secrets) -> Self {
        Trails { mark, keys: ArcSwap::from_pointee(ProofKeys::new(mark, secrets.0)) }
    }

    /// Sets the secrets that a reload has read.
    pub fn set_secrets(&self, secrets: Secrets) {
        self.keys.store(Arc::new(ProofKeys::new(self.mark, secrets.0)));
    }

    /// Path of a stream's media, sent to relays; `upstream` is the path to this server.
    pub fn way(&self, upstream: &[u8], stream: &StreamKey) -> Bytes {
        trail::extended(upstream, &Hop::new(&self.mark, stream))
    }

    /// Continuation of a stream's media, sent to relays that publish it; `downstream` is the continuation after this
    /// server.
    pub fn reach(&self, downstream: &[u8], stream: &StreamKey) -> String {
        String::from_utf8_lossy(&self.way(downstream, stream)).into_owned()
    }

    /// Whether media on this path would feed the stream with itself.
    pub fn leads_back(&self, way: &[u8], stream: &StreamKey) -> bool {
        trail::is_loop(way, &Hop::new(&self.mark, stream))
    }

    /// Whether a session's own trail shows that it would feed its stream with itself through relays. `way` gives the
    /// path of streams that are pulled.
    pub fn is_loop(
        &self,
        registry: &StreamRegistry,
        identity: &Identity,
        role: Role,
        way: impl FnOnce(u64) -> Bytes,
    ) -> bool {
        if !identity.trail.claims_relay() {
            return false;
        }
        let key = StreamKey::new(identity.serverid.clone(), identity.app.clone(), identity.name.clone());
        let (trail, hop) = (identity.trail.claimed(), Hop::new(&self.mark, &key));
        let stream = registry.find(&key).filter(|stream| role == Role::Player && stream.phase().publishing);
        match stream {
            None => trail::closes_circle(trail, &hop, MediaOrigin::Missing),
            Some(stream) if stream.is_published_here() => {
                trail::closes_circle(trail, &hop, MediaOrigin::Here)
            }
            Some(stream) => trail::closes_circle(trail, &hop, MediaOrigin::Way(&way(stream.id()))),
        }
    }

    /// Checks the claim of connection `conn`, once its request is known.
    pub fn judge(&self, conn: u64, claim: &Claim, purpose: ProofPurpose<'_>) -> Trail {
        if claim.hops().is_empty() {
            return Trail::default();
        }
        let keys = self.keys.load();
        let verdict = keys.judge(claim, purpose, now());
        if keys.are_shared() && verdict != ProofVerdict::Proved {
            log::trail_not_proved(conn, verdict, purpose.name);
        }
        Trail::new(claim, verdict == ProofVerdict::Proved)
    }

    /// Makes the proof of a trail that a relay of this server sends.
    pub fn proof(&self, trail: &[u8], purpose: ProofPurpose<'_>) -> Bytes {
        self.keys.load().proof(trail, purpose, now())
    }
}

/// Seconds since 1970, the time in proofs.
fn now() -> u64 {
    clock::since_1970().as_secs()
}

/// The secrets of `relay_secret`.
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Reads the files that `config` names.
    ///
    /// # Errors
    ///
    /// One of them cannot be read, or is empty.
    pub fn load(config: &Config) -> Result<Secrets, SecretError> {
        let read = |path: &ConfPath| secret::read("relay_secret", &path.0);
        Ok(Secrets(Secrets::files(config).iter().map(read).collect::<Result<_, _>>()?))
    }

    /// The files that [`Secrets::load`] reads.
    pub fn files(config: &Config) -> &[ConfPath] {
        config.rtmp.as_ref().map_or(&[], |rtmp| &rtmp.get::<MainCurrent>().secrets)
    }
}
