//! Formats in which players are sent what is recorded.

use bytes::{Bytes, BytesMut};

use crate::hub::stream::Stream;
use crate::limits;
use crate::media::past::Joining;
use crate::wire::flv::Remuxer;
use crate::wire::mpegts::{Splicer, discontinuities};

/// Converts recorded parts, in order, to what players are sent.
pub(super) trait PartFormat: Send + 'static {
    /// Converts the next bytes.
    fn push(&mut self, bytes: &[u8], out: &mut BytesMut);

    /// Converts what the bytes so far end with; what follows does not continue them.
    fn end_run(&mut self, out: &mut BytesMut);

    /// Converts what the bytes so far end with; the next ones begin with a unit.
    fn flush(&mut self, out: &mut BytesMut);
}

/// A format from which a player can go on with a live stream.
pub(super) trait PastOf: PartFormat + Sync {
    /// Where `stream` goes on behind what was converted; `None` if its cache does not have all that follows. `end_ms` is
    /// the end of the latest part in the time of the publish, `None` if the part is of another publish.
    fn joining(&self, stream: &Stream, end_ms: Option<u64>) -> Option<Joining>;

    /// Where `stream` goes on for a player whose past does not reach its cache.
    fn behind_gap(&self, stream: &Stream, end_ms: Option<u64>) -> Joining;
}

impl PartFormat for Remuxer {
    fn push(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.push(bytes, out);
    }

    fn end_run(&mut self, out: &mut BytesMut) {
        self.end_run(out);
    }

    fn flush(&mut self, out: &mut BytesMut) {
        self.flush(out);
    }
}

/// FLV tags behind the header of a file.
pub(super) fn tags() -> Remuxer {
    Remuxer::without_header(limits::VOD_FRAME_BYTES)
}

impl PastOf for Remuxer {
    fn joining(&self, stream: &Stream, end_ms: Option<u64>) -> Option<Joining> {
        let origin = origin(self, end_ms)?;
        let sent = |time_ms: Option<u64>| time_ms.map(|time_ms| origin.wrapping_add(time_ms as u32));
        let next = stream.continuation(sent(self.seen_ms()), sent(self.heard_ms()))?;
        Some(Joining { next, origin: Some(origin), lead: Bytes::new() })
    }

    fn behind_gap(&self, stream: &Stream, end_ms: Option<u64>) -> Joining {
        let newest = self.newest_ms() as u32;
        let after = origin(self, end_ms).map(|origin| origin.wrapping_add(newest));
        let (next, timestamp) = stream.behind_gap(after);
        let origin = timestamp.wrapping_sub(newest.wrapping_add(GAP_MS));
        Joining { next, origin: Some(origin), lead: Bytes::new() }
    }
}

/// The stream's timestamp of the player's time 0.
fn origin(tags: &Remuxer, end_ms: Option<u64>) -> Option<u32> {
    let end_ms = end_ms?;
    let end = tags.time_of(end_ms)?;
    // Stream timestamps have 32 bits.
    Some((end_ms as u32).wrapping_sub(end as u32))
}

impl PartFormat for Splicer {
    fn push(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.push(bytes, out);
    }

    fn end_run(&mut self, _: &mut BytesMut) {
        self.end_run();
    }

    /// Parts end with whole packets.
    fn flush(&mut self, _: &mut BytesMut) {}
}

/// What is recorded are the pieces of the stream, byte for byte, so that they show where it goes on.
impl PastOf for Splicer {
    fn joining(&self, stream: &Stream, _: Option<u64>) -> Option<Joining> {
        let unit = self.unit()?;
        let next = stream.behind_piece(|piece| unit.begins(piece))?;
        Some(Joining { next, origin: None, lead: Bytes::new() })
    }

    fn behind_gap(&self, stream: &Stream, _: Option<u64>) -> Joining {
        let unit = self.unit();
        let is_last = |piece: &[u8]| unit.is_some_and(|unit| unit.begins(piece));
        let (next, pieces) = stream.behind_piece_gap(is_last);
        Joining { next, origin: None, lead: discontinuities(&pieces) }
    }
}

/// Distance in the player's time between media that does not join.
const GAP_MS: u32 = 40;
