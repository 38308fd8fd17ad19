//! Bounds of TLS and OCSP.

use std::time::Duration;

/// Maximum number of plaintext bytes passed to TLS in one write; as much ciphertext may wait for the socket.
pub const TLS_WRITE: usize = 256 * 1024;

/// Maximum number of socket reads per read call on a TLS stream: records without content must not occupy a worker.
pub const TLS_READS: usize = 16;

/// Certificates that a peer's chain may have, whatever `ssl_verify_depth` says, as in OpenSSL.
pub const TLS_CHAIN: usize = 100;

/// Cipher suites and curves that are noted of those that a client offers, for `$ssl_ciphers` and `$ssl_curves`.
pub const TLS_OFFERED: usize = 256;

/// Early data that a client may send, as in nginx.
pub const TLS_EARLY_DATA: u32 = 16 * 1024;

/// Sessions that are kept for `ssl_early_data` without `ssl_session_cache`.
pub const TLS_EARLY_SESSIONS: usize = 20_480;

/// Sessions that `ssl_session_cache builtin` keeps without a number, as in OpenSSL.
pub const TLS_SESSIONS: u64 = 20_480;

/// Bytes that a session occupies besides its contents.
pub const TLS_SESSION_OVERHEAD: usize = 256;

/// Maximum size of a TLS session that is kept: it holds the client's certificates.
pub const TLS_SESSION_BYTES: usize = 64 * 1024;

/// Passwords of an `ssl_password_file` that are tried.
pub const TLS_PASSWORDS: usize = 128;

/// Time in which a client may close after a failed TLS handshake, before it is closed.
pub const TLS_PARTING: Duration = Duration::from_secs(1);

/// Time that an OCSP responder's address has for its answer, as in nginx.
pub const OCSP_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of an OCSP responder's answer with its head, as in nginx. Longer ones are cut and then malformed.
pub const OCSP_RESPONSE: u64 = 16 * 1024;

/// Bytes that a certificate's status occupies in `ssl_ocsp_cache` besides what identifies the certificate.
pub const OCSP_STATUS_OVERHEAD: usize = 128;

/// OCSP requests made at the same time.
pub const OCSP_REQUESTS: usize = 64;

/// OCSP requests made at the same time to one responder, by its host and port: one that does not answer delays no other.
pub const OCSP_REQUESTS_EACH: usize = 8;

const _: () = assert!(OCSP_REQUESTS_EACH * 4 <= OCSP_REQUESTS);

/// OCSP requests that wait for one responder; further ones fail.
pub const OCSP_QUEUE_EACH: usize = 128;

const _: () = assert!(OCSP_QUEUE_EACH * 4 <= OCSP_QUEUE);

/// OCSP requests that wait beyond those; further ones fail.
pub const OCSP_QUEUE: usize = 1024;

/// Timeout of a TLS handshake.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
