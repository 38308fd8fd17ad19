//! What holds for any bytes that a client of HTTP/2 sends behind the preface. Shared by the fuzz target and the replay of its corpus.

use pingosd::limits;
use pingosd::net::http2::hpack::HeadBounds;
use pingosd::net::http2::intake::Intake;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const BOUNDS: HeadBounds = HeadBounds { field: 4096, head: 16 * 1024, fields: 100 };

/// Length of the head of a frame, and the kind of frames that begin a head.
const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;

/// What the server has of a connection.
#[derive(Debug, PartialEq, Eq)]
struct Received {
    /// Why it ends, if it does.
    fault: Option<String>,
    /// Names and values of each head.
    heads: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// Heads and faults are the same however the bytes arrive, and what goes on is whole frames within their bound.
pub fn frames(bytes: &[u8]) {
    let whole = receive(bytes, bytes.len().max(1));
    for piece in [1, 2, 7, 100] {
        assert_eq!(receive(bytes, piece), whole, "in pieces of {piece}");
    }
}

fn receive(bytes: &[u8], piece: usize) -> Received {
    let (mut intake, mut passed) = (Intake::new(BOUNDS), Vec::new());
    intake.take(PREFACE, &mut passed).expect("it is the preface");
    let mut parts = bytes.chunks(piece);
    let fault = parts.find_map(|part| intake.take(part, &mut passed).err());
    let mut heads = Vec::new();
    let mut rest = passed.strip_prefix(PREFACE).expect("it goes on");
    while let [a, b, c, kind, _, stream @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        assert!(u64::from(length) <= limits::HTTP2_FRAME);
        let stream = stream.first_chunk().map(|number| u32::from_be_bytes(*number));
        if let Some(head) = stream.filter(|_| *kind == HEADERS).and_then(|stream| intake.take_head(stream)) {
            let fields = head.fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
            heads.push(fields.collect());
        }
        rest = rest.get(FRAME_HEAD + length as usize..).unwrap_or_default();
    }
    Received { fault: fault.map(|fault| fault.to_string()), heads }
}
