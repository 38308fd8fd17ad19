//! Directory listings in nginx's four formats: entries in, bytes out.

use std::cmp::Ordering;
use std::io::Write;

use bstr::BString;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Number of characters of a name that a listing shows.
const SHOWN: usize = 50;
/// Number of characters before the mark of a shortened name.
const SHORTENED: usize = SHOWN - 3;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEntry {
    /// Its name, which never begins with a dot: nginx lists no hidden files.
    pub name: BString,
    /// What it is.
    pub kind: ListedKind,
    /// Time of its last change, in seconds since 1970.
    pub mtime: i64,
    /// Its size in bytes.
    pub size: u64,
}

/// Kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// Anything else, including a link without target.
    Other,
}

/// Form of an HTML listing.
#[derive(Clone, Copy, Debug, Default)]
pub struct HtmlOptions {
    /// Sizes in bytes instead of in rounded units (`autoindex_exact_size`).
    pub exact_size: bool,
    /// Difference of the shown times to UTC in seconds; zero without `autoindex_localtime`.
    pub offset: i32,
    /// Whether the response's charset is UTF-8, so that names are counted in characters.
    pub is_utf8: bool,
}

/// Sorts entries as nginx does: directories first, then by the bytes of the names.
pub fn sort(entries: &mut [ListedEntry]) {
    let rank = |entry: &ListedEntry| entry.kind != ListedKind::Directory;
    let order = |one: &ListedEntry, other: &ListedEntry| -> Ordering {
        (rank(one), &one.name).cmp(&(rank(other), &other.name))
    };
    entries.sort_unstable_by(order);
}

/// An HTML page; `uri` is the decoded path of the directory.
pub fn html(uri: &[u8], entries: &[ListedEntry], options: HtmlOptions) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + 192 * entries.len());
    out.extend_from_slice(b"<html>\r\n<head><title>Index of ");
    escape_html(&mut out, uri);
    out.extend_from_slice(b"</title></head>\r\n<body>\r\n<h1>Index of ");
    escape_html(&mut out, uri);
    out.extend_from_slice(b"</h1><hr><pre><a href=\"../\">../</a>\r\n");
    for entry in entries {
        html_entry(&mut out, entry, options);
    }
    out.extend_from_slice(b"</pre><hr></body>\r\n</html>\r\n");
    out
}

/// A JSON array.
pub fn json(entries: &[ListedEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + 128 * entries.len());
    json_array(&mut out, entries);
    out
}

/// A call of a function with a JSON array; see [`is_callback`].
pub fn jsonp(callback: &[u8], entries: &[ListedEntry]) -> Vec<u8> {
    let mut out = b"/* callback */\r\n".to_vec();
    out.extend_from_slice(callback);
    out.push(b'(');
    json_array(&mut out, entries);
    out.extend_from_slice(b");");
    out
}

/// An XML document.
pub fn xml(entries: &[ListedEntry]) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\"?>\r\n<list>\r\n".to_vec();
    for entry in entries {
        let (name, time) = (kind_name(entry.kind), date(entry.mtime, 0).strftime("%Y-%m-%dT%H:%M:%SZ"));
        put(&mut out, format_args!("<{name} mtime=\"{time}\""));
        if entry.kind == ListedKind::File {
            put(&mut out, format_args!(" size=\"{}\"", entry.size));
        }
        out.push(b'>');
        escape_html(&mut out, &entry.name);
        put(&mut out, format_args!("</{name}>\r\n"));
    }
    out.extend_from_slice(b"</list>\r\n");
    out
}

/// Whether the decoded argument `callback` may be the function's name; nginx answers 400 to another one, and sends JSON if
/// it is empty.
pub fn is_callback(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

fn html_entry(out: &mut Vec<u8>, entry: &ListedEntry, options: HtmlOptions) {
    let is_directory = entry.kind == ListedKind::Directory;
    out.extend_from_slice(b"<a href=\"");
    escape_uri(out, &entry.name);
    if is_directory {
        out.push(b'/');
    }
    out.extend_from_slice(b"\">");
    let characters = if options.is_utf8 { utf8_length(&entry.name) } else { entry.name.len() };
    let is_long = characters > SHOWN;
    let shown = if !is_long {
        &entry.name[..]
    } else if characters == entry.name.len() {
        &entry.name[..SHORTENED]
    } else {
        utf8_prefix(&entry.name, SHORTENED)
    };
    escape_html(out, shown);
    let mut width = characters;
    if is_long {
        out.extend_from_slice(b"..&gt;</a>");
    } else {
        if is_directory && width < SHOWN {
            out.push(b'/');
            width += 1;
        }
        out.extend_from_slice(b"</a>");
        out.resize(out.len() + SHOWN - width, b' ');
    }
    let time = date(entry.mtime, options.offset).strftime(" %d-%b-%Y %H:%M ");
    put(out, format_args!("{time}"));
    match (is_directory, options.exact_size) {
        (true, true) => put(out, format_args!("{:>19}", "-")),
        (true, false) => put(out, format_args!("{:>7}", "-")),
        (false, true) => put(out, format_args!("{:>19}", entry.size)),
        (false, false) => put(out, format_args!("{:>7}", rounded(entry.size))),
    }
    out.extend_from_slice(b"\r\n");
}

/// A size in the largest unit that fits, rounded. Small sizes are followed by a space's width less.
fn rounded(size: u64) -> String {
    const KILO: u64 = 1024;
    let (unit, letter) = match size {
        0..10_000 => return format!("{size}"),
        10_000..0x10_0000 => (KILO, 'K'),
        0x10_0000..0x4000_0000 => (KILO * KILO, 'M'),
        _ => (KILO * KILO * KILO, 'G'),
    };
    format!("{}{letter}", size / unit + u64::from(size % unit > unit / 2 - 1))
}

fn json_array(out: &mut Vec<u8>, entries: &[ListedEntry]) {
    out.push(b'[');
    for (at, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"\r\n{ \"name\":\"" } else { b",\r\n{ \"name\":\"" });
        escape_json(out, &entry.name);
        let time = date(entry.mtime, 0).strftime("%a, %d %b %Y %H:%M:%S GMT");
        put(out, format_args!("\", \"type\":\"{}\", \"mtime\":\"{time}\"", kind_name(entry.kind)));
        if entry.kind == ListedKind::File {
            put(out, format_args!(", \"size\":{}", entry.size));
        }
        out.extend_from_slice(b" }");
    }
    out.extend_from_slice(b"\r\n]");
}

