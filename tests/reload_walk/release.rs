//! What a reload does to the sessions that it leaves behind.

use std::fs;

use crate::support::frame::{GOP, Tracks};
use crate::support::server::Signal;
use crate::support::{Player, Publisher, RtmpClient};
use crate::walk::{Around, Case, Place, Walk, walk_each};

pub const CASES: &[Case] = &[
    Case {
        row: "reload/fast_reload",
        place: Place::Rtmp,
        before: "fast_reload off;",
        after: "fast_reload on;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            edit(walk, |text| format!("{text}\n# edited\n"));
            player.wait_frame(publisher.send(GOP));
            Box::new(move || {
                player.wait_end();
                publisher.client.wait_end();
                let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
                player.wait_frame(publisher.send(GOP));
            })
        },
    },
    Case {
        row: "reload/reload_orphans",
        place: Place::Rtmp,
        before: "reload_orphans keep; server { listen 127.0.0.1:{port}; serverid {app}; \
                 application goes { live on; } application stays { live on; } }",
        after: "reload_orphans close 10ms; server { listen 127.0.0.1:{port}; serverid {app}; \
                application comes { live on; } application stays { live on; } }",
        look: |walk| {
            let (player, mut publisher) = sessions(walk, "goes");
            let (stays, mut feeds) = sessions(walk, "stays");
            edit(walk, |text| text.replace("application goes", "application comes"));
            player.wait_frame(publisher.send(GOP));
            Box::new(move || {
                // An earlier reload has left them, and they went on.
                player.wait_end();
                publisher.client.wait_end();
                stays.wait_frame(feeds.send(2 * GOP));
            })
        },
    },
];

/// A player and a publisher in an application of the case's own server.
fn sessions(walk: &Walk<'_>, app: &str) -> (Player, Publisher) {
    let player = Player::rtmp(RtmpClient::play(walk.own_port, app, "s"));
    player.wait("play was accepted", |got| got.started.then_some(()));
    (player, Publisher::with(RtmpClient::publish(walk.own_port, app, "s"), Tracks::Both))
}

/// A reload before the one that changes the row.
#[track_caller]
fn edit(walk: &Walk<'_>, change: fn(&str) -> String) {
    let path = walk.server.prefix().conf();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, change(&text)).unwrap();
    walk.server.signal(Signal::SIGHUP);
    walk.server.wait_log(" reloaded, generation 4");
}

#[test]
fn sessions_left_behind() {
    walk_each(CASES, Around::default());
}
