//! Bodies of requests, and what follows a response.

use crate::http::{ask, ask_with, changes_with, location};
use crate::support::http::{Connection, Response};
use crate::support::wait::until_true;
use crate::walk::{Case, Place, Walk, walk_with};

pub const CASES: &[Case] = &[
    location!(
        "http core/client_body_buffer_size",
        "client_body_buffer_size 1m; mirror /{app}/none; add_header X $request_body;",
        "client_body_buffer_size 1; mirror /{app}/none; add_header X $request_body;",
        |walk| {
            let mut connection = Connection::open(walk.web);
            assert!(with_long_body(walk, &mut connection).header("x").is_some());
            Box::new(move || assert!(with_long_body(walk, &mut connection).header("x").is_none()))
        }
    ),
    location!(
        "http core/client_body_temp_path",
        "client_body_temp_path {dir}/old_{app} 1; client_body_in_file_only clean; mirror /{app}/none; add_header X $request_body_file;",
        "client_body_temp_path {dir}/new_{app} 1; client_body_in_file_only clean; mirror /{app}/none; add_header X $request_body_file;",
        |walk| {
            let is_in = |start: &'static str| {
                move |response: &Response| response.header("x").is_some_and(|path| path.contains(start))
            };
            changes_with(walk, "f", BODY, is_in("/old_"), is_in("/new_"))
        }
    ),
    location!(
        "http core/client_body_in_file_only",
        "mirror /{app}/none; add_header X $request_body_file;",
        "client_body_in_file_only clean; mirror /{app}/none; add_header X $request_body_file;",
        |walk| {
            let has_file = |response: &Response| response.header("x").is_some();
            changes_with(walk, "f", BODY, move |response| !has_file(response), has_file)
        }
    ),
    location!(
        "http core/client_body_timeout",
        "client_body_timeout 60s; mirror /{app}/none;",
        "client_body_timeout 100ms; mirror /{app}/none;",
        |walk| {
            let mut connection = Connection::open(walk.web);
            ask(walk, &mut connection, "f");
            Box::new(move || {
                let head =
                    format!("GET /{}/f HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx", walk.own_app);
                connection.send(head.as_bytes());
                assert_eq!(connection.rest(), b"");
            })
        }
    ),
    location!("http core/post_action", "", "post_action /{app}/acted;", |walk| {
        let mut connection = Connection::open(walk.web);
        ask(walk, &mut connection, "f");
        Box::new(move || {
            ask(walk, &mut connection, "f");
            until_true("the action fails", || {
                !walk.server.log_lines("/acted\" failed (2: No such file").is_empty()
            });
        })
    }),
    location!(
        "http core/msie_refresh",
        "msie_refresh off; return 301 /x;",
        "msie_refresh on; return 301 /x;",
        |walk| changes_with(
            walk,
            "f",
            "User-Agent: MSIE 5.0\r\n",
            |response| response.status() == 301,
            |response| response.status() == 200
        )
    ),
    location!(
        "mirror/mirror_request_body",
        "mirror /{app}/none; add_header X $request_body;",
        "mirror_request_body off; mirror /{app}/none; add_header X $request_body;",
        |walk| {
            let has_body = |response: &Response| response.header("x").is_some_and(|body| body == "body");
            changes_with(walk, "f", BODY, has_body, move |response| !has_body(response))
        }
    ),
];

/// A header, and a body behind the head. The line end that follows is skipped before the next request.
const BODY: &str = "Content-Length: 4\r\n\r\nbody";

/// A request with a body that does not fit into the buffer of the head.
fn with_long_body(walk: &Walk<'_>, connection: &mut Connection) -> Response {
    ask_with(walk, connection, "f", &format!("Content-Length: 3000\r\n\r\n{}", "b".repeat(3000)))
}

#[test]
fn bodies() {
    walk_with(CASES, |prefix| {
        prefix.write("html/f", "text");
    });
}
