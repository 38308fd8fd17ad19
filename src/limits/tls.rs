//! Bounds of TLS and OCSP.

use std::time::Duration;

/// Maximum number of plaintext bytes passed to TLS in one write; as much ciphertext may wait for the socket.
pub const TLS_WRITE: usize = 256 * 1024;

/// Maximum number of socket reads per read call on a TLS stream: records without content must not occupy a worker.
pub const TLS_READS: usize = 16;

/// Maximum number of certificates in a peer's chain, for any `ssl_verify_depth`, as in OpenSSL.
pub const TLS_CHAIN: usize = 100;

/// Maximum number of a client's cipher suites, and of its curves, that are noted for `$ssl_ciphers` and `$ssl_curves`.
pub const TLS_OFFERED: usize = 256;

/// Maximum number of bytes of early data, as in nginx.
pub const TLS_EARLY_DATA: u32 = 16 * 1024;

/// Number of sessions that are kept for `ssl_early_data` without `ssl_session_cache`.
pub const TLS_EARLY_SESSIONS: usize = 20_480;

/// Number of sessions that `ssl_session_cache builtin` keeps where it gives no number, as in OpenSSL.
pub const TLS_SESSIONS: u64 = 20_480;

/// Bytes that a session occupies besides its contents.
pub const TLS_SESSION_OVERHEAD: usize = 256;

/// Maximum size of a TLS session that is kept: it holds the client's certificates.
pub const TLS_SESSION_BYTES: usize = 64 * 1024;

/// Maximum number of passwords of an `ssl_password_file` that are tried.
pub const TLS_PASSWORDS: usize = 128;

/// Time that the writer of an `ssl_password_file` that is a FIFO has to write the passwords.
pub const TLS_PASSWORD_PATIENCE: Duration = Duration::from_secs(10);

/// Maximum number of bytes that are read from an `ssl_password_file` that is a FIFO.
pub const TLS_PASSWORD_BYTES: usize = 128 * 1024;

/// Time that a client has to close its connection after a failed TLS handshake.
pub const TLS_PARTING: Duration = Duration::from_secs(1);

/// Time that an OCSP responder's address has for its answer, as in nginx.
pub const OCSP_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of an OCSP responder's answer with its head, as in nginx. A longer one is cut, and so malformed.
pub const OCSP_RESPONSE: u64 = 16 * 1024;

/// Bytes that a certificate's status occupies in `ssl_ocsp_cache` besides what identifies the certificate.
pub const OCSP_STATUS_OVERHEAD: usize = 128;

/// Maximum number of concurrent OCSP requests.
pub const OCSP_REQUESTS: usize = 64;

/// Maximum number of concurrent OCSP requests to one responder, by its host and port: one that does not answer delays no other.
pub const OCSP_REQUESTS_EACH: usize = 8;

const _: () = assert!(OCSP_REQUESTS_EACH * 4 <= OCSP_REQUESTS);

/// Maximum number of OCSP requests that wait for one responder; further ones fail.
pub const OCSP_QUEUE_EACH: usize = 128;

const _: () = assert!(OCSP_QUEUE_EACH * 4 <= OCSP_QUEUE);

/// Maximum number of OCSP requests that wait for one of those to end; further ones fail.
pub const OCSP_QUEUE: usize = 1024;

/// Timeout of a TLS handshake.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Maximum number of variables in a name of a certificate that each need the next; more are a circle.
pub const HANDSHAKE_VARIABLES: usize = 16;
