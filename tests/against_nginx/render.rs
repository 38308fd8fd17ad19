//! Results as text in which nothing stands that must differ between the two servers.
//!
//! A response is its status line, its headers, an empty line and the body; `=== closed` or `=== kept` says what became
//! of the connection, with the response to the probe after it. Bytes that are not printable are escaped as `\x00`; a long body
//! is shown by its beginning, its length and its checksum.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use pcre2::bytes::Regex;

use crate::side::Which;
use crate::talk::{Answer, Talk, find};

/// Longer bodies are shown by their beginning.
const SHOWN: usize = 6000;

/// Farther from the date of the response, `Expires` is not counted from it.
const COUNTED: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// `expires -…` goes back from the date of the response by less than this.
const COUNTED_BACK: Duration = Duration::from_secs(3 * 24 * 3600);

/// What stands for a server's own words.
pub struct Names {
    /// Its name and version, as in `Server`.
    pub product: String,
    /// Its name, as in `Server` with `server_tokens off`.
    pub name: String,
    /// What it has of its own (paths, addresses), and what stands for it.
    pub own: Vec<(String, String)>,
}

/// A length that differs from what it stands for.
pub struct Length {
    status: u16,
    /// The line of the request.
    asked: String,
    sent: usize,
    /// What is compared.
    stands: String,
}

/// Renders what one server did with the exchanges of an entry.
pub struct Renderer<'a> {
    pub names: &'a Names,
    pub masks: &'a [(Regex, &'static str)],
    /// What of the length of a page that HEAD did not get is not counted: the name that stands in it.
    pub uncounted: usize,
    pub bodies: Vec<Length>,
    pub totals: Vec<Length>,
}

