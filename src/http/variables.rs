//! Values of http variables for one request.

use bstr::ByteSlice;
use http::header::HeaderName;

use super::exchange::{Exchange, host_of};
use super::variable::{Template, Variable, Variables};
use crate::directive::{ServerName, Undecided};
use crate::media::variables::query_argument;
use crate::notify::ProcessVariables;
use crate::notify::variable::{Variable as ProcessVariable, Variables as _};

/// Values for one request.
struct RequestVariables<'a> {
    exchange: &'a Exchange<'a>,
}

impl<'a> RequestVariables<'a> {
    /// For this request.
    fn new(exchange: &'a Exchange<'a>) -> Self {
        RequestVariables { exchange }
    }
}

impl Variables for RequestVariables<'_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
        let exchange = self.exchange;
        let (request, peer) = (exchange.request, &exchange.connection.peer);
        if let Some(value) = exchange.assigned.given(variable) {
            return out.extend_from_slice(value);
        }
        let process = |variable: ProcessVariable, out: &mut Vec<u8>| ProcessVariables.value(&variable, out);
        match variable {
            Variable::Args => out.extend_from_slice(exchange.query()),
            Variable::Host => match host_of(request) {
                host if host.is_empty() => server_name(exchange, out),
                host => out.extend_from_slice(&host),
            },
            Variable::Hostname => out.extend_from_slice(&crate::directive::server_name::host_name()),
            Variable::InvalidReferer => of_module(exchange, variable, out),
            Variable::IsArgs => {
                if !exchange.query().is_empty() {
                    out.push(b'?');
                }
            }
            Variable::Msec => process(ProcessVariable::Msec, out),
            Variable::NginxVersion => process(ProcessVariable::NginxVersion, out),
            Variable::Pid => process(ProcessVariable::Pid, out),
            Variable::RemoteAddr => out.extend_from_slice(peer.addr.as_bytes()),
            Variable::RemotePort => out.extend_from_slice(peer.port.to_string().as_bytes()),
            Variable::RequestMethod => out.extend_from_slice(request.method().as_str().as_bytes()),
            Variable::RequestUri => {
                out.extend_from_slice(exchange.target);
            }
            Variable::Scheme => out.extend_from_slice(exchange.connection.scheme.as_bytes()),
            Variable::ServerAddr => out.extend_from_slice(peer.local_addr.as_bytes()),
            Variable::ServerName => server_name(exchange, out),
            Variable::ServerPort => out.extend_from_slice(peer.local_port.to_string().as_bytes()),
            Variable::ServerProtocol => out.extend_from_slice(format!("{:?}", request.version()).as_bytes()),
            Variable::TimeIso8601 => process(ProcessVariable::TimeIso8601, out),
            Variable::TimeLocal => process(ProcessVariable::TimeLocal, out),
            Variable::Uri => out.extend_from_slice(exchange.path),
            Variable::Arg(name) => out.extend_from_slice(query_argument(exchange.query(), name)),
            Variable::Capture(group) => {
                out.extend_from_slice(exchange.assigned.group(*group).map_or(&b""[..], |text| text));
            }
            Variable::Header(name) => {
                if let Ok(name) = HeaderName::from_bytes(&name.replace("_", "-")) {
                    header(exchange, &name, out);
                }
            }
            // Not assigned, or without a value yet; `-t` warns of the directives that define them.
            Variable::User(_) | Variable::Other(_) => {}
        }
    }
}

impl Exchange<'_> {
    /// Expands a template for this request.
    pub fn expand(&self, template: &Template) -> Vec<u8> {
        let mut text = Vec::new();
        template.expand(&RequestVariables::new(self), &mut text);
        text
    }

    /// Value of a variable for this request.
    pub fn value(&self, variable: &Variable) -> Vec<u8> {
        let mut value = Vec::new();
        RequestVariables::new(self).value(variable, &mut value);
        value
    }

    /// Whether a variable has a value.
    pub fn can_tell(&self, variable: &Variable) -> bool {
        let of_query = matches!(variable, Variable::Args | Variable::Arg(_) | Variable::IsArgs);
        if of_query && self.assigned.query_is_unknown() {
            return false;
        }
        let Some(name) = variable.definable() else { return true };
        match self.assigned.assigned(&name) {
            Some(value) => value.is_some(),
            None => !self.server.routes().without_value.contains(&name) && *variable != Variable::Other(name),
        }
    }

    /// Keeps the value of a variable that does not change after its first use.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression is.
    pub fn keep_first(&mut self, variable: &Variable) -> Result<(), Undecided> {
        let Some(name) = variable.of_module() else { return Ok(()) };
        let Some(given) = self.service().variable(name) else { return Ok(()) };
        if self.assigned.first(name).is_none() {
            let mut value = Vec::new();
            given.value(self, &mut value)?;
            self.assigned.set_first(name, value);
        }
        Ok(())
    }
}

/// Appends the value of a module's variable.
fn of_module(exchange: &Exchange<'_>, variable: &Variable, out: &mut Vec<u8>) {
    let Some(name) = variable.of_module() else { return };
    match (exchange.assigned.first(name), exchange.service().variable(name)) {
        (Some(value), _) => out.extend_from_slice(value),
        (None, Some(given)) => given.value(exchange, out).unwrap_or_default(),
        (None, None) => {}
    }
}

/// Appends a request header. Of several, the first one counts, except for two that are lists.
fn header(exchange: &Exchange<'_>, name: &HeaderName, out: &mut Vec<u8>) {
    let between: &[u8] = match name.as_str() {
        "cookie" => b"; ",
        "x-forwarded-for" => b", ",
        _ => return out.extend_from_slice(exchange.header(name.clone())),
    };
    for (number, value) in exchange.request.headers().get_all(name).iter().enumerate() {
        out.extend_from_slice(if number > 0 { between } else { b"" });
        out.extend_from_slice(value.as_bytes());
    }
}

fn server_name(exchange: &Exchange<'_>, out: &mut Vec<u8>) {
    if let Some(name) = exchange.server.names.first() {
        let name: &ServerName = name;
        out.extend_from_slice(&name.spelled());
    }
}
