//! Log lines of the limit module, with nginx's texts.

use bstr::BStr;
use tracing::info;

use super::conf::Current;
use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::level::LogLevel;
use crate::log::shown::Shown;

/// Levels of `limit_req_log_level` and `limit_conn_log_level` in the order of their words.
const LEVELS: [LogLevel; 4] = [LogLevel::Info, LogLevel::Notice, LogLevel::Warn, LogLevel::Error];

fn level(index: usize) -> LogLevel {
    LEVELS.get(index).copied().unwrap_or(LogLevel::Error)
}

/// A request above its rate.
pub(super) fn limited(exchange: &Exchange<'_>, conf: &Current, excess: Option<u64>, zone: &BStr) {
    let level = level(conf.limit_req_log_level.index);
    let (dry, zone) = (dry_run(conf.limit_req_dry_run), Shown::new(zone));
    match excess {
        Some(excess) => {
            let (whole, rest) = (excess / 1000, excess % 1000);
            let what = format_args!("limiting requests{dry}, excess: {whole}.{rest:03} by zone \"{zone}\"");
            log::about_at(level, exchange, &what);
        }
        None => log::about_at(
            LogLevel::Alert,
            exchange,
            &format_args!("could not allocate node in limit_req zone \"{zone}\""),
        ),
    }
}

/// A request that waits; as in nginx, one level lower.
pub(super) fn delayed(exchange: &Exchange<'_>, conf: &Current, excess: u64, zone: &BStr) {
    let level = level(conf.limit_req_log_level.index.saturating_sub(1));
    let (dry, zone) = (dry_run(conf.limit_req_dry_run), Shown::new(zone));
    let (whole, rest) = (excess / 1000, excess % 1000);
    let what = format_args!("delaying request{dry}, excess: {whole}.{rest:03}, by zone \"{zone}\"");
    log::about_at(level, exchange, &what);
}

/// A connection above its number.
pub(super) fn crowded(exchange: &Exchange<'_>, conf: &Current, zone: &BStr) {
    let dry = if conf.limit_conn_dry_run { ", dry run," } else { "" };
    let (level, zone) = (level(conf.limit_conn_log_level.index), Shown::new(zone));
    log::about_at(level, exchange, &format_args!("limiting connections{dry} by zone \"{zone}\""));
}

/// A zone with another key than before a reload.
pub(super) fn zone_begins_anew(sentence: &BStr) {
    info!(target: "notice", "{}; the zone begins empty", Shown::new(sentence));
}

fn dry_run(is_dry: bool) -> &'static str {
    if is_dry { ", dry run" } else { "" }
}
