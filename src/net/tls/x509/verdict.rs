//! Results of a verification, with the numbers and the texts of OpenSSL.

/// Result of a verification: one of OpenSSL's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// OpenSSL's number; 0 for a certificate that is trusted.
    pub code: u8,
    /// OpenSSL's text.
    pub text: &'static str,
}

/// Declares OpenSSL's results.
macro_rules! verdicts {
    ($($NAME:ident = $code:literal, $text:literal;)+) => {
        $(pub(super) const $NAME: Verdict = Verdict { code: $code, text: $text };)+
        /// All results.
        const VERDICTS: &[Verdict] = &[$($NAME),+];
    };
}

verdicts! {
    OK = 0, "ok";
    NO_ISSUER = 2, "unable to get issuer certificate";
    NO_LIST = 3, "unable to get certificate CRL";
    BAD_KEY = 6, "unable to decode issuer public key";
    BAD_SIGNATURE = 7, "certificate signature failure";
    BAD_LIST_SIGNATURE = 8, "CRL signature failure";
    NOT_YET_VALID = 9, "certificate is not yet valid";
    EXPIRED = 10, "certificate has expired";
    LIST_NOT_YET_VALID = 11, "CRL is not yet valid";
    LIST_EXPIRED = 12, "CRL has expired";
    SELF_SIGNED = 18, "self-signed certificate";
    SELF_SIGNED_IN_CHAIN = 19, "self-signed certificate in certificate chain";
    NO_LOCAL_ISSUER = 20, "unable to get local issuer certificate";
    LEAF_UNVERIFIED = 21, "unable to verify the first certificate";
    TOO_LONG = 22, "certificate chain too long";
    REVOKED = 23, "certificate revoked";
    PATH_TOO_LONG = 25, "path length constraint exceeded";
    BAD_PURPOSE = 26, "unsuitable certificate purpose";
    UNHANDLED_EXTENSION = 34, "unhandled critical extension";
    NOT_PERMITTED = 47, "permitted subtree violation";
    HOST_MISMATCH = 62, "hostname mismatch";
    KEY_TOO_WEAK = 66, "EE certificate key too weak";
    CA_KEY_TOO_WEAK = 67, "CA certificate key too weak";
    DIGEST_TOO_WEAK = 68, "CA signature digest algorithm too weak";
    BAD_CA = 79, "invalid CA certificate";
}

impl Verdict {
    /// A certificate of an unknown issuer.
    pub const UNTRUSTED: Verdict = NO_LOCAL_ISSUER;
    /// A trusted certificate that is another server's.
    pub const HOST_MISMATCH: Verdict = HOST_MISMATCH;

    /// The result with OpenSSL's number.
    pub(in crate::net::tls) fn of_code(code: u8) -> Option<Verdict> {
        VERDICTS.iter().find(|verdict| verdict.code == code).copied()
    }

    /// Whether the certificate is trusted.
    pub fn is_ok(self) -> bool {
        self.code == 0
    }

    /// Whether it is only its issuer that is unknown, which `ssl_verify_client optional_no_ca` accepts.
    pub fn is_only_untrusted(self) -> bool {
        [SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, NO_ISSUER, LEAF_UNVERIFIED].contains(&self)
    }
}
