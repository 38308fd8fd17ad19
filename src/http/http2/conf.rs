//! Directives of HTTP/2.

use crate::directive::context::{HTTP, HTTP_ALL, HTTP_SERVER};
use crate::directive::table::directives;
use crate::directive::{Args, Evaluation, Flag, Msec, Num, Size, Value};
use crate::http::core::buffers::PoolSize;
use crate::limits;
use crate::syntax::{Problem, sentence};

directives! {
    /// HTTP/2.
    module "http v2";
    live as Current {
        /// Speaks HTTP/2 at all addresses of a server besides HTTP/1: over TLS as its clients choose in the
        /// handshake, without TLS with those that begin with it. The parameter `http2` of `listen` does so for one
        /// address; without TLS such an address speaks HTTP/2 only, as in nginx before 1.25.1. Responses are sent by
        /// their priorities (RFC 9218).
        ///
        /// Not in PingOS; as in nginx since 1.25.1.
        ///
        /// Example: `http2 on;`
        "http2" => http2: Flag = "off", in HTTP | HTTP_SERVER;
        /// Maximum number of requests that a client of HTTP/2 may have open at a time. A change applies to new connections.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `http2_max_concurrent_streams 64;`
        "http2_max_concurrent_streams" => max_streams: Num = "128", in HTTP | HTTP_SERVER;
        /// Largest piece of a body in one frame of HTTP/2. Frames are no longer than the client accepts, usually 16k.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `http2_chunk_size 16k;`
        "http2_chunk_size" => chunk_size: ChunkSize = "8k", in HTTP_ALL;
        /// Bytes of a request's body that a client of HTTP/2 may send before they are read. A change applies to new connections.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `http2_body_preread_size 128k;`
        "http2_body_preread_size" => body_preread: PrereadSize = "64k", in HTTP | HTTP_SERVER;
        /// Time after which a connection is closed once its present request is answered.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `keepalive_time 30m;`
        "keepalive_time" => keepalive_time: Msec = "1h", in HTTP_ALL;
    }
    needless {
        /// Size of a buffer that all connections of a worker share.
        ///
        /// Not in PingOS; as in nginx.
        "http2_recv_buffer_size" => ReceiveSize = "256k", in HTTP;
        /// Size of a memory pool.
        ///
        /// Not in PingOS; as in nginx.
        "http2_pool_size" => PoolSize = "4k", in HTTP | HTTP_SERVER;
        /// Size of a table of streams.
        ///
        /// Not in PingOS; as in nginx.
        "http2_streams_index_size" => Num = "32", in HTTP | HTTP_SERVER;
        /// Replaced by keepalive_requests.
        ///
        /// Not in PingOS; as in nginx.
        "http2_max_requests" => Replaced, in HTTP | HTTP_SERVER;
        /// Replaced by client_header_timeout.
        ///
        /// Not in PingOS; as in nginx.
        "http2_recv_timeout" => Replaced, in HTTP | HTTP_SERVER;
        /// Replaced by keepalive_timeout.
        ///
        /// Not in PingOS; as in nginx.
        "http2_idle_timeout" => Replaced, in HTTP | HTTP_SERVER;
        /// Replaced by large_client_header_buffers.
        ///
        /// Not in PingOS; as in nginx.
        "http2_max_field_size" => Replaced, in HTTP | HTTP_SERVER;
        /// Replaced by large_client_header_buffers.
        ///
        /// Not in PingOS; as in nginx.
        "http2_max_header_size" => Replaced, in HTTP | HTTP_SERVER;
        /// Responses that no client has asked for; as in nginx since 1.25.1, there are none.
        ///
        /// Not in PingOS; as in nginx.
        "http2_push" => Pushed, in HTTP_ALL;
        /// Responses that no client has asked for; as in nginx since 1.25.1, there are none.
        ///
        /// Not in PingOS; as in nginx.
        "http2_push_preload" => Pushed, in HTTP_ALL;
        /// Responses that no client has asked for; as in nginx since 1.25.1, there are none.
        ///
        /// Not in PingOS; as in nginx.
        "http2_max_concurrent_pushes" => Pushed, in HTTP | HTTP_SERVER;
    }
}

/// Size of the largest DATA frame, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize(pub u64);

impl Value for ChunkSize {
    fn syntax() -> String {
        Size::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ChunkSize, Problem> {
        match Size::parse(args, evaluation)?.0 {
            0 => Err(Problem::new("the http2 chunk size cannot be zero").at(args.first().span)),
            size => Ok(ChunkSize(size.min(limits::HTTP2_LARGEST_FRAME.into()))),
        }
    }
}

/// Bytes that are received of a body before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrereadSize(pub u64);

impl Value for PrereadSize {
    fn syntax() -> String {
        Size::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<PrereadSize, Problem> {
        match Size::parse(args, evaluation)?.0 {
            size if size > limits::HTTP2_WINDOW => {
                let text = format!("the maximum body preread buffer size is {}", limits::HTTP2_WINDOW);
                Err(Problem::new(text).at(args.first().span))
            }
            size => Ok(PrereadSize(size)),
        }
    }
}

/// Size of nginx's buffer for what all connections of a worker receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveSize;

impl Value for ReceiveSize {
    fn syntax() -> String {
        Size::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ReceiveSize, Problem> {
        /// Twice what nginx keeps of an incomplete frame.
        const LEAST: u64 = 32;
        match Size::parse(args, evaluation)?.0 {
            0..LEAST => Err(Problem::new("value is too small").at(args.first().span)),
            _ => Ok(ReceiveSize),
        }
    }
}

/// The argument of a directive that another one has replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced;

impl Value for Replaced {
    fn syntax() -> String {
        "value".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Replaced, Problem> {
        let by = match &args.name.bytes[..] {
            b"http2_max_requests" => "keepalive_requests",
            b"http2_recv_timeout" => "client_header_timeout",
            b"http2_idle_timeout" => "keepalive_timeout",
            _ => "large_client_header_buffers",
        };
        let name = &args.name.bytes;
        let text = sentence(&[
            b"the \"",
            name,
            b"\" directive is obsolete, use the \"",
            by.as_bytes(),
            b"\" directive instead",
        ]);
        evaluation.report(Problem::warning(text).at(args.name.span));
        Ok(Replaced)
    }
}

/// The argument of a directive about responses that no client has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed;

impl Value for Pushed {
    fn syntax() -> String {
        "value".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Pushed, Problem> {
        let text = sentence(&[b"the \"", &args.name.bytes, b"\" directive is obsolete, ignored"]);
        evaluation.report(Problem::warning(text).at(args.name.span));
        Ok(Pushed)
    }
}
