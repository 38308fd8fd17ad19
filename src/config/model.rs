//! The configuration as the server reads it: immutable, shared, complete.

use std::collections::HashSet;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::BString;

use super::applications::Applications;
use super::locations::Locations;
use super::names::NameTable;
use super::steps::RequestStep;
use crate::directive::context::{APPLICATION, EVENTS, MAIN, RTMP, RTMP_SERVER};
use crate::directive::{ListenAddr, ListenOptions, Match, ServerName, Undecided, Values};
use crate::http;
use crate::http::location::LocationName;
use crate::module::control::conf::ControlParts;
use crate::module::flv::conf::FlvLive;
use crate::module::headers;
use crate::module::hls2::live::Hls2Live;
use crate::module::referer::valid::Referers;
use crate::module::stat::conf::StatParts;
use crate::module::ts::conf::TsLive;
use crate::net::ssl;
use crate::syntax::tree::Tree;
use crate::syntax::{Diagnostic, Pos, Sources};

/// Everything a configuration says.
#[derive(Debug)]
pub struct Config {
    /// Values of the process.
    pub values: Values<MAIN>,
    /// `events { }`
    pub events: Values<EVENTS>,
    /// `rtmp { }`, several blocks taken together.
    pub rtmp: Option<Rtmp>,
    /// `http { }`
    pub http: Option<Http>,
    /// The texts it was read from; positions are explained with them.
    pub sources: Sources,
    /// The statements of the texts.
    pub tree: Tree,
    /// Where relative paths start.
    pub paths: Paths,
    /// What is accepted but probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Where relative paths start.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// The installation prefix.
    pub prefix: PathBuf,
    /// The main configuration file; empty for the embedded one.
    pub conf_file: PathBuf,
    /// The error log used while the configuration says nothing of its own.
    pub error_log: PathBuf,
}

/// `rtmp { }`
#[derive(Debug)]
pub struct Rtmp {
    /// The sockets, each with the servers that share it.
    pub listeners: Vec<RtmpListener>,
    /// All servers in the order of the file.
    pub servers: Vec<Arc<RtmpServer>>,
    /// Values of all servers together; of several blocks the last one's count.
    pub values: Values<RTMP>,
}

/// A socket for RTMP.
#[derive(Debug)]
pub struct RtmpListener {
    /// Where it listens.
    pub addr: ListenAddr,
    /// How it listens.
    pub options: ListenOptions,
    /// The first `listen` line of that address.
    pub pos: Pos,
    /// The servers that share the socket.
    pub servers: NameTable<RtmpServer>,
    /// Servers of single addresses that a wildcard socket accepts for.
    pub specific: Vec<(ListenAddr, NameTable<RtmpServer>)>,
}

/// A virtual RTMP server.
#[derive(Debug)]
pub struct RtmpServer {
    /// Its names; empty if none are given.
    pub names: Vec<ServerName>,
    /// Its own values.
    pub values: Values<RTMP_SERVER>,
    /// `ssl_verify_client` asks for certificates of clients. Nothing checks them yet, so its encrypted sockets stay closed.
    pub verifies_clients: bool,
    /// The application values as they stand before a session has chosen an application.
    pub base: Values<APPLICATION>,
    /// Its applications in the order of the file.
    pub applications: Applications,
    /// Where it begins.
    pub pos: Pos,
}

/// An RTMP application.
#[derive(Debug)]
pub struct Application {
    /// Its name; `*` takes the names without a block of their own.
    pub name: BString,
    /// Its values; shared with the other applications of the server that say nothing about them. Those of a type named
    /// `Current` are looked up at each use.
    pub values: Values<APPLICATION>,
    /// Where it begins.
    pub pos: Pos,
}

/// `http { }`
#[derive(Debug)]
pub struct Http {
    /// The sockets, each with the servers that share it.
    pub listeners: Vec<HttpListener>,
    /// All servers in the order of the file.
    pub servers: Vec<Arc<HttpServer>>,
}

