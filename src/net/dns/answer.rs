//! Result of looking up a name.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Error of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// The name servers say that the name does not exist.
    NotFound(String),
    /// No usable answer.
    Failed(String),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupError::NotFound(host) => write!(f, "host \"{host}\" not found"),
            LookupError::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LookupError {}

/// Addresses of a name, in the order to be tried.
pub type Addresses = Arc<[IpAddr]>;