impl Renderer<'_> {
    /// The result of an exchange.
    pub fn exchange(&mut self, talk: &Talk) -> String {
        let mut out = String::new();
        for (number, answer) in talk.answers.iter().enumerate() {
            if talk.before_probe == Some(number) {
                out.push_str("=== kept\n");
            }
            self.answer(answer, &mut out);
        }
        out.push_str(match (talk.is_silent, talk.before_probe) {
            (true, _) => "=== silent\n",
            (false, Some(count)) if count < talk.answers.len() => "=== then closed\n",
            (false, _) => "=== closed\n",
        });
        out
    }

    fn answer(&mut self, answer: &Answer, out: &mut String) {
        let mut body = answer.body.clone();
        // What of the length of a body is not compared: how it is compressed or cut into chunks.
        let mut coding = if answer.body.len() == answer.wire.1 { "" } else { "chunks" };
        // One with another encoding that `add_header` adds is compressed, too.
        let mut encodings =
            answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-encoding"));
        if encodings.any(|(_, value)| value == b"gzip") && !body.is_empty() {
            body = gunzip(&body);
            coding = "gz";
        }
        let boundary = boundary(answer);
        if let Some(boundary) = &boundary {
            body = replace(&body, boundary, b"BOUNDARY");
        }
        let before = body.len();
        for (name, neutral) in [(&self.names.product, "PRODUCT"), (&self.names.name, "NAME")] {
            let pages = [name, neutral].map(|name| format!("<center>{name}</center>").into_bytes());
            body = replace(&body, &pages[0], &pages[1]);
        }
        let is_page = body.len() != before;
        let length = body.len();
        body = self.neutral(&body);

        out.push_str(&escape(&answer.line));
        out.push('\n');
        let date = answer.header("date").and_then(date);
        let mut head_change = 0;
        for (name, value) in answer.headers.clone() {
            let mut value = value;
            match name.to_ascii_lowercase().as_slice() {
                b"server" => {
                    for (own, neutral) in [(&self.names.product, "PRODUCT"), (&self.names.name, "NAME")] {
                        if value == own.as_bytes() {
                            head_change += value.len();
                            value = neutral.into();
                        }
                    }
                }
                b"date" if date.is_some() => value = b"DATE".to_vec(),
                b"expires" => value = expires(&value, date),
                b"content-type" => {
                    if let Some(boundary) = &boundary {
                        value = replace(&value, boundary, b"BOUNDARY");
                    }
                }
                b"content-length" if is_page && value == answer.body.len().to_string().as_bytes() => {
                    value = length.to_string().into_bytes();
                }
                b"content-length" if answer.is_head && answer.status() >= 300 => {
                    let count: usize = String::from_utf8_lossy(&value).parse().unwrap_or(0);
                    value = count.saturating_sub(self.uncounted).to_string().into_bytes();
                }
                _ => {}
            }
            out.push_str(&format!("{}: {}\n", escape(&name), escape(&self.neutral(&value))));
        }
        let stands =
            |sent, stands| Length { status: answer.status(), asked: logged(&answer.asked), sent, stands };
        let total = answer.wire.0 + answer.wire.1;
        if coding.is_empty() {
            self.bodies.push(stands(answer.wire.1, length.to_string()));
            self.totals
                .push(stands(total, format!("~{}", (answer.wire.0 + length).saturating_sub(head_change))));
        } else {
            self.bodies.push(stands(answer.wire.1, format!("{coding}{length}")));
            self.totals.push(stands(total, format!("~{coding}{length}")));
        }
        out.push('\n');
        if body.len() > SHOWN {
            out.push_str(&escape(&body[..SHOWN / 2]));
            out.push_str(&format!("\n... {} bytes, checksum {:016x}\n", body.len(), checksum(&body)));
        } else if !body.is_empty() {
            out.push_str(&escape(&body));
            if !body.ends_with(b"\n") {
                out.push_str("(no line end)\n");
            }
        }
        for line in &answer.trailers {
            out.push_str(&format!("trailer {}\n", escape(&self.neutral(line))));
        }
        if let Some(fault) = answer.fault {
            out.push_str(&format!("!!! {fault}\n"));
        }
    }

    /// The lines of an access log, sorted: the order in which connections end is no one's promise.
    pub fn log(&self, bytes: &[u8]) -> String {
        let mut lines: Vec<String> = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                let line = escape(&self.neutral(line));
                let line = even(line, "body=", &self.bodies);
                even(line, "sent=", &self.totals)
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }

    /// The lines of an error log, sorted, without times and numbers of processes and connections. nginx writes bytes of clients as
    /// they are.
    pub fn errors(&self, bytes: &[u8], which: Which) -> String {
        let begins =
            Regex::new(r"^\d{4}/\d\d/\d\d [\d:]{8} (\[\w+\]) \d+#\d+: (\*\d+ )?").expect("it is valid");
        let excess = Regex::new(r"(?<=excess: )[\d.]+").expect("it is valid");
        let number = Regex::new(r"(?<=/temp/client_body/|/temp/proxy/)[\d/]+").expect("it is valid");
        let mut lines: Vec<String> = Vec::new();
        for line in self.neutral(bytes).split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let found = begins.captures(line).expect("a line can be searched");
            let text = match which {
                Which::Nginx => logged_by_nginx(found.as_ref().map_or(line, |found| &line[found[0].len()..])),
                // nginx does not escape quotation marks.
                Which::Ours => escape(found.as_ref().map_or(line, |found| &line[found[0].len()..]))
                    .replace("\\x22", "\""),
            };
            match found {
                Some(found) => lines.push(format!("{} {text}", escape(&found[1]))),
                None => lines.last_mut().expect("a log begins with a line").push_str(&format!("\\x0A{text}")),
            }
        }
        for line in &mut lines {
            if let Some(found) = number.find(line.as_bytes()).expect("a line can be searched") {
                line.replace_range(found.start()..found.end(), "N");
            }
            if let Some(found) = excess.find(line.as_bytes()).expect("a line can be searched") {
                line.replace_range(found.start()..found.end(), "N");
            }
            *line = line.chars().take(LOGGED).collect();
        }
        lines.sort();
        lines.join("\n")
    }

    /// Without paths, addresses and what the entry masks.
    fn neutral(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for (own, neutral) in &self.names.own {
            bytes = replace(&bytes, own.as_bytes(), neutral.as_bytes());
        }
        let boundary = Regex::new("(?<=boundary=)[0-9]{20}").expect("the pattern is valid");
        for (pattern, replacement) in self.masks.iter().chain([&(boundary, "BOUNDARY")]) {
            let mut out = Vec::with_capacity(bytes.len());
            let mut last = 0;
            for found in pattern.find_iter(&bytes).flatten() {
                out.extend_from_slice(&bytes[last..found.start()]);
                out.extend_from_slice(replacement.as_bytes());
                last = found.end();
            }
            out.extend_from_slice(&bytes[last..]);
            bytes = out;
        }
        bytes
    }
}

