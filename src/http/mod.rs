//! HTTP connections: hyper reads requests and writes answers; the media of a live response goes out through the
//! worker's delivery loop.
//!
//! Modules take part by the traits of [`extension`].

mod arrival;
pub mod assigned;
pub mod conf;
mod connection;
pub mod core;
pub mod cors;
pub mod directory;
pub mod exchange;
pub mod extension;
mod files;
mod head;
pub mod header;
mod heads;
mod io;
pub mod listen;
pub mod live;
pub mod location;
pub mod locations;
pub mod log;
mod method;
pub mod origin;
pub mod player;
mod precondition;
pub mod relation;
pub mod reply;
pub mod routes;
pub mod server_conf;
pub mod types;
pub mod variable;
pub mod variables;

use std::sync::Arc;

pub use self::connection::serve;
use self::extension::{Handler, PhaseCheck, RequestVariable, ResponseFilter};
use crate::config::store::Store;
use crate::media::session::Sessions;
use crate::media::trails::Trails;
use crate::task::lifetime::Lifetime;

/// What all HTTP connections use.
pub struct HttpService {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// All sessions, among whose numbers are those of connections.
    pub sessions: Arc<Sessions>,
    /// What judges trails of relays.
    pub trails: Arc<Trails>,
    /// The end of the process.
    pub lifetime: Lifetime,
    /// What looks at requests before their handlers, in this order.
    pub phases: Vec<Box<dyn PhaseCheck>>,
    /// What answers, the first that takes a location.
    pub handlers: Vec<Box<dyn Handler>>,
    /// What changes responses, in this order.
    pub filters: Vec<Box<dyn ResponseFilter>>,
    /// What gives variables their values.
    pub variables: Vec<Box<dyn RequestVariable>>,
}

impl HttpService {
    /// What gives a variable its value.
    fn variable(&self, name: &str) -> Option<&dyn RequestVariable> {
        self.variables.iter().find(|variable| variable.name() == name).map(|variable| &**variable)
    }
}
