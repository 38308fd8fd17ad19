//! Players that are sent what is recorded: pauses, drops, bans, and slow ones.

use std::io::Write;

use pingosd::wire::amf0::AmfValue;

use crate::encoder::{Encoder, Viewer, indexed, recording, recording_of};
use crate::recorded::{ALL, SHORT};
use crate::support::frame::GOP;
use crate::support::raw::Script;
use crate::support::wait::until_true;
use crate::support::{Player, RtmpClient, Server, http};

/// A server and an encoder of a stream whose recorded parts end at picture 220, far before memory begins.
fn in_the_past(server: &Server) -> Encoder {
    Encoder::recorded(server, 11_600, 2)
}

#[test]
fn a_player_that_pauses_in_the_past_misses_nothing() {
    let server = recording(SHORT);
    let mut encoder = in_the_past(&server);
    let client = RtmpClient::play(server.rtmp, "live", &format!("s{ALL}")).wait_started();
    let mut socket = client.socket.try_clone().unwrap();
    let viewer = Viewer::Tags(Player::rtmp(client));
    let mut pause = |on: bool| {
        let command = Script::default().command(1, "pause", &[AmfValue::Null, on.into(), 0.0.into()]);
        socket.write_all(&command.finish()).unwrap();
    };
    until_true("the past has come", || encoder.places(&viewer).len() == 220);
    pause(true);
    viewer.tags().wait_status("NetStream.Pause.Notify");
    encoder.send_until(20_000);
    until_true("parts are in the index", || indexed(&server, "s") >= 4);
    let witness = Viewer::rtmp(&server, ALL);
    until_true("another player has come further", || encoder.places(&witness).len() == 440);
    assert_eq!(encoder.places(&viewer).len(), 220);
    pause(false);
    until_true("it goes on", || encoder.places(&viewer).len() == 440);
    assert!(encoder.places(&viewer).into_iter().eq(0..440));
}

#[test]
fn drops_and_bans_reach_players_in_the_past() {
    let server = recording(SHORT);
    let encoder = in_the_past(&server);
    let drop = |server: &Server| {
        let target = "/control/drop/subscriber?srv=default&app=live&name=s";
        assert_eq!(http::get(server.http, target).text(), "5");
    };
    let ban = |server: &Server| {
        let output = server.run(&["ctl", "ban", "live/s", "for", "1h"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for end in [&drop as &dyn Fn(&Server), &ban] {
        let viewers = Viewer::all(&server, ALL);
        for viewer in &viewers {
            until_true("the past has come", || encoder.places(viewer).len() == 220);
        }
        end(&server);
        for viewer in &viewers {
            until_true("it has ended", || viewer.has_ended());
        }
    }
    assert!(server.log_lines("behind a gap").is_empty());
}

#[test]
fn a_player_that_moves_to_another_stream_leaves_the_past_behind() {
    let server = recording(SHORT);
    let encoder = in_the_past(&server);
    let mut other = Encoder::start(&server, "other");
    let viewer = Viewer::rtmp(&server, ALL);
    until_true("the past has come", || encoder.places(&viewer).len() == 220);
    let target = "/control/redirect/subscriber?srv=default&app=live&name=s&newname=other";
    assert_eq!(http::get(server.http, target).text(), "1");
    until_true("the other stream has come", || {
        other.send_more(40);
        other.has_come(&viewer)
    });
}

#[test]
fn a_player_waits_for_its_publisher_and_is_then_sent_what_is_recorded() {
    let server = recording("cache_time 1s; roll_back 2s;");
    let mut first = Encoder::start(&server, "s");
    first.send_until(6_000);
    let Encoder { client, sent: first, .. } = first;
    client.leave();
    until_true("the recording is complete", || indexed(&server, "s") == 5);
    let viewers = Viewer::all(&server, ALL);
    let mut second = Encoder::start(&server, "s");
    second.send_until(4_000);
    for viewer in &viewers {
        second.wait_come(viewer);
        assert_eq!(viewer.pictures()[0].payload, first[1][0].payload);
    }
}

/// Pictures of 20,000 bytes, more than sockets take.
fn large(server: &Server) -> Encoder {
    let mut encoder = Encoder::start(server, "s");
    encoder.padding = 20_000;
    encoder.send_until(40_000);
    until_true("parts are in the index", || indexed(server, "s") >= 30);
    encoder
}

#[test]
fn a_slow_player_gets_all_of_the_past() {
    let server = recording("cache_time 1s; roll_back 5s;");
    let mut encoder = large(&server);
    let (slow, other) = (Viewer::rtmp(&server, ALL), Viewer::rtmp(&server, ALL));
    slow.tags().hold();
    encoder.wait_come(&other);
    assert!(!encoder.has_come(&slow), "the sockets have taken everything");
    encoder.send_more(GOP as u32 * 40);
    slow.tags().resume();
    encoder.wait_come(&slow);
    assert_eq!(encoder.assert_whole(&slow), 0);
}

#[test]
fn a_player_that_takes_nothing_is_given_up() {
    let server = recording_of("timeout 1s;", "cache_time 1s; roll_back 5s;");
    let encoder = large(&server);
    let viewer = Viewer::rtmp(&server, ALL);
    viewer.tags().hold();
    server.wait_log("reason: rtmp_send_timeout");
    viewer.tags().resume();
    until_true("it has ended", || viewer.has_ended());
    assert!(encoder.places(&viewer).len() < 900);
}
