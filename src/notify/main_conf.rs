//! Directives of notifications about the process.

use super::hook::Hook;
use super::process_proxy::ProcessProxy;
use super::request::QueryEscape;
use crate::directive::context::RTMP;
use crate::directive::table::directives;
use crate::directive::{ConfPath, Flag};

directives! {
    /// HTTP notifications about the process.
    module "notify main";
    live as MainCurrent {
        /// Signs callbacks with the secret in this file: HMAC-SHA256 of `GET`, the request target as sent and the time
        /// in seconds, separated by line feeds, in the headers X-Pingosd-Signature and X-Pingosd-Time.
        ///
        /// Not in PingOS.
        ///
        /// Example: `notify_secret /etc/pingosd/callback.secret;`
        "notify_secret" => secret: Option<ConfPath>, in RTMP;
        /// Sends with each callback, in the header X-Request-Id, 32 hexadecimal digits that are reused only if the same
        /// request is repeated: a `done` (`stage=done`) that a callback server may have received without answering.
        /// `$notify_id` in `args=` has the same value.
        ///
        /// Not in PingOS.
        ///
        /// Example: `notify_request_id on;`
        "notify_request_id" => request_id: Flag = "off", in RTMP;
        /// Percent-encoding of single values in callbacks (`name=`, `$stream`, ...): `minimal` encodes `&`, `#`, a `%`
        /// that begins no escape, and bytes that are invalid in a request target; `strict` encodes everything except
        /// letters, digits, `-`, `.`, `_` and `~`. `$args`, `$pargs` and `$metadata` are whole query strings and are
        /// not changed.
        ///
        /// Not in PingOS, which inserts values unchanged.
        ///
        /// Example: `notify_escape strict;`
        "notify_escape" => escape: QueryEscape = "minimal", in RTMP;
        /// Verifies the certificates of https:// callback servers.
        ///
        /// Not in PingOS.
        ///
        /// Example: `notify_ssl_verify off;`
        "notify_ssl_verify" => ssl_verify: Flag = "on", in RTMP;
        /// CA certificates for https:// callback servers, instead of the system's.
        ///
        /// Not in PingOS.
        ///
        /// Example: `notify_ssl_trusted_certificate /etc/ssl/internal-ca.pem;`
        "notify_ssl_trusted_certificate" => ssl_trusted_certificate: Option<ConfPath>, in RTMP;
        /// Called once at the start, and then periodically if `stage` includes `update`.
        ///
        /// Differs from PingOS: variables in `args=` have their values, where PingOS sends `$0`; a query in the
        /// URL stays, where PingOS adds a second `?`.
        ///
        /// Example: `on_master http://127.0.0.1:6080/server stage=start,update update=1m;`
        "on_master" => on_master: Option<Hook>, in RTMP;
        /// Called at the start, once per worker.
        ///
        /// Differs from PingOS: a query in the URL stays; PingOS adds a second `?`.
        ///
        /// Example: `on_proc http://127.0.0.1:6080/worker;`
        "on_proc" | "oclp_proc" => on_proc: Option<Hook>, in RTMP;
    }
    made {
        ProcessProxy;
    }
}
