//! The document root that all entries share, `{ROOT}/html`, and how files are written: always with the same times.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

/// Debian's list of types, which is nginx's.
pub const MIME_TYPES: &str = "/etc/nginx/mime.types";

/// The modification time of every file: Wed, 03 Mar 2021 04:05:06 GMT.
pub const MTIME: i64 = 1_614_744_306;

/// Writes a file, with the directories above it.
pub fn file(path: &Path, contents: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

/// Gives all files, directories and links below one the same time.
pub fn settle(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            settle(&entry.path());
        } else {
            touch(&entry.path());
        }
    }
    touch(directory);
}

/// The time of a link is its own: a listing shows it when the target is missing.
fn touch(path: &Path) {
    let time = Timespec { tv_sec: MTIME, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Digits of a known order: every range of them tells where it begins.
pub fn digits(count: usize) -> Vec<u8> {
    (0..).flat_map(|number: u32| format!("{number:07}\n").into_bytes()).take(count).collect()
}

/// Text that compresses well.
pub fn text(count: usize) -> Vec<u8> {
    b"All work and no play makes Jack a dull boy.\n".iter().copied().cycle().take(count).collect()
}

/// Fills the document root.
pub fn write(html: &Path) {
    let plain: [(&str, &[u8]); 24] = [
        ("index.html", b"<html>index</html>\n"),
        ("a.html", b"<html><head>a</head><body>a</body></html>\n"),
        ("a.txt", b"text a\n"),
        ("b.txt", b"text b, longer\n"),
        ("empty.txt", b""),
        ("style.css", b"body { color: red }\n"),
        ("data.json", b"{\"a\": 1}\n"),
        ("script.js", b"var a = 1;\n"),
        ("page.xml", b"<?xml version=\"1.0\"?><a/>\n"),
        ("noext", b"no extension\n"),
        ("odd.unknown", b"unknown extension\n"),
        ("UPPER.TXT", b"upper\n"),
        ("with space.txt", b"with space\n"),
        ("with+plus.txt", b"with plus\n"),
        ("with%percent.txt", b"with percent\n"),
        ("with?mark.txt", b"with question mark\n"),
        ("with#hash.txt", b"with hash\n"),
        ("with;semi.txt", b"with semicolon\n"),
        ("\u{fc}mlaut.txt", b"umlaut\n"),
        (".hidden", b"hidden\n"),
        ("dir/index.html", b"<html>dir/index</html>\n"),
        ("dir/file.txt", b"dir/file\n"),
        ("dir/sub/deep.txt", b"dir/sub/deep\n"),
        ("noindex/file.txt", b"noindex/file\n"),
    ];
    for (name, contents) in plain {
        file(&html.join(name), contents);
    }
    file(&html.join("digits.txt"), &digits(1000));
    file(&html.join("big.txt"), &digits(200_000));
    file(&html.join("long.html"), &text(5000));
    file(&html.join("image.gif"), b"GIF89a\x01\x00\x01\x00\x80\x01\x00\x00\x00\x00\xff\xff\xff!");
    symlink("a.txt", html.join("link.txt")).unwrap();
    symlink("missing", html.join("dangling")).unwrap();
    symlink("dir", html.join("linkdir")).unwrap();
    settle(html);
}
