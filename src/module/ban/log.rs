//! Log lines about bans.

use tracing::info;

use super::bans::BanTarget;
use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::level::LogLevel;
use crate::log::shown::Shown;
use crate::media::log as media_log;
use crate::media::session::Session;

/// A publish or play request is refused.
pub(super) fn refused(session: &Session, ban: &BanTarget) {
    media_log::refused(session, &format_args!("{ban} is banned"));
}

/// A running session is ended.
pub(super) fn dropped(session: &Session, ban: &BanTarget) {
    info!(
        target: "notice",
        conn = session.id,
        "session of '{}' ends, {ban} is banned, client: {}",
        Shown::new(&session.key.name),
        session.peer.addr
    );
}

/// A request over HTTP is refused.
pub(super) fn request_refused(exchange: &Exchange<'_>, ban: &BanTarget) {
    log::about_at(LogLevel::Notice, exchange, &format_args!("access forbidden, {ban} is banned"));
}
