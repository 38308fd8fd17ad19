//! `proxy_cache`: what is fetched, when, and what is left on the disk.

mod disk;

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::{Condvar, Mutex};
use support::http::{self, Connection, Response};
use support::wait::until_true;
use support::{Conf, Server};

/// A backend that answers with the number of the request, or as it is told.
#[derive(Clone)]
struct Backend {
    port: u16,
    count: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    /// Head lines and body of the next responses, once set; the body may contain `{n}`.
    answer: Arc<Mutex<(String, String)>>,
    /// Whether responses wait, and the threads to wake when that ends.
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl Backend {
    fn start() -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = Backend {
            port: listener.local_addr().unwrap().port(),
            count: Arc::default(),
            requests: Arc::default(),
            answer: Arc::new(Mutex::new(("200 OK".into(), "response {n}".into()))),
            held: Arc::default(),
        };
        let served = backend.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let backend = served.clone();
                thread::spawn(move || backend.serve(stream));
            }
        });
        backend
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut received = Vec::new();
        let mut bytes = [0; 4096];
        while !received.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut bytes) {
                Ok(length) if length > 0 => received.extend_from_slice(&bytes[..length]),
                _ => return,
            }
        }
        self.requests.lock().push(String::from_utf8_lossy(&received).into_owned());
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let mut is_held = self.held.0.lock();
        while *is_held {
            self.held.1.wait(&mut is_held);
        }
        drop(is_held);
        let (head, body) = self.answer.lock().clone();
        if head.is_empty() {
            return;
        }
        let body = body.replace("{n}", &number.to_string());
        let length = if head.contains("Content-Length") {
            String::new()
        } else {
            format!("\r\nContent-Length: {}", body.len())
        };
        let _ = stream.write_all(format!("HTTP/1.1 {head}{length}\r\n\r\n{body}").as_bytes());
    }

    fn answers(&self, head: &str, body: &str) {
        *self.answer.lock() = (head.into(), body.into());
    }

    fn hold(&self, holds: bool) {
        *self.held.0.lock() = holds;
        self.held.1.notify_all();
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn wait(&self, count: usize) {
        until_true("the backend is asked", || self.count() >= count);
    }
}

/// A server with a zone, whose parameters and location are given.
fn conf(backend: &Backend, zone: &str, location: &str) -> Conf {
    Conf::live("")
        .http(&format!("proxy_cache_path {{dir}}/cache levels=1:2 keys_zone=z:1m {zone};"))
        .http_server(&format!(
            "location / {{ proxy_cache z; proxy_cache_valid 200 1m; proxy_pass http://127.0.0.1:{{backend}};
             add_header X-Cache $upstream_cache_status always; {location} }}"
        ))
        .var("backend", backend.port)
}

fn start(zone: &str, location: &str) -> (Backend, Server) {
    let backend = Backend::start();
    let server = Server::start(&conf(&backend, zone, location));
    (backend, server)
}

/// How a response was found, and its body.
fn found(response: &Response) -> (String, String) {
    (response.header("x-cache").unwrap_or("-").to_owned(), response.text())
}

fn ask(server: &Server, target: &str) -> (String, String) {
    found(&http::get(server.http, target))
}

fn is(found: &(String, String), status: &str, body: &str) -> bool {
    (found.0.as_str(), found.1.as_str()) == (status, body)
}

#[track_caller]
fn assert_found(found: (String, String), status: &str, body: &str) {
    assert_eq!((found.0.as_str(), found.1.as_str()), (status, body));
}

/// Cached files below a directory: those with the names of keys.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path if path.file_name().is_some_and(|name| name.len() == 32) => found.push(path),
            _ => {}
        }
    }
    found
}

fn cached(server: &Server) -> Vec<PathBuf> {
    files(&server.prefix().path().join("cache"))
}

#[test]
fn a_response_is_fetched_once_and_stays_over_reload_and_restart() {
    let (backend, server) = start("", "");
    assert_found(ask(&server, "/a"), "MISS", "response 1");
    assert_found(ask(&server, "/a"), "HIT", "response 1");
    let files = cached(&server);
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(
        files[0].strip_prefix(server.prefix().path().join("cache")).unwrap(),
        Path::new(&name[31..]).join(&name[29..31]).join(name)
    );
    assert!(
        String::from_utf8_lossy(&fs::read(&files[0]).unwrap())
            .contains(&format!("\nKEY: http://127.0.0.1:{}/a\n", backend.port))
    );
    server.reload(&conf(&backend, "max_size=1g", "proxy_cache_lock on;"));
    assert_found(ask(&server, "/a"), "HIT", "response 1");
    let server = server.again();
    assert_found(ask(&server, "/a"), "HIT", "response 1");
    assert_eq!(backend.count(), 1);
}

