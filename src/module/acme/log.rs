//! Log lines about certificates that are ordered.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use super::error::AcmeError;
use crate::log::os_text;
use crate::log::shown::Shown;

/// A failure that is logged.
pub(super) struct Failure<'a> {
    pub(super) error: &'a AcmeError,
    /// Name of the challenge.
    pub(super) challenge: &'static str,
    /// Equal failures before that were not logged.
    pub(super) repeated: u32,
}

impl Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.error, self.error.hint(self.challenge), more(self.repeated))
    }
}

/// A certificate was issued.
pub(super) fn issued(id: &str, next: i64, repeated: u32) {
    info!(
        target: "notice",
        "acme certificate \"{}\" issued, it is renewed after {}{}",
        Shown::new(id),
        moment(next),
        more(repeated)
    );
}

/// An issuer suggests another time for a renewal.
pub(super) fn advised(id: &str, next: i64) {
    info!(target: "notice", "acme certificate \"{}\" is renewed after {}, as its issuer suggests", Shown::new(id), moment(next));
}

/// An issuer does not say when a certificate should be renewed.
pub(super) fn not_advised(id: &str, why: &dyn Display) {
    info!("acme certificate \"{}\": its issuer does not say when to renew it ({why})", Shown::new(id));
}

/// Failures before that were not logged.
fn more(repeated: u32) -> String {
    match repeated {
        0 => String::new(),
        count => format!("; {count} more failures like the one logged before"),
    }
}

/// A certificate that another process of this server has ordered is used.
pub(super) fn taken(id: &str) {
    info!(target: "notice", "acme certificate \"{}\" was issued to another process and is used here too", Shown::new(id));
}

/// A certificate was not issued.
pub(super) fn not_issued(id: &str, why: &Failure<'_>, next: Option<Duration>, has_one: bool) {
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
pub(super) fn no_account(issuer: &[u8], why: &Failure<'_>, next: Option<Duration>) {
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
    let hint = match why.kind() {
        io::ErrorKind::PermissionDenied => "; the directory must belong to the server's user",
        io::ErrorKind::NotFound => "; the directory around it must exist",
        _ => "",
    };
    error!(
        "acme: nothing can be kept in \"{}\" ({}), so the next start orders anew{hint}",
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
