//! Where certificates and keys come from: files, the configuration itself, or files named after what a client asks for.

use std::path::{Path, PathBuf};

use crate::directive::{Args, ConfPath, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// The only variable that is known in a handshake and makes sense in a name.
const VARIABLE: &str = "$ssl_server_name";
const BRACED: &str = "${ssl_server_name}";

/// Variables of certificates that are ordered: the directive in which each may stand, and its names.
const ISSUED: [(&str, [&str; 2]); 2] = [
    ("ssl_certificate", ["$acme_certificate", "${acme_certificate}"]),
    ("ssl_certificate_key", ["$acme_certificate_key", "${acme_certificate_key}"]),
];

/// A file, or `data:` with the contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSource(pub PathBuf);

impl CertificateSource {
    /// The file; `None` for `data:`, for names that depend on clients, and for what is ordered.
    pub fn file(&self) -> Option<&Path> {
        (!self.is_inline() && !self.is_variable() && !self.is_issued()).then_some(&self.0)
    }

    /// Whether the contents stand in the configuration.
    pub fn is_inline(&self) -> bool {
        self.0.as_os_str().as_encoded_bytes().starts_with(b"data:")
    }

    /// Whether it is the certificate that is ordered for the server, or its key.
    pub fn is_issued(&self) -> bool {
        ISSUED.iter().flat_map(|(_, names)| names).any(|name| self.0.as_os_str() == *name)
    }

    /// Whether the name depends on the client.
    pub fn is_variable(&self) -> bool {
        !self.is_inline() && !self.is_issued() && self.0.to_string_lossy().contains('$')
    }

    /// The file for a server name, which has been checked to be one.
    #[must_use]
    pub fn for_name(&self, name: &str) -> CertificateSource {
        let text = self.0.to_string_lossy();
        CertificateSource(text.replace(BRACED, name).replace(VARIABLE, name).into())
    }
}

impl Value for CertificateSource {
    fn syntax() -> String {
        "path | data:text".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CertificateSource, Problem> {
        let word = args.first();
        if word.bytes.starts_with(b"engine:") {
            return Err(args.refuse("names an engine, and there are none here"));
        }
        let text = String::from_utf8_lossy(&word.bytes).into_owned();
        if text.starts_with("data:") {
            if text.contains('$') {
                return Err(args.refuse("has variables in \"data:\", which are not supported"));
            }
            return Ok(CertificateSource(text.into()));
        }
        if let Some((directive, names)) = ISSUED.iter().find(|(_, names)| names.contains(&text.as_str())) {
            if args.name.is(directive) {
                return Ok(CertificateSource(names[0].into()));
            }
            let text = format!("{} stands in \"{directive}\" only", names[0]);
            return Err(Problem::new(text).at(word.span));
        }
        let rest = text.replace(BRACED, "").replace(VARIABLE, "\0");
        // `$ssl_server_names` is another variable.
        let is_other = rest
            .split('\0')
            .skip(1)
            .any(|after| after.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_'));
        if rest.contains('$') || is_other {
            let text = sentence(&[
                b"\"",
                &word.bytes,
                b"\" has a variable other than $ssl_server_name, the only one that handshakes know here",
            ]);
            let help = format!(
                "{} and {} stand alone, without anything around them",
                ISSUED[0].1[0], ISSUED[1].1[0]
            );
            let problem = Problem::new(text).at(word.span);
            let is_near =
                word.bytes.windows(b"acme_certificate".len()).any(|part| part == b"acme_certificate");
            return Err(if is_near { problem.help(help) } else { problem });
        }
        Ok(CertificateSource(ConfPath::parse(args, evaluation)?.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn names_may_depend_on_the_server_name_only() {
        let source: CertificateSource = sample::value("ssl_certificate /a/$ssl_server_name.crt;");
        assert!(source.is_variable() && source.file().is_none());
        assert_eq!(source.for_name("b.test").0, Path::new("/a/b.test.crt"));
        for bad in ["/a/$host", "/a/$ssl_server_names", "data:$ssl_server_name", "engine:a:b"] {
            let (read, said) = sample::read::<CertificateSource>(&format!("ssl_certificate {bad};"));
            assert!(read.is_none() && !said.is_empty(), "{bad}");
        }
        let source: CertificateSource = sample::value("ssl_certificate ${acme_certificate};");
        assert!(source.is_issued() && !source.is_variable() && source.file().is_none());
        let bad = "ssl_certificate $acme_certificate_key;";
        let (read, said) = sample::read::<CertificateSource>(bad);
        assert!(read.is_none() && said[0].contains("in \"ssl_certificate_key\" only"), "{said:?}");
        let source: CertificateSource = sample::value("ssl_certificate data:text;");
        assert!(source.is_inline() && source.file().is_none());
    }
}