#[test]
fn many_clients_wait_for_one_fetch() {
    let (backend, server) =
        start("", "proxy_cache_lock on; proxy_cache_lock_timeout 600s; proxy_cache_lock_age 600s;");
    backend.hold(true);
    let port = server.http;
    let clients: Vec<_> = (0..20).map(|_| thread::spawn(move || found(&http::get(port, "/a")))).collect();
    backend.wait(1);
    // What a client of its own asks for is not held up.
    let other = thread::spawn(move || found(&http::get(port, "/b")));
    backend.wait(2);
    backend.hold(false);
    let all: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(backend.count(), 2);
    assert_eq!(all.iter().filter(|found| found.0 == "MISS").count(), 1);
    assert_eq!(all.iter().filter(|found| found.0 == "HIT").count(), 19);
    assert!(all.iter().all(|found| found.1 == all[0].1));
    assert_eq!(other.join().unwrap().0, "MISS");
}

#[test]
fn the_next_client_fetches_where_the_first_fetch_has_failed() {
    let (backend, server) =
        start("", "proxy_cache_lock on; proxy_cache_lock_timeout 600s; proxy_cache_lock_age 600s;");
    backend.hold(true);
    backend.answers("", "");
    let port = server.http;
    let first = thread::spawn(move || http::get(port, "/a").status());
    backend.wait(1);
    let second = thread::spawn(move || http::get(port, "/a").status());
    backend.hold(false);
    assert_eq!(first.join().unwrap(), 502);
    assert_eq!(second.join().unwrap(), 502);
    backend.wait(2);
}

