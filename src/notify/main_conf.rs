//! Directives of notifications about the process.

use super::hook::Hook;
use super::request::Escape;
use crate::directive::context::RTMP;
use crate::directive::table::directives;
use crate::directive::{ConfPath, Flag};

directives! {
    /// HTTP notifications about the process.
    module "notify main";
    live as MainCurrent {
        /// Signs callbacks with the secret in this file: HMAC-SHA256 over `GET`, the target as sent and the time in
        /// seconds, separated by line feeds, in the headers X-Pingosd-Signature and X-Pingosd-Time.
        "notify_secret" => secret: Option<ConfPath>, in RTMP;
        /// Sends with each callback, in the header X-Request-Id, 32 hexadecimal digits that are told again only where the same
        /// request is repeated: an end (`stage=done`) that a callback server may have heard without answering.
        /// `$notify_id` in `args=` is the same.
        "notify_request_id" => request_id: Flag = "off", in RTMP;
        /// What is percent-encoded in single values of callbacks (`name=`, `$stream`, ...): `minimal` encodes `&`, `#`, a `%`
        /// that begins no escape, and what cannot stand in a request target; `strict` encodes everything but letters,
        /// digits, `-`, `.`, `_` and `~`. `$args`, `$pargs` and `$metadata` are whole query strings and stay as they are.
        "notify_escape" => escape: Escape = "minimal", in RTMP;
        /// Whether the certificates of https:// callback servers are verified.
        "notify_ssl_verify" => ssl_verify: Flag = "on", in RTMP;
        /// The certificates that https:// callback servers are verified by, instead of the system's.
        "notify_ssl_trusted_certificate" => ssl_trusted_certificate: Option<ConfPath>, in RTMP;
        /// Told once at the start, and then periodically when `stage` has `update`.
        "on_master" => on_master: Option<Hook>, in RTMP;
        /// Told at the start, once per worker.
        "on_proc" | "oclp_proc" => on_proc: Option<Hook>, in RTMP;
    }
}
