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
            "live" => live: Flag = "off", in RTMP_ALL, restricts sessions;
            /// Any time but zero turns on output buffering for the session; the amount does not matter.
            "buffer" => buffer: Msec = "0", in RTMP_ALL;
            /// Timestamps are sent anew as absolute ones when more time than this was dropped.
            "sync" => sync: MsecOrOff = "300ms", in RTMP_ALL;
            /// Starts audio and video of a player together.
            "interleave" => interleave: Flag = "off", in RTMP_ALL;
            /// A player's first video frame is a key frame. Used without `cache_time`.
            "wait_key" => wait_key: Flag = "on", in RTMP_ALL;
            /// Holds audio back until the first video frame was sent. Used without `cache_time`.
            "wait_video" => wait_video: Flag = "off", in RTMP_ALL;
            /// Tells players when a publisher starts and stops
            /// (NetStream.Play.PublishNotify and UnpublishNotify).
            "publish_notify" => publish_notify: Flag = "off", in RTMP_ALL;
            /// Tells players NetStream.Play.Start and Stop each time publishing starts and stops.
            "play_restart" => play_restart: Flag = "off", in RTMP_ALL;
            /// When off, a stream without publisher cannot be played, and players leave with their publisher.
            "idle_streams" => idle_streams: Flag = "on", in RTMP_ALL, restricts sessions;
            /// Closes a publisher that sends no audio or video for this long.
            "drop_idle_publisher" => drop_idle_publisher: MsecOrOff = "off", in RTMP_ALL;
        }
    }
}
