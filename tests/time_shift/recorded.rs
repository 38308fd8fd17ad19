//! Players that begin further back than the cache holds.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::encoder::{Encoder, Viewer, conf, files, indexed, recording};
use crate::support::wait::until_true;

/// Asks for everything.
pub const ALL: &str = "?roll_back=600000";

/// The cache ends before what is in the index begins, until the next part is.
pub const SHORT: &str =
    "cache_time 500ms; roll_back 1ms; live_record_min_fragment 4s; live_record_max_fragment 9s;";

#[test]
fn a_player_goes_back_beyond_the_cache_and_on_without_a_gap() {
    let server = recording("cache_time 1s; roll_back 5s;");
    let mut encoder = Encoder::recorded(&server, 30_000, 20);
    let viewers = Viewer::all(&server, ALL);
    for viewer in &viewers {
        encoder.wait_come(viewer);
    }
    // What is published from now on comes from the cache.
    encoder.send_more(6_000);
    for viewer in &viewers {
        encoder.wait_come(viewer);
        assert_eq!(encoder.assert_whole(viewer), 0);
        assert_eq!(viewer.media()[0].timestamp, 0);
        assert_eq!(viewer.breaks().unwrap_or(0), 0);
    }
    // As far back as the cache holds, nothing is read.
    for viewer in Viewer::all(&server, "?roll_back=3000") {
        encoder.wait_come(&viewer);
        assert!(encoder.assert_whole(&viewer) > 600);
    }
    assert!(server.log_lines("behind a gap").is_empty());
}

#[test]
fn a_player_follows_the_recording_until_the_cache_joins_it() {
    let server = recording(SHORT);
    let mut encoder = Encoder::recorded(&server, 11_600, 2);
    let viewers = Viewer::all(&server, ALL);
    viewers.iter().for_each(|viewer| encoder.wait_past(viewer));
    until_true("the newest picture has come", || {
        let all_have = viewers.iter().all(|viewer| encoder.has_come(viewer));
        // Time goes on until a part ends where the cache begins. Media is not faster than its time.
        if !all_have {
            encoder.send_more(40);
            thread::sleep(Duration::from_millis(40));
        }
        all_have
    });
    encoder.send_more(2_000);
    for viewer in &viewers {
        encoder.wait_come(viewer);
        assert_eq!(encoder.assert_whole(viewer), 0);
        assert_eq!(viewer.breaks().unwrap_or(0), 0);
    }
    assert!(server.log_lines("behind a gap").is_empty());
}

#[test]
fn a_new_publish_is_not_taken_for_the_recorded_one() {
    let server = recording("cache_time 1s; roll_back 5s;");
    let mut first = Encoder::start(&server, "s");
    let begin = Instant::now();
    first.send_until(3_600);
    let Encoder { client, sent: first, .. } = first;
    client.leave();
    until_true("the recording is complete", || indexed(&server, "s") == 3);
    // What is recorded does not overlap: names of files tell seconds.
    until_true("its time has passed", || begin.elapsed() > Duration::from_secs(5));
    // The same timestamps again, in a file with a later name.
    let mut second = Encoder::start(&server, "s");
    second.send_until(12_000);
    for viewer in Viewer::all(&server, ALL) {
        second.wait_come(&viewer);
        let pictures = viewer.pictures();
        // Both publishes as a whole, one behind the other.
        assert_eq!(pictures.len(), 390);
        assert!(pictures.is_sorted_by_key(|media| media.timestamp));
        for (media, frame) in pictures.iter().zip(first[1].iter().chain(&second.sent[1])) {
            assert_eq!(media.payload, frame.payload);
        }
        // MPEG-TS says for tables, video and audio that they begin again.
        assert_eq!(viewer.breaks().unwrap_or(4), 4);
    }
}

#[test]
fn files_that_were_removed_or_are_damaged_are_left_out() {
    let server = recording("cache_time 1s; roll_back 5s;");
    for _ in 0..2 {
        let mut encoder = Encoder::start(&server, "s");
        let before = indexed(&server, "s");
        encoder.send_until(12_000);
        encoder.client.leave();
        until_true("the recording is complete", || indexed(&server, "s") == before + 10);
    }
    let before = files(&server, "s", "");
    let [gone, damaged] = &before[..] else { panic!("two files: {before:?}") };
    let mut last = Encoder::start(&server, "s");
    last.send_until(20_000);
    until_true("parts are in the index", || indexed(&server, "s") >= 30);
    // The index stays, as when retention is between the two.
    fs::remove_file(gone).unwrap();
    fs::write(damaged, "no packets at all".repeat(100_000)).unwrap();
    for viewer in Viewer::all(&server, ALL) {
        last.wait_come(&viewer);
        assert_eq!(last.assert_whole(&viewer), 0);
        assert_eq!(viewer.breaks().unwrap_or(0), 0);
    }
}

