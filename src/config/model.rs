//! The configuration as the server reads it: immutable, shared, complete.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::BString;

use super::applications::Applications;
use super::names::NameTable;
use crate::directive::context::{APPLICATION, EVENTS, HTTP, HTTP_SERVER, MAIN, RTMP, RTMP_SERVER};
use crate::directive::{ListenAddr, ListenOptions, ServerName, Values};
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
    /// The statements of the texts; empty once the configuration is in force.
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
    pub listeners: Vec<Listener<RtmpServer>>,
    /// All servers in the order of the file.
    pub servers: Vec<Arc<RtmpServer>>,
    /// Values of all servers together; of several blocks the last one's count.
    pub values: Values<RTMP>,
}

/// A socket, with the servers that share it.
#[derive(Debug)]
pub struct Listener<S> {
    /// Where it listens.
    pub addr: ListenAddr,
    /// How it listens.
    pub options: ListenOptions,
    /// The first `listen` line of that address.
    pub pos: Pos,
    /// The servers that share the socket.
    pub servers: NameTable<S>,
    /// Servers of single addresses that a wildcard socket accepts for.
    pub specific: Vec<(ListenAddr, NameTable<S>)>,
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
    pub listeners: Vec<Listener<HttpServer>>,
    /// All servers in the order of the file.
    pub servers: Vec<Arc<HttpServer>>,
    /// Values of all servers together.
    pub values: Values<HTTP>,
}

/// A virtual HTTP server.
#[derive(Debug)]
pub struct HttpServer {
    /// Its names; empty if none are given.
    pub names: Vec<ServerName>,
    /// Its own values.
    pub values: Values<HTTP_SERVER>,
    /// Where it begins.
    pub pos: Pos,
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
    Http: HTTP;
    HttpServer: HTTP_SERVER;
}

impl RtmpServer {
    /// The application of that name, else the one named `*`.
    pub fn application(&self, name: &[u8]) -> Option<&Arc<Application>> {
        self.applications.find(name)
    }
}
