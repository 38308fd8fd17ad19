//! Directives of the relay module.

use crate::directive::context::{APPLICATION, RTMP, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, Text};
use crate::media::relay_target::RelayTarget;

directives! {
    /// Relays to and from other servers.
    module "relay";
    live as Current {
        /// Relays every stream published in the application to the given rtmp:// or rtmps:// address.
        ///
        /// Differs from PingOS: `rtmps://` is new, and application and stream may stand in the address:
        /// `rtmp://host/app/name?query`. PingOS ignores that part, and sends the publisher's arguments with any
        /// name; here they are sent only with the publisher's own.
        ///
        /// Example: `push rtmp://a.rtmp.example.com app=live2 name=abcd-efgh;`
        "push" => push: Vec<RelayTarget>, in APPLICATION;
        /// Pulls a stream from the given rtmp://, rtmps://, http:// or https:// (FLV) origin when a player requests one
        /// that is not published here. A publisher of the stream waits behind the relay, and takes over when the relay
        /// ends or has brought no media for three seconds.
        ///
        /// Differs from PingOS: `rtmps://` and `https://` are new, and application and stream may stand in the
        /// address. PingOS lets a publisher in during the pull, and shows its players the pulled stream.
        ///
        /// Example: `pull rtmp://origin.example.com;`
        "pull" => pull: Vec<RelayTarget>, in APPLICATION;
        /// RTMP listen address whose virtual servers get the streams of `static_pull`; the default is the first one.
        ///
        /// Example: `static_pull_port 1935;`
        "static_pull_port" => static_pull_port: Option<Text>, in RTMP;
        /// First delay before a failed relay is retried; it doubles up to relay_reconnect. Each delay is shortened
        /// randomly by up to a tenth. An answer of a callback that cannot be followed (without Location, or with one
        /// that is longer than 4096 bytes, has a user, no valid host or port, or another scheme) is a failure: the
        /// callback and the reason are logged, players wait and publishers continue.
        ///
        /// Differs from PingOS, which does not shorten the delays.
        ///
        /// Example: `failed_reconnect 500ms;`
        "failed_reconnect" => failed_reconnect: Msec = "50ms", in RTMP_ALL;
        /// Maximum retry delay, and connect timeout of a relay over RTMP; for HTTP-FLV that is `connect_timeout`.
        ///
        /// Example: `relay_reconnect 10s;`
        "relay_reconnect" => relay_reconnect: Msec = "3s", in RTMP_ALL;
        /// As `relay_reconnect`, for pushes only. A directive of nginx-rtmp.
        ///
        /// Not in PingOS today; a directive of nginx-rtmp.
        ///
        /// Example: `push_reconnect 5s;`
        "push_reconnect" => push_reconnect: Option<Msec>, in RTMP_ALL;
        /// As `relay_reconnect`, for pulls only. A directive of nginx-rtmp.
        ///
        /// Not in PingOS today; a directive of nginx-rtmp.
        ///
        /// Example: `pull_reconnect 2s;`
        "pull_reconnect" => pull_reconnect: Option<Msec>, in RTMP_ALL;
        /// Buffer length announced to the upstream when pulling over RTMP.
        ///
        /// Example: `relay_buffer 1s;`
        "relay_buffer" => relay_buffer: Msec = "5s", in RTMP_ALL;
    }
    needless {
        /// Shares streams between worker processes; here all workers share them in any case.
        "rtmp_auto_pull" => Flag = "on", in RTMP_ALL;
        /// Base address of connections between worker processes; here there is only one process.
        "rtmp_auto_pull_port" => Text = "unix:/tmp/inner.sock", in RTMP_ALL;
    }
}

impl Current {
    /// Maximum retry delay of a push, at least the first delay.
    pub fn most_push_delay(&self) -> Msec {
        self.push_reconnect.unwrap_or(self.relay_reconnect).max(self.failed_reconnect)
    }

    /// Maximum retry delay of a pull, at least the first delay.
    pub fn most_pull_delay(&self) -> Msec {
        self.pull_reconnect.unwrap_or(self.relay_reconnect).max(self.failed_reconnect)
    }
}
