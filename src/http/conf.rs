//! Directives of HTTP locations, and where their files are.

use super::directory::Directory;
use super::header::{AddHeader, AddedHeaders, HeaderInherit};
use super::location::LocationName;
use super::types::ContentTypes;
use super::variable::{GroupVariables, HandshakeUse, RealRootUse};
use super::{relation, variable};
use crate::directive::context::{Contexts, HTTP_ALL, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::word::one_of;
use crate::directive::{
    Args, Arity, BlockLevel, Evaluation, Flag, Msec, Network, NotInherited, Num, Offset, Present, Slot, Text,
    Value, number,
};
use crate::syntax::{Problem, Word, sentence};

one_of! {
    /// Version information in responses.
    pub enum ServerTokens {
        /// Name only.
        "off" => Off,
        /// Name and version.
        "on" => On,
        /// Name, version and build.
        "build" => Build,
    }
}

/// Keep-alive timeout of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveTimeout {
    /// The timeout; zero closes the connection after each response.
    pub timeout: Msec,
    /// Value in the `Keep-Alive` header, in seconds.
    pub header_seconds: Option<u64>,
}

/// One `allow` or `deny` line of http.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpAccessRule {
    /// Whether matching peers are admitted.
    pub allow: bool,
    /// The peers that the rule applies to.
    pub network: Network,
}

directives! {
    /// HTTP locations.
    module "http";
    live as Conf {
        /// Directory of files: the path of the request is appended to it. A relative path refers to the prefix.
        /// `alias` replaces the location's part of the path.
        ///
        /// Example: `root /srv/www;`
        "root" => root: Directory = "html", in HTTP_ALL | LOCATION_IF;
        /// Directory of files that replaces the location's prefix.
        ///
        /// Example: `alias /var/lib/pingosd/hls/;`
        "alias" => alias: NotInherited<Directory>, in LOCATION;
        /// Content types by file extension. An inner block replaces the outer one.
        ///
        /// Example: `types { video/mp2t ts; application/vnd.apple.mpegurl m3u8; }`
        "types" => types: Option<ContentTypes>, in HTTP_ALL;
        /// Content type of files with another extension.
        ///
        /// Example: `default_type application/octet-stream;`
        "default_type" => default_type: Text = "text/plain", in HTTP_ALL;
        /// Adds a header to responses. A level with its own lines does not inherit those of outer levels. `ETag` and
        /// `Last-Modified` replace the response's own, and an empty value removes it.
        ///
        /// Example: `add_header Access-Control-Allow-Origin *;`
        "add_header" => add_header: Vec<AddHeader>, in HTTP_ALL | LOCATION_IF;
        /// What a level takes over of the outer level's `add_header` lines: all of them unless it has its own (`on`),
        /// all of them behind its own (`merge`), or none (`off`).
        ///
        /// Not in PingOS; as in nginx since 1.29.3.
        ///
        /// Example: `add_header_inherit merge;`
        "add_header_inherit" => add_header_inherit: HeaderInherit = "on", in HTTP_ALL;
        /// Sends chunked responses to HTTP/1.1 clients; when off, the end of a response closes the connection.
        ///
        /// Example: `chunked_transfer_encoding off;`
        "chunked_transfer_encoding" => chunked: Flag = "on", in HTTP_ALL;
        /// Idle timeout of a connection, and the value in the `Keep-Alive` header.
        ///
        /// Example: `keepalive_timeout 30s;`
        "keepalive_timeout" => keepalive_timeout: KeepaliveTimeout = "75s", in HTTP_ALL;
        /// Maximum number of requests on one connection.
        ///
        /// Example: `keepalive_requests 1000;`
        "keepalive_requests" => keepalive_requests: Num = "100", in HTTP_ALL;
        /// Names the server's version in the header `Server` and in error pages; `off` names the server alone.
        ///
        /// Example: `server_tokens off;`
        "server_tokens" => server_tokens: ServerTokens = "on", in HTTP_ALL;
        /// Adds an ETag to responses with files.
        ///
        /// Example: `etag off;`
        "etag" => etag: Flag = "on", in HTTP_ALL;
        /// Closes a connection when nothing could be sent for this time.
        ///
        /// Example: `send_timeout 30s;`
        "send_timeout" => send_timeout: Msec = "60s", in HTTP_ALL;
        /// Sends small packets to HTTP clients without delay (TCP_NODELAY).
        ///
        /// Example: `tcp_nodelay off;`
        "tcp_nodelay" => tcp_nodelay: Flag = "on", in HTTP_ALL;
        /// Maximum size of a request body; 0 disables the limit.
        ///
        /// Example: `client_max_body_size 8m;`
        "client_max_body_size" => client_max_body_size: Offset = "1m", in HTTP_ALL, restricts requests;
        /// Sends the head of a live response (`flv_live`, `ts_live`) as soon as the player is admitted, and after the
        /// answer to `on_pull`, for players behind proxies with a short timeout. When off, the head is sent with the
        /// first media.
        ///
        /// Not in PingOS, which sends the head with the first media.
        ///
        /// Example: `http_early_head on;`
        "http_early_head" => http_early_head: Flag = "off", in HTTP_ALL;
        /// Makes a location, and those nested in it, inaccessible to external requests.
        ///
        /// Example: `internal;`
        "internal" => internal: Option<Present>, in LOCATION, restricts requests;
        /// Admits or refuses clients by address. The first matching rule decides; a level with its own rules does not
        /// inherit those of outer levels.
        ///
        /// Example: `allow 127.0.0.1;`
        "allow" | "deny" => access: Vec<HttpAccessRule>, in HTTP_ALL | LIMIT_EXCEPT,
            restricts requests;
    }
    made {
        AddedHeaders;
        GroupVariables;
        HandshakeUse;
        RealRootUse;
        Files;
    }
    concludes {
        relation::are_rtmp_addresses;
        variable::are_known;
    }
}

