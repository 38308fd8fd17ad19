//! Names of the variables in `http { }` that have values of modules.

/// Variables with values of modules, with their meaning.
pub const OF_MODULES: &[(&str, &str)] = &[
    ("ancient_browser", "`ancient_browser_value` for an ancient browser."),
    ("connections_active", "Open HTTP connections."),
    ("connections_reading", "Connections whose request is being received."),
    ("connections_waiting", "Connections that wait for a request."),
    ("connections_writing", "Connections whose request is being answered."),
    ("gzip_ratio", "Length of the response divided by its compressed length, once it was sent."),
    ("invalid_referer", "`1` for a referer that is not among `valid_referers`."),
    ("limit_conn_status", "What `limit_conn` decided: PASSED, REJECTED, REJECTED_DRY_RUN."),
    (
        "limit_req_status",
        "What `limit_req` decided: PASSED, DELAYED, REJECTED, DELAYED_DRY_RUN, REJECTED_DRY_RUN.",
    ),
    ("modern_browser", "`modern_browser_value` for a modern browser."),
    ("msie", "`1` for Internet Explorer."),
    ("ntm_currentid", "Id of the request, with `http_trace`."),
    ("ntm_debug", "`1` for a request with `X-NTM-Debug: 1`, otherwise `0`; with `http_trace`."),
    ("ntm_newid", "A new id, for a request that is passed on; with `http_trace`."),
    ("ntm_parentid", "Id of the request that caused this one, with `http_trace`."),
    ("ntm_traceid", "Id of the trace, with `http_trace`."),
    ("proxy_host", "Host and port of the URL of `proxy_pass`, as `Host` has them."),
    ("proxy_internal_body_length", "Length of the body that `proxy_pass` forwards."),
    ("proxy_internal_chunked", "`chunked` if `proxy_pass` forwards the body in chunks."),
    ("proxy_port", "Port of the URL of `proxy_pass`."),
    ("realip_remote_addr", "Address of the other end of the connection."),
    ("realip_remote_port", "Port of the other end of the connection."),
    (
        "secure_link",
        "`1` for a valid link, `0` for an expired one; with `secure_link_secret` the link itself.",
    ),
    ("secure_link_expires", "Time in seconds at which a link expires."),
    ("slice_range", "Range of the slice that is fetched, as `Range` has it."),
    ("ssl_alpn_protocol", "Protocol that was chosen by ALPN."),
    ("ssl_cipher", "Cipher suite by OpenSSL's name."),
    ("ssl_ciphers", "Cipher suites that the client offers."),
    ("ssl_client_cert", "The client's certificate in PEM form; its lines but the first begin with a tab."),
    ("ssl_client_escaped_cert", "The client's certificate in PEM form, percent-encoded."),
    ("ssl_client_fingerprint", "SHA-1 of the client's certificate."),
    ("ssl_client_i_dn", "Issuer of the client's certificate (RFC 2253)."),
    ("ssl_client_i_dn_legacy", "Issuer of the client's certificate as `/C=XX/O=...`."),
    ("ssl_client_raw_cert", "The client's certificate in PEM form."),
    ("ssl_client_s_dn", "Subject of the client's certificate (RFC 2253)."),
    ("ssl_client_s_dn_legacy", "Subject of the client's certificate as `/C=XX/O=...`."),
    ("ssl_client_serial", "Serial number of the client's certificate."),
    (
        "ssl_client_sigalg",
        "Scheme by which the client has signed its TLS handshake; empty for a resumed session.",
    ),
    ("ssl_client_v_end", "End of the validity of the client's certificate."),
    ("ssl_client_v_remain", "Days until the end of the validity of the client's certificate."),
    ("ssl_client_v_start", "Begin of the validity of the client's certificate."),
    (
        "ssl_client_verify",
        "`NONE` without a certificate of the client, `SUCCESS`, or `FAILED:` with the reason.",
    ),
    ("ssl_curve", "Curve of the key exchange."),
    ("ssl_curves", "Curves that the client offers; empty for a resumed session."),
    (
        "ssl_early_data",
        "`1` as long as the handshake of TLS 1.3 is not complete: the request may have been sent again.",
    ),
    ("ssl_protocol", "`TLSv1.2` or `TLSv1.3`."),
    (
        "ssl_server_name",
        "Server name that the client asks for in its TLS handshake; in names of certificates in lower case.",
    ),
    ("ssl_session_id", "Identifier of the TLS session."),
    ("ssl_session_reused", "`r` for a resumed TLS session, `.` for a new one."),
    ("ssl_sigalg", "Scheme by which the server has signed the TLS handshake; empty for a resumed session."),
    ("ssl_sigalgs", "Schemes of signatures that the client accepts in its TLS handshake."),
    ("uid_got", "Name and identifier of the `userid` cookie that the client sent."),
    ("uid_reset", "Set by `set`: neither empty nor `0` replaces a client's identifier."),
    ("uid_set", "Name and identifier of the `userid` cookie that the response sets."),
    ("upstream_addr", "Addresses of the servers that a request was forwarded to."),
    ("upstream_bytes_received", "Bytes received from each of them."),
    ("upstream_bytes_sent", "Bytes sent to each of them."),
    (
        "upstream_cache_etag",
        "`ETag` of a cached response that is too old, if `proxy_cache_revalidate` is on.",
    ),
    ("upstream_cache_last_modified", "Its date of the last modification."),
    (
        "upstream_cache_status",
        "How a response was found: `MISS`, `BYPASS`, `EXPIRED`, `STALE`, `UPDATING`, `REVALIDATED` or `HIT`.",
    ),
    ("upstream_connect_time", "Seconds until each connection was there."),
    ("upstream_header_time", "Seconds until each response head was there."),
    ("upstream_response_length", "Bytes of each response's body."),
    ("upstream_response_time", "Seconds until the end of each response."),
    ("upstream_status", "Status of each response."),
];

/// Prefixes of variables with values of modules, with their meaning.
pub const PREFIXES_OF_MODULES: [(&str, &str); 4] = [
    ("proxy_protocol_tlv_", "A further value in the header of the PROXY protocol."),
    ("upstream_cookie_", "A cookie that the latest response of a server behind `proxy_pass` sets."),
    ("upstream_http_", "A header of that response, its `-` written as `_`."),
    ("upstream_trailer_", "A trailer of that response, its `-` written as `_`."),
];

/// Whether a known variable has a value of a module, or of the PROXY protocol.
pub fn is_of_module(name: &[u8]) -> bool {
    OF_MODULES.iter().any(|(known, _)| name == known.as_bytes())
        || PREFIXES_OF_MODULES.iter().any(|(prefix, _)| name.starts_with(prefix.as_bytes()))
}
