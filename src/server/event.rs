//! What the server logs: one function per event, so that message, level and fields agree everywhere.
//!
//! Peer mistakes are `info`, our failures `error`, what an operator should look at `warn` or graver.

pub mod arguments;
pub mod control;
pub mod process;
mod shown;

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use self::arguments::{Arguments, Name};
pub(super) use self::shown::Shown;
use super::notify::Answer;
use super::session::{Identity, Reason, Role, Session};
use super::socket::Peer;
use crate::conf::ListenAddr;
use crate::hub::cursor::Skipped;
use crate::hub::stream::Stream;
use crate::limits;
use crate::module::exec::command::Launch;
use crate::module::notify::hook::Hook;
use crate::module::notify::request::{Act, Call};
use crate::module::relay::destination::Destination;
use crate::module::relay::proof::Verdict;
use crate::wire::MediaKind;

/// A connection was accepted.
pub fn connected(conn: u64, peer: &Peer, listen: &ListenAddr) {
    info!(conn, "client connected '{}', server: {listen}", peer.addr);
}

/// A connection ended.
pub fn disconnected(conn: u64, peer: &Peer, reason: Reason, received: u64) {
    info!(conn, "client disconnected '{}', reason: {}, received: {received}", peer.addr, reason.name());
}

/// The handshake of an encrypted connection came to nothing.
pub fn tls_failed(listen: &ListenAddr, error: &dyn Display) {
    info!("TLS handshake failed: {error}, server: {listen}");
}

/// An encrypted socket cannot be opened yet.
pub fn socket_closed(listen: &ListenAddr, why: &str) {
    error!("{why}, nothing listens on {listen}");
}

/// Reading or writing failed.
pub fn connection_failed(conn: u64, error: &io::Error) {
    info!(conn, "connection failed: {error}");
}

/// The peer broke the protocol.
pub fn protocol_error(conn: u64, peer: &Peer, error: &dyn Display) {
    info!(conn, "protocol error: {error}, client: {}", peer.addr);
}

/// The peer was too slow.
pub fn timed_out(conn: u64, peer: &Peer) {
    info!(conn, "client timed out, client: {}", peer.addr);
}

/// A connection over `worker_connections` or `max_connections` was closed.
pub fn too_many_connections(limit: u64) {
    tracing::error!(target: "alert", "{limit} worker_connections are not enough");
}

/// `connect` over `max_connections`.
pub fn over_max_connections(conn: u64, limit: u64) {
    info!(target: "notice", conn, "connect: max_connections {limit} reached");
}

/// `connect` to an application that is not configured.
pub fn unknown_application(conn: u64, app: &[u8], domain: &[u8]) {
    info!(target: "notice", conn, "connect: application not found: '{}', domain: '{}'", Shown::new(app), Shown::new(domain));
}

/// publish or play, before callbacks are asked.
pub fn stream_requested(session: &Session) {
    let verb = match session.role {
        Role::Publisher => "publish",
        Role::Player => "play",
    };
    let (key, identity) = (&session.key, &session.identity);
    info!(
        conn = session.id,
        "{verb}: name='{}' args='{}' app='{}' domain='{}', client: {}",
        Shown::new(&key.name),
        Arguments::of_client(&identity.pargs),
        Shown::new(&key.app),
        Shown::new(&identity.domain),
        session.peer.addr,
    );
}

/// The application has no `live on`.
pub fn not_live(session: &Session) {
    info!(target: "notice", conn = session.id, "live is off in application '{}'", Shown::new(&session.key.app));
}

/// Somebody else publishes under this name.
pub fn name_taken(session: &Session) {
    info!(target: "notice", conn = session.id, "stream is already publishing: '{}'", Shown::new(&session.key.name));
}

/// Nobody publishes and `idle_streams` is off.
pub fn no_stream(session: &Session) {
    info!(target: "notice", conn = session.id, "no such stream: '{}'", Shown::new(&session.key.name));
}

/// A player was let in.
pub fn playing(session: &Session) {
    info!(conn = session.id, "playing '{}', client: {}", Shown::new(&session.key.name), session.peer.addr);
}

