//! The configuration as the server reads it: immutable, shared, complete.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

pub use super::applications::Application;
use super::applications::Applications;
use super::names::NameTable;
use crate::directive::context::{APPLICATION, EVENTS, HTTP, HTTP_SERVER, MAIN, RTMP, RTMP_SERVER};
use crate::directive::{ListenAddr, ListenOptions, ServerName, Values};
use crate::log::level::LogLevel;
use crate::log::sink::SinkSpec;
use crate::syntax::tree::Tree;
use crate::syntax::{Diagnostic, Pos, Sources};

/// The whole configuration.
#[derive(Debug)]
pub struct Config {
    /// Values of the main context.
    pub values: Values<MAIN>,
    /// `events { }`
    pub events: Values<EVENTS>,
    /// `rtmp { }`; several blocks are merged.
    pub rtmp: Option<Rtmp>,
    /// `http { }`
    pub http: Option<Http>,
    /// Source texts, to which positions refer.
    pub sources: Sources,
    /// The statements of the texts; empty once the configuration is in force.
    pub tree: Tree,
    /// Directories of relative paths.
    pub paths: Paths,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
    /// Destinations of log lines that any block names.
    pub log_sinks: Vec<SinkSpec>,
    /// Least severe level of the error logs that servers and locations have of their own.
    pub own_log_level: Option<LogLevel>,
}

/// Directories of relative paths.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// Installation prefix.
    pub prefix: PathBuf,
    /// Main configuration file; empty for the embedded one.
    pub conf_file: PathBuf,
    /// Error log used if the configuration sets none.
    pub error_log: PathBuf,
}

/// `rtmp { }`
#[derive(Debug)]
pub struct Rtmp {
    /// Sockets, each with the servers that share it.
    pub listeners: Vec<Listener<RtmpServer>>,
    /// All servers in file order.
    pub servers: Vec<Arc<RtmpServer>>,
    /// Values for all servers together; of several blocks, those of the last one.
    pub values: Values<RTMP>,
}

/// A listening socket and the servers that share it.
#[derive(Debug)]
pub struct Listener<S> {
    /// Address.
    pub addr: ListenAddr,
    /// Options.
    pub options: ListenOptions,
    /// Position of the first `listen` line with this address.
    pub pos: Pos,
    /// The servers that share the socket.
    pub servers: NameTable<S>,
    /// Servers for specific addresses whose connections a wildcard socket accepts.
    pub specific: Vec<SharedAddress<S>>,
}

impl<S> Listener<S> {
    /// Its addresses: its own, and those for which it accepts.
    pub fn addresses(&self) -> impl Iterator<Item = (&ListenAddr, &ListenOptions, &NameTable<S>)> {
        let shared = self.specific.iter().map(|shared| (&shared.addr, &shared.options, &shared.servers));
        std::iter::once((&self.addr, &self.options, &self.servers)).chain(shared)
    }
}

/// An address whose connections a wildcard's socket accepts.
#[derive(Debug)]
pub struct SharedAddress<S> {
    /// Address.
    pub addr: ListenAddr,
    /// Options of the address; those of the socket are the wildcard's.
    pub options: ListenOptions,
    /// The servers of the address.
    pub servers: NameTable<S>,
}

/// A virtual RTMP server.
#[derive(Debug)]
pub struct RtmpServer {
    /// Its names; empty if none are given.
    pub names: Vec<ServerName>,
    /// Its own values.
    pub values: Values<RTMP_SERVER>,
    /// Values of applications at the level of the server.
    pub base: Values<APPLICATION>,
    /// Its applications in file order.
    pub applications: Applications,
    /// Position of its block.
    pub pos: Pos,
}

/// `http { }`
#[derive(Debug)]
pub struct Http {
    /// Sockets, each with the servers that share it.
    pub listeners: Vec<Listener<HttpServer>>,
    /// All servers in file order.
    pub servers: Vec<Arc<HttpServer>>,
    /// Values of `http { }`, which all servers share.
    pub values: Arc<Values<HTTP>>,
}

/// A virtual HTTP server.
#[derive(Debug)]
pub struct HttpServer {
    /// Its names; empty if none are given.
    pub names: Vec<ServerName>,
    /// Its own values.
    pub values: Values<HTTP_SERVER>,
    /// Values of the `http { }` around it.
    pub http: Arc<Values<HTTP>>,
    /// Position of its block.
    pub pos: Pos,
}

/// Gives a block access to the values of modules.
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
    Http: HTTP;
    HttpServer: HTTP_SERVER;
}

impl RtmpServer {
    /// The application with this name, otherwise the one named `*`.
    pub fn application(&self, name: &[u8]) -> Option<&Arc<Application>> {
        self.applications.find(name)
    }
}
