//! HTTP/2 frame by frame: heads that do not end, streams that are reset, and how connections end.

use pingosd::net::http2::PREFACE;

use crate::entry::{Entry, Step, entry};
use crate::talk_frames::frame;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// Field of the log beside the usual ones.
const LOG: &str = "log_format {NAME} '$status|$request|$request_method|$uri|$request_uri|$server_protocol|$http2|\
                   $request_length|$body_bytes_sent|$host|$server_name|$connection_requests|$request_completion|$http_one';";

pub fn entries() -> Vec<Entry> {
    vec![
        late_heads(),
        ended_heads(),
        half_closed(),
        malformed_heads(),
        resets(),
        counted(),
        closed_at_once(),
        idle(),
        silent(),
        faults(),
        faults_behind_a_request(),
        left_out(),
        blocks(),
        schemes(),
        open_streams(),
        floods(),
    ]
}

/// A server over HTTP/2 that logs more.
fn logged(name: &'static str) -> Entry {
    entry(name).over_http2().http(LOG).server("access_log logs/{NAME}_x.log {NAME};")
}

/// A field that is not compressed.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// The block of a request, `GET` (2) or `POST` (3): its method, scheme, path, authority and a field.
fn block(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![0x80 | method, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(&[0x01, 6]);
    block.extend_from_slice(b"a.test");
    block.extend(field("one", "first"));
    block.extend(field("two", "second"));
    block
}

/// The whole head of a `GET`.
fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(2, path))
}

/// Sends these bytes, behind the beginning of a connection, and then carries out the steps.
fn begun(first: impl AsRef<[u8]>, then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let beginning = [PREFACE, &frame(SETTINGS, 0, 0, b""), first.as_ref()].concat();
    std::iter::once(Step::Send(beginning)).chain(then).collect()
}

/// Beginnings of a head: in whole frames and in parts of one.
fn beginnings() -> Vec<Vec<u8>> {
    let whole = block(2, "/x/?y=z");
    vec![
        // Without an authority; without a path; without anything.
        frame(HEADERS, END_STREAM, 1, &whole[..12]),
        frame(HEADERS, END_STREAM, 1, &whole[..6]),
        get(1, "/x/?y=z")[..9].to_vec(),
        // With a field and a half.
        frame(HEADERS, END_STREAM, 1, &whole[..whole.len() - 4]),
        get(1, "/x/?y=z")[..9 + whole.len() - 4].to_vec(),
        [frame(HEADERS, END_STREAM, 1, &whole[..8]), frame(CONTINUATION, 0, 1, &whole[8..whole.len() - 4])]
            .concat(),
        frame(HEADERS, 0, 1, &block(3, "/")[..20]),
    ]
}

fn late_heads() -> Entry {
    beginnings().into_iter().fold(
        logged("late-heads")
            .server("server_name own.test; client_header_timeout 300ms; location / { return 204; }"),
        |entry, beginning| entry.steps(begun(beginning, [Step::Read(1), Step::Shut])),
    )
}

fn ended_heads() -> Entry {
    beginnings().into_iter().fold(
        logged("ended-heads").server("server_name own.test; location / { return 204; }"),
        |entry, beginning| entry.steps(begun(beginning, [Step::Pause, Step::Shut])),
    )
}

/// Requests with which the client's end of the connection comes.
fn half_closed() -> Entry {
    let text = "x".repeat(20_000);
    logged("half-closed")
        .server("location / { return 204; } location /f { root {DIR}; }")
        .file("f/a.txt", text)
        .steps(begun(get(1, "/"), [Step::Shut, Step::Read(1)]))
        .steps(begun(
            [get(1, "/"), get(3, "/f/a.txt"), get(5, "/none")].concat(),
            [Step::Shut, Step::Read(3)],
        ))
        .steps(begun(get(1, "/"), [Step::Read(1), Step::Send(get(3, "/f/a.txt")), Step::Shut, Step::Read(1)]))
}

/// Heads behind which the connection ends because of an error.
fn malformed_heads() -> Entry {
    const REASON: &str = "A head that did not end is no stream that was acted on, and may be sent again.";
    let open = || frame(HEADERS, END_STREAM, 1, &block(2, "/x"));
    let broken = [&block(2, "/x")[..], &[0xff, 0xff, 0xff]].concat();
    logged("malformed-heads")
        .server("location / { return 204; }")
        .steps(begun([open(), frame(PING, 0, 0, &[0; 8])].concat(), []))
        .own(REASON, came(&["GOAWAY 0 for 1"]))
        .steps(begun(frame(HEADERS, END_STREAM | END_HEADERS, 1, &broken), []))
        .own(REASON, came(&["GOAWAY 0 for 6"]))
        .steps(begun([get(1, "/"), get(3, "/"), frame(PING, 0, 0, &[0; 7])].concat(), []))
}