impl Value for KeepaliveTimeout {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "time [header-time]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<KeepaliveTimeout, Problem> {
        let invalid = |word: &Word| {
            let problem = Problem::new(args.refuse("invalid value").into_diagnostic().sentence);
            problem.at(word.span).caption("a time such as 5s, 1m30s; a bare number is seconds")
        };
        let word = args.first();
        let timeout = number::msec(&word.bytes).map(Msec).ok_or_else(|| invalid(word))?;
        let header = args.words.get(1).map(|w| number::sec(&w.bytes).ok_or_else(|| invalid(w)));
        Ok(KeepaliveTimeout { timeout, header_seconds: header.transpose()? })
    }
}

impl Value for HttpAccessRule {
    fn syntax() -> String {
        "address | network/bits | unix: | all".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<HttpAccessRule, Problem> {
        let word = args.first();
        let allow = &args.name.bytes[..] == b"allow";
        if &word.bytes[..] == b"unix:" {
            return Ok(HttpAccessRule { allow, network: Network::Unix });
        }
        let Some((network, low_bits)) = Network::parse(&word.bytes) else {
            let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
            let caption = "an address, a network, `unix:` or `all`";
            return Err(Problem::new(text).at(word.span).caption(caption));
        };
        if low_bits {
            let text = sentence(&[b"low address bits of ", &word.bytes, b" are meaningless"]);
            evaluation.report(Problem::warning(text).at(word.span));
        }
        Ok(HttpAccessRule { allow, network })
    }
}

/// Location of the files that a location serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// `alias`: a path that replaces the beginning of the request's path.
    Alias {
        /// The file or directory.
        target: Directory,
        /// Number of bytes of the request's path to replace: the prefix of the location that contains the line. `None`
        /// for a regular expression: the whole path.
        replaces: Option<usize>,
    },
    /// `root`: a directory to which the whole path is appended.
    Root(Directory),
}

/// The nearest `root` or `alias` applies. As in nginx, an inherited `alias` replaces the prefix of the location that
/// contains it.
impl Slot for Files {
    crate::directive::slot::keeps_last_places!();

    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Files {
        let nearest = level.blocks.iter().find_map(|block| {
            let scope: &Scope = block.scope()?;
            let alias = scope.alias.as_ref().map(|alias| (&alias.value, Some(replaced_by_alias(block))));
            alias.or_else(|| scope.root.as_ref().map(|root| (&root.value, None)))
        });
        let default;
        let (directory, replaces) = match nearest {
            Some(found) => found,
            None => {
                default = level.resolve::<Conf>(evaluation).root;
                (&default, None)
            }
        };
        match replaces {
            Some(replaces) => Files::Alias { target: directory.clone(), replaces },
            None => Files::Root(directory.clone()),
        }
    }
}

/// Part of the path that `alias` in a location replaces; see [`Files::Alias`].
fn replaced_by_alias(location: &Block) -> Option<usize> {
    match location.head::<LocationName>() {
        Some(name) if name.is_no_path() => None,
        name => Some(name.map_or(0, |name| name.spelled().len())),
    }
}
