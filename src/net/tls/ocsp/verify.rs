//! Checks of responses, in OpenSSL's order and with its words.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use super::message::{Basic, CertId, CertStatus, Outer, SUCCESSFUL};
use crate::net::tls::x509::certificate;
use crate::net::tls::x509::chain::{Purpose, verify_chain};
use crate::net::tls::x509::signature;
use crate::net::tls::x509::trust::Trust;

/// Seconds that the clocks of responders may differ from ours.
const SKEW: i64 = 300;

/// Certificate whose status is requested, and the signers whose answer is accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct CertificateQuery<'a> {
    pub(super) id: &'a CertId,
    /// Certificates that a signer may have besides those in the response.
    pub(super) known: &'a [CertificateDer<'static>],
    pub(super) trust: &'a Trust,
    pub(super) belief: SignerTrust,
}

/// How the signer of a response is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignerTrust {
    /// Not at all: its certificate may come with the response (stapling without `ssl_stapling_verify`).
    Anyone,
    /// Unless its certificate is a known one (`ssl_stapling_verify on`).
    Known,
    /// Always (`ssl_ocsp`).
    Verified,
}

/// Status of the certificate in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RevocationStatus {
    pub(super) status: CertStatus,
    /// The moment up to which it counts, in seconds since 1970; `None` for ever.
    pub(super) valid: Option<i64>,
}

/// Reason why a response is not used. The fault is the responder's. The text is nginx's sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResponseError {
    /// It is no OCSP response.
    #[error("d2i_OCSP_RESPONSE() failed")]
    Malformed,
    /// The responder could not answer: the status of the response.
    #[error("OCSP response not successful ({0}: {word})", word = word(*.0))]
    Unsuccessful(u8),
    /// It is not of the basic type.
    #[error("OCSP_response_get1_basic() failed")]
    NotBasic,
    /// Its signer is not believed.
    #[error("OCSP_basic_verify() failed (SSL:{0})")]
    Untrusted(#[source] OpensslErrors),
    /// It is about other certificates.
    #[error("certificate status not found in the OCSP response")]
    OtherCertificate,
    /// It does not count now.
    #[error("OCSP_check_validity() failed (SSL:{0})")]
    Untimely(#[source] OpensslErrors),
    /// The certificate is not good, which is not stapled.
    #[error("certificate status \"{word}\" in the OCSP response", word = .0.word())]
    NotGood(CertStatus),
}

/// Errors in the form in which OpenSSL lists them. The latest is the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.concat())]
pub(super) struct OpensslErrors(Vec<String>);

impl OpensslErrors {
    /// One error of OpenSSL's part for OCSP.
    fn one(reason: u8, text: &str) -> OpensslErrors {
        OpensslErrors::default().and(reason, text)
    }

    /// These errors and another one.
    fn and(mut self, reason: u8, text: &str) -> OpensslErrors {
        self.0.push(format!(" error:138000{reason:02X}:OCSP routines::{text}"));
        self
    }
}

/// Checks a response.
///
/// # Errors
///
/// It is malformed, not trusted, or not about this certificate and time.
pub(super) fn check(
    response: &[u8],
    asked: &CertificateQuery<'_>,
) -> Result<RevocationStatus, ResponseError> {
    let outer = Outer::parse(response).ok_or(ResponseError::Malformed)?;
    if outer.status != SUCCESSFUL {
        return Err(ResponseError::Unsuccessful(outer.status));
    }
    let basic = outer.basic.and_then(Basic::parse).ok_or(ResponseError::NotBasic)?;
    is_trusted(&basic, asked).map_err(ResponseError::Untrusted)?;
    let single = basic.singles.iter().find(|single| single.is_of(asked.id));
    let single = single.ok_or(ResponseError::OtherCertificate)?;
    is_timely(single.this_update, single.next_update).map_err(ResponseError::Untimely)?;
    Ok(RevocationStatus { status: single.status, valid: single.next_update.flatten() })
}

/// Status of a response, as OpenSSL names it.
fn word(status: u8) -> &'static str {
    match status {
        1 => "malformedrequest",
        2 => "internalerror",
        3 => "trylater",
        5 => "sigrequired",
        6 => "unauthorized",
        _ => "(UNKNOWN)",
    }
}