/// A result with the headers of each response sorted by name.
pub fn by_name(result: &str) -> String {
    let mut lines: Vec<&str> = result.split_inclusive('\n').collect();
    let mut at = 0;
    while at < lines.len() {
        let is_head = lines[at].starts_with("HTTP/");
        at += 1;
        let end = lines[at..].iter().position(|line| *line == "\n").map_or(lines.len(), |more| at + more);
        if is_head {
            lines[at..end].sort_by_key(|line| line.split(':').next().map(str::to_ascii_lowercase));
            at = end;
        }
    }
    lines.concat()
}

/// Puts what is compared in the place of a length that was sent.
fn even(line: String, field: &str, lengths: &[Length]) -> String {
    let Some(count) = number(&line, field) else { return line };
    let status = number(&line, "status=");
    // The status that is logged may be another than the one that was sent, and a line that is too long is cut.
    let is_asked = |length: &&Length| line.contains(&format!("\"{}\"", length.asked));
    let has_status = |length: &&Length| Some(usize::from(length.status)) == status;
    let of_count = || lengths.iter().filter(|length| length.sent == count);
    let found = of_count().filter(is_asked).find(has_status).or_else(|| of_count().find(is_asked));
    match found.or_else(|| of_count().find(|length| has_status(length) || length.status == 0)) {
        Some(Length { sent, stands, .. }) => {
            line.replacen(&format!("{field}{sent}"), &format!("{field}{stands}"), 1)
        }
        None => line,
    }
}

fn number(line: &str, field: &str) -> Option<usize> {
    let rest = line.split(' ').find_map(|word| word.strip_prefix(field))?;
    rest.parse().ok()
}

/// The boundary of a multipart response.
fn boundary(answer: &Answer) -> Option<Vec<u8>> {
    let value = answer.header("content-type")?;
    let value = value.strip_prefix(b"multipart/byteranges; boundary=")?;
    (!value.is_empty()).then(|| value.to_vec())
}

/// `Expires` as it is counted: from the date of the response, or not at all.
fn expires(value: &[u8], from: Option<SystemTime>) -> Vec<u8> {
    let (Some(until), Some(from)) = (date(value), from) else { return value.to_vec() };
    match (until.duration_since(from), from.duration_since(until)) {
        (Ok(ahead), _) if ahead < COUNTED => format!("DATE+{}", ahead.as_secs()).into_bytes(),
        (_, Ok(back)) if back < COUNTED_BACK => format!("DATE-{}", back.as_secs()).into_bytes(),
        _ => value.to_vec(),
    }
}

fn date(value: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(value).ok()?;
    let time = httpdate::parse_http_date(text).ok()?;
    (httpdate::fmt_http_date(time) == text).then_some(time)
}

/// What was compressed, or the bytes themselves after a word about them.
fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new("gzip");
    command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("gzip can be run");
    let mut input = child.stdin.take().expect("gzip has an input");
    let bytes = bytes.to_vec();
    let feed = std::thread::spawn(move || {
        let _ = input.write_all(&bytes);
        bytes
    });
    let output = child.wait_with_output().expect("gzip ends");
    let bytes = feed.join().expect("nothing panics there");
    if output.status.success() { output.stdout } else { [b"(not gzip) ", &bytes[..]].concat() }
}

/// Every `part` replaced.
pub fn replace(bytes: &[u8], part: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = find(rest, part) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(with);
        rest = &rest[at + part.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// nginx cuts lines of the error log; so many characters are compared.
const LOGGED: usize = 1100;

/// A line of nginx's error log with what our server escapes in names and values; what nginx escapes itself is as it was.
fn logged_by_nginx(line: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match (byte, behind) {
            (b'\\', [b'x', high, low, b'.', b'.', b'.', ..]) => {
                out.push_str(&format!("\\x{}{}", char::from(*high), char::from(*low)));
                rest = &behind[3..];
            }
            (0..=0x1f | 0x7f..=0xff | b'\\', _) => out.push_str(&format!("\\x{byte:02X}")),
            _ => out.push(char::from(*byte)),
        }
    }
    out
}

/// A request line as access logs have it.
pub fn logged(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        match byte {
            0..=0x1f | 0x7f..=0xff | b'"' | b'\\' => out.push_str(&format!("\\x{byte:02X}")),
            byte => out.push(char::from(*byte)),
        }
        out
    })
}

/// Printable, with the ends of lines where they were.
fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for part in bytes.utf8_chunks() {
        for char in part.valid().chars() {
            match char {
                '\n' => out.push(char),
                '\r' => out.push_str("\\r"),
                '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\x{:02x}", char as u32)),
                _ => out.push(char),
            }
        }
        for byte in part.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}
