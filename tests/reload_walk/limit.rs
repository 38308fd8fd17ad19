//! `limit_conn` and `limit_req`.

use crate::requests::{own_headers, own_http};
use crate::support::http::{self, Connection};
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk_with};

pub const CASES: &[Case] = &[
    own_http!(
        "limit/limit_conn",
        "limit_conn_zone $server_port zone={app}:32k;",
        "",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn {app} 1;",
        "add_header X $limit_conn_status;",
        |walk| own_headers(walk, "/f", None, Some("PASSED"))
    ),
    own_http!(
        "limit/limit_conn_zone",
        "limit_conn_zone $arg_none zone={app}:32k;",
        "limit_conn {app} 1;",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn {app} 1;",
        "add_header X $limit_conn_status;",
        |walk| own_headers(walk, "/f", None, Some("PASSED"))
    ),
    own_http!(
        "limit/limit_conn_status",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn_status 503; limit_conn {app} 1;",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn_status 429; limit_conn {app} 1;",
        "location = /slow { limit_rate 1; limit_rate_after 1k; alias {dir}/html/slow; }",
        |walk| beside_a_slow_one(walk, 503, 429)
    ),
    own_http!(
        "limit/limit_conn_dry_run",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn_dry_run off; limit_conn {app} 1;",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn_dry_run on; limit_conn {app} 1;",
        "location = /slow { limit_rate 1; limit_rate_after 1k; alias {dir}/html/slow; }",
        |walk| beside_a_slow_one(walk, 503, 200)
    ),
    own_http!(
        "limit/limit_conn_log_level",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn_log_level error; limit_conn {app} 1;",
        "limit_conn_zone $server_port zone={app}:32k;",
        "limit_conn_log_level warn; limit_conn {app} 1;",
        "location = /slow { limit_rate 1; limit_rate_after 1k; alias {dir}/html/slow; }",
        |walk| {
            let after = beside_a_slow_one(walk, 503, 503);
            Box::new(move || {
                after();
                let name = walk.own_app.clone();
                until_true("the refusal is a warning", || {
                    let lines = walk.server.log_lines(&format!("limiting connections by zone \"{name}\""));
                    lines.iter().any(|line| line.contains("[warn]"))
                });
            })
        }
    ),
    own_http!(
        "limit/limit_req",
        "limit_req_zone $server_port zone={app}:32k rate=1000r/s;",
        "",
        "limit_req_zone $server_port zone={app}:32k rate=1000r/s;",
        "limit_req zone={app} burst=100 nodelay;",
        "add_header X $limit_req_status;",
        |walk| own_headers(walk, "/f", None, Some("PASSED"))
    ),
    own_http!(
        "limit/limit_req_zone",
        "limit_req_zone $arg_none zone={app}:32k rate=1000r/s;",
        "limit_req zone={app} burst=100 nodelay;",
        "limit_req_zone $server_port zone={app}:32k rate=1000r/s;",
        "limit_req zone={app} burst=100 nodelay;",
        "add_header X $limit_req_status;",
        |walk| own_headers(walk, "/f", None, Some("PASSED"))
    ),
    own_http!(
        "limit/limit_req_status",
        "limit_req_zone $server_port zone={app}:32k rate=1r/m;",
        "limit_req_status 503; limit_req zone={app};",
        "limit_req_zone $server_port zone={app}:32k rate=1r/m;",
        "limit_req_status 429; limit_req zone={app};",
        "",
        |walk| after_another(walk, 503, 429)
    ),
    own_http!(
        "limit/limit_req_dry_run",
        "limit_req_zone $server_port zone={app}:32k rate=1r/m;",
        "limit_req_dry_run off; limit_req zone={app};",
        "limit_req_zone $server_port zone={app}:32k rate=1r/m;",
        "limit_req_dry_run on; limit_req zone={app};",
        "",
        |walk| after_another(walk, 503, 200)
    ),
    own_http!(
        "limit/limit_req_log_level",
        "limit_req_zone $server_port zone={app}:32k rate=1r/m;",
        "limit_req_log_level error; limit_req zone={app};",
        "limit_req_zone $server_port zone={app}:32k rate=1r/m;",
        "limit_req_log_level warn; limit_req zone={app};",
        "",
        |walk| {
            let after = after_another(walk, 503, 503);
            Box::new(move || {
                after();
                let name = walk.own_app.clone();
                until_true("the refusal is a warning", || {
                    let lines = walk.server.log_lines(&format!("by zone \"{name}\""));
                    lines.iter().any(|line| line.contains("[warn]"))
                });
            })
        }
    ),
];

/// The status beside a response that goes on for minutes.
fn beside_a_slow_one<'w>(walk: &'w Walk<'w>, old: u16, new: u16) -> After<'w> {
    let mut slow = Connection::open(walk.own_web);
    slow.send(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(slow.head().status, 200);
    until_true("the slow response counts", || http::get(walk.own_web, "/f").status() == old);
    Box::new(move || {
        assert_eq!(http::get(walk.own_web, "/f").status(), new);
        drop(slow);
    })
}

/// The status of a request soon after another.
fn after_another<'w>(walk: &'w Walk<'w>, old: u16, new: u16) -> After<'w> {
    http::get(walk.own_web, "/f");
    assert_eq!(http::get(walk.own_web, "/f").status(), old);
    Box::new(move || assert_eq!(http::get(walk.own_web, "/f").status(), new))
}

#[test]
fn limit() {
    walk_with(CASES, |prefix| {
        prefix.write("html/f", "text");
        prefix.write("html/slow", vec![b's'; 10_000]);
    });
}
