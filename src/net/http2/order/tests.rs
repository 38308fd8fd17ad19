use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

/// Counts how often it is woken.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection with streams of these priorities, 1, 3 and so on, whose windows are open.
struct Connection {
    order: SendOrder,
    calls: Vec<Arc<Calls>>,
    own: Arc<Calls>,
}

const WINDOW: usize = FIRST_WINDOW as usize;

fn priority(text: &str) -> Priority {
    NamedPriority::read(text.as_bytes()).unwrap().over(Priority::default())
}

impl Connection {
    fn of(priorities: &[&str]) -> Connection {
        let order = SendOrder::new();
        for (at, text) in priorities.iter().enumerate() {
            order.begin(2 * at as u32 + 1, priority(text), 1_000_000);
        }
        let calls = priorities.iter().map(|_| Arc::default()).collect();
        Connection { order, calls, own: Arc::default() }
    }

    fn waits(&self, stream: u32) -> bool {
        let waker = self.calls[stream as usize / 2].clone().into();
        self.order.poll_turn(stream, &mut Context::from_waker(&waker)).is_pending()
    }

    /// Lets the next one continue: the streams that were woken.
    fn called(&self) -> Vec<u32> {
        let before: Vec<usize> = self.calls.iter().map(|calls| calls.0.load(Ordering::Relaxed)).collect();
        let waker = self.own.clone().into();
        self.order.call_next(&mut Context::from_waker(&waker));
        let is_called = |at: &usize| self.calls[*at].0.load(Ordering::Relaxed) > before[*at];
        (0..before.len()).filter(is_called).map(|at| 2 * at as u32 + 1).collect()
    }

    /// The crate writes this much of a stream.
    fn writes(&self, stream: u32, length: usize) {
        self.writes_frame(DATA, stream, length);
    }

    fn writes_frame(&self, kind: u8, stream: u32, length: usize) {
        self.order.wrote(&Part::Frame { kind, flags: 0, stream, length: signed(length) });
    }

    /// A stream uses up what is left of the connection's window.
    fn fill(&self, stream: u32) {
        let taken = self.order.take(stream, usize::MAX);
        self.writes(stream, taken);
        assert_eq!(self.order.take(stream, 1), 0);
    }

    /// The streams in the order in which they send a part of this size, when there is room again.
    fn sequence(&self, room: u32, part: usize) -> Vec<u32> {
        self.order.open_window(0, room);
        let mut sent = Vec::new();
        for _ in 0..100 {
            let [stream] = self.called()[..] else { break };
            assert!(!self.waits(stream));
            let taken = self.order.take(stream, part);
            self.writes(stream, taken);
            sent.push(stream);
        }
        sent
    }
}