/// A socket for HTTP.
#[derive(Debug)]
pub struct HttpListener {
    /// Where it listens.
    pub addr: ListenAddr,
    /// How it listens.
    pub options: ListenOptions,
    /// The first `listen` line of that address.
    pub pos: Pos,
    /// The servers that share the socket.
    pub servers: NameTable<HttpServer>,
    /// Servers of single addresses that a wildcard socket accepts for.
    pub specific: Vec<(ListenAddr, NameTable<HttpServer>)>,
}

/// A virtual HTTP server.
#[derive(Debug)]
pub struct HttpServer {
    /// Its names; empty if none are given.
    pub names: Vec<ServerName>,
    /// Values for the whole server.
    pub held: http::server_conf::ServerConf,
    /// Certificates of its encrypted sockets.
    pub ssl: ssl::conf::Conf,
    /// `return`, `if`, `set` and `break` outside every location: met before a location is looked for.
    pub steps: Vec<RequestStep>,
    /// Variables that are defined but have no value yet.
    pub without_value: HashSet<BString>,
    /// What is done with paths; paths no location takes go to [`HttpServer::fallback`].
    pub locations: Locations,
    /// The server's own values, for paths that no location takes.
    pub fallback: Arc<Location>,
    /// Where it begins.
    pub pos: Pos,
}

/// What is done with some paths.
#[derive(Debug)]
pub struct Location {
    /// Which paths.
    pub name: LocationName,
    /// What is done once the statements are through.
    pub handler: Handler,
    /// `return`, `if`, `set` and `break`: met before access is looked at.
    pub steps: Vec<RequestStep>,
    /// `limit_except`: what counts in place of the location for other methods than these.
    pub limited: Option<(Vec<BString>, Arc<Location>)>,
    /// How responses look.
    pub conf: http::conf::Conf,
    /// How long they may be kept.
    pub headers: headers::conf::Current,
    /// Where requests may come from.
    pub referers: Referers,
    /// Locations inside.
    pub nested: Locations,
    /// Where it begins.
    pub pos: Pos,
}

/// Who answers in a location.
#[derive(Clone, Debug, PartialEq)]
pub enum Handler {
    /// Live FLV.
    FlvLive(FlvLive),
    /// HLS from memory.
    Hls2Live(Hls2Live),
    /// Control requests.
    RtmpControl(ControlParts),
    /// Statistics as XML, with a stylesheet if one is named.
    RtmpStat(StatParts, BString),
    /// Files.
    Static(Files),
    /// Internal figures as JSON.
    SysStat,
    /// Live MPEG-TS.
    TsLive(TsLive),
    /// A directive whose feature does not exist yet: answered with 503.
    Unsupported(&'static str),
}

/// Where files are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// At this path, in place of the beginning of the request's path.
    Alias {
        /// The file or directory.
        target: PathBuf,
        /// How many bytes of the request's path it replaces: the prefix of the location that holds the line. `None` for
        /// a regular expression: the whole path.
        replaces: Option<usize>,
    },
    /// Below this directory, under the whole path.
    Root(PathBuf),
}

/// Blocks have the values of modules.
macro_rules! has_values {
    ($($Block:ty: $kind:expr;)+) => {
        $(
            impl Deref for $Block {
                type Target = Values<{ $kind }>;

                fn deref(&self) -> &Self::Target {
                    &self.values
                }
            }
        )+
    };
}

has_values! {
    Config: MAIN;
    Rtmp: RTMP;
    RtmpServer: RTMP_SERVER;
    Application: APPLICATION;
}

impl RtmpServer {
    /// The application of that name, else the one named `*`.
    pub fn application(&self, name: &[u8]) -> Option<&Arc<Application>> {
        self.applications.find(name)
    }
}

impl HttpServer {
    /// The location for a decoded path, nginx's way: exact, longest prefix (`^~` ends the search), first
    /// regular expression, longest prefix.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression is.
    pub fn location_for(&self, path: &[u8]) -> Result<&Arc<Location>, Undecided> {
        self.find_location(path, &mut drop)
    }

    /// As [`HttpServer::location_for`]; `matched` is told what each regular expression on the way has found.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression is.
    pub fn find_location(
        &self,
        path: &[u8],
        matched: &mut dyn FnMut(Match),
    ) -> Result<&Arc<Location>, Undecided> {
        Ok(self.locations.find(path, matched)?.unwrap_or(&self.fallback))
    }
}