/// A player has left.
pub fn played(session: &Session, dropped: u64) {
    info!(conn = session.id, "stopped playing '{}', dropped: {dropped}", Shown::new(&session.key.name));
}

/// A publisher was let in.
pub fn publishing(session: &Session) {
    info!(conn = session.id, "publishing '{}', client: {}", Shown::new(&session.key.name), session.peer.addr);
}

/// A publisher has left.
pub fn published(session: &Session) {
    info!(conn = session.id, "stopped publishing '{}'", Shown::new(&session.key.name));
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

/// A player is closed, since too much waits for all of them together.
pub fn player_crowded(conn: u64, stream: &Stream, waits: usize) {
    warn!(
        conn,
        "slow player of '{}' closed, {waits} bytes waited for it, reason: total_backlog",
        Shown::new(&stream.key().name),
    );
}

/// A delivery worker came too late for packets.
pub fn packets_lost(stream: &Stream, lost: u64) {
    warn!("worker too slow: {lost} packets of '{}' were not delivered", Shown::new(&stream.key().name));
}

/// A stream has something that MPEG-TS cannot carry; said once per publish.
pub fn not_packaged(stream: &Stream, kind: MediaKind, error: &dyn Display) {
    let what = match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Data => "data",
    };
    warn!(
        "'{}': {what} is missing, wholly or in part, in HLS, MPEG-TS over HTTP and live_record: {error}",
        Shown::new(&stream.key().name)
    );
}

/// A publisher's header is not kept for late players.
pub fn headers_left_out(stream: &Stream) {
    warn!(
        "'{}' sends more headers of tracks than are kept ({} tracks of a kind, {} bytes each): late players and recordings \
         get none of the others",
        Shown::new(&stream.key().name),
        limits::TRACKS,
        limits::TRACK_HEADER_BYTES
    );
}

/// A name that cannot become a file name.
pub fn hls_name_refused(stream: &Stream) {
    warn!("hls: no files are written of '{}': the name is not a file name", Shown::new(&stream.key().name));
}

/// `hls on` without `hls_path`.
pub fn hls_without_path(stream: &Stream) {
    error!("hls: no files are written of '{}': hls_path is not set", Shown::new(&stream.key().name));
}

/// Another stream writes the same files.
pub fn hls_place_taken(stream: &Stream, playlist: &Path) {
    error!(
        "hls: no files are written of '{}': another stream writes \"{}\"",
        Shown::new(&stream.key().name),
        Shown::path(playlist)
    );
}

/// A directory could not be made at the start.
pub fn hls_not_made(path: &Path, error: &io::Error) {
    error!("hls: mkdir() \"{}\" failed ({error})", Shown::path(path));
}

/// A file of a stream could not be written; said once per publish.
pub fn hls_not_written(stream: &Stream, call: &str, path: &Path, error: &io::Error) {
    tracing::error!(
        target: "crit",
        "hls: {call}() \"{}\" failed ({error}), stream: '{}'",
        Shown::path(path),
        Shown::new(&stream.key().name)
    );
}

/// The disk is too slow.
pub fn hls_too_slow(stream: &Stream, lost: u64) {
    warn!("hls: disk too slow: {lost} frames of '{}' were not written", Shown::new(&stream.key().name));
}

/// An outlived file could not be removed.
pub fn hls_not_removed(path: &Path, error: &io::Error) {
    error!("hls: unlink() \"{}\" failed ({error})", Shown::path(path));
}

/// Too many players of HLS from memory.
pub fn too_many_viewers(limit: usize) {
    tracing::error!(target: "alert", "{limit} hls2 sessions are not enough");
}

/// The application has no `hls2 on`.
pub fn hls2_off(conn: u64, app: &[u8]) {
    info!(target: "notice", conn, "hls2 is off in application '{}'", Shown::new(app));
}

/// A request names a session that began with other arguments.
pub fn other_arguments(session: &Session) {
    info!(target: "notice", conn = session.id, "other arguments than at the start of HLS session, client: {}", session.peer.addr);
}

