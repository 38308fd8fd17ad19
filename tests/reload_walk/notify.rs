//! Callbacks: what is running tells the new server from its next event on.

use crate::support::frame::{audio_header, video_header};
use crate::support::wait::until_true;
use crate::support::{Answer, NotifyServer};
use crate::walk::{After, Case, Place, Walk, walk};

pub const CASES: &[Case] = &[
    Case {
        row: "notify/on_connect",
        place: Place::Server,
        before: "on_connect {old}/{app} stage=update,done update=50ms;",
        after: "on_connect {new}/{app} stage=update,done update=50ms;",
        look: |walk| follows(walk, "connect", walk.play("s")),
    },
    Case {
        row: "notify/on_play",
        place: Place::Application,
        before: "on_play {old}/{app} stage=update,done update=50ms;",
        after: "on_play {new}/{app} stage=update,done update=50ms;",
        look: |walk| follows(walk, "play", walk.play("s")),
    },
    Case {
        row: "notify/on_publish",
        place: Place::Application,
        before: "on_publish {old}/{app} stage=update,done update=50ms;",
        after: "on_publish {new}/{app} stage=update,done update=50ms;",
        look: |walk| follows(walk, "publish", walk.publish("s")),
    },
    Case {
        row: "notify/on_stream",
        place: Place::Application,
        // There are no updates, so `done` shows the destination.
        before: "on_stream {old}/{app} stage=done;",
        after: "on_stream {new}/{app} stage=done;",
        look: |walk| {
            let publisher = walk.publish("s");
            wait(walk, walk.old, "stream", "start");
            Box::new(move || {
                publisher.leave();
                wait(walk, walk.new, "stream", "done");
                assert_eq!(told(walk, walk.old, "stream", "done"), 0);
            })
        },
    },
    Case {
        row: "notify/http_proxy",
        place: Place::Application,
        // The server of the line does not exist; the proxy is a callback server that answers for it.
        before: "on_publish http://nobody.test/{app} stage=update update=50ms; http_proxy {old};",
        after: "on_publish http://nobody.test/{app} stage=update update=50ms; http_proxy {new};",
        look: |walk| {
            let publisher = walk.publish("s");
            let asked = |server: &NotifyServer, walk: &Walk<'_>| {
                let line = format!("GET http://nobody.test/{}?", walk.own_app);
                server
                    .requests()
                    .iter()
                    .any(|request| request.line.starts_with(&line) && request.line.contains("act=update"))
            };
            until_true("updates through the first proxy", || asked(walk.old, walk));
            assert!(!asked(walk.new, walk));
            Box::new(move || {
                until_true("updates through the second proxy", || asked(walk.new, walk));
                publisher.leave();
            })
        },
    },
    Case {
        row: "notify/on_pull",
        place: Place::Application,
        before: "on_pull {old}/{app} stage=update,done update=50ms;",
        after: "on_pull {new}/{app} stage=update,done update=50ms;",
        look: |walk| {
            redirect(walk, "pull", &format!("rtmp://127.0.0.1:{}/live/{}", walk.server.rtmp, walk.app));
            follows(walk, "pull", walk.play("s"))
        },
    },
    Case {
        row: "notify/on_push",
        place: Place::Application,
        before: "on_push {old}/{app} stage=update,done update=50ms;",
        after: "on_push {new}/{app} stage=update,done update=50ms;",
        look: |walk| {
            redirect(walk, "push", &format!("rtmp://127.0.0.1:{}/live/{}", walk.server.rtmp, walk.app));
            let publisher = walk.publish("s");
            wait(walk, walk.old, "push", "update");
            Box::new(move || {
                // The changed line keeps its relay.
                wait(walk, walk.new, "push", "update");
                publisher.leave();
                wait(walk, walk.new, "push", "done");
                assert_eq!(told(walk, walk.old, "push", "done") + told(walk, walk.new, "push", "start"), 0);
            })
        },
    },
    Case {
        row: "notify/on_meta",
        place: Place::Application,
        before: "on_meta {old}/{app} stage=done; on_meta_once off;",
        after: "on_meta {new}/{app} stage=done; on_meta_once off;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            wait(walk, walk.old, "meta", "start");
            Box::new(move || {
                publisher.send_frame(&video_header());
                wait(walk, walk.new, "meta", "start");
                publisher.leave();
                wait(walk, walk.new, "meta", "done");
            })
        },
    },
    Case {
        row: "notify/on_meta_once",
        place: Place::Application,
        before: "on_meta {old}/{app}; on_meta_once on;",
        after: "on_meta {old}/{app}; on_meta_once off;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            publisher.send_frame(&video_header());
            wait(walk, walk.old, "meta", "start");
            Box::new(move || {
                publisher.send_frame(&video_header());
                until_true("another meta", || told(walk, walk.old, "meta", "start") == 2);
            })
        },
    },
    Case {
        row: "notify/on_meta_type",
        place: Place::Application,
        before: "on_meta {old}/{app}; on_meta_once off; on_meta_type video;",
        after: "on_meta {old}/{app}; on_meta_once off; on_meta_type audio;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            publisher.send_frame(&audio_header());
            wait(walk, walk.old, "meta", "start");
            Box::new(move || {
                publisher.send_frame(&audio_header());
                until_true("another meta", || told(walk, walk.old, "meta", "start") == 2);
            })
        },
    },
    Case {
        row: "notify/on_record",
        place: Place::Application,
        before: "live_record on; live_record_path {dir}/rec; on_record {old}/{app} stage=done;",
        after: "live_record on; live_record_path {dir}/rec; on_record {new}/{app} stage=done;",
        look: |walk| {
            let mut source = walk.source("s");
            source.send_to(2_000);
            walk.server.wait_log("record: recording 's'");
            Box::new(move || {
                source.leave();
                wait(walk, walk.new, "record", "done");
                assert_eq!(told(walk, walk.old, "record", "done"), 0);
            })
        },
    },
    Case {
        row: "notify/ignore_invalid_notify",
        place: Place::Application,
        before: "on_play {old}/{app}; ignore_invalid_notify off;",
        after: "on_play {old}/{app}; ignore_invalid_notify on;",
        look: |walk| {
            walk.old.answer(&format!("path=/{}", walk.app), Answer::Drop);
            walk.player("s").wait_end();
            let waiting = walk.connected(walk.player("s"));
            Box::new(move || drop(walk.go_on(waiting)))
        },
    },
    Case {
        row: "notify/notify_done_retry",
        place: Place::Application,
        before: "on_publish {old}/{app} stage=done; notify_done_retry 0;",
        after: "on_publish {old}/{app} stage=done; notify_done_retry 1h;",
        look: |walk| {
            walk.old.answer(&format!("path=/{} act=done", walk.app), Answer::Status(503));
            let (one, two) = (walk.publish("one"), walk.publish("two"));
            let ends = |walk: &Walk<'_>, name: &str| format!("path=/{} act=done name={name}", walk.app);
            one.leave();
            walk.old.wait(&ends(walk, "one"));
            Box::new(move || {
                two.leave();
                walk.old.wait_count(&ends(walk, "two"), 2);
                assert_eq!(walk.old.requests_of(&ends(walk, "one")).len(), 1, "told once");
            })
        },
    },
];

