//! Directives of RTMP servers.

use std::net::Ipv4Addr;

use super::listen::{DEFAULT_PORT, ListenRtmp};
use crate::directive::context::{Contexts, MAIN, RTMP, RTMP_SERVER};
use crate::directive::listen::Addresses;
use crate::directive::table::directives;
use crate::directive::uses_modules::UsesModules;
use crate::directive::{
    Args, BlockLevel, Count, Evaluation, Flag, ListenAddr, Msec, Num, Present, ServerNames, Size, Slot, Text,
    Value,
};
use crate::syntax::Problem;

/// Minimum chunk size that peers must support (RTMP 1.0 section 5.4.1).
const MIN_CHUNK_SIZE: u64 = 128;
/// Maximum useful chunk size: no message is longer (section 5.4.1).
const MAX_CHUNK_SIZE: u64 = 0xff_ffff;

/// Chunk size announced to peers, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize(pub u32);

/// The `so_keepalive` directive, which the `so_keepalive` parameter of `listen` replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldKeepalive(pub bool);

directives! {
    /// RTMP servers.
    module "rtmp server";
    blocks {
        /// Block of all RTMP settings: ingest, playing, relaying, recording.
        ///
        /// Differs from PingOS: the block may stand behind `http`. In PingOS, `flv_live`, `ts_live` and
        /// `hls2_live` find only servers that stand before them.
        "rtmp" => UsesModules, opens RTMP, in MAIN;
        /// A virtual server: addresses, names and applications.
        "server" => Present, opens RTMP_SERVER, in RTMP;
    }
    held as ServerConf {
        session {
            /// Address on which RTMP connections are accepted; the default port is 1935. A server without `listen` uses
            /// port 1935 of all addresses.
            /// A range of ports (`8000-8003`) is a socket per port. Unix sockets have mode 0666. With
            /// `proxy_protocol`, connections begin with a PROXY header, version 1 or 2, before TLS; without a valid
            /// one within `timeout` they are closed. The client's address in it is the session's: in access rules,
            /// callbacks and logs. `reuseport` opens a socket per worker, among which the system distributes the
            /// connections. `deferred` accepts connections once they have sent data. `fastopen` is the length of
            /// the queue of TCP Fast Open, `backlog` that of the accept queue (511 by default). An IPv6 wildcard
            /// leaves IPv4 to other sockets unless `ipv6only=off`. A reload changes these parameters of open
            /// sockets, except `ipv6only`, without closing them; what `reuseport` has opened stays open.
            ///
            /// Differs from PingOS: several parameters on one line, ranges of ports, and `ssl`, `deferred`,
            /// `fastopen`, `backlog`, `rcvbuf` and `sndbuf` are new; PingOS takes one parameter.
            ///
            /// Example: `listen 1935 reuseport backlog=1024;`
            "listen" => listen: Vec<ListenRtmp>, in RTMP_SERVER;
            /// Names that select this server among the servers of an address; they are compared with the host in the
            /// client's tcUrl.
            ///
            /// Example: `server_name live.example.com *.live.example.com;`
            "server_name" => server_name: Vec<ServerNames>, in RTMP_SERVER;
            /// Identity of the server: servers with the same serverid share their streams.
            ///
            /// Differs from PingOS, which gives every server of an address the `serverid` of the first one, in
            /// names of streams and in `$serverid`.
            ///
            /// Example: `serverid live;`
            "serverid" => serverid: Text = "default", in RTMP_SERVER;
            /// Send timeout of a session, and timeout of the handshake.
            ///
            /// Example: `timeout 30s;`
            "timeout" => timeout: Msec = "60s", in RTMP | RTMP_SERVER;
            /// Idle time after which a ping request is sent; 0 disables it.
            ///
            /// Example: `ping 30s;`
            "ping" => ping: Msec = "60s", in RTMP | RTMP_SERVER;
            /// Closes a session that does not answer a ping request within this time.
            ///
            /// Example: `ping_timeout 10s;`
            "ping_timeout" => ping_timeout: Msec = "30s", in RTMP | RTMP_SERVER;
            /// Chunk stream ids from this one on close the session. By default all ids of the protocol are allowed;
            /// in any case a connection may use 256 of them.
            ///
            /// Differs from PingOS: the default of PingOS is 64.
            ///
            /// Example: `max_streams 64;`
            "max_streams" => max_streams: Num = "65600", in RTMP | RTMP_SERVER;
            /// Window acknowledgement size announced to the peer, in bytes.
            ///
            /// Example: `ack_window 2500000;`
            "ack_window" => ack_window: Num = "5000000", in RTMP | RTMP_SERVER;
            /// Chunk size for sending, in bytes, at least 128.
            ///
            /// Differs from PingOS: a value below 128 is replaced by 128, with a warning; PingOS uses it.
            ///
            /// Example: `chunk_size 8192;`
            "chunk_size" => chunk_size: ChunkSize = "4096", in RTMP | RTMP_SERVER;
            /// Maximum message size; a larger message closes the session.
            ///
            /// Example: `max_message 4m;`
            "max_message" => max_message: Size = "1m", in RTMP | RTMP_SERVER;
            /// Maximum number of frames queued for one session, and of frames in a publisher's cache.
            ///
            /// Example: `out_queue 4096;`
            "out_queue" => out_queue: Count = "2048", in RTMP | RTMP_SERVER;
            /// Number of frames held back while output is buffered; an eighth of `out_queue` if not given.
            ///
            /// Example: `out_cork 128;`
            "out_cork" => out_cork: Option<Count>, in RTMP | RTMP_SERVER;
            /// Closes a session without any traffic for a whole ping interval instead of sending a ping.
            ///
            /// Example: `busy on;`
            "busy" => busy: Flag = "off", in RTMP | RTMP_SERVER;
        }
    }
    needless {
        /// Buffer length assumed until the client sends its own. Live media is sent without delay, whatever it is.
        "buflen" => Msec = "1s", in RTMP | RTMP_SERVER;
        /// Replaced by the `so_keepalive` parameter of `listen`.
        "so_keepalive" => OldKeepalive = "off", in RTMP | RTMP_SERVER;
        /// Size of a hash table; here the table grows automatically.
        "server_names_hash_max_size" => Num = "512", in RTMP;
        /// Size of a hash table; here the table grows automatically.
        "server_names_hash_bucket_size" => Num = "64", in RTMP;
    }
    made {
        Addresses<RTMP_SERVER>;
    }
}

