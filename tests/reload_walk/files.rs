//! Files over HTTP: listings, links, the cache of open files, and parts of files.

use crate::http::{ask, changes, has_header, location};
use crate::support::http::{Connection, Response};
use crate::walk::{After, Case, Place, Walk, walk_with};

/// A file of six seconds, with key frames every two.
const MP4: &[u8] = include_bytes!("../../src/module/mp4/testdata/front.mp4");

pub const CASES: &[Case] = &[
    location!("http static/autoindex", "autoindex off;", "autoindex on;", |walk| {
        changes(walk, "", |response| response.status() == 403, |response| response.text().contains("f.txt"))
    }),
    location!(
        "http static/autoindex_format",
        "autoindex on; autoindex_format html;",
        "autoindex on; autoindex_format json;",
        |walk| has_header(walk, "", "content-type", Some("text/html"), Some("application/json"))
    ),
    location!(
        "http static/autoindex_exact_size",
        "autoindex on; autoindex_exact_size on;",
        "autoindex on; autoindex_exact_size off;",
        |walk| {
            let is_exact = |response: &Response| response.text().contains("                  4\r\n");
            changes(walk, "", is_exact, move |response| response.status() == 200 && !is_exact(response))
        }
    ),
    location!("http static/random_index", "random_index off;", "random_index on;", |walk| {
        walk.server.prefix().write("html/random/only.txt", "only");
        changes(walk, "random/", |response| response.status() == 403, |response| response.text() == "only")
    }),
    location!("http core/disable_symlinks", "disable_symlinks off;", "disable_symlinks on;", |walk| {
        let target = walk.server.prefix().write("html/linked.txt", "text");
        let _ = std::os::unix::fs::symlink(&target, target.with_file_name("link.txt"));
        changes(walk, "link.txt", |response| response.status() == 200, |response| response.status() == 403)
    }),
    location!("http core/open_file_cache", "open_file_cache off;", "open_file_cache max=10;", |walk| {
        remembers(walk)
    }),
    location!(
        "http core/open_file_cache_valid",
        "open_file_cache max=10; open_file_cache_valid 0;",
        "open_file_cache max=10; open_file_cache_valid 600;",
        |walk| remembers(walk)
    ),
    location!(
        "http core/open_file_cache_min_uses",
        "open_file_cache max=10; open_file_cache_valid 600; open_file_cache_min_uses 1000;",
        "open_file_cache max=10; open_file_cache_valid 600; open_file_cache_min_uses 1;",
        |walk| remembers(walk)
    ),
    location!(
        "http core/open_file_cache_errors",
        "open_file_cache max=10; open_file_cache_valid 600; open_file_cache_errors off;",
        "open_file_cache max=10; open_file_cache_valid 600; open_file_cache_errors on;",
        |walk| {
            let finds = move |connection: &mut Connection| {
                let path = walk.server.prefix().write("html/late.txt", "late");
                std::fs::remove_file(&path).unwrap();
                assert_eq!(ask(walk, connection, "late.txt").status(), 404);
                std::fs::write(&path, "late").unwrap();
                ask(walk, connection, "late.txt").status() == 200
            };
            let mut connection = Connection::open(walk.web);
            assert!(finds(&mut connection));
            Box::new(move || assert!(!finds(&mut connection)))
        }
    ),
    location!("flv file/flv", "", "flv;", |walk| {
        // A header of 13 bytes, and all but the first one.
        changes(
            walk,
            "f.txt?start=1",
            |response| response.text() == "text",
            |response| response.body.starts_with(b"FLV") && response.body.len() == 13 + 3,
        )
    }),
    location!("mp4/mp4", "", "mp4;", |walk| {
        changes(
            walk,
            "seek.mp4?start=1",
            |response| response.body == MP4,
            |response| response.status() == 200 && response.body.len() < MP4.len(),
        )
    }),
    location!(
        "mp4/mp4_buffer_size",
        "mp4; mp4_max_buffer_size 1; mp4_buffer_size 1m;",
        "mp4; mp4_max_buffer_size 1; mp4_buffer_size 1;",
        |walk| has_status(walk, "seek.mp4?start=1", 200, 500)
    ),
    location!(
        "mp4/mp4_max_buffer_size",
        "mp4; mp4_buffer_size 1; mp4_max_buffer_size 1m;",
        "mp4; mp4_buffer_size 1; mp4_max_buffer_size 1;",
        |walk| has_status(walk, "seek.mp4?start=1", 200, 500)
    ),
    location!(
        "mp4/mp4_start_key_frame",
        "mp4; mp4_start_key_frame off;",
        "mp4; mp4_start_key_frame on;",
        |walk| {
            let has_edit_list = |response: &Response| response.body.windows(4).any(|name| name == b"elst");
            changes(
                walk,
                "seek.mp4?start=1",
                move |response| response.status() == 200 && !has_edit_list(response),
                has_edit_list,
            )
        }
    ),
];

fn has_status<'w>(walk: &'w Walk<'w>, file: &'static str, old: u16, new: u16) -> After<'w> {
    changes(walk, file, move |response| response.status() == old, move |response| response.status() == new)
}

/// A file that was removed is still served afterwards.
fn remembers<'w>(walk: &'w Walk<'w>) -> After<'w> {
    let is_there = move |connection: &mut Connection| {
        let name = format!("removed-{}.txt", walk.own_app);
        let path = walk.server.prefix().write(&format!("html/{name}"), "text");
        assert_eq!(ask(walk, connection, &name).status(), 200);
        std::fs::remove_file(path).unwrap();
        ask(walk, connection, &name).status() == 200
    };
    let mut connection = Connection::open(walk.web);
    assert!(!is_there(&mut connection));
    Box::new(move || assert!(is_there(&mut connection)))
}

#[test]
fn files() {
    walk_with(CASES, |prefix| {
        prefix.write("html/f.txt", "text");
        prefix.write("html/seek.mp4", MP4);
    });
}