/// A result: what came before the connection was closed.
fn came(frames: &[&str]) -> String {
    let frames: String = frames.iter().map(|line| format!("{line}\n\n")).collect();
    frames + "=== closed\n"
}

/// Requests that the client resets, or leaves.
fn resets() -> Entry {
    let reset = |code: u8| Step::Send(frame(RST_STREAM, 0, 1, &[0, 0, 0, code]));
    let post = || frame(HEADERS, END_HEADERS, 1, &block(3, "/wait"));
    let waits = || get(1, "/wait");
    logged("resets")
        .http("server { listen {ADDR}:{PORT2}; location / { limit_rate 1; return 200 never; } }")
        .server("location /wait { proxy_buffering on; proxy_pass http://{ADDR}:{PORT2}; } location / { return 204; }")
        .steps(begun(waits(), [Step::Pause, reset(8)]))
        .steps(begun(waits(), [Step::Pause, reset(7)]))
        .steps(begun(waits(), [Step::Pause, reset(2)]))
        .steps(begun(waits(), [Step::Pause, reset(5), Step::Send(get(3, "/")), Step::Read(1)]))
        .steps(begun(waits(), [Step::Pause, Step::Shut]))
        .steps(begun(post(), [Step::Pause, reset(8)]))
        .steps(begun([post(), frame(DATA, 0, 1, b"abc")].concat(), [Step::Pause, Step::Shut]))
}

