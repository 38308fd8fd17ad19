//! Bodies of requests: what they hold of memory and disk, and for how long.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;
use support::http::Connection;
use support::server::Prefix;
use support::wait::until_true;
use support::{Conf, Server};

fn start(server: &str) -> Server {
    let prefix = Prefix::new();
    prefix.write("html/f", "text");
    let own = "root html; location = /copy { internal; return 204; }";
    Server::start_in(prefix, &Conf::live("").http_server(&format!("{own} {server}")))
}

/// Files below the directory of temporary files.
fn files(directory: &Path) -> usize {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[test]
fn files_end_with_their_requests() {
    let mut server = start(
        "client_body_temp_path bodies 1 2; client_body_buffer_size 1k; mirror /copy;
         location /clean { client_body_in_file_only clean; alias html/f; } location /kept { client_body_in_file_only on; alias html/f; }
         location /nameless { alias html/f; }",
    );
    let directory = server.prefix().path().join("bodies");
    let post = |path: &str, length: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        let mut connection = Connection::open(server.http);
        connection.send(head.as_bytes());
        connection.send(&vec![b'x'; 20_000]);
        connection
    };
    for path in ["/clean", "/nameless"] {
        assert_eq!(post(path, 20_000).response(false).status(), 405);
        until_true("the file is gone", || files(&directory) == 0);
    }
    assert_eq!(post("/kept", 20_000).response(false).status(), 405);
    assert_eq!(files(&directory), 1);
    // The client goes away while it sends.
    let leaving = post("/clean", 40_000);
    until_true("the file is there", || files(&directory) == 2);
    drop(leaving);
    until_true("the file is gone", || files(&directory) == 1);
    server.wait_log("client prematurely closed connection");
    // The server stops while a body is received.
    let staying = post("/clean", 40_000);
    until_true("the file is there", || files(&directory) == 2);
    assert!(server.stop().success());
    assert_eq!(files(&directory), 1);
    drop(staying);
}

#[test]
fn directories_are_there_from_the_start_and_belong_to_the_servers_user() {
    let is_root = geteuid().is_root();
    // The server's user must reach it.
    let prefix = if is_root { Prefix::below(Path::new("/run")) } else { Prefix::new() };
    let kept = prefix.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let conf = Conf::live("").http_server(
        "client_body_temp_path outer; location /a { client_body_temp_path inner 1; } location /b { client_body_temp_path kept; }",
    );
    let conf = if is_root { conf.user("nobody nogroup") } else { conf };
    let server = Server::start_in(prefix, &conf);
    for name in ["outer", "inner", "kept"] {
        let found = fs::metadata(server.prefix().path().join(name)).unwrap();
        let owner = if is_root { 65_534 } else { geteuid().as_raw() };
        assert_eq!(found.uid(), owner, "{name}");
        assert!(name == "kept" || found.mode() & 0o777 == 0o700, "{name}");
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error_of_the_server() {
    let server = start("client_body_temp_path none/such; client_body_in_file_only clean; mirror /copy;");
    let mut connection = Connection::open(server.http);
    connection.send(b"POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(connection.response(false).status(), 500);
    server.wait_log("mkdir() \"");
}

#[test]
fn framing_and_trailers_take_no_memory() {
    let server = start(
        "client_body_buffer_size 1k; client_max_body_size 0; client_body_temp_path bodies; mirror /copy;",
    );
    let begin = || {
        let mut connection = Connection::open(server.http);
        connection.send(b"POST /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        connection
    };
    begin().send(b"0\r\n");
    let before = server.resident();
    let piece = vec![b'x'; 1 << 20];
    // An extension, a trailer, and the zeros of a size.
    let mut open = [begin(), begin(), begin()];
    open[0].send(b"4;");
    open[1].send(b"0\r\n");
    for _ in 0..40 {
        open[0].send(&piece);
        open[1].send(&piece);
        open[2].send(&vec![b'0'; 1 << 20]);
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 20 << 20, "{grown} bytes more");
    open[0].send(b"\r\nbody\r\n0\r\n\r\n");
    open[1].send(b"\r\n\r\n");
    open[2].send(b"\r\n\r\n");
    for connection in &mut open {
        assert_eq!(connection.response(false).status(), 405);
    }
}

#[test]
fn empty_lines_behind_a_body_are_no_part_of_the_next_request() {
    let server = start("location /x { return 200 $request_method; }");
    let mut connection = Connection::open(server.http);
    for _ in 0..3 {
        connection.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody\r\n");
        assert_eq!(connection.response(false).text(), "POST");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
