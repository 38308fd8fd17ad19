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
    /// A name server says why it does not answer: the code, and the whole.
    Refused(u16, String),
    /// No answer in time.
    Late(String),
}

impl LookupError {
    /// The error as nginx writes it behind a name: code and text.
    pub fn as_in_nginx(&self) -> String {
        let (code, text) = match self {
            LookupError::NotFound(_) => (3, "Host not found"),
            LookupError::Refused(code, _) => {
                const TEXTS: [&str; 5] = [
                    "Format error",
                    "Server failure",
                    "Host not found",
                    "Unimplemented",
                    "Operation refused",
                ];
                let text = usize::from(*code).checked_sub(1).and_then(|at| TEXTS.get(at));
                (*code, *text.unwrap_or(&"Unknown error"))
            }
            LookupError::Late(_) => (110, "Operation timed out"),
            LookupError::Failed(why) => return why.clone(),
        };
        format!("{code}: {text}")
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupError::NotFound(host) => write!(f, "host \"{host}\" not found"),
            LookupError::Failed(why) | LookupError::Refused(_, why) | LookupError::Late(why) => {
                f.write_str(why)
            }
        }
    }
}

impl std::error::Error for LookupError {}

/// Addresses of a name, in the order to be tried.
pub type Addresses = Arc<[IpAddr]>;

/// A host of a service, as an SRV record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHost {
    /// Its name.
    pub name: Box<str>,
    /// Hosts with the lowest one come first.
    pub priority: u16,
    /// Share of the requests among those with the same priority.
    pub weight: u16,
    /// Port.
    pub port: u16,
}
