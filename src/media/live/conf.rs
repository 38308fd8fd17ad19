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
            /// Any time other than zero enables output buffering for the session; the amount does not matter.
            "buffer" => buffer: Msec = "0", in RTMP_ALL;
            /// Resends absolute timestamps when more media than this was dropped.
            "sync" => sync: MsecOrOff = "300ms", in RTMP_ALL;
            /// Starts audio and video of a player together.
            "interleave" => interleave: Flag = "off", in RTMP_ALL;
            /// Starts a player's video with a key frame. Used without `cache_time`.
            "wait_key" => wait_key: Flag = "on", in RTMP_ALL;
            /// Holds back audio until the first video frame was sent. Used without `cache_time`.
            "wait_video" => wait_video: Flag = "off", in RTMP_ALL;
            /// Notifies players when a publisher starts and stops (NetStream.Play.PublishNotify and UnpublishNotify).
            "publish_notify" => publish_notify: Flag = "off", in RTMP_ALL;
            /// Sends players NetStream.Play.Start and Stop each time publishing starts and stops.
            "play_restart" => play_restart: Flag = "off", in RTMP_ALL;
            /// When off, a stream without a publisher cannot be played, and players are disconnected with their
            /// publisher.
            "idle_streams" => idle_streams: Flag = "on", in RTMP_ALL, restricts sessions;
            /// Closes a publisher that sends no audio or video for this long.
            "drop_idle_publisher" => drop_idle_publisher: MsecOrOff = "off", in RTMP_ALL;
        }
    }
}
