//! Callbacks of the whole server: what it tells of itself, and how all of them travel.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::notify::{told, wait};
use crate::support::frame::Tracks;
use crate::support::notify::Request;
use crate::support::tls::callback_server;
use crate::support::wait::until_true;
use crate::support::{Publisher, RtmpClient};
use crate::walk::{Around, Case, Place, Walk, walk_each, walk_with};

/// A server that sends callbacks about publishers to a callback server with a certificate.
macro_rules! encrypted {
    () => {
        "server { listen 127.0.0.1:{port}; serverid {app}; application live { live on; \
         on_publish https://localhost:{callback}/ stage=update update=50ms; } }"
    };
}

/// A server that sends callbacks about publishers.
macro_rules! told_of {
    () => {
        "server { listen 127.0.0.1:{port}; serverid {app}; application live { live on; \
         on_publish {old}/{app} stage=update update=20ms; } }"
    };
}

pub const CASES: &[Case] = &[
    Case {
        row: "notify main/on_master",
        place: Place::Rtmp,
        before: "on_master {old}/{app} stage=update update=50ms;",
        after: "on_master {new}/{app} stage=update update=50ms;",
        look: |walk| {
            wait(walk, walk.old, "init_master", "start");
            wait(walk, walk.old, "init_master", "update");
            Box::new(move || {
                // In the original a reload starts workers, the first of which tells of itself.
                wait(walk, walk.new, "init_master", "start");
                wait(walk, walk.new, "init_master", "update");
                let before = told(walk, walk.old, "init_master", "update");
                let updates = told(walk, walk.new, "init_master", "update");
                until_true("more updates", || told(walk, walk.new, "init_master", "update") > updates + 2);
                assert_eq!(told(walk, walk.old, "init_master", "update"), before);
                assert_eq!(told(walk, walk.new, "init_master", "start"), 1, "the changed line is told once");
            })
        },
    },
    Case {
        row: "notify main/on_proc",
        place: Place::Rtmp,
        before: "on_proc {old}/{app};",
        after: "on_proc {new}/{app};",
        look: |walk| {
            let calls = format!("path=/{} call=init_process", walk.own_app);
            walk.old.wait_count(&calls, 2);
            Box::new(move || {
                // In PingOS a reload starts workers; here the two existing ones are announced again.
                let workers = walk.new.wait_count(&calls, 2);
                let workers: BTreeSet<&str> = workers.iter().map(|call| call.value("worker_id")).collect();
                assert_eq!(workers, BTreeSet::from(["0", "1"]));
                assert_eq!(walk.old.requests_of(&calls).len(), 2);
            })
        },
    },
    Case {
        row: "notify main/notify_request_id",
        place: Place::Rtmp,
        before: concat!("notify_request_id off; ", told_of!()),
        after: concat!("notify_request_id on; ", told_of!()),
        look: |walk| {
            let publisher = Publisher::with(client(walk, "s"), Tracks::Both);
            let updates =
                |walk: &Walk<'_>| walk.old.requests_of(&format!("path=/{} act=update", walk.own_app));
            let has_id = |update: &Request| {
                update.headers.iter().any(|line| line.to_lowercase().starts_with("x-request-id: "))
            };
            wait(walk, walk.old, "publish", "update");
            assert!(!updates(walk).iter().any(has_id));
            Box::new(move || {
                until_true("an update with a number", || updates(walk).iter().any(has_id));
                drop(publisher);
            })
        },
    },
    Case {
        row: "notify main/notify_escape",
        place: Place::Rtmp,
        before: concat!("notify_escape minimal; ", told_of!()),
        after: concat!("notify_escape strict; ", told_of!()),
        look: |walk| {
            let publisher = Publisher::with(client(walk, "a+b"), Tracks::Both);
            let update = |name: &str| format!("path=/{} act=update name={name}", walk.own_app);
            walk.old.wait(&update("a+b"));
            Box::new(move || {
                walk.old.wait(&update("a%2Bb"));
                drop(publisher);
            })
        },
    },
];

/// The secrets are files.
pub const SIGNED: &[Case] = &[Case {
    row: "notify main/notify_secret",
    place: Place::Rtmp,
    before: concat!("notify_secret {dir}/one; ", told_of!()),
    after: concat!("notify_secret {dir}/two; ", told_of!()),
    look: |walk| {
        let publisher = Publisher::with(client(walk, "s"), Tracks::Both);
        let updates = |walk: &Walk<'_>| walk.old.requests_of(&format!("path=/{} act=update", walk.own_app));
        let first_of_two = |updates: &[Request]| updates.iter().position(|update| is_signed(b"two", update));
        wait(walk, walk.old, "publish", "update");
        assert!(updates(walk).iter().all(|update| is_signed(b"one", update)));
        Box::new(move || {
            until_true("updates that the new secret signs", || {
                let updates = updates(walk);
                first_of_two(&updates).is_some_and(|first| updates.len() > first + 2)
            });
            let updates = updates(walk);
            let (before, after) = updates.split_at(first_of_two(&updates).unwrap());
            assert!(before.iter().all(|update| is_signed(b"one", update)));
            assert!(after.iter().all(|update| is_signed(b"two", update)));
            drop(publisher);
        })
    },
}];

/// With a callback server whose certificate `ca` has signed.
pub const ENCRYPTED: &[Case] = &[
    Case {
        row: "notify main/notify_ssl_verify",
        place: Place::Rtmp,
        before: concat!("notify_ssl_verify off; ", encrypted!()),
        after: concat!("notify_ssl_verify on; ", encrypted!()),
        look: |walk| {
            let (publisher, waiting) =
                (Publisher::with(client(walk, "s"), Tracks::Both), walk.connected(client(walk, "waiting")));
            Box::new(move || {
                // The connection that was trusted is not used again.
                walk.server.wait_log("notify publish update: no answer (TLS: ");
                refused(waiting);
                refused(client(walk, "other"));
                drop(publisher);
            })
        },
    },
    Case {
        row: "notify main/notify_ssl_trusted_certificate",
        place: Place::Rtmp,
        before: concat!("notify_ssl_trusted_certificate {tls}/other.crt; ", encrypted!()),
        after: concat!("notify_ssl_trusted_certificate {tls}/ca.crt; ", encrypted!()),
        look: |walk| {
            refused(client(walk, "other"));
            let waiting = walk.connected(client(walk, "waiting"));
            Box::new(move || drop(Publisher::with(waiting, Tracks::Both)))
        },
    },
];

/// A publisher of the case's own server.
fn client(walk: &Walk<'_>, name: &str) -> RtmpClient {
    RtmpClient::publish(walk.own_port, "live", name)
}

#[track_caller]
fn refused(mut publisher: RtmpClient) {
    publisher.wait_status("NetStream.Publish.Forbidden");
}

/// Whether the signature of a request is one of this secret.
fn is_signed(secret: &[u8], request: &Request) -> bool {
    let header = |name: &str| {
        let mut lines = request.headers.iter().filter_map(|line| line.split_once(": "));
        lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    };
    let target = request.line.split(' ').nth(1).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(format!("GET\n{target}\n{}", header("X-Pingosd-Time")).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    header("X-Pingosd-Signature") == format!("sha256={hex}")
}

#[test]
fn the_process() {
    walk_each(CASES, Around::default());
}

#[test]
fn signatures() {
    walk_with(SIGNED, |prefix| {
        for name in ["one", "two"] {
            prefix.write(name, name);
        }
    });
}

#[test]
fn certificates() {
    let callback = callback_server("callback").to_string();
    walk_each(ENCRYPTED, Around { vars: &[("callback", callback)], ..Around::default() });
}
