//! Control requests of tools and scripts: sections that modules implement, and arguments of requests.
//!
//! They come over HTTP (`rtmp_control`) and over the control socket (`pingosd ctl`).

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::session::Session;
use super::variables::query_argument;

/// A section of control requests, with its methods.
pub trait ControlSection: Send + Sync {
    /// Its name, arguments and purpose.
    fn verb(&self) -> &'static ControlVerb;

    /// Carries out an order.
    ///
    /// # Errors
    ///
    /// The reason why the order failed, for the caller and the log.
    fn carry_out(&self, order: &ControlOrder<'_>) -> ControlResult;
}

/// Description of a section for `pingosd ctl` and the manual.
#[derive(Debug)]
pub struct ControlVerb {
    /// Name of the section in requests.
    pub name: &'static str,
    /// Its methods and arguments.
    pub takes: &'static str,
    /// Description in one line.
    pub text: &'static str,
    /// What it has done to sessions, for the log.
    pub done: &'static str,
}

impl ControlVerb {
    /// Fixed words that may follow it: methods, and names of arguments with their `=`.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        let words = self.takes.split([' ', '|', '[', ']']);
        words.filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'='))
    }
}

/// A request to a section.
pub struct ControlOrder<'a> {
    /// The method.
    pub method: &'a [u8],
    /// Arguments, as a query string.
    pub query: &'a [u8],
    /// Its sender.
    pub caller: &'a ControlCaller,
    /// What the answer waits for.
    pub waits: Mutex<Vec<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

impl<'a> ControlOrder<'a> {
    /// An order whose answer waits for nothing yet.
    pub fn new(method: &'a [u8], query: &'a [u8], caller: &'a ControlCaller) -> ControlOrder<'a> {
        ControlOrder { method, query, caller, waits: Mutex::default() }
    }

    /// Lets the answer wait for this as well.
    pub fn wait_for(&self, arrival: impl Future<Output = ()> + Send + 'static) {
        self.waits.lock().push(Box::pin(arrival));
    }
}

/// Sender of a control request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlCaller {
    /// Unknown, for requests of other versions of the program.
    #[default]
    Unknown,
    /// A client over HTTP, with its address.
    Client(String),
    /// A user of the control socket, by number.
    User(u32),
}

impl fmt::Display for ControlCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlCaller::Unknown => f.write_str("client: unknown"),
            ControlCaller::Client(addr) => write!(f, "client: {addr}"),
            ControlCaller::User(user) => write!(f, "control socket, user: {user}"),
        }
    }
}

/// Result of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum ControlOutcome {
    /// Number of sessions that the order has reached.
    Sessions(u64),
    /// A text of one or more lines.
    Text(String),
    /// A list, as text and as JSON.
    Listed(String, serde_json::Value),
}

/// Result of a control request: the outcome, or the reason of the failure.
pub type ControlResult = Result<ControlOutcome, ControlRefusal>;

/// Reason why an order failed, for the caller and the log. Processes of an upgrade exchange its text.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum ControlRefusal {
    /// A request over HTTP says nothing about the server.
    #[error("srv= is missing: it names the serverid of the rtmp server that is meant")]
    NoServer,
    /// A request over the control socket has no argument that selects.
    #[error("one of srv=, app=, name=, clientid=, addr= must say which sessions are meant")]
    NothingSelected,
    /// There is no such section.
    #[error("there is no such section")]
    NoSection,
    /// The section has its own reason.
    #[error("{0}")]
    Section(Arc<dyn Error + Send + Sync>),
    /// The other process of an upgrade has refused, with this text.
    #[error("{0}")]
    Counterpart(String),
}

impl ControlRefusal {
    /// The reason of a section.
    pub fn section(error: impl Error + Send + Sync + 'static) -> ControlRefusal {
        ControlRefusal::Section(Arc::new(error))
    }
}

impl From<ControlRefusal> for String {
    fn from(refusal: ControlRefusal) -> String {
        refusal.to_string()
    }
}

impl From<String> for ControlRefusal {
    fn from(text: String) -> ControlRefusal {
        ControlRefusal::Counterpart(text)
    }
}

impl ControlOutcome {
    /// Result of an order that both processes of an upgrade have carried out.
    ///
    /// # Errors
    ///
    /// The reason why it failed in both.
    pub fn combine(here: ControlResult, there: ControlResult) -> ControlResult {
        match (here, there) {
            (Ok(ControlOutcome::Sessions(here)), Ok(ControlOutcome::Sessions(there))) => {
                Ok(ControlOutcome::Sessions(here + there))
            }
            (Ok(here), _) => Ok(here),
            (Err(error), there) => there.map_err(|_| error),
        }
    }

    /// The outcome in JSON.
    pub fn json(&self) -> serde_json::Value {
        match self {
            ControlOutcome::Sessions(count) => serde_json::json!({ "sessions": count }),
            ControlOutcome::Text(text) => serde_json::json!({ "text": text.trim_end() }),
            ControlOutcome::Listed(_, value) => value.clone(),
        }
    }
}

/// As in responses over HTTP.
impl fmt::Display for ControlOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As recorded from PingOS: only the number.
            ControlOutcome::Sessions(count) => write!(f, "{count}"),
            ControlOutcome::Text(text) | ControlOutcome::Listed(text, _) => f.write_str(text),
        }
    }
}

