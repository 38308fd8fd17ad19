//! What this server knows of trails: which streams of its own are on them, and which of them are proved.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::log;
use super::relay_conf::MainCurrent;
use super::session::{Identity, Role};
use super::trail::{self, Claim, Feed, Hop, Trail};
use super::trail_proof::{Keys, Purpose, Verdict};
use crate::config::model::Config;
use crate::directive::ConfPath;
use crate::hub::registry::{Registry, StreamKey};
use crate::net::secret::{self, Secret};

/// Marks streams of this process in trails, and proves trails.
pub struct Trails {
    /// Random and secret.
    mark: [u8; 32],
    /// What proves trails; a reload replaces it.
    keys: ArcSwap<Keys>,
}

impl Trails {
    /// `mark` is random and secret.
    pub fn new(mark: [u8; 32], secrets: Secrets) -> Self {
        Trails { mark, keys: ArcSwap::from_pointee(Keys::new(mark, secrets.0)) }
    }

    /// A reload has read the secrets anew.
    pub fn set_secrets(&self, secrets: Secrets) {
        self.keys.store(Arc::new(Keys::new(self.mark, secrets.0)));
    }

    /// By way of which streams the media of `stream` comes that came by `upstream` until here; told to relays.
    pub fn way(&self, upstream: &[u8], stream: &StreamKey) -> Bytes {
        trail::extended(upstream, &Hop::new(&self.mark, stream))
    }

    /// To which streams the media of `stream` goes that goes on from here to `downstream`; told to relays that publish it.
    pub fn reach(&self, downstream: &[u8], stream: &StreamKey) -> String {
        String::from_utf8_lossy(&self.way(downstream, stream)).into_owned()
    }

    /// Whether a stream would be fed with itself by what has come this way.
    pub fn leads_back(&self, way: &[u8], stream: &StreamKey) -> bool {
        trail::is_loop(way, &Hop::new(&self.mark, stream))
    }

    /// Whether a session says of itself that it would feed its stream with itself, by way of relays. `way` is that of
    /// streams which come from elsewhere.
    pub fn is_loop(
        &self,
        registry: &Registry,
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
            None => trail::closes_circle(trail, &hop, Feed::Nobody),
            Some(stream) if stream.is_published_here() => trail::closes_circle(trail, &hop, Feed::Here),
            Some(stream) => trail::closes_circle(trail, &hop, Feed::Way(&way(stream.id()))),
        }
    }

    /// What the connection `conn` says of its way here, once it is known what it asks for.
    pub fn judge(&self, conn: u64, claim: &Claim, purpose: Purpose<'_>) -> Trail {
        if claim.hops().is_empty() {
            return Trail::default();
        }
        let keys = self.keys.load();
        let verdict = keys.judge(claim, purpose, now());
        if keys.are_shared() && verdict != Verdict::Proved {
            log::trail_not_proved(conn, verdict, purpose.name);
        }
        Trail::new(claim, verdict == Verdict::Proved)
    }

    /// What proves the trail of a relay of ours to others.
    pub fn proof(&self, trail: &[u8], purpose: Purpose<'_>) -> Bytes {
        self.keys.load().proof(trail, purpose, now())
    }
}

/// Seconds since 1970, by which proofs are dated.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The secrets of `relay_secret`.
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Reads the files that `config` names. The error is nginx's sentence.
    pub fn load(config: &Config) -> Result<Secrets, String> {
        let paths = config.rtmp.as_ref().map_or(&[][..], |rtmp| &rtmp.get::<MainCurrent>().secrets);
        let read = |path: &ConfPath| secret::read("relay_secret", &path.0).map_err(|error| error.to_string());
        Ok(Secrets(paths.iter().map(read).collect::<Result<_, _>>()?))
    }
}
