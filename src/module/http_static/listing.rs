//! Listings of directories, in nginx's forms.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bstr::{BStr, BString};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::conf::AutoindexFormat;
use super::directory::Listed;
use super::utf8;
use crate::http::response::{BodySource, Piece};
use crate::limits;

/// Number of characters of a name that are shown.
const NAME_LENGTH: usize = 50;

/// Number of those that remain of a longer one, before `..>`.
const CUT_LENGTH: usize = NAME_LENGTH - 3;

/// How a listing looks.
#[derive(Clone, Debug)]
pub(super) struct ListingStyle {
    pub(super) format: AutoindexFormat,
    /// Name of the function that is called with the listing (`jsonp`).
    pub(super) callback: BString,
    pub(super) exact_size: bool,
    /// Seconds that are added to times in HTML.
    pub(super) offset: i64,
    /// Whether names are UTF-8, by the response's charset.
    pub(super) is_utf8: Arc<AtomicBool>,
}

/// Body with a listing, which is made in parts.
pub(super) struct Listing {
    style: ListingStyle,
    /// Decoded path of the directory.
    path: BString,
    files: std::vec::IntoIter<Listed>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    Files,
    End,
}

impl Listing {
    /// A listing of files in this order.
    pub(super) fn new(path: BString, files: Vec<Listed>, style: ListingStyle) -> Self {
        Listing { style, path, files: files.into_iter(), stage: Stage::Start }
    }

    /// The next part; `None` at the end.
    fn next_part(&mut self) -> Option<Vec<u8>> {
        if self.stage == Stage::End {
            return None;
        }
        let mut out = Vec::new();
        let is_first = self.stage == Stage::Start;
        if is_first {
            self.start(&mut out);
        }
        for (number, file) in self.files.by_ref().take(limits::HTTP_LISTED_AT_ONCE).enumerate() {
            match self.style.format {
                AutoindexFormat::Html => html(&mut out, &file, &self.style),
                AutoindexFormat::Json | AutoindexFormat::Jsonp => {
                    json(&mut out, &file, is_first && number == 0);
                }
                AutoindexFormat::Xml => xml(&mut out, &file),
            }
        }
        self.stage = Stage::Files;
        if self.files.len() == 0 {
            self.stage = Stage::End;
            out.extend_from_slice(match self.style.format {
                AutoindexFormat::Html => b"</pre><hr></body>\r\n</html>\r\n",
                AutoindexFormat::Json | AutoindexFormat::Jsonp if self.style.callback.is_empty() => b"\r\n]",
                AutoindexFormat::Json | AutoindexFormat::Jsonp => b"\r\n]);",
                AutoindexFormat::Xml => b"</list>\r\n",
            });
        }
        Some(out)
    }

    fn start(&self, out: &mut Vec<u8>) {
        match self.style.format {
            AutoindexFormat::Html => {
                let path = html_escaped(&self.path);
                for part in [
                    b"<html>\r\n<head><title>Index of ",
                    &path[..],
                    b"</title></head>\r\n<body>\r\n<h1>Index of ",
                    &path,
                    b"</h1><hr><pre><a href=\"../\">../</a>\r\n",
                ] {
                    out.extend_from_slice(part);
                }
            }
            AutoindexFormat::Json | AutoindexFormat::Jsonp => {
                if !self.style.callback.is_empty() {
                    out.extend_from_slice(b"/* callback */\r\n");
                    out.extend_from_slice(&self.style.callback);
                    out.push(b'(');
                }
                out.push(b'[');
            }
            AutoindexFormat::Xml => out.extend_from_slice(b"<?xml version=\"1.0\"?>\r\n<list>\r\n"),
        }
    }
}

impl BodySource for Listing {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        Poll::Ready(self.next_part().map(|part| Ok(Piece::Memory(part.into()))))
    }

    fn length(&self) -> Option<u64> {
        None
    }
}

/// Orders directories before files, each by the bytes of the names.
pub(super) fn sort(files: &mut [Listed]) {
    files
        .sort_unstable_by(|one, other| other.is_dir.cmp(&one.is_dir).then_with(|| one.name.cmp(&other.name)));
}

/// The name of a callback, or nothing if none is asked for; `None` if it is invalid.
pub(super) fn callback(name: &[u8]) -> Option<&BStr> {
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    name.iter().all(is_valid).then_some(BStr::new(name))
}

// Writing to memory cannot fail.

