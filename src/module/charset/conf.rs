//! Directives of the charset module.

use bstr::{BString, ByteSlice};

use super::map::CharsetMap;
use crate::directive::context::{HTTP, HTTP_ALL, LOCATION, LOCATION_IF};
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::{Args, Evaluation, Flag, Value};
use crate::http::content_types::TypeList;
use crate::http::variable::Template;
use crate::syntax::{Problem, sentence};

directives! {
    /// Character sets of responses.
    module "charset";
    live as Current {
        /// Charset in Content-Type; a response whose `source_charset` is another one is recoded by a `charset_map`.
        ///
        /// Example: `charset utf-8;`
        "charset" => charset: Charset = "off", in HTTP_ALL | LOCATION_IF;
        /// Charset that responses have before they are recoded.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `source_charset koi8-r;`
        "source_charset" => source: Option<SourceCharset>, in HTTP_ALL | LOCATION_IF;
        /// Replaces a charset that another server has set.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `override_charset on;`
        "override_charset" => overrides: Flag = "off", in HTTP_ALL | LOCATION_IF;
        /// MIME types to which the charset is added, besides text/html; `*` stands for all. Without it, they are text/xml,
        /// text/plain, text/vnd.wap.wml, application/javascript and application/rss+xml.
        ///
        /// Example: `charset_types text/html text/plain;`
        "charset_types" => types: Option<TypeList>, in HTTP_ALL;
        /// Table from a charset to another and back: pairs of hexadecimal codes, UTF-8 as up to three bytes. UTF-8
        /// stands second.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `charset_map koi8-r utf-8 { C0 D18E; }`
        "charset_map" => maps: Vec<CharsetMap>, in HTTP;
    }
    checks { has_map, in LOCATION; }
}

/// A charset.
#[derive(Clone, Debug, PartialEq)]
pub enum Charset {
    /// None.
    Off,
    /// Its name.
    Name(BString),
    /// A variable that has its name.
    Variable(Template),
}

/// A charset of `source_charset`, where `off` is a name.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceCharset(pub Charset);

impl Current {
    /// Whether a charset that another server names is one of this location's, or of a `charset_map`.
    pub(super) fn knows(&self, name: &BString) -> bool {
        let known = [Some(&self.charset), self.source.as_ref().map(|source| &source.0)];
        let is_it =
            |charset: &Charset| matches!(charset, Charset::Name(known) if known.eq_ignore_ascii_case(name));
        known.into_iter().flatten().any(is_it) || self.maps.iter().any(|map| map.names(name.as_bstr()))
    }
}

impl Charset {
    fn named(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Charset, Problem> {
        let word = args.first();
        match word.bytes.first() {
            Some(b'$') => Template::compile(word, &word.bytes, evaluation).map(Charset::Variable),
            _ => Ok(Charset::Name(word.text().to_owned())),
        }
    }
}

impl Value for Charset {
    fn syntax() -> String {
        "charset | $variable | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Charset, Problem> {
        match &args.first().bytes[..] {
            b"off" => Ok(Charset::Off),
            _ => Charset::named(args, evaluation),
        }
    }
}

impl Value for SourceCharset {
    fn syntax() -> String {
        "charset | $variable".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SourceCharset, Problem> {
        Charset::named(args, evaluation).map(SourceCharset)
    }
}

/// Reports charsets between which there is no table.
fn has_map(values: &dyn ValueLookup) -> Option<Problem> {
    let current = values.find::<Current>()?;
    let (Charset::Name(to), Some(SourceCharset(Charset::Name(from)))) = (&current.charset, &current.source)
    else {
        return None;
    };
    let is_known = from.eq_ignore_ascii_case(to)
        || current.maps.iter().any(|map| map.recoding(from.as_bstr(), to.as_bstr()).is_some());
    (!is_known).then(|| Problem::new(sentence(&no_map(from, to))))
}

/// nginx's text about a table that does not exist.
fn no_map<'n>(from: &'n [u8], to: &'n [u8]) -> [&'n [u8]; 5] {
    [b"no \"charset_map\" between the charsets \"", from, b"\" and \"", to, b"\""]
}
