//! Log lines about sessions and delivery.

use std::{fmt, io};

use tracing::{error, info, warn};

use crate::hub::cursor::Skipped;
use crate::hub::stream::Stream;
use crate::limits;
use crate::log::arguments::Arguments;
use crate::log::os_text;
use crate::log::shown::Shown;
use crate::media::samples::SampleRemark;
use crate::media::session::{Identity, Session};
use crate::media::trail_proof::ProofVerdict;
use crate::notify::CallbackAnswer;
use crate::notify::hook::Hook;
use crate::wire::MediaKind;

/// `connect` to an application that is not configured.
pub fn unknown_application(conn: u64, app: &[u8], domain: &[u8]) {
    info!(target: "notice", conn, "connect: application not found: '{}', domain: '{}'", Shown::new(app), Shown::new(domain));
}

/// A publish or play request, before callbacks.
pub fn stream_requested(session: &Session) {
    let (key, identity) = (&session.key, &session.identity);
    info!(
        conn = session.id,
        "{}: name='{}' args='{}' app='{}' domain='{}', client: {}",
        session.role.verb(),
        Shown::new(&key.name),
        Arguments::of_client(&identity.pargs),
        Shown::new(&key.app),
        Shown::new(&identity.domain),
        session.peer.addr,
    );
}

/// A rule refuses a publish or play request.
pub fn refused(session: &Session, why: &dyn fmt::Display) {
    info!(
        target: "notice",
        conn = session.id,
        "{}: '{}' refused, {why}, client: {}",
        session.role.verb(),
        Shown::new(&session.key.name),
        session.peer.addr
    );
}

/// The application has no `live on`.
pub fn not_live(session: &Session) {
    info!(target: "notice", conn = session.id, "live is off in application '{}'", Shown::new(&session.key.app));
}

/// There is no publisher and `idle_streams` is off.
pub fn no_stream(session: &Session) {
    info!(target: "notice", conn = session.id, "no such stream: '{}'", Shown::new(&session.key.name));
}

/// A player was admitted.
pub fn playing(session: &Session) {
    info!(conn = session.id, "playing '{}', client: {}", Shown::new(&session.key.name), session.peer.addr);
}

/// A player left.
pub fn played(session: &Session, dropped: u64) {
    info!(conn = session.id, "stopped playing '{}', dropped: {dropped}", Shown::new(&session.key.name));
}

/// A playlist (`output`) has no room for more cues.
pub fn cues_left_out(output: &str, stream: &Stream) {
    warn!(
        "{output}: cues of '{}' are left out, the playlist has no room for more date ranges",
        Shown::new(&stream.key().name)
    );
}

/// What is recorded of a player's stream cannot be read.
pub fn past_unreadable(session: &Session, failure: &io::Error) {
    error!(
        conn = session.id,
        "the recording of '{}' cannot be read ({failure})",
        Shown::new(&session.key.name)
    );
}

/// A slow player was moved forward.
pub fn player_skipped(conn: u64, stream: &Stream, skipped: Skipped, total: u64) {
    info!(
        conn,
        "slow player of '{}' skipped {} packets ({} ms), reason: {}, dropped: {total}",
        Shown::new(&stream.key().name),
        skipped.packets,
        skipped.span,
        skipped.why.name(),
    );
}

/// A player is closed, because the backlog of all players together is too large.
pub fn player_crowded(conn: u64, stream: &Stream, waits: usize) {
    warn!(
        conn,
        "slow player of '{}' closed, {waits} bytes were queued for it, reason: total_backlog",
        Shown::new(&stream.key().name),
    );
}

/// A delivery worker was too late for packets.
pub fn packets_lost(stream: &Stream, lost: u64) {
    warn!("worker too slow: {lost} packets of '{}' were not delivered", Shown::new(&stream.key().name));
}

/// Media that an output cannot carry, or with other timestamps; logged once per publish and kind.
pub fn sample_remark(output: &str, stream: &Stream, remark: SampleRemark) {
    let name = Shown::new(&stream.key().name);
    match remark {
        SampleRemark::LeftOut(kind, error) => {
            let kind = if kind == MediaKind::Video { "video" } else { "audio" };
            warn!("{output}: {kind} of '{name}' is left out: {error}");
        }
        SampleRemark::Repaired => {
            warn!("{output}: timestamps of '{name}' jump or go back: they were corrected");
        }
    }
}

/// A publisher's header is not kept for late players.
pub fn headers_left_out(stream: &Stream) {
    warn!(
        "'{}' sends more headers of tracks than are kept ({} tracks of a kind, {} bytes each, {} bytes with metadata): late \
         players and recordings get none of the others",
        Shown::new(&stream.key().name),
        limits::TRACKS,
        limits::TRACK_HEADER_BYTES,
        limits::HEADERS_BYTES
    );
}

/// Access rules refuse the session.
pub fn access_denied(session: &Session) {
    info!(target: "notice", conn = session.id, "access forbidden by rule, client: {}", session.peer.addr);
}

/// The answer to `start` refuses the session.
pub fn start_refused(session: &Session, hook: &Hook, answer: &CallbackAnswer) {
    info!(
        target: "notice",
        conn = session.id,
        "'{}' refused by callback ({answer}), callback in {}",
        Shown::new(&session.key.name),
        hook.pos
    );
}

/// A session would feed its stream with itself.
pub fn relay_loop(conn: u64, identity: &Identity) {
    warn!(
        conn,
        "relay loop refused: app='{}' name='{}' has already passed through this stream",
        Shown::new(&identity.app),
        Shown::new(&identity.name),
    );
}

/// io_uring is not available; `wanted` is true if the configuration requires it.
pub fn no_uring(wanted: bool, error: &io::Error) {
    let error = os_text(error);
    if wanted {
        warn!("\"delivery uring\": io_uring is not available ({error}), sending with writev");
    } else {
        info!(target: "notice", "io_uring is not available ({error}), sending with writev");
    }
}

/// io_uring stopped working.
pub fn uring_lost(error: &io::Error) {
    warn!("io_uring has failed ({}), sending with writev from now on", os_text(error));
}

/// A relay's trail has no valid proof.
pub fn trail_not_proved(conn: u64, verdict: ProofVerdict, name: &[u8]) {
    let why = match verdict {
        ProofVerdict::Missing | ProofVerdict::Proved => "it is not signed",
        ProofVerdict::Wrong => "its signature was made with another relay_secret, or for another stream",
        ProofVerdict::Stale => {
            "the time of its signature differs too much from the time here, or it was used before"
        }
    };
    info!(conn, "relay trail of '{}' is not accepted: {why}", Shown::new(name));
}