fn html(out: &mut Vec<u8>, file: &Listed, style: &ListingStyle) {
    let name = &file.name[..];
    out.extend_from_slice(b"<a href=\"");
    uri_escaped(name, out);
    out.extend_from_slice(if file.is_dir { b"/\">" } else { b"\">" });
    let characters = match style.is_utf8.load(Ordering::Relaxed) {
        true => utf8::length(name),
        false => name.len(),
    };
    let is_cut = characters > NAME_LENGTH;
    let shown = match (is_cut, characters == name.len()) {
        (false, _) => name,
        (true, true) => &name[..CUT_LENGTH],
        (true, false) => utf8::beginning(name, CUT_LENGTH),
    };
    out.extend_from_slice(&html_escaped(shown));
    if is_cut {
        out.extend_from_slice(b"..&gt;</a>");
    } else {
        let is_marked = file.is_dir && characters < NAME_LENGTH;
        out.extend_from_slice(if is_marked { b"/</a>" } else { b"</a>" });
        let width = NAME_LENGTH - characters - usize::from(is_marked);
        out.resize(out.len() + width, b' ');
    }
    let time = date(file.modified, style.offset).strftime("%d-%b-%Y %H:%M");
    let _ = write!(out, " {time} ");
    let _ = match (style.exact_size, file.is_dir) {
        (true, true) => write!(out, "{:>19}\r\n", "-"),
        (true, false) => write!(out, "{:>19}\r\n", file.size),
        (false, true) => write!(out, "{:>7}\r\n", "-"),
        (false, false) => write!(out, "{:>7}\r\n", rounded(file.size)),
    };
}

/// A size with a scale, rounded as in nginx.
fn rounded(size: u64) -> String {
    const KILO: u64 = 1024;
    const MEGA: u64 = 1024 * KILO;
    const GIGA: u64 = 1024 * MEGA;
    let scaled = |unit: u64, letter| format!("{}{letter}", size / unit + u64::from(size % unit >= unit / 2));
    match size {
        GIGA.. => scaled(GIGA, 'G'),
        MEGA.. => scaled(MEGA, 'M'),
        10_000.. => scaled(KILO, 'K'),
        _ => size.to_string(),
    }
}

fn json(out: &mut Vec<u8>, file: &Listed, is_first: bool) {
    if !is_first {
        out.push(b',');
    }
    out.extend_from_slice(b"\r\n{ \"name\":\"");
    json_escaped(&file.name, out);
    let time = date(file.modified, 0).strftime("%a, %d %b %Y %H:%M:%S GMT");
    let _ = write!(out, "\", \"type\":\"{}\", \"mtime\":\"{time}\"", kind(file));
    if file.is_file {
        let _ = write!(out, ", \"size\":{}", file.size);
    }
    out.extend_from_slice(b" }");
}

fn xml(out: &mut Vec<u8>, file: &Listed) {
    let (kind, time) = (kind(file), date(file.modified, 0).strftime("%Y-%m-%dT%H:%M:%SZ"));
    let _ = write!(out, "<{kind} mtime=\"{time}\"");
    if file.is_file {
        let _ = write!(out, " size=\"{}\"", file.size);
    }
    out.push(b'>');
    out.extend_from_slice(&html_escaped(&file.name));
    let _ = write!(out, "</{kind}>\r\n");
}

fn kind(file: &Listed) -> &'static str {
    match file {
        Listed { is_dir: true, .. } => "directory",
        Listed { is_file: true, .. } => "file",
        _ => "other",
    }
}

fn date(seconds: i64, offset: i64) -> DateTime {
    let shifted = Timestamp::from_second(seconds.saturating_add(offset));
    let limit = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Offset::UTC.to_datetime(shifted.unwrap_or(limit))
}

fn html_escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            byte => out.push(*byte),
        }
    }
    out
}

