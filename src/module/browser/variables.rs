//! `$ancient_browser`, `$modern_browser` and `$msie`.

use bstr::{BStr, ByteSlice};

use super::browsers::is_modern;
use super::conf::Current;
use crate::http::browser::is_msie;
use crate::http::exchange::{Exchange, Lookup, RequestVariables, VariableLookup};

/// The variables of the module.
pub struct BrowserVariables;

impl RequestVariables for BrowserVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let conf = exchange.location.get::<Current>();
        let agent = exchange.request.header("user-agent").map(|value| value.as_bytes());
        let is_modern = || is_modern(agent, &conf.ancient, &conf.modern);
        match name.as_bytes() {
            b"ancient_browser" if !is_modern() => out.extend_from_slice(&conf.ancient_value.0),
            b"modern_browser" if is_modern() => out.extend_from_slice(&conf.modern_value.0),
            b"msie" if is_msie(agent.unwrap_or_default()) => out.push(b'1'),
            b"ancient_browser" | b"modern_browser" | b"msie" => {}
            _ => return Ok(None),
        }
        Ok(Some(Lookup::Found))
    }
}
