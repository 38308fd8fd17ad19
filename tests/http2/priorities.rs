//! Priorities: which response is sent first.

use std::io::Write;
use std::time::Duration;

use http::Method;

use crate::client::Client;
use crate::frames::{DATA, END_STREAM, HEADERS, PRIORITY, RESET, Raw, SETTINGS, frame, update};
use crate::start;
use crate::support::Server;

impl Raw {
    /// Waits for a head on a stream.
    fn wait_for_head(&mut self, stream: u32) {
        loop {
            let (kind, _, of, _) = self.next();
            if (kind, of) == (HEADERS, stream) {
                return;
            }
        }
    }

    /// Uses the window of the connection up with stream 1, which has 100 bytes more.
    fn stall(&mut self, lines: &[&str]) {
        self.ask(1, "/long.bin", lines);
        let mut length = 0;
        while length < 65_535 {
            let (kind, _, stream, payload) = self.next();
            if kind == DATA {
                assert_eq!(stream, 1);
                length += payload.len();
            }
        }
        assert_eq!(length, 65_535);
    }

    /// Opens the windows; the streams of the DATA frames up to the end of this number of them.
    fn order(&mut self, streams: &[u32]) -> Vec<u32> {
        for stream in streams.iter().chain(&[0]) {
            self.open_window(*stream, 200_000);
        }
        let (mut sent, mut ended) = (Vec::new(), 0);
        while ended < streams.len() {
            let (kind, flags, stream, _) = self.next();
            if kind == DATA {
                sent.push(stream);
                ended += usize::from(flags & END_STREAM != 0);
            }
        }
        sent
    }
}

fn start_with_priorities(more: &str) -> Server {
    let server = start(&format!(
        "location /backend {{ add_header Priority $arg_p; return 200 backend; }}
         location /proxied {{ proxy_pass http://127.0.0.1:{{http_port}}/backend; }}
         location /mirrored/ {{ mirror /mirror; }}
         location /mirror {{ internal; proxy_pass http://127.0.0.1:{{http_port}}/backend?p=u=0; }} {more}"
    ));
    server.prefix().write("html/long.bin", vec![b'l'; 65_535 + 100]);
    server.prefix().write("html/short.txt", "short");
    server.prefix().write("html/mirrored/short.txt", "short");
    server
}

#[test]
fn the_most_urgent_response_is_sent_first() {
    let server = start_with_priorities("");
    type Frames = Vec<Vec<u8>>;
    /// What it is, lines of the first request, path and lines of the second, frames before and behind them, and the order.
    type Case = (
        &'static str,
        &'static [&'static str],
        &'static str,
        &'static [&'static str],
        Frames,
        Frames,
        [u32; 2],
    );
    let none = Frames::new;
    let cases: [Case; 17] = [
        ("as usual", &[], "/short.txt", &[], none(), none(), [1, 3]),
        ("more urgent", &["u=3"], "/short.txt", &["u=0"], none(), none(), [3, 1]),
        ("less urgent", &["u=0"], "/short.txt", &["u=3"], none(), none(), [1, 3]),
        ("whole before in parts", &["u=3, i"], "/short.txt", &["u=3"], none(), none(), [3, 1]),
        ("two lines", &[], "/short.txt", &["u=0", "x"], none(), none(), [3, 1]),
        ("malformed", &[], "/short.txt", &["u=0, @"], none(), none(), [1, 3]),
        ("updated", &[], "/short.txt", &[], none(), vec![update(3, "u=0")], [3, 1]),
        ("updated in full", &[], "/short.txt", &["u=0"], none(), vec![update(3, "x")], [1, 3]),
        ("a malformed update", &["u=7"], "/short.txt", &[], none(), vec![update(1, "U=0")], [3, 1]),
        ("an early update", &[], "/short.txt", &[], vec![update(1, "u=7")], none(), [3, 1]),
        (
            "an update counts for more",
            &["u=3"],
            "/short.txt",
            &["u=0"],
            vec![update(3, "u=7")],
            none(),
            [1, 3],
        ),
        (
            "frames of other priorities",
            &[],
            "/short.txt",
            &[],
            none(),
            vec![frame(PRIORITY, 0, 1, &[0; 5]), frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 255])],
            [1, 3],
        ),
        ("the backend's urgency", &["u=3"], "/proxied?p=u=0", &["u=7"], none(), none(), [3, 1]),
        ("the client's urgency", &["u=3"], "/proxied?p=i", &["u=0"], none(), none(), [3, 1]),
        ("the backend's less", &["u=3"], "/proxied?p=u=5", &["u=0"], none(), none(), [1, 3]),
        ("a malformed one of the backend", &["u=3"], "/proxied?p=u=0,", &["u=7"], none(), none(), [1, 3]),
        ("that of a subrequest", &[], "/mirrored/short.txt", &[], none(), none(), [1, 3]),
    ];
    for (what, first, path, second, before, behind, expected) in cases {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&before.concat()).unwrap();
        raw.stall(first);
        raw.ask(3, path, second);
        raw.wait_for_head(3);
        raw.0.write_all(&behind.concat()).unwrap();
        // The rest of the file comes as one frame.
        assert_eq!(raw.order(&[1, 3]), expected, "{what}");
    }
    // What the backend has sent is passed on as it is.
    let client = Client::open(server.http);
    let head = client.head(client.ask(Method::GET, "/proxied?p=u=1", None)).unwrap();
    assert_eq!(head.headers()["priority"], "u=1");
}

