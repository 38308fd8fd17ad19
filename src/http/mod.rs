//! HTTP connections: hyper parses requests and writes responses; the media of a live response is sent by the worker's
//! delivery loop.
//!
//! Modules take part through the traits in [`extension`].

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
pub mod precondition;
pub mod relation;
pub mod reply;
pub mod routes;
pub mod server_conf;
pub mod types;
pub mod variable;
mod variables;

use std::sync::Arc;

pub use self::connection::serve;
use self::extension::{Handler, PhaseCheck, RequestVariable, ResponseFilter};
use crate::config::store::Store;
use crate::media::session::Sessions;
use crate::media::trails::Trails;
use crate::task::lifetime::Lifetime;

/// Data shared by all HTTP connections.
pub struct HttpService {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// All sessions; they share their numbers with connections.
    pub sessions: Arc<Sessions>,
    /// Checks the trails of relays.
    pub trails: Arc<Trails>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// Checks before the handlers, in this order.
    pub phases: Vec<Box<dyn PhaseCheck>>,
    /// Handlers; the first that takes a location answers.
    pub handlers: Vec<Box<dyn Handler>>,
    /// Response filters, in this order.
    pub filters: Vec<Box<dyn ResponseFilter>>,
    /// Variables of modules.
    pub variables: Vec<Box<dyn RequestVariable>>,
}

impl HttpService {
    /// The module's variable with this name.
    fn variable(&self, name: &str) -> Option<&dyn RequestVariable> {
        self.variables.iter().find(|variable| variable.name() == name).map(|variable| &**variable)
    }
}