/// Access rules refuse.
pub fn access_denied(session: &Session) {
    info!(target: "notice", conn = session.id, "access forbidden by rule, client: {}", session.peer.addr);
}

/// A session callback was answered, or not.
pub fn callback(session: &Session, call: Call, act: Act, hook: &Hook, answer: &Answer) {
    let (call, act, pos) = (call.name(), act.name(), &hook.pos);
    match answer {
        Answer::Status(status) => {
            tracing::debug!(conn = session.id, "notify {call} {act}: status {status}, callback in {pos}");
        }
        Answer::Failed(_) | Answer::TimedOut => {
            error!(conn = session.id, "notify {call} {act}: {answer}, callback in {pos}");
        }
    }
}

/// An end could not be told.
pub fn done_lost(session: &Session, call: Call, hook: &Hook, total: u64) {
    error!(
        conn = session.id,
        "notify {} done: given up, lost: {total}, callback in {}",
        call.name(),
        hook.pos
    );
}

/// A process callback was answered, or not.
pub fn process_callback(hook: &Hook, call: &str, answer: &Answer) {
    match answer {
        Answer::Status(status) => tracing::debug!("notify {call}: status {status}, callback in {}", hook.pos),
        Answer::Failed(_) | Answer::TimedOut => error!("notify {call}: {answer}, callback in {}", hook.pos),
    }
}

/// The answer to `start` refuses the session.
pub fn start_refused(session: &Session, hook: &Hook, answer: &Answer) {
    info!(
        target: "notice",
        conn = session.id,
        "'{}' refused by callback ({answer}), callback in {}",
        Shown::new(&session.key.name),
        hook.pos
    );
}

/// The answer to an enforced update ends the session.
pub fn update_refused(session: &Session, call: Call, hook: &Hook, answer: &Answer) {
    info!(
        conn = session.id,
        "'{}' ended by the answer to {} update ({answer}), callback in {}",
        Shown::new(&session.key.name),
        call.name(),
        hook.pos
    );
}

/// A request that no location gets to see.
pub fn http_refused(conn: u64, status: u16, why: &str, peer: &Peer) {
    info!(target: "notice", conn, "request refused with {status}: {why}, client: {}", peer.addr);
}

/// `deny` keeps a client out of a location.
pub fn http_access_denied(conn: u64, peer: &Peer) {
    info!(target: "notice", conn, "access forbidden by rule, client: {}", peer.addr);
}

/// A session would feed its stream with itself.
pub fn relay_loop(conn: u64, identity: &Identity) {
    warn!(
        conn,
        "relay loop refused: app='{}' name='{}' has come through this stream already",
        Shown::new(&identity.app),
        Shown::new(&identity.name),
    );
}

/// A relay says through which streams it has come, and cannot prove it.
pub fn trail_not_proved(conn: u64, verdict: Verdict, name: &[u8]) {
    let why = match verdict {
        Verdict::Missing | Verdict::Proved => "it comes without proof",
        Verdict::Wrong => "its proof was made with another relay_secret, or for another stream",
        Verdict::Stale => "the time of its proof is not ours: the clocks are apart, or it was used before",
    };
    info!(conn, "relay trail of '{}' is not believed: {why}", Shown::new(name));
}

/// A relay is about to connect. `again`: it has failed there before, and goes on trying.
pub fn relay_starting(session: &Session, what: &str, destination: &Destination, again: bool) {
    let Destination { address, domain, app, name, .. } = destination;
    let text = format_args!(
        "relay {what}: '{}' by {}:{}, domain='{}' app='{}' name='{}'",
        Shown::new(&session.key.name),
        address.host,
        address.port,
        Shown::new(domain),
        Name(app),
        Name(name),
    );
    if again {
        tracing::debug!(conn = session.id, "{text}");
    } else {
        info!(conn = session.id, "{text}");
    }
}

/// Media flows through a relay.
pub fn relay_started(session: &Session, what: &str) {
    info!(conn = session.id, "relay {what} started: '{}'", Shown::new(&session.key.name));
}

