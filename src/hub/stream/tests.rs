use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::hub::class::PacketClass;
use crate::wire::MediaKind;

#[derive(Default)]
struct Counter(AtomicUsize);
impl StreamWaker for Counter {
    fn wake(&self, _: u64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn settings(cache_time: u32) -> PublishSettings {
    PublishSettings { cache: CacheSettings { cache_time, out_queue: 2048 }, fix_timestamp: 0, relay: false }
}

fn stream() -> Stream {
    Stream::new(7, StreamKey::new("default", "live", "s"), 4096)
}

fn video(class: PacketClass, timestamp: u32) -> Incoming {
    Incoming {
        kind: MediaKind::Video,
        class,
        timestamp,
        further_track: None,
        payload: Bytes::from(timestamp.to_string()),
    }
}

#[test]
fn a_publisher_is_told_of_the_least_patient_worker() {
    let ms = Duration::from_millis;
    let s = stream();
    s.start_publish(1, settings(0)).unwrap();
    let push = || s.push(1, [video(PacketClass::Key, 0)]);
    assert_eq!(push(), Duration::ZERO);
    s.attach(0, Arc::new(Counter::default()));
    s.set_patience(0, ms(50));
    assert_eq!(push(), ms(50));
    s.attach(1, Arc::new(Counter::default()));
    assert_eq!(push(), Duration::ZERO);
    s.set_patience(1, ms(20));
    assert_eq!((push(), s.push(2, [])), (ms(20), Duration::ZERO));
    s.detach(1);
    assert_eq!(push(), ms(50));
}

#[test]
fn a_second_publisher_is_refused_until_the_first_leaves() {
    let s = stream();
    assert_eq!(s.start_publish(1, settings(0)), Ok(()));
    assert_eq!(s.start_publish(2, settings(0)), Err(Busy));
    s.push(2, [video(PacketClass::Key, 0)]);
    assert!(!s.phase().flowing);
    s.end_publish(2);
    assert!(s.phase().publishing);
    s.end_publish(1);
    assert_eq!(s.start_publish(2, settings(0)), Ok(()));
    assert_eq!(s.phase(), StreamPhase { publishing: true, flowing: false, epoch: 2 });
}

#[test]
fn behind_a_relay_one_publisher_stands_by_and_takes_over() {
    let s = stream();
    s.start_publish(1, PublishSettings { relay: true, ..settings(0) }).unwrap();
    assert_eq!(s.publish_or_stand_by(2, settings(0)), Ok(true));
    assert_eq!(s.publish_or_stand_by(3, settings(0)), Err(Busy));
    s.end_publish(1);
    assert_eq!(s.publisher(), Some(2));
    assert_eq!(s.phase(), StreamPhase { publishing: true, flowing: false, epoch: 2 });
    assert_eq!(s.publish_or_stand_by(3, settings(0)), Err(Busy));
    s.end_publish(2);
    assert_eq!(s.publish_or_stand_by(3, settings(0)), Ok(false));
}

/// Publishers on several threads that take over the stream as soon as another one has left.
#[test]
fn a_publisher_that_reconnects_elsewhere_is_never_marked_as_absent() {
    let s = stream();
    std::thread::scope(|scope| {
        for publisher in 1..=3 {
            let s = &s;
            scope.spawn(move || {
                let mut turns = 0;
                while turns < 5000 {
                    if s.start_publish(publisher, settings(0)).is_err() {
                        std::hint::spin_loop();
                        continue;
                    }
                    for _ in 0..20 {
                        assert!(s.phase().publishing);
                    }
                    s.end_publish(publisher);
                    turns += 1;
                }
            });
        }
    });
    assert_eq!(s.phase(), StreamPhase { publishing: false, flowing: false, epoch: 15_000 });
}

#[test]
fn a_relay_without_media_gives_way_to_a_publisher() {
    let s = stream();
    let relay = PublishSettings { relay: true, ..settings(0) };
    s.start_publish(1, relay).unwrap();
    assert_eq!(s.start_publish(2, relay), Err(Busy));
    assert_eq!(s.start_publish(3, settings(0)), Ok(()));
    s.end_publish(1);
    assert_eq!((s.publisher(), s.phase().epoch), (Some(3), 2));
}

#[test]
fn a_publisher_on_standby_may_leave() {
    let s = stream();
    let waited_for = s.waited_for();
    s.start_publish(1, PublishSettings { relay: true, ..settings(0) }).unwrap();
    s.publish_or_stand_by(2, settings(0)).unwrap();
    assert!(*waited_for.borrow());
    s.end_publish(2);
    assert!(!*waited_for.borrow());
    s.end_publish(1);
    assert_eq!(s.publisher(), None);
    assert!(!s.phase().publishing);
}

#[test]
fn a_worker_is_woken_once_per_batch_and_fetches_everything() {
    let s = stream();
    let counter = Arc::new(Counter::default());
    assert_eq!(s.attach(3, counter.clone()), 0);
    s.start_publish(1, settings(0)).unwrap();
    s.push(1, [video(PacketClass::Key, 0), video(PacketClass::Inter, 40)]);
    s.push(1, [video(PacketClass::Inter, 80)]);
    assert_eq!(counter.0.load(Ordering::Relaxed), 1);
    let mut out = Vec::new();
    assert_eq!(s.fetch(3, &mut out), 0);
    assert_eq!(out.iter().map(|p| p.timestamp()).collect::<Vec<_>>(), [0, 40, 80]);
    s.push(1, [video(PacketClass::Inter, 120)]);
    assert_eq!(counter.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_player_joins_at_the_cached_key_frame_with_the_headers_in_force() {
    let s = stream();
    s.start_publish(1, settings(1000)).unwrap();
    s.push(
        1,
        [video(PacketClass::VideoHeader, 0), video(PacketClass::Key, 0), video(PacketClass::Inter, 40)],
    );
    s.attach(0, Arc::new(Counter::default()));
    let start = StartSettings { cache_time: 1000, send_all: false, low_latency: false };
    let joined = s.join(start, 3);
    assert_eq!(joined.start, 1);
    assert_eq!(joined.older.len(), 2);
    assert!(joined.headers.has_video());
}

#[test]
fn a_repeated_header_is_dropped() {
    let s = stream();
    s.start_publish(1, settings(1000)).unwrap();
    s.push(1, [video(PacketClass::VideoHeader, 0), video(PacketClass::Key, 0)]);
    let mut again = video(PacketClass::VideoHeader, 0);
    again.timestamp = 40;
    s.push(1, [again, video(PacketClass::Inter, 40)]);
    let start = StartSettings { cache_time: 1000, send_all: true, low_latency: false };
    assert_eq!(s.join(start, u64::MAX).older.len(), 2);
}

#[test]
fn the_cache_of_a_gone_publisher_starts_nobody() {
    let s = stream();
    s.start_publish(1, settings(1000)).unwrap();
    s.push(1, [video(PacketClass::Key, 0), video(PacketClass::Inter, 40)]);
    s.end_publish(1);
    let start = StartSettings { cache_time: 1000, send_all: true, low_latency: false };
    assert!(s.join(start, u64::MAX).older.is_empty());
}
