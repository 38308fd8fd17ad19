//! Log lines about certificates that are ordered.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::log::os_text;
use crate::log::shown::Shown;

/// A certificate was issued.
pub(super) fn issued(id: &str, next: i64) {
    info!(target: "notice", "acme certificate \"{}\" issued, it is renewed after {}", Shown::new(id), moment(next));
}

/// A certificate that another process of this server has ordered is used.
pub(super) fn taken(id: &str) {
    info!(target: "notice", "acme certificate \"{}\" was issued to another process and is used here too", Shown::new(id));
}

/// A certificate was not issued.
pub(super) fn not_issued(id: &str, why: &dyn Display, next: Option<Duration>, has_one: bool) {
    let rest = if has_one { ", the last one stays in use" } else { ", handshakes are refused" };
    match next {
        Some(next) => {
            warn!(
                "acme certificate \"{}\" not issued: {why}{rest}; next attempt in {} s",
                Shown::new(id),
                next.as_secs()
            );
        }
        None => error!(
            "acme certificate \"{}\" not issued: {why}{rest}; no further attempt until the configuration changes",
            Shown::new(id)
        ),
    }
}

/// There is no account at an issuer.
pub(super) fn no_account(issuer: &[u8], why: &dyn Display, next: Option<Duration>) {
    let issuer = Shown::new(issuer);
    match next {
        Some(next) => {
            warn!("acme issuer \"{issuer}\" gives no account: {why}; next attempt in {} s", next.as_secs());
        }
        None => {
            error!(
                "acme issuer \"{issuer}\" gives no account: {why}; no further attempt until the configuration changes"
            );
        }
    }
}

/// What was issued is not valid at this machine's time.
pub(super) fn wrong_time(id: &str) {
    warn!("acme certificate \"{}\" is not valid now by the clock of this machine", Shown::new(id));
}

/// Something cannot be kept in `state_path`.
pub(super) fn not_kept(path: &Path, why: &io::Error) {
    error!(
        "acme: nothing can be kept in \"{}\" ({}), so the next start orders anew",
        Shown::path(path),
        os_text(why)
    );
}

/// A kept file cannot be read.
pub(super) fn kept_unreadable(path: &Path, why: &io::Error) {
    error!("acme: \"{}\" cannot be read ({})", Shown::path(path), os_text(why));
}

/// A kept certificate cannot be used.
pub(super) fn kept_unusable(id: &str, why: &dyn Display) {
    warn!("acme: the kept certificate \"{}\" cannot be used ({why}), it is ordered anew", Shown::new(id));
}

/// An account's key was made because the kept one cannot be used.
pub(super) fn key_unusable(issuer: &[u8], why: &dyn Display) {
    warn!(
        "acme: the kept account key of issuer \"{}\" cannot be used ({why}), another one is made",
        Shown::new(issuer)
    );
}

fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
