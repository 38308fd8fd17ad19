//! Checks that TLS sockets have certificates.

use super::conf::Conf;
use crate::directive::context::{HTTP_SERVER, RTMP_SERVER};
use crate::directive::listen::Addresses;
use crate::directive::slot::ValueLookup;
use crate::syntax::Problem;

/// Checks the certificates of an HTTP server.
pub(super) fn http_certificates(values: &dyn ValueLookup) -> Option<Problem> {
    let encrypted = values.find::<Addresses<HTTP_SERVER>>()?.encrypted.as_ref()?;
    let ssl = values.find::<Conf>()?;
    if ssl.certificate.is_empty() {
        let text = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
        let help = "`ssl_certificate` and `ssl_certificate_key` name the files, here or around the server";
        return Some(Problem::new(text).label(encrypted.span, "TLS is enabled here").help(help));
    }
    without_key(ssl)
}

/// Like [`http_certificates`]; the texts are those of PingOS, which does not support RTMP over TLS.
pub(super) fn rtmp_certificates(values: &dyn ValueLookup) -> Option<Problem> {
    let encrypted = values.find::<Addresses<RTMP_SERVER>>()?.encrypted.as_ref()?;
    let ssl = values.find::<Conf>()?;
    if ssl.certificate.is_empty() {
        let problem = Problem::new("the invalid \"ssl\" parameter").at(encrypted.span).place(encrypted.place);
        let help = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
        return Some(problem.help(help));
    }
    without_key(ssl)
}

/// Reports a certificate without a key.
fn without_key(ssl: &Conf) -> Option<Problem> {
    let without = ssl.certificate.get(ssl.certificate_key.len())?;
    let text = format!("no \"ssl_certificate_key\" is defined for certificate \"{}\"", without.0.display());
    Some(Problem::new(text))
}