fn is_trusted(basic: &Basic<'_>, asked: &CertificateQuery<'_>) -> Result<(), OpensslErrors> {
    let error = OpensslErrors::one;
    let of_signer = |der: &[u8]| parsed(der).is_some_and(|certificate| basic.responder.is(&certificate));
    let known = asked.known.iter().find(|known| of_signer(known)).map(|known| &known[..]);
    let shown = || basic.certificates.iter().find(|shown| of_signer(shown)).copied();
    let signer = known.or_else(shown).ok_or_else(|| error(118, "signer certificate not found"))?;
    let key = parsed(signer).ok_or_else(|| error(118, "signer certificate not found"))?;
    if signature::check(&basic.signed, key.subject_pki.raw).is_err() {
        return Err(error(117, "signature failure"));
    }
    match asked.belief {
        SignerTrust::Anyone => return Ok(()),
        SignerTrust::Known if known.is_some() => return Ok(()),
        SignerTrust::Known | SignerTrust::Verified => {}
    }
    let owned = |der: &[u8]| CertificateDer::from(der.to_vec());
    let others = basic.certificates.iter().map(|der| owned(der)).chain(asked.known.iter().cloned());
    let shown: Vec<_> = std::iter::once(owned(signer)).chain(others).collect();
    let (verdict, chain) =
        verify_chain(asked.trust, &shown, u64::MAX, Purpose::Responder, certificate::now());
    if !verdict.is_ok() {
        return Err(error(101, &format!("certificate verify error:Verify error: {}", verdict.text)));
    }
    if basic.singles.is_empty() {
        return Err(error(105, "response contains no revocation data"));
    }
    may_sign(basic, &chain).map_err(|errors| errors.and(112, "root ca not trusted"))
}

/// Whether the signer is the issuer of all certificates that the response is about, or may sign for it.
fn may_sign(basic: &Basic<'_>, chain: &[CertificateDer<'static>]) -> Result<(), OpensslErrors> {
    let is_issuer = |der: &CertificateDer<'_>| {
        parsed(der).is_some_and(|issuer| basic.singles.iter().all(|single| single.is_issued_by(&issuer)))
    };
    if let [signer, issuer, ..] = chain
        && is_issuer(issuer)
    {
        return match parsed(signer).is_some_and(|signer| signs_for_others(&signer)) {
            true => Ok(()),
            false => Err(OpensslErrors::one(103, "missing ocspsigning usage")),
        };
    }
    if chain.first().is_some_and(is_issuer) { Ok(()) } else { Err(OpensslErrors::default()) }
}

fn signs_for_others(signer: &X509Certificate<'_>) -> bool {
    signer.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::ExtendedKeyUsage(usage) => usage.ocsp_signing,
        _ => false,
    })
}

fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, parsed)| parsed)
}

/// Whether a status counts now.
fn is_timely(this_update: Option<i64>, next_update: Option<Option<i64>>) -> Result<(), OpensslErrors> {
    let now = certificate::now();
    let mut faults = OpensslErrors::default();
    match this_update {
        None => faults = faults.and(123, "error in thisupdate field"),
        Some(from) if from > now + SKEW => faults = faults.and(126, "status not yet valid"),
        Some(_) => {}
    }
    match (this_update, next_update) {
        (_, None) => {}
        (_, Some(None)) => faults = faults.and(122, "error in nextupdate field"),
        (from, Some(Some(until))) => {
            if until < now - SKEW {
                faults = faults.and(125, "status expired");
            }
            if from.is_some_and(|from| until < from) {
                faults = faults.and(124, "nextupdate before thisupdate");
            }
        }
    }
    if faults.0.is_empty() { Ok(()) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_counts_within_its_times_and_the_skew_of_clocks() {
        let now = certificate::now();
        assert!(is_timely(Some(now), None).is_ok());
        assert!(is_timely(Some(now + 250), Some(Some(now + 260))).is_ok());
        assert!(is_timely(Some(now - 1000), Some(Some(now - 250))).is_ok());
        let why = |this, next| is_timely(this, next).unwrap_err().to_string();
        assert_eq!(why(Some(now + 400), None), " error:1380007E:OCSP routines::status not yet valid");
        assert_eq!(
            why(Some(now - 1000), Some(Some(now - 400))),
            " error:1380007D:OCSP routines::status expired"
        );
        assert!(why(Some(now), Some(Some(now - 1))).contains("nextupdate before thisupdate"));
        assert!(why(None, Some(None)).contains("error in thisupdate field error:1380007A"));
    }
}
