//! Lints about certificates and keys.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bstr::ByteSlice;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::finding::{Finding, LintContext};
use crate::directive::context::{HTTP, HTTP_SERVER};
use crate::directive::outline::OutlineStatement;
use crate::net::tls::x509::der::{SEQUENCE, element};
use crate::syntax::Problem;
use crate::syntax::{sentence, to_path};
use crate::task::disk::read_text;

pub(super) fn certificate_unreadable(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    for statement in &scope.outline.statements {
        let what = match () {
            () if statement.is("ssl_certificate") => "certificate",
            () if statement.is("ssl_certificate_key") => "key",
            () => continue,
        };
        let Some(path) = path(scope, statement) else { continue };
        let reason = match read_text(&path) {
            Ok(text) => {
                let found = match what {
                    "key" => is_encrypted(&text) || PrivateKeyDer::from_pem_slice(&text).is_ok(),
                    _ => CertificateDer::from_pem_slice(&text).is_ok(),
                };
                if found {
                    continue;
                }
                sentence(&[b"it holds no ", what.as_bytes(), b" in PEM form"])
            }
            Err(reason) => reason.sentence(),
        };
        let name = path.as_os_str().as_encoded_bytes();
        let text = sentence(&[b"cannot load ", what.as_bytes(), b" \"", name, b"\": ", &reason]);
        findings.push(Finding::new(statement, Problem::warning(text)));
    }
}

/// Unreadable certificates are reported by [`certificate_unreadable`].
pub(super) fn certificate_expired(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    for statement in scope.outline.statements.iter().filter(|s| s.is("ssl_certificate")) {
        let Some(certificate) = path(scope, statement).and_then(|path| certificate(&path)) else { continue };
        let Some(CertificateFields { begin, end, .. }) = parts(&certificate) else { continue };
        let now = SystemTime::now();
        let text = if now > end {
            format!("the certificate expired {} ago", shown(now.duration_since(end)))
        } else if now < begin {
            format!("the certificate will not be valid for another {}", shown(begin.duration_since(now)))
        } else {
            continue;
        };
        findings.push(Finding::new(statement, Problem::warning(text)));
    }
}

pub(super) fn certificate_mismatch(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    for section in outline.of(HTTP | HTTP_SERVER) {
        let own = |name| outline.own(section, name).next().is_some();
        if !own("ssl_certificate") && !own("ssl_certificate_key") {
            continue;
        }
        // Several certificates are paired with the same number of keys, in order.
        let all = |name: &'static str| {
            let holder = outline.around(section).find(move |at| outline.own(*at, name).next().is_some());
            holder.into_iter().flat_map(move |at| outline.own(at, name))
        };
        for (certificate_line, key_line) in all("ssl_certificate").zip(all("ssl_certificate_key")) {
            let (Some(certificate_path), Some(key_path)) =
                (path(scope, certificate_line), path(scope, key_line))
            else {
                continue;
            };
            if mismatch(&certificate_path, &key_path) == Some(true) {
                let problem = Problem::warning("the key is not that of the certificate")
                    .label(certificate_line.node.span(), "the certificate");
                findings.push(Finding::new(key_line, problem));
            }
        }
    }
}

/// Whether a PEM text has an encrypted key, which `ssl_password_file` decrypts.
fn is_encrypted(text: &[u8]) -> bool {
    let marks = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
    marks.iter().any(|mark| text.contains_str(mark))
}

/// File that a line names, unless the name contains variables.
fn path(scope: &LintContext<'_>, statement: &OutlineStatement<'_>) -> Option<PathBuf> {
    let word = &statement.words().first()?.bytes;
    let named = !word.contains(&b'$') && !word.starts_with(b"data:") && !word.starts_with(b"engine:");
    named.then(|| scope.bases.conf.join(to_path(word)))
}

fn certificate(path: &Path) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(&read_text(path).ok()?).ok()
}

/// Whether certificate and key do not match; `None` if unknown.
fn mismatch(certificate_path: &Path, key_path: &Path) -> Option<bool> {
    let key = PrivateKeyDer::from_pem_slice(&read_text(key_path).ok()?).ok()?;
    let signer = default_provider().key_provider.load_private_key(key).ok()?;
    let certificate = certificate(certificate_path)?;
    let parts = parts(&certificate)?;
    Some(&*signer.public_key()? != parts.public_key)
}

/// Parts of a certificate that lints examine.
#[derive(Debug, PartialEq)]
struct CertificateFields<'c> {
    begin: SystemTime,
    end: SystemTime,
    /// The complete SubjectPublicKeyInfo.
    public_key: &'c [u8],
}

/// Parses a certificate (RFC 5280 §4.1). Version 1, which verifiers refuse, is accepted.
fn parts(certificate: &[u8]) -> Option<CertificateFields<'_>> {
    const VERSION: u8 = 0xA0;
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(whole, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest, *rest.first()?)?.1;
    }
    let (dates, rest) = element(rest, SEQUENCE)?;
    let (begin, end) = element(dates, *dates.first()?)?;
    let (end, _) = element(end, *end.first()?)?;
    let (_subject, key) = element(rest, SEQUENCE)?;
    let (_, after) = element(key, SEQUENCE)?;
    let public_key = key.get(..key.len() - after.len())?;
    Some(CertificateFields { begin: moment(begin)?, end: moment(end)?, public_key })
}

/// Parses a UTCTime `YYMMDDhhmmssZ` or GeneralizedTime `YYYYMMDDhhmmssZ` (RFC 5280 §4.1.2.5).
fn moment(text: &[u8]) -> Option<SystemTime> {
    let digits = text.strip_suffix(b"Z")?;
    let pair = |at: usize| {
        let two = digits.get(at..at + 2).filter(|two| two.iter().all(u8::is_ascii_digit))?;
        Some(i16::from(two[0] - b'0') * 10 + i16::from(two[1] - b'0'))
    };
    let (year, at) = match digits.len() {
        12 => (pair(0)? + if pair(0)? < 50 { 2000 } else { 1900 }, 2),
        14 => (pair(0)? * 100 + pair(2)?, 4),
        _ => return None,
    };
    let small = |at: usize| i8::try_from(pair(at)?).ok();
    let date = jiff::civil::Date::new(year, small(at)?, small(at + 2)?).ok()?;
    let time = jiff::civil::Time::new(small(at + 4)?, small(at + 6)?, small(at + 8)?, 0).ok()?;
    let seconds =
        date.to_datetime(time).to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    match u64::try_from(seconds) {
        Ok(seconds) => UNIX_EPOCH.checked_add(Duration::from_secs(seconds)),
        Err(_) => UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs())),
    }
}

/// A duration in whole days, or in hours if it is shorter.
fn shown<E>(duration: Result<Duration, E>) -> String {
    let hours = duration.unwrap_or_default().as_secs() / 3_600;
    match hours / 24 {
        0 => format!("{hours}h"),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_both_forms() {
        let second =
            |text: &str| moment(text.as_bytes()).map(|m| m.duration_since(UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(second("700101000001Z"), Some(1));
        assert_eq!(second("20000101000000Z"), Some(946_684_800));
        for bad in ["", "Z", "991301000000Z", "99010100000aZ", "990101000000", "\u{e9}90101000000Z"] {
            assert_eq!(second(bad), None, "{bad}");
        }
    }

    #[test]
    fn broken_certificates_have_no_parts() {
        for bad in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80", b"\x30\x02\x30\x00"] {
            assert_eq!(parts(bad), None);
        }
    }
}
