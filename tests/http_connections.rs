//! HTTP: what connections are counted as, and responses that wait for their rate.

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::http::{Connection, get};
use support::wait::until_true;
use support::{Conf, Server};

/// Connections that read, write and wait, as `stub_status` tells them of the others: its own writes.
fn doing(server: &Server) -> [u64; 3] {
    let text = get(server.http, "/counts").text();
    let mut numbers = text.split(' ').map(|number| number.parse().unwrap());
    let [reading, writing, waiting] = std::array::from_fn(|_| numbers.next().unwrap());
    [reading, writing - 1, waiting]
}

#[test]
fn a_connection_waits_reads_and_writes_and_its_end_is_noticed_while_a_response_waits_for_its_rate() {
    let server = Server::start(&Conf::live("").http_server(
        "location /counts { return 200 \"$connections_reading $connections_writing $connections_waiting\"; }
         location /slow { limit_rate 1; return 200 \"a text of some length\"; }",
    ));
    let counts = |expected: [u64; 3]| until_true(&format!("{expected:?}"), || doing(&server) == expected);
    counts([0, 0, 0]);
    // The bytes of the response are sent second by second, and the second of them behind the end would fail.
    let is_noticed_at_once = (0..5).any(|_| {
        let mut client = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
        counts([0, 0, 1]);
        client.write_all(b"GET /slow HTTP/1.1\r\n").unwrap();
        counts([1, 0, 0]);
        client.write_all(b"Host: localhost\r\n\r\n").unwrap();
        counts([0, 1, 0]);
        drop(client);
        let closed = Instant::now();
        counts([0, 0, 0]);
        closed.elapsed() < Duration::from_millis(900)
    });
    assert!(is_noticed_at_once);
}

#[test]
fn a_connection_that_rests_is_kept_until_its_time_is_over() {
    const KEEPALIVE: Duration = Duration::from_secs(5);
    let server = Server::start(
        &Conf::live("")
            .http_server("keepalive_timeout 5s; location / { return 200 \"$connection_requests$pipe\"; }"),
    );
    let mut client = Connection::open(server.http);
    let mut ask = |requests: usize, answers: &[&str]| {
        client.send(&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(requests));
        for answer in answers {
            assert_eq!(client.response(false).text(), *answer);
        }
    };
    ask(1, &["1."]);
    ask(3, &["2.", "3p", "4p"]);
    // Longer than the connection keeps its memory.
    std::thread::sleep(Duration::from_secs(4));
    let asked = Instant::now();
    ask(1, &["5."]);
    assert_eq!(client.rest(), b"");
    assert!(asked.elapsed() >= KEEPALIVE);
}