/// Without `listen` the default port is used.
impl Slot for Addresses<RTMP_SERVER> {
    const HOLDERS: Contexts = RTMP_SERVER;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> Self {
        let block = level.blocks[0];
        let scope = block.scope::<Scope>();
        let listen = scope.map(|scope| &scope.listen[..]).unwrap_or_default();
        let names = scope.map(|scope| &scope.server_name[..]).unwrap_or_default();
        let usual = ListenAddr::Tcp((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into());
        Addresses::new(block, listen.iter().map(|line| (&line.value.0, line.span, line.place)), names, usual)
    }
}

impl Value for ChunkSize {
    fn syntax() -> String {
        "number".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ChunkSize, Problem> {
        let size = Num::parse(args, evaluation)?;
        let clamped = size.clamp(MIN_CHUNK_SIZE, MAX_CHUNK_SIZE);
        if clamped != size {
            let text = format!("\"chunk_size\" {size} is out of range, {clamped} is used");
            let help = format!("the protocol allows {MIN_CHUNK_SIZE} to {MAX_CHUNK_SIZE}");
            evaluation.report(Problem::warning(text).at(args.span()).help(help));
        }
        Ok(ChunkSize(u32::try_from(clamped).expect("clamped to 24 bits")))
    }
}

impl Value for OldKeepalive {
    fn syntax() -> String {
        Flag::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<OldKeepalive, Problem> {
        let on = Flag::parse(args, evaluation)?;
        let text = "the \"so_keepalive\" directive is deprecated, use the \"so_keepalive\" parameter of the \
                    \"listen\" directive instead";
        evaluation.report(Problem::warning(text).at(args.name.span));
        Ok(OldKeepalive(on))
    }
}
