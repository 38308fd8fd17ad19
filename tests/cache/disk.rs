//! The directory of a cache: its bounds, what is damaged there, and disks that are full.

use std::fs;
use std::path::Path;

use crate::support::disk::SmallDisk;
use crate::support::http::{self, Connection};
use crate::support::server::Prefix;
use crate::support::wait::until_true;
use crate::support::{Conf, Server};
use crate::{Backend, ask, assert_found, cached, conf, files, is, start};

#[test]
fn unused_responses_are_removed() {
    let (_backend, server) = start("inactive=1s", "");
    assert_found(ask(&server, "/a"), "MISS", "response 1");
    assert_eq!(cached(&server).len(), 1);
    until_true("it is removed", || cached(&server).is_empty());
    assert_found(ask(&server, "/a"), "MISS", "response 2");
}

#[test]
fn the_size_of_a_cache_is_bounded() {
    let (backend, server) = start("max_size=256k", "");
    backend.answers("200 OK", &"x".repeat(50_000));
    for number in 0..20 {
        assert_eq!(ask(&server, &format!("/{number}")).0, "MISS");
    }
    until_true("the oldest are removed", || cached(&server).len() <= 5);
    assert_eq!(ask(&server, "/19").0, "HIT");
    assert_eq!(ask(&server, "/0").0, "MISS");
}

#[test]
fn a_zone_has_room_for_a_number_of_keys() {
    let backend = Backend::start();
    let conf = conf(&backend, "", "").http("proxy_cache_path {dir}/small keys_zone=s:9k;").http_server(
        "location /s/ { proxy_cache s; proxy_cache_valid 1m; proxy_pass http://127.0.0.1:{backend}; }",
    );
    let server = Server::start(&conf);
    for number in 0..40 {
        assert_eq!(http::get(server.http, &format!("/s/{number}")).status(), 200);
    }
    let directory = server.prefix().path().join("small");
    until_true("there is room for eight", || files(&directory).len() == 8);
}

#[test]
fn files_that_are_damaged_or_gone_are_fetched_again() {
    let (backend, server) = start("", "");
    for (number, damage) in [(1, "shorter"), (2, "longer"), (3, "changed"), (4, "gone"), (5, "empty")] {
        let target = format!("/{damage}");
        assert_found(ask(&server, &target), "MISS", &format!("response {}", number * 2 - 1));
        let server = &server;
        let all = cached(server);
        let path = all
            .iter()
            .find(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(&format!("{target}\n")))
            .unwrap();
        let mut bytes = fs::read(path).unwrap();
        match damage {
            "shorter" => drop(bytes.pop()),
            "longer" => bytes.push(b'x'),
            "changed" => bytes[30] ^= 1,
            _ => bytes.clear(),
        }
        // The server has the file open: it is replaced, as by something that copies a directory.
        fs::remove_file(path).unwrap();
        if damage != "gone" {
            fs::write(path, bytes).unwrap();
        }
        assert_found(ask(server, &target), "MISS", &format!("response {}", number * 2));
        assert_eq!(ask(server, &target).0, "HIT");
    }
    assert_eq!(server.log_lines("is damaged").len(), 4);
    assert_eq!(backend.count(), 10);
}

#[test]
fn responses_are_served_where_nothing_can_be_written() {
    let prefix = Prefix::new();
    // What is to be the directory is a file.
    prefix.write("cache", "");
    let backend = Backend::start();
    backend.answers("200 OK", &"x".repeat(3 << 20));
    let server = Server::start_in(prefix, &conf(&backend, "", ""));
    for _ in 0..3 {
        let found = ask(&server, "/a");
        assert_eq!((found.0.as_str(), found.1.len()), ("MISS", 3 << 20));
    }
    server.wait_log("failed (20: Not a directory)");
}

#[test]
fn responses_are_served_while_the_disk_of_the_cache_is_full_and_kept_again_afterwards() {
    let prefix = Prefix::new();
    let Some(disk) = SmallDisk::mount(&prefix.path().join("cache"), "64k") else { return };
    let backend = Backend::start();
    let server = Server::start_in(prefix, &conf(&backend, "use_temp_path=off", ""));
    assert_found(ask(&server, "/small"), "MISS", "response 1");
    backend.answers("200 OK", &"x".repeat(3 << 20));
    for _ in 0..3 {
        let found = ask(&server, "/large");
        assert_eq!((found.0.as_str(), found.1.len()), ("MISS", 3 << 20));
    }
    server.wait_log("failed (28: No space left on device)");
    // What was kept before still is, and of the others nothing is left.
    assert_found(ask(&server, "/small"), "HIT", "response 1");
    let left = |directory: &Path| {
        let mut bytes = 0;
        let mut open = vec![directory.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                match entry.path() {
                    path if path.is_dir() => open.push(path),
                    path => bytes += path.metadata().map_or(0, |data| data.len()),
                }
            }
        }
        bytes
    };
    until_true("the temporary files are gone", || left(&disk.0) < 4096);
    backend.answers("200 OK", "fits");
    assert_found(ask(&server, "/large"), "MISS", "fits");
    assert_found(ask(&server, "/large"), "HIT", "fits");
}

#[test]
fn temporary_files_are_made_where_the_cache_is_if_it_says_so() {
    let (_backend, server) = start("use_temp_path=off", "");
    // It is made at the start, and again where it is used.
    let unused = server.prefix().path().join("proxy_temp");
    fs::remove_dir(&unused).unwrap();
    assert_found(ask(&server, "/a"), "MISS", "response 1");
    assert_found(ask(&server, "/a"), "HIT", "response 1");
    assert!(!unused.exists());
}

#[test]
fn a_file_that_is_removed_while_it_is_sent_is_sent_to_its_end() {
    let (backend, server) = start("", "");
    let body = "x".repeat(16 << 20);
    backend.answers("200 OK", &body);
    assert_eq!(ask(&server, "/a").1.len(), body.len());
    let mut client = Connection::open(server.http);
    client.send(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.head().status, 200);
    cached(&server).iter().for_each(|path| fs::remove_file(path).unwrap());
    let response = client.response(false);
    assert_eq!((response.header("x-cache"), response.text().len()), (Some("HIT"), body.len()));
    assert_eq!(ask(&server, "/a").0, "MISS");
}

#[test]
fn two_servers_share_a_directory() {
    let (backend, first) = start("", "");
    let directory = first.prefix().path().join("cache");
    let text = format!("proxy_cache_path {} levels=1:2 keys_zone=z:1m;", directory.display());
    let conf = Conf::live("").http(&text).http_server(
        "location / { proxy_cache z; proxy_cache_valid 1m; proxy_pass http://127.0.0.1:{backend}; add_header X-Cache $upstream_cache_status; }",
    );
    assert_found(ask(&first, "/a"), "MISS", "response 1");
    let second = Server::start(&conf.var("backend", backend.port));
    assert_found(ask(&second, "/a"), "HIT", "response 1");
    assert_found(ask(&second, "/b"), "MISS", "response 2");
    for path in cached(&first) {
        fs::remove_file(path).unwrap();
    }
    assert_found(ask(&second, "/a"), "MISS", "response 3");
    // The first one had it open.
    let found = ask(&first, "/a");
    assert!(is(&found, "MISS", "response 4") || is(&found, "HIT", "response 3"), "{found:?}");
    assert_eq!(second.log_lines("failed").len() + first.log_lines("failed").len(), 0);
}