/// Escapes all but letters, digits and `-._~`.
fn uri_escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn json_escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                let _ = write!(out, "\\u{byte:04X}");
            }
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use bstr::{ByteSlice, ByteVec};

    use super::*;

    /// Names, kinds, times and sizes of the recorded directory, tab-separated; names have `\xHH` for other bytes.
    fn recorded() -> Vec<Listed> {
        let lines = include_str!("testdata/autoindex.txt").lines();
        let mut files: Vec<_> = lines
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                Listed {
                    name: Vec::unescape_bytes(fields[0]).into(),
                    is_dir: fields[1] == "d",
                    is_file: fields[1] == "f",
                    modified: fields[2].parse().unwrap(),
                    size: fields[3].parse().unwrap(),
                }
            })
            .collect();
        sort(&mut files);
        files
    }

    fn compare(path: &str, files: Vec<Listed>, style: ListingStyle, want: &[u8]) {
        let mut listing = Listing::new(path.into(), files, style);
        let made = std::iter::from_fn(|| listing.next_part()).collect::<Vec<_>>().concat();
        for (ours, theirs) in made.lines_with_terminator().zip(want.lines_with_terminator()) {
            assert_eq!(ours.as_bstr(), theirs.as_bstr());
        }
        assert_eq!(made.as_bstr(), want.as_bstr());
    }

    #[test]
    fn listings_are_those_of_nginx() {
        let files = recorded();
        assert!(files.len() > 25);
        let compare = |style, want: &[u8]| compare("/a<b&\"c>/", files.clone(), style, want);
        let html = style(AutoindexFormat::Html);
        compare(html.clone(), include_bytes!("testdata/exact.html"));
        compare(ListingStyle { exact_size: false, ..html.clone() }, include_bytes!("testdata/rounded.html"));
        let is_utf8 = Arc::new(AtomicBool::new(true));
        compare(ListingStyle { offset: 19_800, is_utf8, ..html }, include_bytes!("testdata/utf8.html"));
        compare(style(AutoindexFormat::Json), include_bytes!("testdata/listing.json"));
        let called = ListingStyle { callback: "call.it_1".into(), ..style(AutoindexFormat::Jsonp) };
        compare(called, include_bytes!("testdata/listing.jsonp"));
        compare(style(AutoindexFormat::Xml), include_bytes!("testdata/listing.xml"));
    }

    #[test]
    fn an_empty_directory_is_listed_as_in_nginx() {
        let html = ListingStyle { exact_size: false, ..style(AutoindexFormat::Html) };
        compare("/empty/", Vec::new(), html, include_bytes!("testdata/empty.html"));
        compare("/", Vec::new(), style(AutoindexFormat::Json), b"[\r\n]");
        let called = ListingStyle { callback: "f".into(), ..style(AutoindexFormat::Jsonp) };
        compare("/", Vec::new(), called, b"/* callback */\r\nf([\r\n]);");
        let xml = b"<?xml version=\"1.0\"?>\r\n<list>\r\n</list>\r\n";
        compare("/", Vec::new(), style(AutoindexFormat::Xml), xml);
    }

    fn file(name: &str, size: u64) -> Listed {
        Listed { name: name.into(), is_dir: false, is_file: true, modified: 0, size }
    }

    fn style(format: AutoindexFormat) -> ListingStyle {
        ListingStyle { format, callback: "".into(), exact_size: true, offset: 0, is_utf8: Arc::default() }
    }

    fn text(files: Vec<Listed>, style: ListingStyle) -> (String, usize) {
        let mut listing = Listing::new("/d/".into(), files, style);
        let parts: Vec<_> = std::iter::from_fn(|| listing.next_part()).collect();
        (parts.concat().to_str().unwrap().to_owned(), parts.len())
    }

    #[test]
    fn sizes_are_rounded_as_in_nginx() {
        for (size, want) in [
            (9999, "9999"),
            (10_000, "10K"),
            (10_239, "10K"),
            (10_752, "11K"),
            (1_048_575, "1024K"),
            (1_048_576, "1M"),
            (1_572_864, "2M"),
            (1_572_863, "1M"),
            (3 << 29, "2G"),
        ] {
            assert_eq!(rounded(size), want, "{size}");
        }
    }

    #[test]
    fn a_long_listing_is_made_in_parts_that_fit() {
        let files: Vec<_> = (0..1000).map(|number| file(&format!("f{number:04}"), number)).collect();
        let (json, parts) = text(files.clone(), style(AutoindexFormat::Json));
        assert_eq!(parts, 1000_usize.div_ceil(limits::HTTP_LISTED_AT_ONCE));
        assert_eq!(json.matches(" },\r\n{").count(), 999);
        let (html, _) = text(files, style(AutoindexFormat::Html));
        assert_eq!((html.matches("</a>").count(), html.matches("</html>").count()), (1001, 1));
        let (empty, parts) = text(Vec::new(), style(AutoindexFormat::Json));
        assert_eq!((&empty[..], parts), ("[\r\n]", 1));
    }

    #[test]
    fn a_callback_is_a_name() {
        assert_eq!(callback(b"a.b_1"), Some(BStr::new("a.b_1")));
        assert_eq!(callback(b""), Some(BStr::new("")));
        for invalid in ["a(", "a%41", "<", "a-b", "\u{e4}"] {
            assert_eq!(callback(invalid.as_bytes()), None, "{invalid}");
        }
    }

    #[test]
    fn names_are_cut_by_characters_where_they_are_utf8() {
        let name = "\u{e4}".repeat(60);
        let is_utf8 = Arc::new(AtomicBool::new(true));
        let (listing, _) =
            text(vec![file(&name, 1)], ListingStyle { is_utf8, ..style(AutoindexFormat::Html) });
        assert!(listing.contains(&format!("\">{}..&gt;</a> 01-Jan-1970", "\u{e4}".repeat(47))), "{listing}");
    }
}
