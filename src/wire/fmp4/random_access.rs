//! Index at the end of a file (`mfra`, §8.8.9): where fragments begin that can be decoded alone.

use bytes::Bytes;

use super::boxes::BoxWriter;

/// A fragment whose first sample of the indexed track can be decoded alone. The track must be the first in its `moof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomAccessPoint {
    /// Presentation time of that sample, in ticks of the track.
    pub time: u64,
    /// Offset of the `moof` in the file, in bytes.
    pub moof: u64,
}

/// Writes the index of one track, by its number in the initialisation segment.
pub fn random_access(track: u32, points: &[RandomAccessPoint]) -> Bytes {
    let mut out = BoxWriter(Vec::with_capacity(64 + POINT_SIZE * points.len()));
    out.boxed(b"mfra", |out| {
        out.full(b"tfra", 1, 0, |out| {
            out.u32(track);
            // Numbers of the track, the run and the sample have one byte each.
            out.u32(0);
            out.u32(points.len() as u32);
            for point in points {
                out.u64(point.time);
                out.u64(point.moof);
                out.bytes(&[1, 1, 1]);
            }
        });
        // The size of the whole index, by which readers find it from the end.
        out.full(b"mfro", 0, 0, |out| out.u32(0));
    });
    let size = out.0.len() as u32;
    let end = out.0.len() - 4;
    out.0[end..].copy_from_slice(&size.to_be_bytes());
    out.0.into()
}

const POINT_SIZE: usize = 19;