#[test]
fn a_lone_stream_gets_what_windows_and_the_crate_have_room_for() {
    let connection = Connection::of(&["u=3"]);
    assert_eq!(connection.order.take(1, 100), 100);
    assert_eq!(connection.order.take(1, usize::MAX), WINDOW - 100);
    assert!(connection.waits(1));
    connection.writes(1, WINDOW);
    assert!(connection.waits(1));
    assert!(connection.called().is_empty());
    connection.order.open_window(0, 1_000_000);
    assert_eq!(connection.called(), [1]);
    assert!(!connection.waits(1));
    // Its own window was opened by a million more than that of the connection, of which 64 KiB may wait to be written.
    assert_eq!(connection.order.take(1, usize::MAX), limits::HTTP2_SEND_BUFFER);
    assert_eq!(connection.order.take(1, 1), 0);
    connection.writes(1, 10);
    assert_eq!(connection.order.take(1, 100), 10);
    connection.order.give_back(1, 4);
    assert_eq!(connection.order.take(1, 100), 4);
    // A stream that never began is not held back.
    assert_eq!(connection.order.take(7, 5), 5);
    assert!(connection.order.poll_turn(7, &mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn the_most_urgent_goes_first_and_equals_by_their_numbers() {
    let connection = Connection::of(&["u=4", "u=3, i", "u=3", "u=0, i", "u=3"]);
    connection.fill(1);
    for stream in [1, 3, 5, 7, 9] {
        assert!(connection.waits(stream));
    }
    assert_eq!(connection.sequence(1_000_000, 10), [7, 5, 9, 3, 1]);
}

#[test]
fn those_that_take_turns_do_and_have_short_ones() {
    let connection = Connection::of(&["u=3, i", "u=3, i", "u=3, i", "u=5"]);
    connection.fill(7);
    let mut sent = Vec::new();
    for stream in [1, 3, 5, 7] {
        assert!(connection.waits(stream));
    }
    connection.order.open_window(0, 1_000_000);
    for _ in 0..6 {
        let [stream] = connection.called()[..] else { panic!("one goes on") };
        assert!(!connection.waits(stream));
        let taken = connection.order.take(stream, 100_000);
        assert_eq!(taken, limits::HTTP2_TURN);
        connection.writes(stream, taken);
        sent.push(stream);
        // It wants more, and has to wait.
        assert_eq!(connection.order.take(stream, 100_000), 0);
        assert!(connection.waits(stream));
    }
    assert_eq!(sent, [1, 3, 5, 1, 3, 5]);
    // Alone in its urgency, it may send more.
    for stream in [1, 3] {
        connection.order.end(stream);
    }
    let [stream] = connection.called()[..] else { panic!("one goes on") };
    assert_eq!((stream, connection.order.take(5, 100_000)), (5, limits::HTTP2_SEND_BUFFER));
}

#[test]
fn what_cannot_send_holds_up_no_other() {
    let connection = Connection::of(&["u=0", "u=1", "u=2", "u=7"]);
    // The window of 1 is closed, 3 has nothing to send, 5 does not come.
    connection.order.set_first_window(0);
    connection.order.open_window(0, 10_000_000);
    for stream in [3, 5, 7] {
        connection.order.open_window(stream, 10_000_000);
    }
    let mut own = 0;
    while let taken @ 1.. = connection.order.take(1, usize::MAX) {
        connection.writes(1, taken);
        own += taken;
    }
    assert_eq!(own, 1_000_000);
    assert!(connection.waits(1));
    connection.order.note(7, 2 * limits::HTTP2_SEND_BUFFER);
    assert!(connection.waits(5));
    assert!(connection.waits(7));
    connection.writes(7, 2 * limits::HTTP2_SEND_BUFFER);
    assert_eq!(connection.called(), [5]);
    assert_eq!(connection.order.take(7, 1), 0);
    for _ in 0..limits::HTTP2_CALLS {
        assert_eq!(connection.own.0.swap(0, Ordering::Relaxed), 1);
        let called = connection.called();
        assert!(called.is_empty() || called == [7], "{called:?}");
    }
    assert!(!connection.waits(7));
    assert_eq!(connection.order.take(7, 1), 1);
    // With its window open, 1 goes on.
    connection.order.open_window(1, 1);
    assert_eq!(connection.called(), [1]);
    assert_eq!(connection.order.take(1, 100), 1);
}

#[test]
fn what_comes_later_does_not_overtake_and_looks_after_what_does_not_come() {
    let connection = Connection::of(&["u=1", "u=3", "u=0"]);
    connection.fill(1);
    assert!(connection.waits(1));
    connection.order.open_window(0, 100);
    assert_eq!(connection.called(), [1]);
    // One that is less urgent waits, and wakes the connection; one that is more urgent does not wait.
    let own = connection.own.0.load(Ordering::Relaxed);
    assert_eq!(connection.order.take(3, 10), 0);
    assert!(connection.waits(3));
    assert_eq!(connection.own.0.load(Ordering::Relaxed), own + 1);
    assert_eq!(connection.order.take(5, 10), 10);
    // It ends without having sent: the next one is called.
    connection.order.end(1);
    assert_eq!(connection.called(), [3]);
}

#[test]
fn priorities_change_while_streams_wait() {
    let connection = Connection::of(&["u=3", "u=3", "u=3"]);
    connection.fill(1);
    for stream in [1, 3, 5] {
        assert!(connection.waits(stream));
    }
    assert!(connection.order.prioritize(5, priority("u=1")));
    connection.order.merge(3, NamedPriority::read(b"u=2").unwrap());
    assert!(!connection.order.prioritize(7, priority("u=0")));
    assert_eq!(connection.sequence(1000, 10), [5, 3, 1]);
}

#[test]
fn what_a_reset_drops_is_room_again() {
    for kind in [None, Some(3)] {
        let connection = Connection::of(&["", ""]);
        assert_eq!(connection.order.take(1, WINDOW), WINDOW);
        connection.writes(1, 1000);
        assert!(connection.waits(3));
        match kind {
            None => connection.order.reset(1),
            Some(kind) => connection.writes_frame(kind, 1, 4),
        }
        connection.order.end(1);
        assert_eq!(connection.called(), [3]);
        assert_eq!(connection.order.take(3, usize::MAX), WINDOW - 1000);
    }
}

#[test]
fn a_stream_is_forgotten_when_all_of_it_was_written() {
    let connection = Connection::of(&["", ""]);
    assert_eq!(connection.order.take(1, 500), 500);
    connection.order.end(1);
    connection.order.end(3);
    let numbers = || connection.order.0.lock().streams.iter().map(|s| s.stream).collect::<Vec<_>>();
    assert_eq!(numbers(), [1]);
    connection.writes(1, 200);
    assert_eq!(numbers(), [1]);
    connection.writes(1, 300);
    assert!(numbers().is_empty());
    connection.order.rest();
    let state = connection.order.0.lock();
    assert_eq!((state.queued, state.waiting, state.window), (0, 0, FIRST_WINDOW - 500));
    assert_eq!(state.streams.capacity(), 0);
}

#[test]
fn any_course_keeps_the_counts() {
    let mut seed = 1u64;
    let mut random = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % bound
    };
    for _ in 0..500 {
        let connection = Connection::of(&["u=0", "u=3", "u=3, i", "u=3, i", "u=7"]);
        for _ in 0..100 {
            let stream = 2 * random(6) as u32 + 1;
            match random(10) {
                0 => connection.order.note(stream, random(50_000)),
                1 | 2 => drop(connection.order.take(stream, random(50_000))),
                3 => drop(connection.waits(1 + 2 * random(5) as u32)),
                4 => connection.writes(stream, random(40_000)),
                5 => drop(connection.called()),
                6 => drop(connection.order.open_window(2 * random(3) as u32, random(70_000) as u32)),
                7 if random(4) == 0 => connection.order.end(stream),
                7 => connection.order.reset(stream),
                8 => connection.order.set_first_window(random(100_000) as u32),
                _ => connection.order.begin(stream, priority("u=2"), random(100) as i64),
            }
            let state = connection.order.0.lock();
            assert_eq!(state.queued, state.streams.iter().map(|s| s.queued).sum::<i64>());
            assert_eq!(state.waiting, state.streams.iter().filter(|s| s.waits()).count());
            assert!(state.streams.iter().all(|s| s.queued >= 0));
            assert!(state.streams.is_sorted_by_key(|s| s.stream));
        }
    }
}
