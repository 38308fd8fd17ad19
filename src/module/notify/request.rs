//! The request target of a callback, as the original's servers expect it.

/// Which event a callback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// An RTMP connection.
    Connect,
    /// A player.
    Play,
    /// A publisher.
    Publish,
    /// A stream: from its first session to its last.
    Stream,
    /// A relay from another server.
    Pull,
    /// A relay to another server.
    Push,
    /// Codec headers of a publisher.
    Meta,
    /// The recording of a stream as MPEG-TS.
    Record,
}

impl Call {
    /// The word in `call=`.
    pub fn name(self) -> &'static str {
        match self {
            Call::Connect => "connect",
            Call::Play => "play",
            Call::Publish => "publish",
            Call::Stream => "stream",
            Call::Pull => "pull",
            Call::Push => "push",
            Call::Meta => "meta",
            Call::Record => "record",
        }
    }
}

/// Stage of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// It begins; the answer decides.
    Start,
    /// It goes on.
    Update,
    /// It has ended.
    Done,
}

impl Act {
    /// The word in `act=`.
    pub fn name(self) -> &'static str {
        match self {
            Act::Start => "start",
            Act::Update => "update",
            Act::Done => "done",
        }
    }
}

/// The parameters every session event begins with.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `domain=`.
    pub domain: &'a [u8],
    /// `app=`.
    pub app: &'a [u8],
    /// `name=`.
    pub name: &'a [u8],
    /// `clientid=`.
    pub clientid: u64,
    /// What `record` tells beside, such as [`record_fields`]; empty for other events.
    pub fields: &'a str,
}

/// Writes path and query of a session event: `call, act, domain, app, name, clientid`, then `groupid`, then the
/// expanded `args`, in the original's order (first seed; behaviour as recorded).
///
/// `path` may have a query of its own. Values go out as they are, except for bytes that cannot stand in a
/// request target: see [`push_value`].
pub fn session_target(
    path: &[u8],
    call: Call,
    act: Act,
    subject: Subject<'_>,
    groupid: Option<&[u8]>,
    args: &[u8],
) -> String {
    let mut out = begin(path);
    out.push_str("call=");
    out.push_str(call.name());
    out.push_str("&act=");
    out.push_str(act.name());
    for (key, value) in [("domain", subject.domain), ("app", subject.app), ("name", subject.name)] {
        out.push('&');
        out.push_str(key);
        out.push('=');
        push_value(&mut out, value);
    }
    out.push_str(&format!("&clientid={}", subject.clientid));
    if !subject.fields.is_empty() {
        out.push('&');
        out.push_str(subject.fields);
    }
    if let Some(groupid) = groupid {
        out.push_str("&groupid=");
        push_value(&mut out, groupid);
    }
    push_args(&mut out, args);
    out
}

/// The fields of a recording: when it began and ended, in milliseconds since 1970, and its files.
pub fn record_fields(begin_ms: u64, end_ms: u64, index: &[u8], file: &[u8]) -> String {
    let mut out = format!("begintime={begin_ms}&endtime={end_ms}&index=");
    push_value(&mut out, index);
    out.push_str("&file=");
    push_value(&mut out, file);
    out
}

/// `call=init_process&worker_id=N`: once per worker when the server starts (second seed).
pub fn process_target(path: &[u8], worker: usize) -> String {
    let mut out = begin(path);
    out.push_str(&format!("call=init_process&worker_id={worker}"));
    out
}

/// `call=init_master&act=...`: once, and with updates where configured.
pub fn master_target(path: &[u8], act: Act, args: &[u8]) -> String {
    let mut out = begin(path);
    out.push_str("call=init_master&act=");
    out.push_str(act.name());
    push_args(&mut out, args);
    out
}

fn begin(path: &[u8]) -> String {
    let mut out = String::with_capacity(192);
    push_value(&mut out, path);
    if !out.starts_with('/') {
        out.insert(0, '/');
    }
    out.push(if path.contains(&b'?') { '&' } else { '?' });
    out
}

fn push_args(out: &mut String, args: &[u8]) {
    if !args.is_empty() {
        out.push('&');
        push_value(out, args);
    }
}

/// Appends bytes of a peer or of the configuration to a request target.
///
/// The original sends them raw, and so do we, except for what would break the request line or a strict
/// server's parser: control bytes, blank, `#`, quotes, angle brackets and the like and all bytes from 0x80 up
/// are percent-encoded. Percent signs are left alone: `%20` stays `%20`.
pub(crate) fn push_value(out: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &b in bytes {
        match b {
            0..=b' ' | b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x7F.. => {
                out.push('%');
                out.push(char::from(HEX[usize::from(b >> 4)]));
                out.push(char::from(HEX[usize::from(b & 15)]));
            }
            _ => out.push(char::from(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> = Subject { domain: b"h", app: b"live", name: b"s1", clientid: 7, fields: "" };

    #[test]
    fn parameters_stand_in_the_original_order() {
        let target = session_target(b"/cb", Call::Publish, Act::Start, SUBJECT, Some(b"g"), b"a=1&b=2");
        assert_eq!(
            target,
            "/cb?call=publish&act=start&domain=h&app=live&name=s1&clientid=7&groupid=g&a=1&b=2"
        );
    }

    #[test]
    fn fields_of_a_recording_stand_before_the_group() {
        let fields = record_fields(1, 2, b"/r/i x.m3u8", b"/r/f.ts");
        let subject = Subject { fields: &fields, ..SUBJECT };
        let target = session_target(b"/cb", Call::Record, Act::Done, subject, Some(b"g"), b"a=1");
        let want = "/cb?call=record&act=done&domain=h&app=live&name=s1&clientid=7\
                    &begintime=1&endtime=2&index=/r/i%20x.m3u8&file=/r/f.ts&groupid=g&a=1";
        assert_eq!(target, want);
    }

    #[test]
    fn a_url_with_a_query_is_joined_with_an_ampersand() {
        assert_eq!(process_target(b"/p?own=1", 3), "/p?own=1&call=init_process&worker_id=3");
        assert_eq!(master_target(b"/m?own=1", Act::Start, b"x=1"), "/m?own=1&call=init_master&act=start&x=1");
    }

    #[test]
    fn a_peer_cannot_break_the_request_line() {
        let subject = Subject { name: b"a b\r\nX: y#z%20\xE9", ..SUBJECT };
        let target = session_target(b"", Call::Play, Act::Done, subject, None, b"");
        assert_eq!(
            target,
            "/?call=play&act=done&domain=h&app=live&name=a%20b%0D%0AX:%20y%23z%20%E9&clientid=7"
        );
    }
}
