//! Control requests of tools and scripts: sections that modules implement, and arguments of requests.

use std::borrow::Cow;

use super::variables::query_argument;

/// Error of a request without `srv=`.
const NO_SERVER: &str = "srv= is missing: it names the serverid of the rtmp server that is meant";

/// A section of control requests, with its methods.
pub trait ControlSection: Send + Sync {
    /// Name of the section in requests.
    fn name(&self) -> &'static str;

    /// Runs a method with the arguments of the query. Returns the text of the response.
    ///
    /// # Errors
    ///
    /// The reason why the method failed, for the client and the log.
    fn carry_out(&self, method: &[u8], query: &[u8]) -> Result<String, &'static str>;

    /// Result of a method that both processes of an upgrade have carried out.
    ///
    /// # Errors
    ///
    /// The reason why it failed in both.
    fn combine(&self, here: ControlResult, there: ControlResult) -> ControlResult {
        here.or_else(|error| there.map_err(|_| error))
    }
}

/// Result of a control request: the text of the response, or the reason of the failure.
pub type ControlResult = Result<String, Cow<'static, str>>;

/// Value of an argument. It matches literally and decoded: PingOS decodes nothing, so scripts written for it send names
/// unencoded.
pub struct ArgumentValue<'a> {
    raw: &'a [u8],
    decoded: Cow<'a, [u8]>,
}

impl<'a> ArgumentValue<'a> {
    /// The argument `srv`, which every request needs.
    ///
    /// # Errors
    ///
    /// The argument is missing.
    pub fn server(query: &'a [u8]) -> Result<ArgumentValue<'a>, &'static str> {
        let serverid = ArgumentValue::of(query, b"srv");
        if serverid.is_empty() { Err(NO_SERVER) } else { Ok(serverid) }
    }

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

    /// Whether the argument matches this value.
    pub fn is(&self, value: &[u8]) -> bool {
        value == self.raw || value == &self.decoded[..]
    }

    /// As [`ArgumentValue::is`]; without the argument every value fits.
    pub fn fits(&self, value: &[u8]) -> bool {
        self.is_empty() || self.is(value)
    }
}
