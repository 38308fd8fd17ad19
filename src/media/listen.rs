//! The `listen` directive of an RTMP server.

use crate::directive::listen::{Family, Listen};
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::Problem;

/// Default port of RTMP.
pub const DEFAULT_PORT: u16 = 1935;

/// One `listen` line of an RTMP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenRtmp(pub Listen);

impl Value for ListenRtmp {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "port | host[:port] | [v6]:port | unix:path [default_server] [ssl] [proxy_protocol] [bind] [reuseport] \
         [deferred] [fastopen=number] [backlog=number] [rcvbuf=size] [sndbuf=size] [ipv6only=on|off] \
         [so_keepalive=on|off|idle:interval:probes]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ListenRtmp, Problem> {
        Listen::read(args, Family::Rtmp, DEFAULT_PORT, evaluation).map(ListenRtmp)
    }
}
