//! Request target of a callback, in PingOS's format.

use super::conf::EventKind;
pub use super::escape::QueryEscape;
pub(crate) use super::escape::{push_single, push_value};
pub use super::field::{FieldValue, RECORD_FIELDS, RecordFields, SESSION_FIELDS};
use super::process_event::{SERVER_EVENT, WORKER_EVENT};
pub use super::stage::Stage;

/// Fields of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionFields<'a> {
    /// `domain=`.
    pub domain: &'a [u8],
    /// `app=`.
    pub app: &'a [u8],
    /// `name=`.
    pub name: &'a [u8],
    /// `clientid=`.
    pub clientid: u64,
    /// Values of the event's later fields, in order; empty at `start`.
    pub later: &'a [FieldValue],
}

/// Path and query of a session event: the fields of the event, then `groupid`, then the expanded `args`, in PingOS's
/// order as recorded.
///
/// `path` may have a query, and `args` is a query: in these, only bytes that are invalid in a request target are
/// encoded, see `push_value`. All other values are single ones: see `push_single`.
pub fn session_target(
    path: &[u8],
    event: EventKind,
    stage: Stage,
    fields: SessionFields<'_>,
    groupid: Option<&[u8]>,
    args: &[u8],
    escape: QueryEscape,
) -> String {
    let mut out = begin(path);
    let clientid = fields.clientid.to_string();
    let values = [
        event.name().as_bytes(),
        stage.name().as_bytes(),
        fields.domain,
        fields.app,
        fields.name,
        clientid.as_bytes(),
    ];
    let mut separator = "";
    for (key, value) in SESSION_FIELDS.into_iter().zip(values) {
        push_field(&mut out, separator, key, value, escape);
        separator = "&";
    }
    for (key, value) in event.row().later.iter().zip(fields.later) {
        match value {
            FieldValue::Number(number) => {
                push_field(&mut out, separator, key, number.to_string().as_bytes(), escape);
            }
            FieldValue::Text(text) => push_field(&mut out, separator, key, text, escape),
        }
    }
    if let Some(groupid) = groupid {
        push_field(&mut out, separator, "groupid", groupid, escape);
    }
    push_args(&mut out, args);
    out
}

/// `call=init_process&worker_id=N`: once per worker at the start.
pub fn process_target(path: &[u8], worker: usize) -> String {
    let mut out = begin(path);
    out.push_str(&format!("call={}&worker_id={worker}", WORKER_EVENT.call));
    out
}

/// `call=init_master&act=...`: once, and with updates if configured.
pub fn master_target(path: &[u8], stage: Stage, args: &[u8]) -> String {
    let mut out = begin(path);
    out.push_str(&format!("call={}&act={}", SERVER_EVENT.call, stage.name()));
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

fn push_field(out: &mut String, separator: &str, key: &str, value: &[u8], escape: QueryEscape) {
    out.push_str(separator);
    out.push_str(key);
    out.push('=');
    push_single(out, value, escape);
}

fn push_args(out: &mut String, args: &[u8]) {
    if !args.is_empty() {
        out.push('&');
        push_value(out, args);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: SessionFields<'_> =
        SessionFields { domain: b"h", app: b"live", name: b"s1", clientid: 7, later: &[] };

    #[test]
    fn parameters_stand_in_the_original_order() {
        let target = session_target(
            b"/cb",
            EventKind::Publish,
            Stage::Start,
            FIELDS,
            Some(b"g"),
            b"a=1&b=2",
            QueryEscape::Minimal,
        );
        assert_eq!(
            target,
            "/cb?call=publish&act=start&domain=h&app=live&name=s1&clientid=7&groupid=g&a=1&b=2"
        );
    }

    #[test]
    fn fields_of_a_recording_stand_before_the_group() {
        let (index, file) = (b"/r/i x.m3u8".to_vec(), b"/r/f.ts".to_vec());
        let record = Vec::from(RecordFields { begin_ms: 1, end_ms: 2, index, file });
        let fields = SessionFields { later: &record, ..FIELDS };
        let target = session_target(
            b"/cb",
            EventKind::Record,
            Stage::Done,
            fields,
            Some(b"g"),
            b"a=1",
            QueryEscape::Minimal,
        );
        let want = "/cb?call=record&act=done&domain=h&app=live&name=s1&clientid=7\
                    &begintime=1&endtime=2&index=/r/i%20x.m3u8&file=/r/f.ts&groupid=g&a=1";
        assert_eq!(target, want);
    }

    #[test]
    fn a_url_with_a_query_is_joined_with_an_ampersand() {
        assert_eq!(process_target(b"/p?own=1", 3), "/p?own=1&call=init_process&worker_id=3");
        assert_eq!(
            master_target(b"/m?own=1", Stage::Start, b"x=1"),
            "/m?own=1&call=init_master&act=start&x=1"
        );
    }

    #[test]
    fn a_peer_cannot_break_the_request_line() {
        let fields = SessionFields { name: b"a b\r\nX: y#z%20\xE9", ..FIELDS };
        let target =
            session_target(b"", EventKind::Play, Stage::Done, fields, None, b"", QueryEscape::Minimal);
        assert_eq!(
            target,
            "/?call=play&act=done&domain=h&app=live&name=a%20b%0D%0AX:%20y%23z%20%E9&clientid=7"
        );
    }

    #[test]
    fn a_single_value_stays_single_and_a_query_stays_a_query() {
        let single = |text: &[u8], escape| {
            let mut out = String::new();
            push_single(&mut out, text, escape);
            out
        };
        let minimal = |text: &[u8]| single(text, QueryEscape::Minimal);
        assert_eq!(minimal(b"a&name=vip#x"), "a%26name=vip%23x");
        assert_eq!(minimal(b"a%20b%26+c/:@?=;,"), "a%20b%26+c/:@?=;,");
        for (raw, want) in
            [("%", "%25"), ("%4", "%254"), ("%4g", "%254g"), ("%%41", "%25%41"), ("100%&", "100%25%26")]
        {
            assert_eq!(minimal(raw.as_bytes()), want);
        }
        assert_eq!(single(b"a+b%20c/d-._~&\xE9", QueryEscape::Strict), "a%2Bb%2520c%2Fd-._~%26%E9");
        let fields = SessionFields { domain: b"h&1", app: b"l&2", name: b"n&3", ..FIELDS };
        let target = session_target(
            b"/?a&b",
            EventKind::Play,
            Stage::Start,
            fields,
            Some(b"g&4"),
            b"x=%&y=1",
            QueryEscape::Minimal,
        );
        let want =
            "/?a&b&call=play&act=start&domain=h%261&app=l%262&name=n%263&clientid=7&groupid=g%264&x=%&y=1";
        assert_eq!(target, want);
    }
}