#[test]
fn a_recording_that_ends_leaves_a_gap_that_the_log_tells() {
    let server = recording(SHORT);
    let mut encoder = Encoder::recorded(&server, 10_000, 2);
    let viewers = Viewer::all(&server, ALL);
    viewers.iter().for_each(|viewer| encoder.wait_past(viewer));
    server.reload(&conf(&format!("{SHORT} live_record off;")));
    encoder.send_until(10_400);
    until_true("the last part is in the index", || indexed(&server, "s") >= 3);
    encoder.send_more(10_000);
    until_true("all go on", || server.log_lines("goes on behind a gap").len() == viewers.len());
    // MPEG-TS begins with a key frame from the cache, or with the next one.
    encoder.send_more(1_000);
    for viewer in &viewers {
        encoder.wait_come(viewer);
        let pictures = viewer.pictures();
        let steps = pictures.windows(2).map(|pair| pair[1].timestamp - pair[0].timestamp);
        match viewer.breaks() {
            None => assert!(steps.into_iter().all(|step| (1..1_000).contains(&step))),
            // It has the stream's time.
            Some(breaks) => assert!(breaks > 0 && steps.into_iter().all(|step| step > 0)),
        }
        let places = encoder.places(viewer);
        let gaps: Vec<_> = places.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
        // Behind the gap is a key frame.
        assert!(gaps.len() == 1 && gaps[0][1] > gaps[0][0] && gaps[0][1].is_multiple_of(10), "{gaps:?}");
    }
}

#[test]
fn the_rest_of_a_recording_is_sent_when_its_publisher_leaves() {
    let server = recording("cache_time 1s; roll_back 2s; idle_streams off;");
    let mut encoder = Encoder::recorded(&server, 12_000, 8);
    let viewers = Viewer::all(&server, ALL);
    viewers.iter().for_each(|viewer| encoder.wait_past(viewer));
    encoder.send_until(13_000);
    let Encoder { client, sent, .. } = encoder;
    client.leave();
    until_true("the recording is complete", || indexed(&server, "s") == 11);
    for viewer in &viewers {
        until_true("it has ended", || viewer.has_ended());
        let pictures: Vec<_> = viewer.pictures().into_iter().map(|media| media.payload).collect();
        assert_eq!(pictures, sent[1].iter().map(|frame| frame.payload.clone()).collect::<Vec<_>>());
    }
}

#[test]
fn a_publisher_that_leaves_does_not_end_a_player_that_is_still_in_the_past() {
    let server = recording(&format!("{SHORT} idle_streams off;"));
    let encoder = Encoder::recorded(&server, 10_000, 2);
    let viewers = Viewer::all(&server, ALL);
    for viewer in &viewers {
        until_true("the past has come", || encoder.places(viewer).len() >= 220);
        // The parts in the index end here, and memory begins later.
        assert!(encoder.places(viewer).len() < 240);
    }
    let Encoder { client, sent, .. } = encoder;
    client.leave();
    for viewer in &viewers {
        until_true("it has ended", || viewer.has_ended());
        assert_eq!(viewer.pictures().len(), sent[1].len());
    }
}

#[test]
fn media_that_comes_faster_than_its_time_is_sent_from_file_to_file() {
    // A new file each second.
    let server = recording(&format!("{SHORT} live_record_interval 1s;"));
    let mut encoder = Encoder::start(&server, "s");
    // A part each, behind which memory is too short to join.
    let burst = |encoder: &mut Encoder| {
        encoder.send_more(4_400);
        thread::sleep(Duration::from_millis(150));
    };
    (0..3).for_each(|_| burst(&mut encoder));
    until_true("parts are in the index", || indexed(&server, "s") >= 2);
    let viewers = Viewer::all(&server, ALL);
    for viewer in &viewers {
        until_true("the past has come", || encoder.places(viewer).len() >= 220);
    }
    // Files whose names tell times within those of the first one's parts.
    until_true("there are more files", || {
        burst(&mut encoder);
        files(&server, "s", "").len() >= 4
    });
    until_true("the newest picture has come", || {
        let all_have = viewers.iter().all(|viewer| encoder.has_come(viewer));
        if !all_have {
            encoder.send_more(40);
            thread::sleep(Duration::from_millis(40));
        }
        all_have
    });
    for viewer in &viewers {
        assert_eq!(encoder.assert_whole(viewer), 0);
        assert_eq!(viewer.breaks().unwrap_or(0), 0);
    }
}

#[test]
fn nothing_recorded_that_far_back_means_as_far_as_there_is() {
    let server = recording("cache_time 1s; roll_back 5s;");
    // This one is not recorded.
    server.reload(&conf("cache_time 1s; roll_back 5s; live_record off;"));
    let mut encoder = Encoder::start(&server, "s");
    let early = Viewer::rtmp(&server, "");
    encoder.send_until(20_000);
    encoder.wait_come(&early);
    for viewer in Viewer::all(&server, ALL) {
        encoder.wait_come(&viewer);
        let first = encoder.assert_whole(&viewer);
        assert!((330..=360).contains(&first), "begins with picture {first} of 500");
    }
}
