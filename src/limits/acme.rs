//! Bounds of certificates from an issuer (ACME).

use std::time::Duration;

/// Maximum number of identifiers of an ordered certificate.
pub const ACME_IDENTIFIERS: usize = 100;

/// Maximum length of an answer of an issuer of certificates.
pub const ACME_ANSWER_BYTES: usize = 256 * 1024;

/// Maximum length of the token of a challenge.
pub const ACME_TOKEN_BYTES: usize = 256;

/// Time that an issuer of certificates has to answer a request.
pub const ACME_REQUEST: Duration = Duration::from_secs(30);

/// Maximum number of redirections of a request for the issuer's directory.
pub const ACME_REDIRECTS: usize = 10;

/// Number of attempts to send a request if the issuer does not accept its nonce.
pub const ACME_NONCES: usize = 6;

/// Time that an issuer has to decide about an identifier, and about an order.
pub const ACME_DECISION: Duration = Duration::from_secs(120);

/// Shortest and longest pause between two questions whether the issuer has decided.
pub const ACME_POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// First and longest pause between two attempts to reach an issuer.
pub const ACME_UNREACHABLE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// Shortest and longest pause after an issuer has asked for fewer requests.
pub const ACME_RATE_LIMIT: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(7 * 24 * 3600));

/// Least, usual and longest pause before an issuer is asked again when a certificate should be renewed (RFC 9773 section 4.3).
pub const ACME_ADVICE: (Duration, Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(6 * 3600), Duration::from_secs(24 * 3600));

/// Time after which a failure that goes on unchanged is logged again, with the number of its repetitions.
pub const ACME_REMINDER: Duration = Duration::from_secs(24 * 3600);

/// Least pause between two orders of the same certificate, whatever its lifetime.
pub const ACME_LEAST_PAUSE: Duration = Duration::from_secs(5);

/// Longest time after which renewals are looked at again: the clock may have been set.
pub const ACME_LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Interval at which a process looks whether another process has finished its orders.
pub const ACME_LOCK: Duration = Duration::from_secs(1);
