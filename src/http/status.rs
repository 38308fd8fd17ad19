//! Status lines, and nginx's pages for statuses.

use bytes::Bytes;
use http::StatusCode;

use super::request::HEAD_TOO_LARGE;

/// Lines that make a page long enough for MSIE to show it, as nginx sends them.
const PADDING_LINES: usize = 6;

/// Reason phrase in the status line, as in nginx; empty where nginx has none.
pub(super) fn reason(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

/// Status of the page of a status: that of nginx's own statuses of a bad head or a TLS failure is 400.
pub(super) fn shown(status: StatusCode) -> StatusCode {
    match status.as_u16() {
        HEAD_TOO_LARGE | 495..=497 => StatusCode::BAD_REQUEST,
        _ => status,
    }
}

/// nginx's page for a status; `None` where it sends none.
pub(super) fn page(status: StatusCode, server: &str, pads: bool) -> Option<Bytes> {
    let code = status.as_u16();
    let heading = match code {
        302 => "302 Found".to_owned(),
        // As in nginx, whose table of pages has this one here.
        498 => "404 Not Found".to_owned(),
        401 => "401 Authorization Required".to_owned(),
        405 => "405 Not Allowed".to_owned(),
        HEAD_TOO_LARGE..=497 => "400 Bad Request".to_owned(),
        301 | 303 | 307 | 308 | 400..=406 | 408..=416 | 421 | 429 | 500..=505 | 507 => {
            format!("{code} {}", reason(status))
        }
        _ => return None,
    };
    let (title, lead) = match code {
        HEAD_TOO_LARGE => ("400 Request Header Or Cookie Too Large", "Request Header Or Cookie Too Large"),
        495 => ("400 The SSL certificate error", "The SSL certificate error"),
        496 => ("400 No required SSL certificate was sent", "No required SSL certificate was sent"),
        497 => (
            "400 The plain HTTP request was sent to HTTPS port",
            "The plain HTTP request was sent to HTTPS port",
        ),
        _ => (heading.as_str(), ""),
    };
    let lead = if lead.is_empty() { String::new() } else { format!("<center>{lead}</center>\r\n") };
    let mut page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading}</h1></center>\r\n\
         {lead}<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    );
    if pads && code >= 400 {
        for _ in 0..PADDING_LINES {
            page.push_str("<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n");
        }
    }
    Some(page.into())
}
