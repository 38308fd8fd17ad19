//! Logs: running sessions and open connections write to the new ones.

use std::fs;

use crate::support::http::{self, Connection};
use crate::support::wait::until_true;
use crate::walk::{Case, Place, Walk};

pub const CASES: &[Case] = &[
    Case {
        row: "rtmp log/access_log",
        place: Place::Application,
        before: "access_log {dir}/logs/{app}.old;",
        after: "access_log {dir}/logs/{app}.new;",
        look: |walk| {
            let publisher = walk.publish("s");
            Box::new(move || {
                publisher.leave();
                wait_text(walk, "new", " PUBLISH ");
                assert!(!text(walk, "old").contains(" PUBLISH "));
            })
        },
    },
    Case {
        row: "rtmp log/log_format",
        place: Place::Application,
        before: "log_format {app} 'old $name'; access_log {dir}/logs/{app}.log {app};",
        after: "log_format {app} 'new $name'; access_log {dir}/logs/{app}.log {app};",
        look: |walk| {
            let publisher = walk.publish("s");
            Box::new(move || {
                publisher.leave();
                wait_text(walk, "log", "new s\n");
            })
        },
    },
    Case {
        row: "monitor/buffered_log",
        place: Place::Application,
        before: "buffered_log {dir}/logs/{app}.old;",
        after: "buffered_log {dir}/logs/{app}.new error;",
        look: |walk| {
            let player = walk.play("s");
            let mut publisher = walk.publish("s");
            let said = |role: &str| format!(" {role}, peer: 127.0.0.1:");
            let (of_publisher, of_player) = (said("publisher"), said("player"));
            // Nothing follows these frames.
            publisher.send(10);
            wait_text(walk, "old", &of_publisher);
            wait_text(walk, "old", &of_player);
            wait_text(walk, "old", &format!("/{}/s, buffered: 1, time: 2s\n", walk.own_app));
            Box::new(move || {
                wait_text(walk, "new", &of_publisher);
                wait_text(walk, "new", &of_player);
                drop((publisher, player));
            })
        },
    },
    Case {
        row: "http log/access_log",
        place: Place::Locations,
        before: "location /{app} { access_log {dir}/logs/{app}.old; return 200 a; }",
        after: "location /{app} { access_log {dir}/logs/{app}.new; return 200 a; }",
        look: |walk| {
            let mut connection = Connection::open(walk.web);
            ask(&mut connection, walk, "?before");
            wait_text(walk, "old", "?before HTTP/1.1\" 200 1 ");
            Box::new(move || {
                ask(&mut connection, walk, "?after");
                wait_text(walk, "new", "?after HTTP/1.1\" 200 1 ");
            })
        },
    },
    Case {
        row: "http log/log_format",
        place: Place::Http,
        before: "log_format {app} 'old $uri'; server { listen 127.0.0.1:{web}; access_log {dir}/logs/{app}.log {app}; return 200 a; }",
        after: "log_format {app} 'new $uri'; server { listen 127.0.0.1:{web}; access_log {dir}/logs/{app}.log {app}; return 200 a; }",
        look: |walk| {
            http::get(walk.own_web, "/before");
            wait_text(walk, "log", "old /before\n");
            Box::new(move || {
                http::get(walk.own_web, "/after");
                wait_text(walk, "log", "new /after\n");
            })
        },
    },
    Case {
        row: "http log/open_log_file_cache",
        place: Place::Locations,
        before: "location /{app} { access_log {dir}/logs/{app}$arg_n; open_log_file_cache off; return 200 a; }",
        after: "location /{app} { access_log {dir}/logs/{app}$arg_n; open_log_file_cache max=9 valid=1h; return 200 a; }",
        look: |walk| {
            // A file that was moved away is written only by one that keeps it open.
            let rotated = move |name: &'static str| {
                let get = |end: &str| http::get(walk.web, &format!("/{}?n=.{name}&{end}", walk.own_app));
                get("first");
                wait_text(walk, name, "&first ");
                let path = walk.server.prefix().path().join(format!("logs/{}.{name}", walk.own_app));
                fs::rename(&path, path.with_extension(format!("{name}1"))).unwrap();
                get("second");
            };
            rotated("a");
            wait_text(walk, "a", "&second ");
            Box::new(move || {
                rotated("b");
                wait_text(walk, "b1", "&second ");
            })
        },
    },
    Case {
        row: "http core/error_log",
        place: Place::Locations,
        before: "location /{app} { error_log {dir}/logs/{app}.old; error_log {dir}/logs/{app}.both crit; deny all; }",
        after: "location /{app} { error_log {dir}/logs/{app}.new; error_log {dir}/logs/{app}.both error; deny all; }",
        look: |walk| {
            let mut connection = Connection::open(walk.web);
            ask(&mut connection, walk, "?before");
            wait_text(walk, "old", "access forbidden by rule");
            Box::new(move || {
                ask(&mut connection, walk, "?after");
                wait_text(walk, "new", "?after");
                wait_text(walk, "both", "?after");
                assert!(!text(walk, "both").contains("?before"));
                assert!(!walk.server.log().contains("?after"), "it does not go to the outer log");
            })
        },
    },
];

fn ask(connection: &mut Connection, walk: &Walk<'_>, query: &str) {
    let request = format!("GET /{}{query} HTTP/1.1\r\nHost: h\r\n\r\n", walk.own_app);
    connection.send(request.as_bytes());
    assert!(connection.response(false).status() > 0);
}

/// What a log named like the case says.
fn text(walk: &Walk<'_>, extension: &str) -> String {
    walk.server.prefix().read(&format!("logs/{}.{extension}", walk.own_app))
}

#[track_caller]
fn wait_text(walk: &Walk<'_>, extension: &str, wanted: &str) {
    until_true(&format!("`{wanted}` in the log .{extension}"), || text(walk, extension).contains(wanted));
}

#[test]
fn logs_change_at_once() {
    crate::walk::walk(CASES);
}
