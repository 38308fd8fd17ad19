//! `http_trace`, and the variables `$ntm_*`.

use bstr::{BStr, BString};
use data_encoding::HEXLOWER;

use super::conf::Traced;
use crate::http::exchange::{
    Check, Decision, Exchange, Lookup, PhaseCheck, RequestVariables, VariableLookup,
};
use crate::http::log::LogSuffix;
use crate::http::routes::Location;
use crate::limits;
use crate::log::shown::Shown;

/// Parent of a request that began the trace.
const NO_PARENT: &str = "00000000000000000000000000000000";

/// Gives requests their trace ids.
pub struct TraceCheck;

/// The variables `$ntm_*`.
pub struct TraceVariables;

/// Trace ids of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TraceIds {
    trace: BString,
    current: BString,
    parent: BString,
    is_debug: bool,
}

impl TraceIds {
    /// The ids of the headers, if all three are there, otherwise new ones.
    fn new<'r>(header: impl Fn(&str) -> Option<&'r BStr>) -> Self {
        let id = |name| -> Option<BString> {
            let value = header(name)?;
            Some(value[..value.len().min(limits::TRACE_ID_BYTES)].into())
        };
        let is_debug = header("x-ntm-debug").is_some_and(|value| value == "1");
        match (id("x-ntm-traceid"), id("x-ntm-currentid"), id("x-ntm-parentid")) {
            (Some(trace), Some(current), Some(parent)) => TraceIds { trace, current, parent, is_debug },
            _ => TraceIds { trace: random(), current: random(), parent: NO_PARENT.into(), is_debug },
        }
    }

    /// The text at the end of log lines.
    fn suffix(&self) -> String {
        let TraceIds { trace, current, parent, .. } = self;
        let (trace, current, parent) = (Shown::new(trace), Shown::new(current), Shown::new(parent));
        format!(
            ", [NGINX-TRACE] traceid: {trace}, currentid: {current}, parentid: {parent} [NGINX-TRACE-END]"
        )
    }
}

impl PhaseCheck for TraceCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Traced>().0
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let ids = TraceIds::new(|name| exchange.request.header(name));
        exchange.kept.insert(LogSuffix(ids.suffix()));
        exchange.kept.insert(ids);
        Check::Now(Decision::Next)
    }
}

impl RequestVariables for TraceVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let Some(name) = name.strip_prefix(b"ntm_") else { return Ok(None) };
        let Some(ids) = exchange.kept.get::<TraceIds>() else { return Ok(Some(Lookup::Missing)) };
        match name {
            b"traceid" => out.extend_from_slice(&ids.trace),
            b"currentid" => out.extend_from_slice(&ids.current),
            b"parentid" => out.extend_from_slice(&ids.parent),
            b"debug" => out.push(if ids.is_debug { b'1' } else { b'0' }),
            b"newid" => out.extend_from_slice(&random()),
            _ => return Ok(None),
        }
        Ok(Some(Lookup::Found))
    }
}

/// A new id: 32 hexadecimal digits.
fn random() -> BString {
    let mut bytes = [0; 16];
    // Without randomness the id is still well formed.
    let _ = getrandom::fill(&mut bytes);
    HEXLOWER.encode(&bytes).into()
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    #[test]
    fn ids_come_from_the_headers_or_are_new() {
        let long = "x".repeat(limits::TRACE_ID_BYTES + 1);
        let given = TraceIds::new(|name| match name {
            "x-ntm-traceid" => Some(long.as_bytes().as_bstr()),
            "x-ntm-currentid" => Some(b"b\"".as_bstr()),
            "x-ntm-parentid" => Some(b"c".as_bstr()),
            _ => None,
        });
        assert_eq!(given.trace, long[1..]);
        assert_eq!((given.current.as_bstr(), given.parent.as_bstr()), (b"b\"".as_bstr(), b"c".as_bstr()));
        assert!(given.suffix().contains("currentid: b\\x22, parentid: c [NGINX-TRACE-END]"));
        let new = TraceIds::new(|name| (name != "x-ntm-parentid").then_some(b"1".as_bstr()));
        assert_eq!((new.trace.len(), new.current.len(), new.parent == NO_PARENT), (32, 32, true));
        assert!(new.trace != new.current && new.is_debug);
    }
}