impl From<ControlOutcome> for String {
    fn from(outcome: ControlOutcome) -> String {
        outcome.to_string()
    }
}

impl From<String> for ControlOutcome {
    fn from(text: String) -> ControlOutcome {
        text.parse().map_or(ControlOutcome::Text(text), ControlOutcome::Sessions)
    }
}

/// Value of an argument. It matches literally and decoded: PingOS decodes nothing, so scripts written for it send names
/// unencoded.
#[derive(Debug)]
pub struct ArgumentValue<'a> {
    raw: &'a [u8],
    decoded: Cow<'a, [u8]>,
}

impl<'a> ArgumentValue<'a> {
    /// The argument with this name.
    pub fn of(query: &'a [u8], name: &[u8]) -> ArgumentValue<'a> {
        let raw = query_argument(query, name);
        ArgumentValue { raw, decoded: percent_encoding::percent_decode(raw).into() }
    }

    /// Whether the request lacks the argument.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The decoded value.
    pub fn decoded(&self) -> &[u8] {
        &self.decoded
    }

    /// Whether the argument matches this value; without the argument every value fits.
    pub fn fits(&self, value: &[u8]) -> bool {
        self.is_empty() || value == self.raw || value == &self.decoded[..]
    }
}

/// Streams and sessions that the arguments of an order select; arguments that are missing select all.
#[derive(Debug)]
pub struct ControlSelection<'a> {
    /// `srv=`, the `serverid`.
    pub serverid: ArgumentValue<'a>,
    /// `app=`, the application.
    pub app: ArgumentValue<'a>,
    /// `name=`, the stream.
    pub name: ArgumentValue<'a>,
    /// `clientid=`, the number of the connection.
    pub clientid: ArgumentValue<'a>,
    /// `addr=`, the address of the client.
    pub addr: ArgumentValue<'a>,
}

impl<'a> ControlSelection<'a> {
    /// The selection of an order. As in PingOS, requests over HTTP need `srv=`; those over the control socket need any
    /// argument that selects.
    ///
    /// # Errors
    ///
    /// Nothing is selected.
    pub fn of(order: &ControlOrder<'a>) -> Result<ControlSelection<'a>, ControlRefusal> {
        let argument = |name: &str| ArgumentValue::of(order.query, name.as_bytes());
        let selection = ControlSelection {
            serverid: argument("srv"),
            app: argument("app"),
            name: argument("name"),
            clientid: argument("clientid"),
            addr: argument("addr"),
        };
        let ControlSelection { serverid, app, name, clientid, addr } = &selection;
        let all = [serverid, app, name, clientid, addr];
        match order.caller {
            ControlCaller::User(_) if all.iter().all(|argument| argument.is_empty()) => {
                Err(ControlRefusal::NothingSelected)
            }
            ControlCaller::User(_) => Ok(selection),
            _ if serverid.is_empty() => Err(ControlRefusal::NoServer),
            _ => Ok(selection),
        }
    }

    /// Whether it selects streams with these names.
    pub fn fits(&self, serverid: &Bytes, app: &Bytes, name: &Bytes) -> bool {
        self.serverid.fits(serverid) && self.app.fits(app) && self.name.fits(name)
    }

    /// Whether it selects a session.
    pub fn has(&self, session: &Session) -> bool {
        let key = &session.key;
        self.fits(&key.serverid, &key.app, &key.name)
            && self.clientid.fits(session.id.to_string().as_bytes())
            && self.addr.fits(session.peer.addr.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_two_processes_add_up() {
        let count = |n| -> ControlResult { Ok(ControlOutcome::Sessions(n)) };
        let refused = |text: &str| -> ControlResult { Err(text.to_owned().into()) };
        let combined =
            |here, there| ControlOutcome::combine(here, there).map_err(|refusal| refusal.to_string());
        assert_eq!(combined(count(1), count(2)), Ok(ControlOutcome::Sessions(3)));
        assert_eq!(combined(refused("a"), count(2)), Ok(ControlOutcome::Sessions(2)));
        assert_eq!(combined(refused("a"), refused("b")), Err("a".to_owned()));
    }

    #[test]
    fn results_are_exchanged_as_other_versions_write_them() {
        for (result, line) in [
            (Ok(ControlOutcome::Sessions(2)), r#"{"Ok":"2"}"#),
            (Err(ControlRefusal::NoSection), r#"{"Err":"there is no such section"}"#),
        ] {
            let text = |result: &ControlResult| result.as_ref().map_err(ToString::to_string).cloned();
            assert_eq!(serde_json::to_string(&result).unwrap(), line);
            assert_eq!(text(&serde_json::from_str(line).unwrap()), text(&result));
        }
    }

    #[test]
    fn requests_over_http_need_a_server_and_those_over_the_socket_any_argument() {
        let check = |query: &str, caller: &ControlCaller| {
            let order = ControlOrder::new(b"client", query.as_bytes(), caller);
            ControlSelection::of(&order).map(drop)
        };
        let (client, user) = (ControlCaller::Client("a".into()), ControlCaller::User(0));
        assert!(check("srv=a", &client).is_ok());
        assert!(matches!(check("app=a", &client), Err(ControlRefusal::NoServer)));
        assert!(check("app=a", &user).is_ok());
        assert!(matches!(check("newname=a", &user), Err(ControlRefusal::NothingSelected)));
    }
}
