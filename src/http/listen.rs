//! The `listen` directive of an HTTP server.

use crate::directive::listen::{Family, Listen};
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::Problem;

/// Default port.
pub const DEFAULT_PORT: u16 = 80;

/// One `listen` line of an HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenHttp(pub Listen);

impl Value for ListenHttp {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "port | host[:port] | [v6]:port | unix:path [default_server] [ssl] [http2] [proxy_protocol] [bind] [reuseport] [deferred] \
         [fastopen=number] [backlog=number] [rcvbuf=size] [sndbuf=size] [ipv6only=on|off] \
         [so_keepalive=on|off|idle:interval:probes]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ListenHttp, Problem> {
        Listen::read(args, Family::Http, DEFAULT_PORT, evaluation).map(ListenHttp)
    }
}
