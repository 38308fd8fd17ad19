//! Errors of requests to etcd.

use strum::{EnumDiscriminants, IntoStaticStr, VariantArray};

/// Code of gRPC for an absent lease.
pub(super) const NOT_FOUND: i64 = 5;

/// Reason why a request has no result.
#[derive(Debug, thiserror::Error, EnumDiscriminants)]
#[strum_discriminants(
    name(EtcdErrorKind),
    vis(pub(in super::super)),
    derive(IntoStaticStr, VariantArray),
    strum(serialize_all = "snake_case"),
    doc = "Kind of an [`EtcdError`]; its text is the label of its counter."
)]
pub(in super::super) enum EtcdError {
    /// There is no connection, or it has failed. The request may have been carried out.
    #[error("{0}")]
    Network(#[from] reqwest::Error),
    /// There was no answer in time.
    #[error("no answer in time")]
    Timeout,
    /// etcd refuses.
    #[error("etcd: {1}")]
    Refused(i64, String),
    /// The answer is no JSON of the expected form.
    #[error("etcd has sent something unexpected")]
    Malformed,
    /// The answer exceeds [`limits::CLUSTER_ANSWER_BYTES`].
    #[error("the answer of etcd is too large")]
    TooLarge,
    /// Revisions that a watch needs were compacted.
    #[error("etcd has compacted what is to be watched")]
    Compacted,
}

impl EtcdError {
    /// Whether a request was refused because its lease is gone.
    pub(in super::super) fn is_lease_gone(&self) -> bool {
        matches!(self, EtcdError::Refused(NOT_FOUND, _))
    }
}
