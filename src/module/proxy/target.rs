//! The `proxy_pass` directive.

use bstr::ByteSlice;

use crate::directive::context::{LIMIT_EXCEPT, LOCATION_IF};
use crate::directive::{Args, Evaluation, Value, number};
use crate::http::location::LocationName;
use crate::http::variable::Template;
use crate::syntax::{Problem, sentence};

/// Target of forwarded requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyPass {
    /// Whether the connection uses TLS.
    pub encrypted: bool,
    /// Address as written, with its scheme.
    pub url: Template,
}

impl Value for ProxyPass {
    fn syntax() -> String {
        "http://host[:port][/uri] | https://... | http://unix:path:[/uri]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ProxyPass, Problem> {
        let word = args.first();
        let url = Template::compile(word, &word.bytes, evaluation)?;
        let lower = word.bytes.to_ascii_lowercase();
        let encrypted = lower.starts_with(b"https://");
        if word.bytes.contains(&b'$') {
            return Ok(ProxyPass { encrypted, url });
        }
        let Some(rest) = lower.strip_prefix(b"http://").or(lower.strip_prefix(b"https://")) else {
            let help = "written as http://host[:port][/uri]";
            return Err(Problem::new("invalid URL prefix").at(word.span).help(help));
        };
        let (authority, uri) = match rest.strip_prefix(b"unix:") {
            // The path of a Unix socket ends at a colon.
            Some(rest) => (&b""[..], rest.split_once_str(":").map_or(&b""[..], |(_, uri)| uri)),
            None => rest.split_at(rest.find_byteset("/?").unwrap_or(rest.len())),
        };
        if let Some((_, port)) = authority.rsplit_once_str(":") {
            let valid = number::digits(port).is_some_and(|p| (1..=65535).contains(&p));
            if !valid && !authority.ends_with(b"]") {
                let text = sentence(&[b"invalid port in upstream \"", authority, b"\""]);
                return Err(Problem::new(text).at(word.span));
            }
        }
        let inside = evaluation.head::<LocationName>();
        let no_prefix = matches!(inside, Some(LocationName::Regex(_) | LocationName::Named(_)));
        if !uri.is_empty() && (no_prefix || evaluation.context & (LOCATION_IF | LIMIT_EXCEPT) != 0) {
            let text = "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named \
                        location, or inside \"if\" statement, or inside \"limit_except\" block";
            return Err(Problem::new(text)
                .at(word.span)
                .help("there is no prefix that the URI part could replace"));
        }
        Ok(ProxyPass { encrypted, url })
    }
}