/// `keepalive_requests`: what comes behind the last request is left out.
fn counted() -> Entry {
    const REASON: &str =
        "The end is told when the last request has come, before those that came with it are answered.";
    let waits = || get(3, "/wait");
    let open = || frame(HEADERS, END_HEADERS, 3, &block(3, "/body"));
    entry("counted")
        .over_http2()
        .http("server { listen {ADDR}:{PORT2}; location / { limit_rate 1; return 200 never; } location /b { return 200 ok; } }")
        .server(
            "keepalive_requests 2; location / { return 204; } location /wait { access_log off; proxy_pass http://{ADDR}:{PORT2}; }
             location /body { proxy_pass http://{ADDR}:{PORT2}/b; }",
        )
        .steps(begun(
            get(1, "/"),
            [Step::Read(1), Step::Send(get(3, "/")), Step::Read(2), Step::Send(get(5, "/")), Step::Read(2)],
        ))
        .steps(begun([get(1, "/"), get(9, "/"), get(11, "/")].concat(), [Step::Read(3)]))
        .own(REASON, came(&["GOAWAY 9 for 0", "END 1", "END 9"]))
        // Open requests go on.
        .steps(begun(get(1, "/"), [Step::Read(1), Step::Send(waits()), Step::Read(1), Step::Send(get(5, "/"))]))
        .steps(begun(get(1, "/"), [Step::Read(1), Step::Send(waits()), Step::Read(1), Step::Send(get(4, "/"))]))
        .steps(begun(
            get(1, "/"),
            [
                Step::Read(1),
                Step::Send(open()),
                Step::Read(1),
                Step::Send([get(5, "/"), frame(DATA, END_STREAM, 5, b"x"), frame(DATA, END_STREAM, 3, b"x")].concat()),
                Step::Read(1),
            ],
        ))
}

/// `keepalive_timeout 0`
fn closed_at_once() -> Entry {
    logged("closed-at-once")
        .server("keepalive_timeout 0; location / { return 204; }")
        .steps(begun(get(1, "/1"), [Step::Read(2)]))
        .steps(begun([get(1, "/1"), get(3, "/2")].concat(), [Step::Read(2)]))
}

/// `keepalive_timeout`
fn idle() -> Entry {
    logged("idle")
        .server("keepalive_timeout 300ms; location / { return 204; }")
        .steps(begun([get(1, "/1"), get(5, "/2")].concat(), [Step::Read(3)]))
}

/// A connection without a request.
fn silent() -> Entry {
    logged("without-a-request")
        .server("client_header_timeout 300ms; keepalive_timeout 60s; location / { return 204; }")
        .steps(begun("", [Step::Read(1)]))
}

/// Errors of the connection: the last stream that was begun is named.
fn faults() -> Entry {
    logged("faults")
        .server("location / { return 204; }")
        .steps(begun([get(1, "/"), get(5, "/")].concat(), [Step::Read(2), Step::Send(get(3, "/"))]))
        .steps(begun(get(1, "/"), [Step::Read(1), Step::Send(frame(PING, 0, 0, b"1"))]))
        .steps(begun("", [Step::Send(frame(PING, 0, 0, b"1"))]))
        .steps(begun(get(1, "/"), [Step::Read(1), Step::Send(get(4, "/"))]))
}

/// A setting.
fn setting(name: u8, value: u32) -> Vec<u8> {
    [&[0, name][..], &value.to_be_bytes()].concat()
}

/// Errors of the connection, each behind a request that came with it: that one is answered.
fn faults_behind_a_request() -> Entry {
    let block = block(2, "/");
    let depends = [&[0, 0, 0, 3, 1][..], &block].concat();
    let faults = [
        frame(PING, 0, 1, &[0; 8]),
        frame(PING, 0, 0, &[0; 9]),
        frame(SETTINGS, 0, 1, b""),
        frame(SETTINGS, 0, 0, &setting(2, 2)),
        frame(SETTINGS, 0, 0, &setting(4, 1 << 31)),
        frame(SETTINGS, 0, 0, &setting(5, 16_383)),
        frame(SETTINGS, 0, 0, &setting(5, 1 << 24)),
        frame(SETTINGS, 0, 0, &[0; 5]),
        frame(SETTINGS, ACK, 0, &setting(1, 1)),
        frame(GOAWAY, 0, 1, &[0; 8]),
        frame(GOAWAY, 0, 0, &[0; 7]),
        frame(RST_STREAM, 0, 0, &[0; 4]),
        frame(RST_STREAM, 0, 1, &[0; 5]),
        frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 1, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 9, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
        frame(WINDOW_UPDATE, 0, 1, &[0; 3]),
        frame(DATA, END_STREAM, 0, b"x"),
        frame(DATA, PADDED, 1, b""),
        frame(DATA, PADDED, 9, &[5, 0, 0]),
        frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]),
        frame(PRIORITY, 0, 3, &[0, 0, 0, 3, 1]),
        frame(PRIORITY, 0, 0, &[0, 0, 0, 3, 1]),
        frame(PRIORITY, 0, 3, &[0, 0, 0, 3]),
        frame(CONTINUATION, END_HEADERS, 1, &block),
        get(1, "/"),
        get(4, "/"),
        get(0, "/"),
        [get(9, "/"), get(5, "/")].concat(),
        frame(HEADERS, END_HEADERS | END_STREAM | 0x20, 3, &depends),
        frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 3, &[&[0xff][..], &block].concat()),
        frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 3, b""),
        frame(HEADERS, END_HEADERS | END_STREAM | 0x20, 3, &[0; 4]),
        frame(HEADERS, END_HEADERS | END_STREAM, 3, b""),
        [frame(HEADERS, END_STREAM, 3, b""), frame(CONTINUATION, END_HEADERS, 3, &block)].concat(),
    ];
    faults
        .into_iter()
        .fold(logged("faults-behind-a-request").server("location / { return 204; }"), |entry, fault| {
            entry.steps(begun([get(1, "/"), fault].concat(), []))
        })
}

/// What is no error: the connection goes on.
fn left_out() -> Entry {
    let frames = [
        frame(SETTINGS, 0, 0, &setting(8, 2)),
        frame(SETTINGS, 0, 0, &[setting(0x42, 7), setting(4, 5), setting(4, 70_000)].concat()),
        frame(SETTINGS, 0, 0, &setting(1, 0).repeat(3000)),
        frame(SETTINGS, ACK, 0, b"").repeat(3),
        frame(GOAWAY, 0, 0, &[0; 8]),
        frame(GOAWAY, 0, 0, &[0xff; 12]).repeat(2),
        frame(RST_STREAM, 0, 9, &[0; 4]),
        frame(RST_STREAM, 0, 2, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 9, &[0, 0, 0, 1]),
        frame(WINDOW_UPDATE, 0, 2, &[0, 0, 0, 1]),
        frame(DATA, END_STREAM, 9, b"x"),
        frame(DATA, PADDED, 2, &[1, 0, 0]),
        frame(DATA, 0, 9, &[0; 100_000]),
        frame(PING, ACK, 0, &[7; 8]),
        frame(0x42, 0xff, 7, b"unknown"),
        frame(PRIORITY, 0, 2, &[0, 0, 0, 3, 1]),
    ];
    let of_closed = [
        frame(RST_STREAM, 0, 1, &[0; 4]),
        frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]),
        frame(DATA, END_STREAM, 1, b"x"),
    ];
    let entry = logged("left-out").server("location / { return 204; }");
    let entry = frames.into_iter().fold(entry, |entry, frame| {
        entry.steps(begun(
            [get(1, "/"), frame].concat(),
            [Step::Read(1), Step::Send(get(21, "/")), Step::Read(1)],
        ))
    });
    of_closed.into_iter().fold(entry, |entry, frame| {
        let then = [frame, get(21, "/")].concat();
        entry.steps(begun(get(1, "/"), [Step::Read(1), Step::Send(then), Step::Read(1)]))
    })
}