fn kind_name(kind: ListedKind) -> &'static str {
    match kind {
        ListedKind::Directory => "directory",
        ListedKind::File => "file",
        ListedKind::Other => "other",
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory does not fail");
}

fn date(seconds: i64, offset: i32) -> DateTime {
    let shifted = Timestamp::from_second(seconds.saturating_add(offset.into()));
    let limit = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Offset::UTC.to_datetime(shifted.unwrap_or(limit))
}

fn escape_html(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            byte => out.push(*byte),
        }
    }
}

fn escape_uri(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(*byte);
        } else {
            put(out, format_args!("%{byte:02X}"));
        }
    }
}

fn escape_json(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => put(out, format_args!("\\u{byte:04X}")),
            byte => out.push(*byte),
        }
    }
}

/// Length of the first character in bytes, by nginx's decoder; `None` if it is invalid.
fn utf8_character(text: &[u8]) -> Option<usize> {
    let (&first, rest) = text.split_first()?;
    let (length, bits, most) = match first {
        0..0x80 => return Some(1),
        0xf0.. => (3, first & 0x07, 0xffff),
        0xe0..0xf0 => (2, first & 0x0f, 0x7ff),
        0xc2..0xe0 => (1, first & 0x1f, 0x7f),
        _ => return None,
    };
    let mut value = u32::from(bits);
    for byte in rest.get(..length)? {
        if *byte < 0x80 {
            return None;
        }
        value = value << 6 | u32::from(byte & 0x3f);
    }
    (value > most && value <= 0x10_ffff).then_some(length + 1)
}

/// Length in characters, or in bytes if the text is invalid.
fn utf8_length(text: &[u8]) -> usize {
    let (mut rest, mut length) = (text, 0);
    while !rest.is_empty() {
        let Some(character) = utf8_character(rest) else { return text.len() };
        (rest, length) = (&rest[character..], length + 1);
    }
    length
}

/// The first characters of a valid text.
fn utf8_prefix(text: &[u8], characters: usize) -> &[u8] {
    let mut end = 0;
    for _ in 0..characters {
        end += utf8_character(&text[end..]).unwrap_or(text.len() - end);
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use bstr::{ByteSlice, ByteVec};

    use super::*;

    /// Names, kinds, times and sizes of the recorded directory, tab-separated; names have `\xHH` for other bytes.
    fn entries() -> Vec<ListedEntry> {
        let lines = include_str!("testdata/autoindex.txt").lines();
        let mut entries: Vec<ListedEntry> = lines
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                let kind = match fields[1] {
                    "d" => ListedKind::Directory,
                    "f" => ListedKind::File,
                    _ => ListedKind::Other,
                };
                let (mtime, size) = (fields[2].parse().unwrap(), fields[3].parse().unwrap());
                ListedEntry { name: Vec::unescape_bytes(fields[0]).into(), kind, mtime, size }
            })
            .collect();
        sort(&mut entries);
        entries
    }

    fn compare(made: &[u8], recorded: &[u8]) {
        let (made, recorded) = (made.as_bstr(), recorded.as_bstr());
        for (ours, theirs) in made.lines_with_terminator().zip(recorded.lines_with_terminator()) {
            assert_eq!(ours.as_bstr(), theirs.as_bstr());
        }
        assert_eq!(made, recorded);
    }

    #[test]
    fn listings_are_those_of_nginx() {
        let entries = entries();
        assert!(entries.len() > 25);
        let options = HtmlOptions { exact_size: true, ..HtmlOptions::default() };
        let uri = b"/a<b&\"c>/";
        compare(&html(uri, &entries, options), include_bytes!("testdata/exact.html"));
        compare(&html(uri, &entries, HtmlOptions::default()), include_bytes!("testdata/rounded.html"));
        let utf8 = HtmlOptions { exact_size: true, offset: 19_800, is_utf8: true };
        compare(&html(uri, &entries, utf8), include_bytes!("testdata/utf8.html"));
        compare(&json(&entries), include_bytes!("testdata/listing.json"));
        compare(&jsonp(b"call.it_1", &entries), include_bytes!("testdata/listing.jsonp"));
        compare(&xml(&entries), include_bytes!("testdata/listing.xml"));
    }

    #[test]
    fn an_empty_directory_is_listed_as_nginx_does() {
        compare(&html(b"/empty/", &[], HtmlOptions::default()), include_bytes!("testdata/empty.html"));
        compare(&json(&[]), b"[\r\n]");
        compare(&jsonp(b"f", &[]), b"/* callback */\r\nf([\r\n]);");
        compare(&xml(&[]), b"<?xml version=\"1.0\"?>\r\n<list>\r\n</list>\r\n");
    }

    #[test]
    fn callbacks_are_names() {
        assert!(is_callback(b"a.b_9") && is_callback(b""));
        assert!(!is_callback(b"a(") && !is_callback(b"a-b") && !is_callback("\u{e4}".as_bytes()));
    }
}