/// A relay has ended, for the time being at least.
pub fn relay_ended(session: &Session, what: &str, why: &dyn Display) {
    info!(conn = session.id, "relay {what} ended: '{}', {why}", Shown::new(&session.key.name));
}

/// A relay came to nothing.
pub fn relay_failed(session: &Session, what: &str, why: &dyn Display) {
    error!(conn = session.id, "relay {what} failed: '{}', {why}", Shown::new(&session.key.name));
}

/// A relay has failed again and again.
pub fn relay_still_failing(session: &Session, what: &str, failures: u64, since: Duration) {
    error!(
        conn = session.id,
        "relay {what} failed {failures} times in {} s: '{}'",
        since.as_secs(),
        Shown::new(&session.key.name)
    );
}

/// Codec headers came faster than `on_meta` callbacks were answered.
pub fn meta_coalesced(session: &Session, count: u64) {
    info!(
        target: "notice",
        conn = session.id,
        "on_meta: '{}', {count} codec headers came while a callback was under way and were told together",
        Shown::new(&session.key.name)
    );
}

/// An answer that asks for a relay cannot be followed.
pub fn relay_unusable(session: &Session, what: &str, why: &dyn Display, hook: &Hook) {
    error!(
        conn = session.id,
        "relay {what} failed: '{}', {why}, callback in {}",
        Shown::new(&session.key.name),
        hook.pos
    );
}

/// A name has no address; said once until it has one.
pub fn host_not_found(why: &dyn Display) {
    error!("{why}");
}

/// Name servers do not answer; what they said last is used.
pub fn host_kept(host: &str, why: &dyn Display) {
    warn!("{why}; the last known addresses of \"{}\" are used", host.escape_debug());
}

/// Name servers answer again.
pub fn host_found_again(host: &str) {
    info!(target: "notice", "host \"{}\" is found again", host.escape_debug());
}

/// An HTTP request that could not be read.
pub fn http_error(conn: u64, error: &dyn Display) {
    info!(conn, "http: {error}");
}

/// Accepting failed; usually out of descriptors.
pub fn accept_failed(listen: &ListenAddr, error: &io::Error) {
    tracing::error!(target: "crit", "accept() failed ({error}), server: {listen}");
}

/// A signal came in.
pub fn signal(name: &str, what: &str) {
    info!(target: "notice", "signal {name} received, {what}");
}

/// The server runs.
pub fn started(workers: usize) {
    info!(target: "notice", "pingosd/{} started, {workers} workers", env!("CARGO_PKG_VERSION"));
}

/// The server has stopped.
pub fn stopped() {
    info!(target: "notice", "exit");
}

/// A new configuration is in force.
pub fn reloaded(generation: u64, hash: &str, conf: &Path) {
    info!(target: "notice", "configuration {} reloaded, generation {generation}, {hash}", Shown::path(conf));
}

/// The files hold what is in force already; certificates and logs were opened anew.
pub fn reloaded_unchanged(generation: u64, conf: &Path) {
    info!(
        target: "notice",
        "configuration {} reloaded, generation {generation} goes on: nothing has changed",
        Shown::path(conf)
    );
}

/// Part of a change that needs a restart.
pub fn reload_needs_restart(directive: &str, place: &str) {
    warn!("\"{directive}\" has changed, the change takes effect after a restart only, in {place}");
}

/// What the configuration says is accepted, but probably not meant.
pub fn configuration_warning(line: &str) {
    warn!("{}", line.trim_start_matches("[warn] "));
}

/// A reload was refused; one line of the reason.
pub fn reload_error(line: &str) {
    // The log says the level itself.
    tracing::error!(target: "emerg", "{}", line.trim_start_matches("[emerg] "));
}

/// A reload was refused.
pub fn reload_refused(generation: u64) {
    error!("reload refused, generation {generation} goes on");
}

/// A reload takes long: the files may be on a file system that hangs.
pub fn reload_slow(time: std::time::Duration) {
    warn!("the configuration is still being read after {}s, the one in force goes on", time.as_secs());
}

/// A new binary has taken over while a reload was under way.
pub fn reload_given_up() {
    info!(target: "notice", "the reload is given up: the new binary reads the files");
}

