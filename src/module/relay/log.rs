//! Log lines about relays.

use std::fmt::Display;
use std::time::Duration;

use tracing::{debug, error, info};

use crate::log::arguments::ShownName;
use crate::log::shown::Shown;
use crate::media::session::Session;
use crate::module::relay::destination::Destination;
use crate::notify::hook::Hook;

/// A relay is about to connect. `again` is true if it is retrying after a failure there.
pub fn starting(session: &Session, what: &str, destination: &Destination, again: bool) {
    let Destination { address, domain, app, name, .. } = destination;
    let text = format_args!(
        "relay {what}: '{}' by {}:{}, domain='{}' app='{}' name='{}'",
        Shown::new(&session.key.name),
        address.host,
        address.port,
        Shown::new(domain),
        ShownName(app),
        ShownName(name),
    );
    if again {
        debug!(conn = session.id, "{text}");
    } else {
        info!(conn = session.id, "{text}");
    }
}

/// Media flows through a relay.
pub fn started(session: &Session, what: &str) {
    info!(conn = session.id, "relay {what} started: '{}'", Shown::new(&session.key.name));
}

/// A relay has ended, possibly temporarily.
pub fn ended(session: &Session, what: &str, why: &dyn Display) {
    info!(conn = session.id, "relay {what} ended: '{}', {why}", Shown::new(&session.key.name));
}

/// A stream is published by another server of the cluster from now on, or again.
pub fn moved(session: &Session, epoch: u64) {
    info!(conn = session.id, "'{}' has moved in the cluster, epoch {epoch}", Shown::new(&session.key.name));
}

/// A stream no longer comes from the other process of an upgrade.
pub fn left_counterpart(session: &Session, why: &dyn Display) {
    info!(
        conn = session.id,
        "'{}' no longer comes from the other process of the upgrade: {why}",
        Shown::new(&session.key.name)
    );
}

/// A relay failed.
pub fn failed(session: &Session, what: &str, why: &dyn Display) {
    let (name, address) = (Shown::new(&session.key.name), address(session));
    error!(conn = session.id, "relay {what} failed: '{name}', {why}{address}");
}

/// A relay has failed repeatedly; `why` is the reason of the last time.
pub fn still_failing(session: &Session, what: &str, why: &dyn Display, failures: u64, since: Duration) {
    error!(
        conn = session.id,
        "relay {what} failed {failures} times in {} s: '{}', {why}{}",
        since.as_secs(),
        Shown::new(&session.key.name),
        address(session)
    );
}

/// The end of a line about a failure: without it two targets that fail alike are one line, the second of which is left out.
fn address(session: &Session) -> String {
    let relayed_to = session.relayed_to.lock();
    let text = |(host, port): &(String, u16)| format!(", address: {}:{port}", Shown::new(host.as_bytes()));
    relayed_to.as_deref().map(text).unwrap_or_default()
}

/// Codec headers arrived faster than `on_meta` callbacks were answered.
pub fn meta_coalesced(session: &Session, count: u64) {
    info!(
        target: "notice",
        conn = session.id,
        "on_meta: '{}', {count} codec headers arrived during a callback and are sent in one",
        Shown::new(&session.key.name)
    );
}

/// The address in an answer cannot be used.
pub fn unusable(session: &Session, what: &str, why: &dyn Display, hook: &Hook) {
    error!(
        conn = session.id,
        "relay {what} failed: '{}', {why}, callback in {}",
        Shown::new(&session.key.name),
        hook.pos
    );
}
