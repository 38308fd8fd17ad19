//! Where certificates and keys come from: files, the configuration itself, or files whose names depend on what is known in a
//! handshake.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};

use crate::directive::context::{RTMP, RTMP_SERVER};
use crate::directive::template::{Notation, Template};
use crate::directive::{Args, ConfPath, Evaluation, Value};
use crate::syntax::{Problem, Span, sentence};

/// The variable that handshakes of every kind of server know.
pub const SERVER_NAME: &str = "ssl_server_name";

/// Variables of certificates that are ordered: the directive in which each may stand, and its names.
const ISSUED: [(&str, [&str; 2]); 2] = [
    ("ssl_certificate", ["$acme_certificate", "${acme_certificate}"]),
    ("ssl_certificate_key", ["$acme_certificate_key", "${acme_certificate_key}"]),
];

/// A file, or `data:` with the contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSource {
    /// The file, or `data:` with the contents; as written if it depends on the client.
    pub path: PathBuf,
    named: Option<ClientName>,
}

/// A name that depends on the client.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ClientName {
    /// With the names of variables, in lower case.
    text: Template<BString>,
    /// Where relative names begin.
    base: PathBuf,
}

/// Names of variables in certificates and keys, with their directives and places.
#[derive(Default)]
pub struct VariablesOfCertificates(pub Vec<(BString, &'static str, Span)>);

impl CertificateSource {
    /// The file; `None` for `data:`, for names that depend on clients, and for what is ordered.
    pub fn file(&self) -> Option<&Path> {
        (!self.is_inline() && !self.is_variable() && !self.is_issued()).then_some(&self.path)
    }

    /// Whether the contents stand in the configuration.
    pub fn is_inline(&self) -> bool {
        self.path.as_os_str().as_encoded_bytes().starts_with(b"data:")
    }

    /// Whether it is the certificate that is ordered for the server, or its key.
    pub fn is_issued(&self) -> bool {
        ISSUED.iter().flat_map(|(_, names)| names).any(|name| self.path.as_os_str() == *name)
    }

    /// Whether the name depends on the client.
    pub fn is_variable(&self) -> bool {
        self.named.is_some()
    }

    /// The file, or `data:` with the contents, with these values of variables. Values are the configuration's, or names of hosts
    /// and addresses.
    pub fn path_with(&self, mut value: impl FnMut(&BStr, &mut Vec<u8>)) -> PathBuf {
        let Some(named) = &self.named else { return self.path.clone() };
        let mut text = Vec::new();
        named.text.fill(&mut text, |name, out| value(name.as_bstr(), out));
        let path = Path::new(OsStr::from_bytes(&text));
        if text.starts_with(b"data:") { path.to_owned() } else { named.base.join(path) }
    }
}

impl Value for CertificateSource {
    fn syntax() -> String {
        "path | data:text".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CertificateSource, Problem> {
        let word = args.first();
        let fixed = |path: PathBuf| CertificateSource { path, named: None };
        if word.bytes.starts_with(b"engine:") {
            return Err(args.refuse("names an engine, and there are none here"));
        }
        let text = String::from_utf8_lossy(&word.bytes).into_owned();
        if text.starts_with("data:") && !text.contains('$') {
            return Ok(fixed(text.into()));
        }
        if let Some((directive, names)) = ISSUED.iter().find(|(_, names)| names.contains(&text.as_str())) {
            if args.name.is(directive) {
                return Ok(fixed(names[0].into()));
            }
            let text = format!("{} stands in \"{directive}\" only", names[0]);
            return Err(Problem::new(text).at(word.span));
        }
        if !text.contains('$') {
            return Ok(fixed(ConfPath::parse(args, evaluation)?.0));
        }
        let mut found = Vec::new();
        let template = Notation::WORDS.template(&word.bytes, |name| match name {
            Ok((name, _)) => {
                let lower: BString = name.to_ascii_lowercase().into();
                found.push((lower.clone(), word.span_of(name)));
                Ok(Some(lower))
            }
            Err(_) => Err(Problem::new("invalid variable name").at(word.span)),
        })?;
        let directive =
            ISSUED.iter().map(|(name, _)| *name).find(|name| args.name.is(name)).unwrap_or_default();
        for (name, span) in found {
            if name.starts_with(b"acme_certificate") {
                let text = sentence(&[b"\"", &word.bytes, b"\" has a variable that stands alone"]);
                let (certificate, key) = (ISSUED[0].1[0], ISSUED[1].1[0]);
                let help = format!("{certificate} and {key} stand alone, without anything around them");
                return Err(Problem::new(text).at(span).help(help));
            }
            if name == SERVER_NAME {
                continue;
            }
            if evaluation.context & (RTMP | RTMP_SERVER) != 0 {
                let text = sentence(&[
                    b"\"",
                    &word.bytes,
                    b"\" has a variable other than $ssl_server_name, the only one of servers of RTMP",
                ]);
                return Err(Problem::new(text).at(span));
            }
            evaluation.notes.of::<VariablesOfCertificates>().0.push((name, directive, span));
        }
        let base = evaluation.under_conf(b"");
        Ok(CertificateSource { path: text.into(), named: Some(ClientName { text: template, base }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    fn path(text: &str) -> PathBuf {
        let source: CertificateSource = sample::value(&format!("ssl_certificate {text};"));
        assert!(source.is_variable() && source.file().is_none());
        source
            .path_with(|name, out| out.extend_from_slice(if name == SERVER_NAME { b"b.test" } else { b"/v" }))
    }

    #[test]
    fn names_may_depend_on_the_client() {
        assert_eq!(path("/a/$ssl_server_name.crt"), Path::new("/a/b.test.crt"));
        assert_eq!(path("/a/${SSL_server_name}x"), Path::new("/a/b.testx"));
        // A value may be a whole path, or contents.
        assert_eq!(path("$other"), Path::new("/v"));
        assert_eq!(path("data:$ssl_server_name"), Path::new("data:b.test"));
        assert!(path("$ssl_server_name.crt").ends_with("b.test.crt"));
        for bad in ["/a/$", "/a/${host", "engine:a:b", "/a/$acme_certificate"] {
            let (read, said) = sample::read::<CertificateSource>(&format!("ssl_certificate {bad};"));
            assert!(read.is_none() && !said.is_empty(), "{bad}");
        }
    }

    #[test]
    fn what_is_ordered_and_what_is_written_depend_on_no_client() {
        let source: CertificateSource = sample::value("ssl_certificate ${acme_certificate};");
        assert!(source.is_issued() && !source.is_variable() && source.file().is_none());
        let bad = "ssl_certificate $acme_certificate_key;";
        let (read, said) = sample::read::<CertificateSource>(bad);
        assert!(read.is_none() && said[0].contains("in \"ssl_certificate_key\" only"), "{said:?}");
        let source: CertificateSource = sample::value("ssl_certificate data:text;");
        assert!(source.is_inline() && source.file().is_none());
    }
}
