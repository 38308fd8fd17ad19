//! Of which variables those of `map`, `geo` and `split_clients` are made, and whether handshakes know these.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::directive::conclusion::WholeConfig;
use crate::http::variable::Variable;
use crate::limits;
use crate::net::ssl::source::{SERVER_NAME, VariablesOfCertificates};
use crate::syntax::{Problem, Span, sentence, suggest};

/// Names of variables that handshakes know. `$binary_remote_addr` is not one of them: its bytes might be those of a path.
const KNOWN: [&str; 5] = [SERVER_NAME, "remote_addr", "remote_port", "server_addr", "server_port"];

/// For each variable of `map`, `geo` and `split_clients`, those that it is made of.
#[derive(Default)]
pub(super) struct Ingredients(HashMap<BString, Vec<BString>>);

impl Ingredients {
    /// Records the variables of which one is made.
    pub(super) fn define(&mut self, name: &BString, of: impl IntoIterator<Item = Variable>) {
        let names = of.into_iter().filter(|variable| !matches!(variable, Variable::Capture(_))).map(name_of);
        self.0.insert(name.clone(), names.collect());
    }

    /// The first variable that a handshake does not know, and that this one needs.
    fn unknown(&self, name: &BString, depth: usize) -> Option<BString> {
        if KNOWN.iter().any(|known| name == known) {
            return None;
        }
        match self.0.get(name) {
            Some(ingredients) if depth < limits::HANDSHAKE_VARIABLES => {
                ingredients.iter().find_map(|ingredient| self.unknown(ingredient, depth + 1))
            }
            _ => Some(name.clone()),
        }
    }
}

/// The name of a variable.
fn name_of(variable: Variable) -> BString {
    let fixed = variable.fixed_name().map(BString::from);
    fixed.or_else(|| variable.definable()).unwrap_or_default()
}

/// Reports variables of certificates that handshakes do not know.
pub(super) fn are_known(whole: &mut WholeConfig<'_>) -> Vec<Problem> {
    let used = std::mem::take(&mut whole.notes.of::<VariablesOfCertificates>().0);
    let ingredients = whole.notes.of::<Ingredients>();
    let complaint = |(name, directive, span): &(BString, &'static str, Span)| {
        let unknown = ingredients.unknown(name, 0)?;
        let needs = match unknown == *name {
            true => BString::default(),
            false => sentence(&[b" for \"", name, b"\""]),
        };
        let text = sentence(&[
            b"variable \"",
            &unknown,
            b"\" in \"",
            directive.as_bytes(),
            b"\" is not known in a handshake",
            &needs,
        ]);
        let problem = Problem::new(text).at(*span).place(*span);
        let near =
            unknown.to_str().ok().and_then(|name| suggest::nearest(name.as_bytes(), KNOWN.into_iter()));
        Some(match near {
            Some(near) => problem.help(format!("did you mean `${near}`?")),
            None => problem.help(format!("known are {}, and what is made of them", KNOWN.join(", "))),
        })
    };
    used.iter().filter_map(complaint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_requests_make_is_unknown() {
        let mut ingredients = Ingredients::default();
        ingredients.define(&"a".into(), [Variable::RemoteAddr, Variable::Capture(1)]);
        ingredients.define(&"b".into(), [Variable::User("a".into()), Variable::Host]);
        ingredients.define(&"c".into(), [Variable::User("c".into())]);
        let unknown = |name: &str| ingredients.unknown(&name.into(), 0).map(|name| name.to_string());
        assert_eq!(unknown("a"), None);
        assert_eq!(unknown("b").as_deref(), Some("host"));
        assert_eq!(unknown("c").as_deref(), Some("c"));
        assert_eq!(unknown("ssl_server_name"), None);
        assert_eq!(unknown("d").as_deref(), Some("d"));
    }
}