/// Heads in several frames. Behind a last one without bytes nginx waits for another frame.
fn blocks() -> Entry {
    let block = block(2, "/");
    let first = || frame(HEADERS, END_STREAM, 1, &block);
    let last =
        || [frame(CONTINUATION, END_HEADERS, 1, b""), frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1])].concat();
    let each: Vec<u8> = block[1..].iter().flat_map(|byte| frame(CONTINUATION, 0, 1, &[*byte])).collect();
    let padded = [&[3][..], &block, &[0; 3]].concat();
    logged("blocks")
        .server("location / { return 204; }")
        .steps(begun([first(), last()].concat(), [Step::Read(1)]))
        .steps(begun(
            [first(), frame(CONTINUATION, 0, 1, b"").repeat(1000), last()].concat(),
            [Step::Read(1)],
        ))
        .steps(begun([frame(HEADERS, END_STREAM, 1, &block[..1]), each, last()].concat(), [Step::Read(1)]))
        .steps(begun(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, &padded), [Step::Read(1)]))
}

/// Schemes, of which the first byte is a letter.
fn schemes() -> Entry {
    let entry = entry("schemes").over_http2().server("access_log off; location / { return 204; }");
    ["http", "HTTPS", "ftp", "h+1-.", "1h", "h t", "+", "h/"].into_iter().fold(entry, |entry, scheme| {
        let block = [&[0x82, 0x84][..], &field(":scheme", scheme), &[0x01, 1, b'a']].concat();
        let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
        entry.steps(begun([request, get(3, "/")].concat(), [Step::Read(2)]))
    })
}

/// What is an error of a stream that is open.
fn open_streams() -> Entry {
    let post = || frame(HEADERS, END_HEADERS, 1, &block(3, "/b"));
    let waits = |fault: Vec<u8>, then: usize| {
        begun(
            get(1, "/wait"),
            [Step::Pause, Step::Send(fault), Step::Read(then), Step::Send(get(3, "/")), Step::Read(1)],
        )
    };
    let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, &field("t", "v"));
    logged("open-streams")
        .http("server { listen {ADDR}:{PORT2}; location / { limit_rate 1; return 200 never; } location /b { return 200 ok; } }")
        .server("location /wait { proxy_pass http://{ADDR}:{PORT2}; } location /b { proxy_pass http://{ADDR}:{PORT2}/b; } location /t { access_log off; proxy_pass http://{ADDR}:{PORT2}/b; } location / { return 204; }")
        .steps(waits(frame(DATA, END_STREAM, 1, b"x"), 1))
        .steps(waits(frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]), 1))
        .steps(waits(frame(WINDOW_UPDATE, 0, 1, &[0; 4]), 1))
        .steps(begun([post(), frame(DATA, END_STREAM | PADDED, 1, &[3, 0, 0, 0])].concat(), [Step::Read(1)]))
        .steps(begun([post(), frame(DATA, END_STREAM | PADDED, 1, &[4, 0, 0, 0])].concat(), []))
        .steps(begun([post(), frame(DATA, 0, 1, b"").repeat(3000), frame(DATA, END_STREAM, 1, b"x")].concat(), [Step::Read(1)]))
        .steps(begun(
            [frame(HEADERS, END_HEADERS, 1, &block(3, "/t")), frame(DATA, 0, 1, b"x"), trailers].concat(),
            [Step::Read(1)],
        ))
        .own("A body may have trailers (RFC 9113, section 8.1).", "END 1\n\n=== kept\nPING\n\n=== then closed\n")
}

/// Too many streams at a time.
fn floods() -> Entry {
    let requests = |number: u32| (0..number).flat_map(|n| get(2 * n + 1, "/wait")).collect::<Vec<u8>>();
    logged("too-many-streams")
        .http("server { listen {ADDR}:{PORT2}; location / { limit_rate 1; return 200 never; } }")
        .server("http2_max_concurrent_streams 2; access_log off; location / { proxy_pass http://{ADDR}:{PORT2}; }")
        .steps(begun(requests(4), [Step::Read(2)]))
}
