//! `http_trace`: ids of requests in variables and in the error log.

mod support;

use support::http::{get, get_with};
use support::{Conf, Server};

const LOCATIONS: &str = "location /ids { return 200 \"$ntm_traceid $ntm_currentid $ntm_parentid $ntm_debug $ntm_newid $ntm_newid\"; }
                         location /denied { deny all; }";
const HEADERS: &str = "X-NTM-Traceid: trace\r\nX-NTM-Currentid: cur\"rent\r\nX-NTM-Parentid: parent\r\n";

#[test]
fn a_request_has_the_ids_of_its_headers_or_new_ones() {
    let server = Server::start(&Conf::live("").http("http_trace;").http_server(LOCATIONS));
    let given = get_with(server.http, "/ids", &format!("{HEADERS}X-NTM-Debug: 1\r\n")).text();
    let given: Vec<&str> = given.split(' ').collect();
    assert_eq!(given[..4], ["trace", "cur\"rent", "parent", "1"]);
    // A new id stays for the request.
    assert!(given[4] == given[5] && is_new(given[4]), "{given:?}");
    let new = get_with(server.http, "/ids", "X-NTM-Traceid: trace\r\nX-NTM-Debug: 11\r\n").text();
    let new: Vec<&str> = new.split(' ').collect();
    assert!(is_new(new[0]) && is_new(new[1]) && new[0] != new[1], "{new:?}");
    assert_eq!(new[2..4], ["0".repeat(32).as_str(), "0"]);
    get_with(server.http, "/denied", HEADERS);
    server.wait_log(
        ", [NGINX-TRACE] traceid: trace, currentid: cur\\x22rent, parentid: parent [NGINX-TRACE-END]",
    );
}

#[test]
fn without_it_a_request_has_no_ids() {
    let server = Server::start(&Conf::live("").http_server(LOCATIONS));
    assert_eq!(get_with(server.http, "/ids", HEADERS).text().trim(), "");
    get(server.http, "/denied");
    server.wait_log("access forbidden by rule");
    assert_eq!(server.log_lines("NGINX-TRACE").len(), 0);
}

fn is_new(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
