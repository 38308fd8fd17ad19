//! Origins and targets that mean harm or are broken: the relay fails with a log line, memory stays bounded, and the
//! player is served as soon as there is a working origin.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pingosd::wire::MediaKind;
use support::frame::{Frame, GOP, Tracks};
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server};

const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 200ms;";
/// KiB by which a server may grow through one broken origin.
const GROWTH: u64 = 32 * 1024;

/// A server that handles each connection with a given function, until it is dropped.
struct Scripted {
    port: u16,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl Scripted {
    fn start(serve: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, serve) = (Arc::new(AtomicBool::new(false)), Arc::new(serve));
        let calls = Arc::new(AtomicUsize::new(0));
        let (stopped, called) = (stop.clone(), calls.clone());
        thread::spawn(move || {
            for socket in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                called.fetch_add(1, Ordering::Relaxed);
                let (Ok(mut socket), serve) = (socket, serve.clone()) else { continue };
                thread::spawn(move || {
                    socket.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
                    // That the server hangs up is what the test waits for.
                    let _ = serve(&mut socket);
                    let _ = socket.shutdown(Shutdown::Both);
                });
            }
        });
        Scripted { port, stop, calls }
    }

    /// Answers each HTTP request with these bytes and closes.
    fn http(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Scripted::start(move |socket| {
            read_head(socket)?;
            socket.write_all(&response)
        })
    }

    /// Sends these bytes to each client that has begun an RTMP handshake, then waits for the client to disconnect.
    fn rtmp(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Scripted::start(move |socket| {
            read_handshake(socket)?;
            socket.write_all(&bytes)?;
            std::io::copy(socket, &mut std::io::sink()).map(drop)
        })
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn read_head(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(())
}

/// C0 and C1.
fn read_handshake(socket: &mut TcpStream) -> std::io::Result<()> {
    socket.read_exact(&mut [0; 1537])
}

fn pulling(address: &str) -> Conf {
    Conf::live(&format!("{QUICK} pull {address};"))
}

/// A player of a server that pulls from `origin` stays there while the relay fails for the reason `why`, again and
/// again, and sees the stream as soon as the server pulls from elsewhere.
#[track_caller]
fn assert_survived(origin: &Scripted, scheme: &str, why: &str) {
    let address = format!("{scheme}://127.0.0.1:{}", origin.port);
    let edge = Server::start(&pulling(&address));
    let before = edge.resident();
    let player = Player::start(edge.rtmp, "s");
    let failed = || edge.log_lines("relay pull failed: 's', ");
    until_true(&format!("a failure: {why}"), || failed().iter().any(|line| line.contains(why)));
    until_true("another attempt", || origin.calls.load(Ordering::Relaxed) >= 2);
    let now = edge.resident();
    assert!(now < before + GROWTH, "{before} -> {now} KiB resident");
    let good = Server::start(&Conf::live(""));
    let publisher = Publisher::start(good.rtmp, "s").keep_sending();
    edge.reload(&pulling(&format!("rtmp://127.0.0.1:{}", good.rtmp)));
    player.wait_key();
    publisher.stop().leave();
}

#[test]
fn an_http_origin_that_speaks_no_http_is_survived() {
    assert_survived(&Scripted::http(vec![0xFF; 4096]), "http", "invalid HTTP");
    assert_survived(&Scripted::http("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "http", "invalid HTTP");
    assert_survived(&Scripted::http(""), "http", "connection closed before message completed");
}

#[test]
fn an_http_origin_with_a_head_without_end_is_survived() {
    let line = format!("X-Long: {}\r\n", "a".repeat(1000));
    let mebibyte = format!("HTTP/1.1 200 OK\r\n{}\r\n", line.repeat(1024));
    assert_survived(&Scripted::http(mebibyte), "http", "message head is too large");
    let endless = Scripted::start(move |socket| {
        read_head(socket)?;
        socket.write_all(b"HTTP/1.1 200 OK\r\nX-Long: ")?;
        loop {
            socket.write_all(&[b'a'; 4096])?;
        }
    });
    assert_survived(&endless, "http", "message head is too large");
}

#[test]
fn an_http_origin_that_does_not_answer_is_survived() {
    let silent = Scripted::start(move |socket| {
        read_head(socket)?;
        std::io::copy(socket, &mut std::io::sink()).map(drop)
    });
    let conf = pulling(&format!("http://127.0.0.1:{}", silent.port)).main("header_timeout 100ms;");
    let edge = Server::start(&conf);
    let player = Player::start(edge.rtmp, "s");
    edge.wait_log("no response header within 100 ms");
    until_true("another attempt", || silent.calls.load(Ordering::Relaxed) >= 2);
    drop(player);
}

#[test]
fn an_http_origin_that_redirects_is_not_followed() {
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_survived(&Scripted::http(elsewhere), "http", "the origin answered with status 302");
    assert_survived(
        &Scripted::http("HTTP/1.1 500 Oops\r\n\r\n"),
        "http",
        "the origin answered with status 500",
    );
}

#[test]
fn an_http_origin_without_flv_is_survived() {
    let body =
        |headers: &str, body: &[u8]| [format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes(), body].concat();
    let page = body("Content-Type: text/html\r\n", &b"<html>It works!</html>".repeat(100));
    assert_survived(&Scripted::http(page), "http", "FLV");
    // A tag that says to be 16 MiB long, and never is.
    let huge = [&b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00\x09\xff\xff\xff"[..], &[0; 7]].concat();
    assert_survived(&Scripted::http(body("", &huge)), "http", "");
    let cut = body("Content-Length: 100000\r\n", b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00");
    assert_survived(&Scripted::http(cut), "http", "end of file before message length reached");
    let chunks = body("Transfer-Encoding: chunked\r\n", b"FFFFFFFFFFFFFFFFF\r\nFLV");
    assert_survived(&Scripted::http(chunks), "http", "");
}

#[test]
fn an_origin_that_refuses_ends_the_players() {
    let origin = Scripted::http("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let edge = Server::start(&pulling(&format!("http://127.0.0.1:{}", origin.port)));
    Player::start(edge.rtmp, "s").wait_end();
    edge.wait_log("relay pull failed: 's', the other server refused: status 404");
}

#[test]
fn a_stream_that_comes_in_small_pieces_is_whole() {
    let origin = Scripted::start(|socket| {
        read_head(socket)?;
        socket.set_nodelay(true)?;
        socket.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
        let mut flv = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00".to_vec();
        for frame in Tracks::Both.headers() {
            flv.extend(tag(&frame));
        }
        for n in 0.. {
            flv.extend(tag(&Tracks::Both.frame(n, 100)));
            for piece in flv.chunks(7) {
                socket.write_all(piece)?;
            }
            flv.clear();
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    });
    let edge = Server::start(&pulling(&format!("http://127.0.0.1:{}", origin.port)));
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    let first = player.frames()[0];
    player.wait_frame(first + 3 * GOP);
    let frames = player.frames();
    assert_eq!(frames, (first..).take(frames.len()).collect::<Vec<u64>>());
}

#[test]
fn an_http_origin_with_huge_frames_is_bounded_in_bytes() {
    /// Bytes of a frame, and how many of them come.
    const HUGE: (usize, usize) = (16_000_000, 40);
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let origin = Scripted::start(move |socket| {
        read_head(socket)?;
        socket.write_all(b"HTTP/1.0 200 OK\r\n\r\nFLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00")?;
        for frame in Tracks::Both.headers() {
            socket.write_all(&tag(&frame))?;
        }
        for n in 0..=2 * GOP {
            socket.write_all(&tag(&Tracks::Both.frame(n, 100)))?;
        }
        let huge = tag(&Tracks::Both.frame(2 * GOP + 1, HUGE.0));
        for _ in 0..HUGE.1 {
            socket.write_all(&huge)?;
            count.fetch_add(1, Ordering::Relaxed);
        }
        std::io::copy(socket, &mut std::io::sink()).map(drop)
    });
    let conf = pulling(&format!("http://127.0.0.1:{}", origin.port));
    let edge = Server::start(&conf.rtmp("max_message 16m;").with_flv());
    let before = edge.resident();
    let players = [Player::start(edge.rtmp, "s"), Player::http(edge.http, "/flv/s")];
    players.iter().for_each(Player::hold);
    let mut most = before;
    until_true("all frames were sent", || {
        most = most.max(edge.resident());
        sent.load(Ordering::Relaxed) == HUGE.1
    });
    let grown = most - before;
    assert!(grown < 128 * 1024, "{grown} KiB more");
    edge.wait_log("reason: stream_backlog");
}

fn tag(frame: &Frame) -> Vec<u8> {
    let kind = match frame.kind {
        MediaKind::Audio => 8,
        MediaKind::Video => 9,
        MediaKind::Data => 18,
    };
    let length = frame.payload.len() as u32;
    let mut out = vec![kind];
    out.extend(&length.to_be_bytes()[1..]);
    out.extend(&frame.timestamp.to_be_bytes()[1..]);
    out.extend([frame.timestamp.to_be_bytes()[0], 0, 0, 0]);
    out.extend(&frame.payload[..]);
    out.extend((length + 11).to_be_bytes());
    out
}

#[test]
fn an_rtmp_origin_that_speaks_no_rtmp_is_survived() {
    assert_survived(&Scripted::rtmp(vec![0xFF; 8192]), "rtmp", "");
    assert_survived(&Scripted::rtmp("HTTP/1.1 400 Bad Request\r\n\r\n"), "rtmp", "");
    assert_survived(&Scripted::start(|_| Ok(())), "rtmp", "");
}

#[test]
fn an_rtmp_origin_that_breaks_off_or_exaggerates_is_survived() {
    // S0, S1 and S2, and nothing more.
    let handshake = [&[3][..], &[0; 2 * 1536]].concat();
    let closing = handshake.clone();
    let breaks_off = Scripted::start(move |socket| {
        read_handshake(socket)?;
        socket.write_all(&closing)?;
        socket.read_exact(&mut [0; 1536])
    });
    assert_survived(&breaks_off, "rtmp", "the other server closed");
    // A chunk of a command of 16 MiB, sent until one side gives up.
    let head = [&handshake[..], b"\x03\x00\x00\x00\xff\xff\xff\x14\x00\x00\x00\x00"].concat();
    let exaggerates = Scripted::start(move |socket| {
        read_handshake(socket)?;
        socket.write_all(&head)?;
        loop {
            socket.write_all(&[0xC3; 129])?;
        }
    });
    assert_survived(&exaggerates, "rtmp", "");
}

#[test]
fn a_target_that_never_lets_the_stream_begin_is_given_up_and_the_publisher_goes_on() {
    let silent = Scripted::start(|socket| std::io::copy(socket, &mut std::io::sink()).map(drop));
    let server = Server::start(&Conf::live(&format!("{QUICK} push rtmp://127.0.0.1:{};", silent.port)));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.wait_log("relay push failed: 's', not started within");
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    player.assert_whole(Tracks::Both, last);
    publisher.leave();
}
