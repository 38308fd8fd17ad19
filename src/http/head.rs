//! Request heads that are refused before a location is selected, as in nginx.

use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, IF_UNMODIFIED_SINCE, TRANSFER_ENCODING,
};
use http::{Method, Request, Response, StatusCode, Version};

use super::heads::HeadFacts;
use super::reply::{Body, plain};

/// Headers that may appear only once, as in nginx 1.22.
const UNIQUE: [HeaderName; 7] = [
    AUTHORIZATION,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    TRANSFER_ENCODING,
];

/// Status of a refusal, and its reason.
type HeadError = (StatusCode, &'static str);

/// Refusal of a head whose bytes could not be followed.
pub(super) const UNTOLD: HeadError = (StatusCode::BAD_REQUEST, "the bytes of the request cannot be followed");

/// Checks whether a head is acceptable.
pub(super) fn check<B>(request: &Request<B>, facts: &HeadFacts) -> Result<(), HeadError> {
    let bad = |why| Err((StatusCode::BAD_REQUEST, why));
    let known = |b: u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-');
    if !request.method().as_str().bytes().all(known) {
        return bad("client sent invalid method");
    }
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_11 => {
            return bad("client sent HTTP/1.1 request without \"Host\" header");
        }
        (Some(host), None) if !is_host(host.as_bytes()) => return bad("client sent invalid host header"),
        (_, Some(_)) => return bad("client sent duplicate host header"),
        _ => {}
    }
    // Host of an absolute target, which takes precedence over the header.
    if request.uri().authority().is_some_and(|authority| !is_target_host(authority.as_str().as_bytes())) {
        return bad("client sent invalid host in request line");
    }
    if request.method() == Method::CONNECT || request.uri().path() == "*" || facts.target.starts_with(b"#") {
        return bad("client sent invalid request target");
    }
    if request.method() == Method::TRACE {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "client sent TRACE method"));
    }
    if UNIQUE.iter().any(|name| headers.get_all(name).iter().nth(1).is_some()) || facts.lengths > 1 {
        return bad("client sent duplicate header line");
    }
    if facts.has_encoding && facts.lengths > 0 {
        return bad("client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time");
    }
    match headers.get(TRANSFER_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Err((StatusCode::NOT_IMPLEMENTED, "client sent unknown \"Transfer-Encoding\""))
        }
        _ => Ok(()),
    }
}

/// Response of a refusal. It closes the connection, because the end of such a request is ambiguous.
pub(super) fn refused(status: StatusCode) -> Response<Body> {
    let mut response = plain(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// nginx's `ngx_http_validate_host`: refuses impossible host names, but not merely unusual ones.
fn is_host(text: &[u8]) -> bool {
    if text.windows(2).any(|pair| pair == b"..") || text.iter().any(|&b| b <= b' ' || b == 0x7f || b == b'/')
    {
        return false;
    }
    !host_name(text).is_empty()
}

/// Host without port and final dot; an IPv6 address keeps its brackets.
pub(super) fn host_name(text: &[u8]) -> &[u8] {
    let name = match (text.first(), text.iter().position(|&b| b == b']')) {
        (Some(b'['), Some(end)) => &text[..=end],
        (Some(b'['), None) => text,
        _ => text.split(|&b| b == b':').next().unwrap_or_default(),
    };
    name.strip_suffix(b".").unwrap_or(name)
}

/// Whether nginx accepts this as the host of a request target: letters, digits, `-` and `.`, or an address in brackets,
/// with an optional port.
fn is_target_host(text: &[u8]) -> bool {
    let end = match (text.first(), text.iter().position(|&b| b == b']')) {
        (Some(b'['), Some(end)) => end + 1,
        (Some(b'['), None) => return false,
        _ => text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')).count(),
    };
    let has_port = match &text[end..] {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    has_port && is_host(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_as_nginx_takes_them() {
        for host in
            ["a", "a.b", "A.b:1", "a.", "a:x", "[::1]", "[::1]:80", "[::1", "a@b", "a,b", "a\"b", "\u{fc}"]
        {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in ["", ".", ":80", "a..b", "a/b", "a b", "a\tb", "a\x7f", ".:80"] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn hosts_of_targets_are_taken_as_nginx_takes_them() {
        for host in ["a-b", "A.com", ".a.com", "a.com:80", "a.com:", "[::1]", "[::1]:80", "a.com."] {
            assert!(is_target_host(host.as_bytes()), "{host}");
        }
        for host in
            ["user@a.com", "a_b", "a:x", "a..b", "a%20b", "a:80:80", "a!b", "a~b", "a,b", ".", "", "[::1]x"]
        {
            assert!(!is_target_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn http_1_0_needs_no_host() {
        let request = |version| Request::builder().version(version).uri("/").body(()).unwrap();
        let check = |version| check(&request(version), &HeadFacts::default());
        assert_eq!(check(Version::HTTP_10), Ok(()));
        assert_eq!(check(Version::HTTP_11).unwrap_err().0, StatusCode::BAD_REQUEST);
    }
}
