//! Directives of the relay module.

use super::target::Relay;
use crate::directive::context::{APPLICATION, RTMP, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, Text};

directives! {
    /// Relays to and from other servers.
    module "relay";
    live as Current {
        /// Relays every stream published in the application to the given rtmp:// or rtmps:// address.
        "push" => push: Vec<Relay>, in APPLICATION;
        /// Pulls a stream from the given rtmp://, rtmps://, http:// or https:// (FLV) origin when a player asks for
        /// one that is not published here. A publisher of the stream waits behind the relay, and takes over when that ends
        /// or has brought nothing for three seconds.
        "pull" => pull: Vec<Relay>, in APPLICATION;
        /// Rtmp listen address whose virtual servers get the streams of `static_pull`; the first one if not given.
        "static_pull_port" => static_pull_port: Option<Text>, in RTMP;
        /// First delay before retrying a failed relay; doubles up to relay_reconnect. Each delay is shortened by up to a
        /// tenth at random. An answer of a callback that cannot be followed (no Location, or one that is longer than
        /// 4096 bytes, has a user, no valid host or port, or another scheme) is a failure: the log names the callback
        /// and the reason, players wait and publishers go on.
        "failed_reconnect" => failed_reconnect: Msec = "50ms", in RTMP_ALL;
        /// Upper bound of the retry delay and the connect timeout of a relay attempt.
        "relay_reconnect" => relay_reconnect: Msec = "3s", in RTMP_ALL;
        /// As `relay_reconnect`, for pushes alone. A name of nginx-rtmp.
        "push_reconnect" => push_reconnect: Option<Msec>, in RTMP_ALL;
        /// As `relay_reconnect`, for pulls alone. A name of nginx-rtmp.
        "pull_reconnect" => pull_reconnect: Option<Msec>, in RTMP_ALL;
        /// Buffer length announced to the upstream when pulling over RTMP.
        "relay_buffer" => relay_buffer: Msec = "5s", in RTMP_ALL;
    }
    needless {
        /// Shares streams between worker processes; here all workers share them anyway.
        "rtmp_auto_pull" => Flag = "on", in RTMP_ALL;
        /// Base address used between worker processes, of which there is only one here.
        "rtmp_auto_pull_port" => Text = "unix:/tmp/inner.sock", in RTMP_ALL;
    }
}

impl Current {
    /// Upper bound of the delay before a push is tried again; never below the first delay.
    pub fn most_push_delay(&self) -> Msec {
        self.push_reconnect.unwrap_or(self.relay_reconnect).max(self.failed_reconnect)
    }

    /// Upper bound of the delay before a pull is tried again; never below the first delay.
    pub fn most_pull_delay(&self) -> Msec {
        self.pull_reconnect.unwrap_or(self.relay_reconnect).max(self.failed_reconnect)
    }
}
