//! Which certificate `$acme_certificate` stands for.

/// The certificate that is ordered for a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderedCertificate {
    /// Identifies it among all certificates that are ordered; `None` where none is.
    pub id: Option<String>,
}