/// Callbacks of the case's own application.
pub fn told(walk: &Walk<'_>, server: &NotifyServer, call: &str, act: &str) -> usize {
    server.requests_of(&format!("path=/{} call={call} act={act}", walk.own_app)).len()
}

/// Waits for one of them.
#[track_caller]
pub fn wait(walk: &Walk<'_>, server: &NotifyServer, call: &str, act: &str) {
    server.wait(&format!("path=/{} call={call} act={act}", walk.own_app));
}

fn redirect(walk: &Walk<'_>, call: &str, location: &str) {
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    for server in [walk.old, walk.new] {
        server.answer(
            &format!("path=/{} call={call} act=start", walk.own_app),
            Answer::Raw(head.clone().into_bytes()),
        );
    }
}

/// The session began under the old line: its updates and its end go by the new one.
fn follows<'w, S: 'w>(walk: &'w Walk<'w>, call: &'static str, session: S) -> After<'w> {
    wait(walk, walk.old, call, "update");
    Box::new(move || {
        wait(walk, walk.new, call, "update");
        let before = told(walk, walk.old, call, "update");
        drop(session);
        wait(walk, walk.new, call, "done");
        assert_eq!(told(walk, walk.new, call, "start"), 0, "the session has not begun anew");
        assert_eq!(told(walk, walk.old, call, "done"), 0);
        assert_eq!(told(walk, walk.old, call, "update"), before);
    })
}

#[test]
fn notify() {
    walk(CASES);
}
