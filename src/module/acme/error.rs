//! Why nothing was issued.

use std::error::Error;
use std::time::Duration;

use super::file_fault::FileFault;
use super::keys::KeyError;
use super::problem::{Fault, Problem};
use crate::limits;
use crate::net::tls::CertificateError;

/// Why a certificate was not issued.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// There is no connection to the issuer, or it has failed.
    #[error("{0} cannot be reached: {1}")]
    Network(String, String),
    /// An answer is longer than [`limits::ACME_ANSWER_BYTES`].
    #[error("an answer is longer than {} bytes", limits::ACME_ANSWER_BYTES)]
    TooLarge,
    /// An answer is not of the expected form.
    #[error("an answer is not as expected: {0}")]
    Malformed(&'static str),
    /// An address in an answer leads in a circle.
    #[error("more than {} redirections", limits::ACME_REDIRECTS)]
    Redirections,
    /// The issuer refuses.
    #[error("{0}")]
    Refused(Problem),
    /// The issuer refuses the account and has terms of service that were not accepted.
    #[error("{0}; \"accept_terms_of_service\" accepts the terms of service at {1}")]
    Terms(Problem, String),
    /// The issuer wants fewer requests.
    #[error("{0}; the issuer asks for a pause")]
    RateLimited(Problem, Duration),
    /// The account cannot be used.
    #[error("the account is {0}")]
    Account(String),
    /// The issuer makes accounts only for known customers.
    #[error("the issuer needs \"external_account_key\"")]
    ExternalKey,
    /// The issuer does not have a profile that is required.
    #[error("the issuer has no profile \"{0}\"")]
    Profile(String),
    /// The issuer does not offer the challenge.
    #[error("the issuer does not offer the challenge {1} for {0}")]
    NoChallenge(String, &'static str),
    /// A challenge or an order has failed without a reason.
    #[error("{0} is {1}")]
    Status(String, String),
    /// The issuer has not decided in time.
    #[error("{0} is undecided after {1:?}")]
    Undecided(String, Duration),
    /// A key cannot be made or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was issued cannot be used.
    #[error("the certificate that was issued cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// A file cannot be read or has no valid contents.
    #[error(transparent)]
    File(#[from] FileFault),
    /// Something in this process has failed.
    #[error("{0}")]
    Internal(String),
}

impl AcmeError {
    /// A request that has failed.
    pub(super) fn network(host: &str, error: reqwest::Error) -> AcmeError {
        // reqwest's text names only the operation; the cause is in its chain of sources.
        let text = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            let mut innermost: &dyn Error = &error;
            while let Some(cause) = innermost.source() {
                innermost = cause;
            }
            innermost.to_string()
        };
        AcmeError::Network(host.to_owned(), text)
    }

    /// What equal failures have in common: issuers' details differ, for example in port numbers.
    pub(super) fn kind(&self) -> String {
        match self {
            AcmeError::Refused(problem) | AcmeError::Terms(problem, _) => problem.subject(),
            AcmeError::RateLimited(problem, _) => format!("limited {}", problem.subject()),
            _ => self.to_string(),
        }
    }

    /// What the operator can do about it; empty if nothing is known.
    pub(super) fn hint(&self, challenge: &'static str) -> &'static str {
        match self {
            AcmeError::Network(_, text) if text.contains("UnknownIssuer") => {
                "; \"ssl_trusted_certificate\" in the acme_issuer names the CA that signs for the issuer"
            }
            AcmeError::Network(..) => "; check \"uri\", the name servers and the firewall of this machine",
            AcmeError::NoChallenge(..) => "; choose another \"challenge\"",
            AcmeError::Profile(_) => "; remove \"profile\", or \"require\" in it",
            AcmeError::Account(_) => {
                "; remove the account's key from \"state_path\" to have another account made"
            }
            AcmeError::Refused(problem) => match problem.kind() {
                "connection" | "incorrectResponse" | "tls" | "unauthorized" => match challenge {
                    "http-01" => "; port 80 of the name must lead to an HTTP server of this configuration",
                    _ => "; port 443 of the name must lead to a TLS socket of this configuration",
                },
                "dns" => "; the name needs an address record that leads to this machine",
                "caa" => "; the CAA records of the name must permit the issuer",
                "invalidContact" | "unsupportedContact" => "; correct \"contact\"",
                "invalidProfile" => "; correct \"profile\"",
                "rejectedIdentifier" | "unsupportedIdentifier" => {
                    "; remove the name from \"acme_certificate\" or \"server_name\", or choose another issuer"
                }
                _ => "",
            },
            _ => "",
        }
    }

    /// What is at fault.
    pub(super) fn fault(&self) -> Fault {
        match self {
            AcmeError::Refused(problem) => problem.fault(),
            AcmeError::Terms(..) | AcmeError::Account(_) | AcmeError::ExternalKey => Fault::Account,
            AcmeError::Profile(_) => Fault::Order,
            _ => Fault::Passing,
        }
    }
}