/// Logs were opened anew.
pub fn reopened() {
    info!(target: "notice", "reopening logs");
}

/// A log could not be opened anew; the old file is kept.
pub fn reopen_failed(path: &Path, error: &io::Error) {
    tracing::error!(target: "emerg", "open() \"{}\" failed ({error})", Shown::path(path));
}

/// A limit of the process could not be set.
pub fn limit_not_set(what: &str, error: &dyn Display) {
    tracing::error!(target: "alert", "{what} failed ({error})");
}

/// There is no HTTP client, so callbacks get no answer.
pub fn callbacks_impossible(text: &str) {
    tracing::error!(target: "crit", "callbacks cannot be sent: {text}");
}

/// A control request ended sessions.
pub fn control_dropped(count: usize, query: &[u8]) {
    info!("control: dropped {count} sessions, request: {}", Arguments::of_control(query));
}

/// A control request could not be carried out.
pub fn control_failed(why: &str, path: &[u8], query: &[u8]) {
    info!(target: "notice", "control: {why}, request: {}?{}", Shown::new(path), Arguments::of_control(query));
}

/// Too many commands run.
pub fn exec_too_many(launch: &Launch, limit: usize) {
    error!(
        "exec: \"{}\" not run: {limit} commands run already, in {}",
        Shown::new(&launch.program),
        launch.pos
    );
}

/// A command could not be run.
pub fn exec_failed(launch: &Launch, error: &io::Error) {
    error!("exec: \"{}\" failed ({error}), in {}", Shown::new(&launch.program), launch.pos);
}

/// A command that is kept running has started.
pub fn exec_started(launch: &Launch, pid: Option<u32>) {
    info!(target: "notice", "exec: \"{}\" started, pid: {}, in {}", Shown::new(&launch.program), pid.unwrap_or(0), launch.pos);
}

/// A command that is kept running has exited by itself.
pub fn exec_exited(launch: &Launch, status: &io::Result<std::process::ExitStatus>) {
    match status {
        Ok(status) => {
            info!(target: "notice", "exec: \"{}\" exited ({status}), in {}", Shown::new(&launch.program), launch.pos);
        }
        Err(error) => {
            error!("exec: wait for \"{}\" failed ({error}), in {}", Shown::new(&launch.program), launch.pos)
        }
    }
}

/// A command that is kept running was ended.
pub fn exec_ended(launch: &Launch) {
    info!(target: "notice", "exec: \"{}\" ended, in {}", Shown::new(&launch.program), launch.pos);
}

/// A recorder writes a file.
pub fn record_opened(stream: &Stream, path: &Path) {
    info!("record: recording '{}' to \"{}\"", Shown::new(&stream.key().name), Shown::path(path));
}

/// A recording is complete.
pub fn record_closed(stream: &Stream, path: &Path) {
    info!("record: recorded '{}' to \"{}\"", Shown::new(&stream.key().name), Shown::path(path));
}

/// A recording cannot be written.
pub fn record_failed(stream: &Stream, call: &str, path: &Path, error: &io::Error) {
    tracing::error!(
        target: "crit",
        "record: {call}() \"{}\" failed ({error}), stream: '{}'",
        Shown::path(path),
        Shown::new(&stream.key().name)
    );
}

/// The disk is too slow for recorders.
pub fn record_too_slow(stream: &Stream, lost: u64) {
    warn!("record: disk too slow: {lost} packets of '{}' were not recorded", Shown::new(&stream.key().name));
}

/// A name that cannot become a file name.
pub fn record_name_refused(stream: &Stream) {
    let key = stream.key();
    warn!(
        "live_record: '{}' of '{}' is not recorded: not a file name",
        Shown::new(&key.name),
        Shown::new(&key.app)
    );
}

/// The answer to an enforced update ends a recording.
pub fn record_refused(session: &Session, answer: &Answer) {
    info!(
        conn = session.id,
        "recording of '{}' ended by the answer to record update ({answer})",
        Shown::new(&session.key.name)
    );
}
