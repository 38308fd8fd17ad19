//! Directives of live publishing and playing.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, MsecOrOff};

directives! {
    /// Live streams: one publisher, any number of players.
    module "live";
    held as Conf {
        session {
            /// Enables live publishing and playing in the application.
            ///
            /// Example: `live on;`
            "live" => live: Flag = "off", in RTMP_ALL, restricts sessions;
            /// Any time other than zero enables output buffering for the session; the amount does not matter.
            ///
            /// Example: `buffer 1s;`
            "buffer" => buffer: Msec = "0", in RTMP_ALL;
            /// Resends absolute timestamps when more media than this was dropped.
            ///
            /// Example: `sync 10ms;`
            "sync" => sync: MsecOrOff = "300ms", in RTMP_ALL;
            /// Starts audio and video of a player together.
            ///
            /// Example: `interleave on;`
            "interleave" => interleave: Flag = "off", in RTMP_ALL;
            /// Starts a player's video with a key frame. It has an effect only without `cache_time`.
            ///
            /// Example: `wait_key off;`
            "wait_key" => wait_key: Flag = "on", in RTMP_ALL;
            /// Holds back audio until the first video frame was sent. It has an effect only without `cache_time`.
            ///
            /// Example: `wait_video on;`
            "wait_video" => wait_video: Flag = "off", in RTMP_ALL;
            /// Notifies players when a publisher starts and stops (NetStream.Play.PublishNotify and UnpublishNotify).
            ///
            /// Example: `publish_notify on;`
            "publish_notify" => publish_notify: Flag = "off", in RTMP_ALL;
            /// Sends players NetStream.Play.Start and Stop each time publishing starts and stops.
            ///
            /// Example: `play_restart on;`
            "play_restart" => play_restart: Flag = "off", in RTMP_ALL;
            /// When off, a stream without a publisher cannot be played, and players are disconnected with their
            /// publisher.
            ///
            /// Differs from PingOS: MPEG-TS players over HTTP are treated like the others. PingOS answers them
            /// with status 500, and does not disconnect them.
            ///
            /// Example: `idle_streams off;`
            "idle_streams" => idle_streams: Flag = "on", in RTMP_ALL, restricts sessions;
            /// Closes a publisher that has sent audio or video and then sends none for this long.
            ///
            /// Example: `drop_idle_publisher 30s;`
            "drop_idle_publisher" => drop_idle_publisher: MsecOrOff = "off", in RTMP_ALL;
        }
    }
}
