//! Fragments: a `moof` that describes samples, and an `mdat` with their bytes.

use bytes::Bytes;

use super::boxes::BoxWriter;
use super::packager::Sample;

/// Samples of one track that follow one another.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Number of the track in its initialisation segment, from 1.
    pub track: u32,
    /// The samples; none is written without samples.
    pub samples: &'a [Sample],
}

/// Flags of samples that can be decoded alone, and of others (§8.8.3.1).
const SYNC: u32 = 0x0200_0000;
const DEPENDENT: u32 = 0x0101_0000;

/// Data offsets count from the `moof`, and samples have these flags unless told otherwise (§8.8.7).
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
const DEFAULT_FLAGS: u32 = 0x20;

/// Fields of a run (§8.8.8): offset of the data; duration, size, flags and composition offset of each sample.
const DATA_OFFSET: u32 = 0x001;
const DURATIONS: u32 = 0x100;
const SIZES: u32 = 0x200;
const FLAGS: u32 = 0x400;
const COMPOSITION: u32 = 0x800;

/// Size of a box's head.
const HEAD: usize = 8;

/// Begins a segment that follows an initialisation segment.
pub fn segment_type() -> Bytes {
    Bytes::from_static(b"\0\0\0\x18stypmsdh\0\0\0\0msdhcmfs")
}

/// Writes a fragment; `sequence` grows from fragment to fragment.
pub fn fragment(sequence: u32, runs: &[Run<'_>]) -> Bytes {
    let runs: Vec<&Run<'_>> = runs.iter().filter(|run| !run.samples.is_empty()).collect();
    let size_of = |run: &Run<'_>| run.samples.iter().map(|sample| sample.data.len()).sum::<usize>();
    let payload: usize = runs.iter().map(|run| size_of(run)).sum();
    let samples: usize = runs.iter().map(|run| run.samples.len()).sum();
    let mut out = BoxWriter(Vec::with_capacity(payload + 16 * samples + 128 * (runs.len() + 1)));
    let mut offsets = Vec::new();
    out.boxed(b"moof", |out| {
        out.full(b"mfhd", 0, 0, |out| out.u32(sequence));
        for run in &runs {
            out.boxed(b"traf", |out| offsets.push(write_run(run, out)));
        }
    });
    let mut at = out.0.len() + HEAD;
    for (run, place) in runs.iter().zip(offsets) {
        out.0[place..place + 4].copy_from_slice(&(at as u32).to_be_bytes());
        at += size_of(run);
    }
    out.boxed(b"mdat", |out| {
        for sample in runs.iter().flat_map(|run| run.samples) {
            out.bytes(&sample.data);
        }
    });
    out.0.into()
}

/// Returns where the offset of the data stands.
fn write_run(run: &Run<'_>, out: &mut BoxWriter) -> usize {
    let is_video = run.samples[0].config.is_video();
    out.full(b"tfhd", 0, DEFAULT_BASE_IS_MOOF | DEFAULT_FLAGS, |out| {
        out.u32(run.track);
        out.u32(if is_video { DEPENDENT } else { SYNC });
    });
    out.full(b"tfdt", 1, 0, |out| out.u64(run.samples[0].dts));
    let of_video = if is_video { FLAGS | COMPOSITION } else { 0 };
    let mut place = 0;
    // Version 1: composition offsets are signed.
    out.full(b"trun", 1, DATA_OFFSET | DURATIONS | SIZES | of_video, |out| {
        out.u32(run.samples.len() as u32);
        place = out.0.len();
        out.u32(0);
        for sample in run.samples {
            out.u32(sample.duration);
            out.u32(sample.data.len() as u32);
            if is_video {
                out.u32(if sample.key { SYNC } else { DEPENDENT });
                out.bytes(&sample.cts.to_be_bytes());
            }
        }
    });
    place
}