#[test]
fn what_a_client_abandons_is_fetched_to_its_end() {
    let (backend, server) = start("", "");
    backend.hold(true);
    let mut client = Connection::open(server.http);
    client.send(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    backend.wait(1);
    drop(client);
    backend.hold(false);
    until_true("it is kept", || cached(&server).len() == 1);
    assert_found(ask(&server, "/a"), "HIT", "response 1");
    // In the middle of the body, too.
    let body = "x".repeat(8 << 20);
    backend.answers("200 OK", &body);
    let mut client = Connection::open(server.http);
    client.send(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.head().status, 200);
    drop(client);
    until_true("it is kept", || cached(&server).len() == 2);
    let again = ask(&server, "/b");
    assert_eq!((again.0.as_str(), again.1.len()), ("HIT", body.len()));
}

#[test]
fn an_incomplete_response_is_not_kept() {
    let (backend, server) = start("", "");
    backend.answers("200 OK\r\nContent-Length: 1000", "short");
    let mut client = Connection::open(server.http);
    client.send(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(String::from_utf8_lossy(&client.rest()).ends_with("short"));
    backend.answers("200 OK", "whole");
    assert_found(ask(&server, "/a"), "MISS", "whole");
    assert_found(ask(&server, "/a"), "HIT", "whole");
}

#[test]
fn old_responses_are_used_where_the_backend_fails() {
    let (backend, server) = start(
        "",
        "proxy_cache_use_stale error timeout http_503 updating; proxy_read_timeout 100ms; proxy_connect_timeout 5s;",
    );
    backend.answers("200 OK\r\nX-Accel-Expires: @1", "old");
    assert_found(ask(&server, "/a"), "MISS", "old");
    backend.answers("503 Busy", "busy");
    assert_found(ask(&server, "/a"), "STALE", "old");
    backend.answers("500 Error", "error");
    assert_found(ask(&server, "/a"), "EXPIRED", "error");
    backend.answers("", "");
    assert_found(ask(&server, "/a"), "STALE", "old");
    backend.hold(true);
    assert_found(ask(&server, "/a"), "STALE", "old");
    backend.hold(false);
    backend.answers("200 OK", "new");
    assert_found(ask(&server, "/a"), "EXPIRED", "new");
    assert_found(ask(&server, "/a"), "HIT", "new");
}

#[test]
fn an_old_response_is_used_while_it_is_replaced() {
    let (backend, server) = start("", "proxy_cache_use_stale updating;");
    backend.answers("200 OK\r\nX-Accel-Expires: @1", "old");
    assert_found(ask(&server, "/a"), "MISS", "old");
    backend.answers("200 OK", "new");
    backend.hold(true);
    let port = server.http;
    let first = thread::spawn(move || found(&http::get(port, "/a")));
    backend.wait(2);
    assert_found(ask(&server, "/a"), "UPDATING", "old");
    backend.hold(false);
    assert_found(first.join().unwrap(), "EXPIRED", "new");
    assert_found(ask(&server, "/a"), "HIT", "new");
    assert_eq!(backend.count(), 2);
}

#[test]
fn a_background_update_keeps_nobody_waiting() {
    let (backend, server) = start("", "proxy_cache_use_stale updating; proxy_cache_background_update on;");
    backend.answers("200 OK\r\nX-Accel-Expires: @1", "old");
    assert_found(ask(&server, "/a"), "MISS", "old");
    backend.answers("200 OK", "new");
    backend.hold(true);
    let mut client = Connection::open(server.http);
    client.send(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_found(found(&client.response(false)), "STALE", "old");
    // The connection serves the next request, and the update goes on without it.
    client.send(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_found(found(&client.response(false)), "UPDATING", "old");
    drop(client);
    backend.wait(2);
    backend.hold(false);
    until_true("it is replaced", || is(&ask(&server, "/a"), "HIT", "new"));
    assert_eq!(backend.count(), 2);
}

/// Background updates at a time: `PROXY_CACHE_UPDATES`.
const UPDATES: usize = 256;

#[test]
fn background_updates_are_bounded_and_the_rest_follows_later() {
    let (backend, server) = start("", "proxy_cache_use_stale updating; proxy_cache_background_update on;");
    let all = UPDATES + 20;
    backend.answers("200 OK\r\nX-Accel-Expires: @1", "old");
    for n in 0..all {
        assert_found(ask(&server, &format!("/{n}")), "MISS", "old");
    }
    backend.answers("200 OK", "new");
    backend.hold(true);
    for n in 0..all {
        assert_found(ask(&server, &format!("/{n}")), "STALE", "old");
    }
    backend.wait(all + UPDATES);
    // An entry that is being replaced is told apart from one that found no place, which is not given up.
    assert_found(ask(&server, "/0"), "UPDATING", "old");
    assert_found(ask(&server, &format!("/{}", all - 1)), "STALE", "old");
    assert_eq!(backend.count(), all + UPDATES);
    backend.hold(false);
    for n in 0..all {
        until_true("it is replaced", || is(&ask(&server, &format!("/{n}")), "HIT", "new"));
    }
}

#[test]
fn stale_while_revalidate_allows_a_background_update() {
    let (backend, server) = start("", "proxy_cache_background_update on;");
    backend.answers("200 OK\r\nCache-Control: max-age=1, stale-while-revalidate=600", "old");
    assert_found(ask(&server, "/a"), "MISS", "old");
    backend.answers("200 OK", "new");
    until_true("it is too old", || is(&ask(&server, "/a"), "STALE", "old"));
    until_true("it is replaced", || is(&ask(&server, "/a"), "HIT", "new"));
}

/// A response to HEAD ends once its body is kept or broken; the log tells of the body as that of any other.
#[test]
fn what_is_wrong_with_a_body_is_told_with_the_request() {
    let (backend, server) = start("", "");
    let end = |method: &str, target: &str| {
        format!(
            " while reading upstream, client: 127.0.0.1, server: , request: \"{method} {target} HTTP/1.1\", upstream: "
        )
    };
    let more = "upstream sent more data than specified in \"Content-Length\" header";
    backend.answers("200 OK\r\nContent-Length: 4", "body and more");
    for (method, target) in [("GET", "/a"), ("HEAD", "/b")] {
        let answer = http::request(server.http, method, target, "");
        assert_eq!(answer.header("content-length"), Some("4"));
        server.wait_log(&format!("{more}{}", end(method, target)));
        assert_found(ask(&server, target), "HIT", "body");
    }
    backend.answers("200 OK\r\nContent-Length: 10", "short");
    assert_eq!(http::request(server.http, "HEAD", "/c", "").status(), 200);
    server.wait_log(&format!("upstream prematurely closed connection{}", end("HEAD", "/c")));
    backend.answers("200 OK", "whole");
    assert_found(ask(&server, "/c"), "MISS", "whole");
}

#[test]
fn an_unchanged_response_is_not_fetched_again() {
    let (backend, server) = start("", "proxy_cache_revalidate on;");
    backend.answers(
        "200 OK\r\nX-Accel-Expires: @1\r\nETag: \"x\"\r\nLast-Modified: Wed, 03 Mar 2021 04:05:06 GMT",
        "text",
    );
    assert_found(ask(&server, "/a"), "MISS", "text");
    backend.answers("304 Not Modified\r\nCache-Control: max-age=600\r\nContent-Length: 0", "");
    assert_found(ask(&server, "/a"), "REVALIDATED", "text");
    let asked = backend.requests.lock().last().unwrap().clone();
    assert!(
        asked.contains("If-None-Match: \"x\"\r\n")
            && asked.contains("If-Modified-Since: Wed, 03 Mar 2021 04:05:06 GMT\r\n")
    );
    assert_found(ask(&server, "/a"), "HIT", "text");
    // The file has the new time.
    let server = server.again();
    until_true("it is fresh after a restart", || is(&ask(&server, "/a"), "HIT", "text"));
    assert_eq!(backend.count(), 2);
}
