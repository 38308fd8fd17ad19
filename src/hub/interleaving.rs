//! Enumeration of all interleavings of several parties' steps, for tests of state shared under one lock.

use super::gop::CacheSettings;
use super::packet::PacketClass;
use super::registry::StreamKey;
use super::stream::{Incoming, PublishSettings, Stream};
use crate::wire::MediaKind;

/// All interleavings: party `i` takes `steps[i]` steps, in order. An interleaving is a list of parties.
pub(crate) fn orders(steps: &[usize]) -> Vec<Vec<usize>> {
    if steps.iter().all(|left| *left == 0) {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for party in (0..steps.len()).filter(|party| steps[*party] > 0) {
        let mut left = steps.to_vec();
        left[party] -= 1;
        all.extend(orders(&left).into_iter().map(|mut order| {
            order.insert(0, party);
            order
        }));
    }
    all
}

/// A session's operation on a stream.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin { relay: bool },
    Push,
    End,
}

/// A session's state towards a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Outside,
    Waits,
    Publishes,
}

fn settings(relay: bool) -> PublishSettings {
    PublishSettings { cache: CacheSettings { cache_time: 0, out_queue: 16 }, fix_timestamp: 0, relay }
}

fn key_frame() -> Incoming {
    Incoming {
        kind: MediaKind::Video,
        class: PacketClass::Key,
        timestamp: 0,
        further_track: None,
        payload: bytes::Bytes::from_static(b"k"),
    }
}

/// Executes the step of session `id` and updates all sessions' states.
fn take(stream: &Stream, standings: &mut [Standing], at: usize, step: Step) {
    let id = at as u64;
    match step {
        Step::Begin { relay: true } => {
            if stream.start_publish(id, settings(true)).is_ok() {
                standings[at] = Standing::Publishes;
            }
        }
        Step::Begin { relay: false } => match stream.publish_or_stand_by(id, settings(false)) {
            Ok(true) => standings[at] = Standing::Waits,
            Ok(false) => standings[at] = Standing::Publishes,
            Err(_) => {}
        },
        Step::Push => drop(stream.push(id, [key_frame()])),
        Step::End => {
            stream.end_publish(id);
            let published = standings[at] == Standing::Publishes;
            standings[at] = Standing::Outside;
            if published && let Some(next) = standings.iter_mut().find(|s| **s == Standing::Waits) {
                *next = Standing::Publishes;
            }
        }
    }
}

#[test]
fn orders_are_all_there_are() {
    assert_eq!(orders(&[2, 1]), [[0, 0, 1], [0, 1, 0], [1, 0, 0]]);
    assert_eq!(orders(&[3, 3, 3]).len(), 1680);
}

#[test]
fn the_phase_of_a_stream_tells_of_its_publisher_in_every_order() {
    let client = [Step::Begin { relay: false }, Step::Push, Step::End];
    let relay = [Step::Begin { relay: true }, Step::Push, Step::End];
    for parties in [[client, client, relay], [client, relay, relay], [client, client, client]] {
        for order in orders(&[3, 3, 3]) {
            let stream = Stream::new(1, StreamKey::new("d", "a", "n"), 128);
            let (mut standings, mut done) = ([Standing::Outside; 3], [0; 3]);
            let mut flows = false;
            for (n, &at) in order.iter().enumerate() {
                let step = parties[at][done[at]];
                let (before, seen) = (stream.publisher(), stream.phase());
                take(&stream, &mut standings, at, step);
                done[at] += 1;

                let publishes = standings.iter().position(|s| *s == Standing::Publishes).map(|at| at as u64);
                let phase = stream.phase();
                let context = format!("step {n} of {order:?} of {parties:?}");
                assert_eq!(stream.publisher(), publishes, "{context}");
                assert_eq!(phase.publishing, publishes.is_some(), "{context}");
                let began = publishes.is_some() && publishes != before;
                assert_eq!(phase.epoch, seen.epoch + u64::from(began), "{context}");
                flows = !began
                    && publishes.is_some()
                    && (flows || matches!(step, Step::Push) && publishes == Some(at as u64));
                assert_eq!(phase.flowing, flows, "{context}");
                let waiting = standings.iter().filter(|s| **s == Standing::Waits).count();
                assert!(waiting <= usize::from(publishes.is_some()), "{context}");
            }
            assert_eq!(stream.publisher(), None);
        }
    }
}
