//! HTTP/2 frame by frame: heads that do not end, streams that are reset, and how connections end.

use pingosd::net::http2::PREFACE;

use crate::entry::{Entry, Step, entry};
use crate::talk_frames::frame;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Field of the log beside the usual ones.
const LOG: &str = "log_format {NAME} '$status|$request|$request_method|$uri|$request_uri|$server_protocol|$http2|\
                   $request_length|$body_bytes_sent|$host|$server_name|$connection_requests|$request_completion|$http_one';";

pub fn entries() -> Vec<Entry> {
    vec![
        late_heads(),
        ended_heads(),
        malformed_heads(),
        resets(),
        counted(),
        closed_at_once(),
        idle(),
        silent(),
        faults(),
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

/// `keepalive_requests`. Requests that come while the client does not know yet are answered here, and left out by nginx.
fn counted() -> Entry {
    const REASON: &str = "The end is announced before the last stream is named (RFC 9113, section 6.8).";
    const SOON: &str = "GOAWAY 2147483647 for 0";
    entry("counted")
        .over_http2()
        .server("keepalive_requests 2; location / { access_log off; return 204; }")
        .steps(begun(
            get(1, "/"),
            [Step::Read(1), Step::Send(get(3, "/")), Step::Read(2), Step::Send(get(5, "/")), Step::Read(2)],
        ))
        .own(REASON, came(&["END 1", SOON, "END 3", "END 5", "GOAWAY 5 for 0"]))
        .steps(begun([get(1, "/"), get(9, "/")].concat(), [Step::Read(4)]))
        .own(REASON, came(&["END 1", SOON, "END 9", "GOAWAY 9 for 0"]))
}

/// `keepalive_timeout 0`
fn closed_at_once() -> Entry {
    logged("closed-at-once")
        .server("keepalive_timeout 0; location / { return 204; }")
        .steps(begun(get(1, "/1"), [Step::Read(2)]))
        .own(
            "The end is told with the response, and nginx tells it before.",
            came(&["END 1", "GOAWAY 1 for 0"]),
        )
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
