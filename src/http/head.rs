//! Request heads that no location gets to see, refused as nginx refuses them.

use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use super::{Body, plain};

/// The status of a head that is not answered, and why.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    let bad = |why| Some((StatusCode::BAD_REQUEST, why));
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_11 => {
            return bad("client sent HTTP/1.1 request without \"Host\" header");
        }
        (Some(host), None) if !is_host(host.as_bytes()) => return bad("client sent invalid host header"),
        (_, Some(_)) => return bad("client sent duplicate host header"),
        _ => {}
    }
    // Of an absolute target, which wins over the header.
    if request.uri().authority().is_some_and(|authority| !is_host(authority.as_str().as_bytes())) {
        return bad("client sent invalid host in request line");
    }
    if request.method() == Method::CONNECT || request.uri().path() == "*" {
        return bad("client sent invalid request target");
    }
    (request.method() == Method::TRACE)
        .then_some((StatusCode::METHOD_NOT_ALLOWED, "client sent TRACE method"))
}

/// The answer. The connection ends with it: where such a request ends is a matter of opinion.
pub(super) fn refused(status: StatusCode) -> Response<Body> {
    let mut response = plain(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// nginx's `ngx_http_validate_host`: what can't be a host name is refused, what is merely unusual is not.
fn is_host(text: &[u8]) -> bool {
    if text.windows(2).any(|pair| pair == b"..") || text.iter().any(|&b| b <= b' ' || b == 0x7f || b == b'/')
    {
        return false;
    }
    let name = match (text.first(), text.iter().position(|&b| b == b']')) {
        (Some(b'['), Some(end)) => &text[..=end],
        (Some(b'['), None) => text,
        _ => text.split(|&b| b == b':').next().unwrap_or_default(),
    };
    !name.strip_suffix(b".").unwrap_or(name).is_empty()
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
    fn http_1_0_needs_no_host() {
        let request = |version| Request::builder().version(version).uri("/").body(()).unwrap();
        assert_eq!(refusal(&request(Version::HTTP_10)), None);
        assert_eq!(refusal(&request(Version::HTTP_11)).unwrap().0, StatusCode::BAD_REQUEST);
    }
}