#[test]
fn responses_take_turns_or_follow_each_other() {
    let server = start_with_priorities("");
    server.prefix().write("html/big.bin", vec![b'b'; 100_000]);
    let sent = |line: &str| {
        let mut raw = Raw::open(server.http);
        raw.stall(&["u=0"]);
        for stream in [3, 5, 7] {
            raw.ask(stream, "/big.bin", &[line]);
            raw.wait_for_head(stream);
        }
        // The window of 5 closes before its end: it holds up no other.
        for (stream, bytes) in [(1, 200), (3, 100_000), (5, 0), (7, 100_000), (0, 1_000_000)] {
            if bytes > 0 {
                raw.open_window(stream, bytes);
            }
        }
        let (mut sent, mut ended) = (Vec::new(), 0);
        while ended < 3 {
            let (kind, flags, stream, _) = raw.next();
            if kind == DATA {
                sent.push(stream);
                ended += usize::from(flags & END_STREAM != 0);
            }
        }
        raw.open_window(5, 100_000);
        while raw.next().1 & END_STREAM == 0 {}
        sent.dedup();
        sent
    };
    assert_eq!(sent("u=3"), [1, 3, 5, 7]);
    let in_turn = sent("u=3, i");
    assert!(in_turn.len() > 8, "{in_turn:?}");
}

#[test]
fn what_is_urgent_overtakes_what_the_socket_does_not_take() {
    let server = start_with_priorities("");
    server.prefix().write("html/big.bin", vec![b'b'; 20_000_000]);
    server.prefix().write("html/urgent.bin", vec![b'u'; 1_000_000]);
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).unwrap();
    raw.open_window(0, 100_000_000);
    raw.ask(1, "/big.bin", &[]);
    raw.wait_for_head(1);
    raw.ask(3, "/urgent.bin", &["u=0"]);
    let (mut of_first, mut before, mut between) = (0, None, 0);
    loop {
        let (kind, flags, stream, payload) = raw.next();
        match (kind, stream) {
            (DATA, 1) => of_first += payload.len(),
            (DATA, 3) if flags & END_STREAM != 0 => break,
            (DATA, 3) => {
                let before = *before.get_or_insert(of_first);
                between = of_first - before;
            }
            _ => {}
        }
    }
    // Much of the other response is still to come. What the crate had of it comes between parts of the urgent one.
    assert!(of_first < 20_000_000, "{of_first}");
    assert!(between <= 64 * 1024, "{between}");
}

#[test]
fn a_reset_stream_leaves_its_window_to_others() {
    let server = start_with_priorities("");
    server.prefix().write("html/big.bin", vec![b'b'; 20_000_000]);
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).unwrap();
    // The window of the connection is larger than what the socket holds, which is not read: much of it waits to be written.
    raw.open_window(0, 16_000_000);
    raw.ask(1, "/big.bin", &[]);
    raw.wait_for_head(1);
    std::thread::sleep(Duration::from_millis(300));
    raw.ask(3, "/big.bin", &["u=0"]);
    std::thread::sleep(Duration::from_millis(100));
    raw.0.write_all(&frame(RESET, 0, 1, &[0, 0, 0, 8])).unwrap();
    // All of the window is used, by either stream.
    let mut length = 0;
    while length < 16_065_535 {
        let (kind, _, _, payload) = raw.next();
        length += if kind == DATA { payload.len() } else { 0 };
    }
    assert_eq!(length, 16_065_535);
    raw.open_window(0, 10_000_000);
    raw.ask(5, "/short.txt", &["u=1"]);
    assert_eq!(raw.answer(5), (0x88, b"short".to_vec()));
}

#[test]
fn settings_say_that_frames_of_priorities_change_nothing() {
    let server = start("");
    let mut raw = Raw::open(server.http);
    let (kind, flags, stream, payload) = raw.next();
    assert_eq!((kind, flags, stream), (SETTINGS, 0, 0));
    assert!(payload.chunks(6).any(|setting| setting == [0, 9, 0, 0, 0, 1]), "{payload:?}");
    assert_eq!(Client::open(server.http).get("/says").0, 200);
}
