//! Requests of tools and scripts that act on streams and sessions: what modules carry out, and what a request means.

use std::borrow::Cow;

use super::variables::query_argument;

/// Why a request without `srv=` fails.
const NO_SERVER: &str = "srv= is missing: it names the serverid of the rtmp server that is meant";

/// A section of control requests: some methods that a module carries out.
pub trait ControlSection: Send + Sync {
    /// Its name in requests.
    fn name(&self) -> &'static str;

    /// Carries out a method with the arguments of a query. Returns the text of the answer.
    ///
    /// # Errors
    ///
    /// Why it cannot be carried out, for the client and the log.
    fn carry_out(&self, method: &[u8], query: &[u8]) -> Result<String, &'static str>;
}

/// The value of an argument. It means what it spells and what it decodes to: scripts written for PingOS, which decodes
/// nothing, send names as they are.
pub struct ArgumentValue<'a> {
    raw: &'a [u8],
    decoded: Cow<'a, [u8]>,
}

impl<'a> ArgumentValue<'a> {
    /// The argument `srv`, without which no request acts.
    ///
    /// # Errors
    ///
    /// It is missing.
    pub fn server(query: &'a [u8]) -> Result<ArgumentValue<'a>, &'static str> {
        let serverid = ArgumentValue::of(query, b"srv");
        if serverid.is_empty() { Err(NO_SERVER) } else { Ok(serverid) }
    }

    /// The argument of that name.
    pub fn of(query: &'a [u8], name: &[u8]) -> ArgumentValue<'a> {
        let raw = query_argument(query, name);
        ArgumentValue { raw, decoded: percent_encoding::percent_decode(raw).into() }
    }

    /// Whether the request says nothing of it.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The value, decoded.
    pub fn decoded(&self) -> &[u8] {
        &self.decoded
    }

    /// Whether a value is meant.
    pub fn is(&self, value: &[u8]) -> bool {
        value == self.raw || value == &self.decoded[..]
    }

    /// As [`ArgumentValue::is`]; without the argument every value fits.
    pub fn fits(&self, value: &[u8]) -> bool {
        self.is_empty() || self.is(value)
    }
}
