//! Directives of RTMP applications.

use crate::directive::context::{APPLICATION, RTMP, RTMP_ALL, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{Args, BlockLevel, Contexts, Evaluation, Flag, Num, Slot, Text, Value};
use crate::syntax::Problem;

/// Maximum value of `merge_frame`.
const MAX_MERGE_FRAME: u64 = 64;

/// Number of frames merged into one write, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeFrame(pub u64);

directives! {
    /// RTMP applications.
    module "rtmp";
    blocks {
        /// An application, selected by the name in the client's connect command; `*` matches names without a block. The
        /// first block of a name counts.
        "application" => Text, opens APPLICATION, in RTMP_SERVER;
    }
    held as Conf {
        session {
            /// Maximum number of frames merged into one write, up to 64.
            ///
            /// Example: `merge_frame 16;`
            "merge_frame" => merge_frame: MergeFrame = "32", in RTMP_ALL;
            /// Sends small packets to RTMP clients without delay (TCP_NODELAY). `off` saves packets, and adds up to
            /// 40 ms of latency.
            ///
            /// Example: `tcp_nodelay off;`
            "tcp_nodelay" => tcp_nodelay: Flag = "on", in RTMP_ALL;
            /// Repeats the extended timestamp in every chunk of a message when sending.
            ///
            /// Differs from PingOS: a line in an application counts for that application; PingOS applies it to
            /// the whole server.
            ///
            /// Example: `play_time_fix off;`
            "play_time_fix" => play_time_fix: Flag = "on", in RTMP_ALL;
            /// Expects the extended timestamp in every chunk of a message when receiving.
            ///
            /// Differs from PingOS: a line in an application counts for that application; PingOS applies it to
            /// the whole server.
            ///
            /// Example: `publish_time_fix off;`
            "publish_time_fix" => publish_time_fix: Flag = "on", in RTMP_ALL;
            /// Video codec id of FLV for which a publisher's video is read as H.265, besides Enhanced RTMP. 12 is
            /// what most encoders and players in China use.
            ///
            /// Differs from PingOS: the value is that of the publisher's application; PingOS reads all
            /// publishers with the value of the last application.
            ///
            /// Example: `hevc_codecid 12;`
            "hevc_codecid" => hevc_codecid: Num = "12", in RTMP_ALL;
        }
    }
    live as Current {
        /// Maximum number of RTMP connections of all servers and applications together; further ones are refused. The line stands
        /// once, in any of these blocks.
        ///
        /// Differs from PingOS, which accepts the line and refuses no connection.
        ///
        /// Example: `max_connections 5000;`
        "max_connections" => max_connections: Option<Num>,
            in RTMP | RTMP_SERVER | APPLICATION, once everywhere, restricts sessions;
    }
    made { MaxConnections; }
}

/// Limit of the whole server's RTMP connections, from whatever level sets it; `None` is no limit.
#[derive(Debug)]
pub struct MaxConnections(pub Option<u64>);

impl Slot for MaxConnections {
    const HOLDERS: Contexts = RTMP;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> MaxConnections {
        MaxConnections(level.together.iter().find_map(|block| max_connections(block)))
    }
}

fn max_connections(block: &Block) -> Option<u64> {
    let here =
        block.scope::<Scope>().and_then(|scope| scope.max_connections.as_ref()).map(|limit| limit.value);
    here.or_else(|| block.children.iter().find_map(max_connections))
}

impl Conf {
    /// HEVC codec id in classic FLV video tags. No tag has one that does not fit into it.
    pub fn hevc_codec_id(&self) -> u8 {
        u8::try_from(self.hevc_codecid).unwrap_or(u8::MAX)
    }
}

impl Value for MergeFrame {
    fn syntax() -> String {
        "number".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<MergeFrame, Problem> {
        let frames = Num::parse(args, evaluation)?;
        if frames > MAX_MERGE_FRAME {
            let text = format!("the merge_frame must be no larger than {MAX_MERGE_FRAME}");
            return Err(Problem::new(text).at(args.span()));
        }
        if frames == 0 {
            let text = "\"merge_frame\" 0 would send nothing, 1 is used";
            evaluation.report(Problem::warning(text).at(args.span()));
        }
        Ok(MergeFrame(frames.max(1)))
    }
}
