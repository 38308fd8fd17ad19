//! Directives of RTMP servers.

use super::listen::ListenRtmp;
use crate::directive::context::{MAIN, RTMP, RTMP_SERVER};
use crate::directive::table::directives;
use crate::directive::uses_modules::UsesModules;
use crate::directive::{Args, Flag, Msec, Num, Present, Scene, ServerNames, Size, Text, Value};
use crate::syntax::Problem;

/// The smallest chunk size that peers must support (RTMP 1.0 section 5.4.1).
const MIN_CHUNK_SIZE: u64 = 128;
/// The largest chunk size that the protocol can express usefully: no message is longer (section 5.4.1).
const MAX_CHUNK_SIZE: u64 = 0xff_ffff;

/// The chunk size announced to peers, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize(pub u32);

/// The switch that the `so_keepalive` parameter of `listen` replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldKeepalive(pub bool);

directives! {
    /// RTMP servers.
    module "rtmp server";
    blocks {
        /// Everything about RTMP: ingest, playing, relaying, recording.
        "rtmp" => UsesModules, opens RTMP, in MAIN;
        /// A virtual server: addresses, names and applications.
        "server" => Present, opens RTMP_SERVER, in RTMP;
    }
    held as ServerConf {
        session {
            /// Address on which RTMP is accepted; the port defaults to 1935. A server without any listens on
            /// 1935.
            "listen" => listen: Vec<ListenRtmp>, in RTMP_SERVER;
            /// Names that choose this server among those of an address, compared with the host of the
            /// client's tcUrl.
            "server_name" => server_name: Vec<ServerNames>, in RTMP_SERVER;
            /// Identity of the server: servers with the same serverid share their streams.
            "serverid" => serverid: Text = "default", in RTMP_SERVER;
            /// Closes a session when nothing could be sent for this long; also the time for the handshake.
            "timeout" => timeout: Msec = "60s", in RTMP | RTMP_SERVER;
            /// Interval of ping requests; 0 sends none.
            "ping" => ping: Msec = "60s", in RTMP | RTMP_SERVER;
            /// Closes a session that does not answer a ping request for this long.
            "ping_timeout" => ping_timeout: Msec = "30s", in RTMP | RTMP_SERVER;
            /// Chunk stream ids from this one on close the session. By default all that the protocol knows are allowed, where the
            /// original closes at 64; in any case a connection may use 256 of them.
            "max_streams" => max_streams: Num = "65600", in RTMP | RTMP_SERVER;
            /// Window acknowledgement size announced to the peer, in bytes.
            "ack_window" => ack_window: Num = "5000000", in RTMP | RTMP_SERVER;
            /// Size of the chunks that are sent, in bytes, at least 128.
            "chunk_size" => chunk_size: ChunkSize = "4096", in RTMP | RTMP_SERVER;
            /// A larger message closes the session.
            "max_message" => max_message: Size = "1m", in RTMP | RTMP_SERVER;
            /// Frames that may wait for one session, and frames the cache of a publisher may hold.
            "out_queue" => out_queue: Size = "2048", in RTMP | RTMP_SERVER;
            /// Frames held back while output is buffered; an eighth of `out_queue` if not given.
            "out_cork" => out_cork: Option<Size>, in RTMP | RTMP_SERVER;
            /// Closes a session without any traffic for a whole ping interval instead of pinging it.
            "busy" => busy: Flag = "off", in RTMP | RTMP_SERVER;
        }
    }
    needless {
        /// Buffer length assumed until the client names its own; live media is sent as it comes, whatever it is.
        "buflen" => Msec = "1s", in RTMP | RTMP_SERVER;
        /// Replaced by the `so_keepalive` parameter of `listen`.
        "so_keepalive" => OldKeepalive = "off", in RTMP | RTMP_SERVER;
        /// Size of a table that grows by itself here.
        "server_names_hash_max_size" => Num = "512", in RTMP;
        /// Size of a table that grows by itself here.
        "server_names_hash_bucket_size" => Num = "64", in RTMP;
    }
}

impl Value for ChunkSize {
    fn syntax() -> String {
        "number".into()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<ChunkSize, Problem> {
        let size = Num::parse(args, scene)?;
        let clamped = size.clamp(MIN_CHUNK_SIZE, MAX_CHUNK_SIZE);
        if clamped != size {
            let text = format!("\"chunk_size\" {size} is out of range, {clamped} is used");
            let help = format!("the protocol allows {MIN_CHUNK_SIZE} to {MAX_CHUNK_SIZE}");
            scene.report(Problem::warning(text).at(args.span()).help(help));
        }
        Ok(ChunkSize(u32::try_from(clamped).expect("clamped to 24 bits")))
    }
}

impl Value for OldKeepalive {
    fn syntax() -> String {
        Flag::syntax()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<OldKeepalive, Problem> {
        let on = Flag::parse(args, scene)?;
        let text = "the \"so_keepalive\" directive is deprecated, use the \"so_keepalive\" parameter of the \
                    \"listen\" directive instead";
        scene.report(Problem::warning(text).at(args.name.span));
        Ok(OldKeepalive(on))
    }
}
