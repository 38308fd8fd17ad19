//! Initialisation segments: `ftyp` and `moov` without samples.

use bytes::Bytes;

use super::boxes::BoxWriter;
use super::config::{MPEG1_RATE, TrackCodec, TrackConfig};

/// Unit matrix of a movie and of a track.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
/// Ticks per second of the movie header, which has no duration.
const MOVIE_TIMESCALE: u32 = 1_000;
/// Language `und`, five bits a letter.
const UNDETERMINED: u16 = 0x55C4;
/// 72 dpi as 16.16.
const RESOLUTION: u32 = 0x0048_0000;

/// Writes the initialisation segment of these tracks, which have the numbers 1, 2 ….
pub fn init_segment(tracks: &[&TrackConfig]) -> Bytes {
    write(&numbered(tracks), false).0.into()
}

/// Writes the initialisation segment of tracks with these numbers, from 1.
pub fn numbered_init_segment(tracks: &[(u32, &TrackConfig)]) -> Bytes {
    write(tracks, false).0.into()
}

/// Beginning of a file that is written to its end.
#[derive(Clone, Debug)]
pub struct FileHead {
    /// Its bytes: an initialisation segment.
    pub bytes: Bytes,
    /// Offset of the file's duration: four bytes, in milliseconds; 0 until it is known.
    pub duration_at: usize,
}

/// Writes the beginning of a file with these tracks, which have the numbers 1, 2 ….
pub fn file_head(tracks: &[&TrackConfig]) -> FileHead {
    let bytes = write(&numbered(tracks), true).0;
    let mehd = bytes.windows(4).rposition(|kind| kind == b"mehd").expect("the head has the box");
    FileHead { duration_at: mehd + 8, bytes: bytes.into() }
}

fn numbered<'t>(tracks: &[&'t TrackConfig]) -> Vec<(u32, &'t TrackConfig)> {
    (1..).zip(tracks.iter().copied()).collect()
}

fn write(tracks: &[(u32, &TrackConfig)], has_duration: bool) -> BoxWriter {
    let mut out = BoxWriter::default();
    out.boxed(b"ftyp", |out| {
        out.bytes(b"iso6");
        out.u32(0);
        out.bytes(b"iso6mp41");
        // A CMAF header has one track.
        if tracks.len() == 1 {
            out.bytes(b"cmfcdash");
        }
    });
    out.boxed(b"moov", |out| {
        out.full(b"mvhd", 0, 0, |out| {
            out.zeros(8);
            out.u32(MOVIE_TIMESCALE);
            out.u32(0);
            out.u32(0x1_0000);
            out.u16(0x100);
            out.zeros(10);
            MATRIX.iter().for_each(|number| out.u32(*number));
            out.zeros(24);
            out.u32(tracks.iter().map(|(id, _)| *id).max().unwrap_or(0) + 1);
        });
        for &(id, track) in tracks {
            out.boxed(b"trak", |out| write_track(id, track, out));
        }
        out.boxed(b"mvex", |out| {
            if has_duration {
                out.full(b"mehd", 0, 0, |out| out.u32(0));
            }
            for &(id, _) in tracks {
                out.full(b"trex", 0, 0, |out| [id, 1, 0, 0, 0].iter().for_each(|number| out.u32(*number)));
            }
        });
    });
    out
}

fn write_track(id: u32, track: &TrackConfig, out: &mut BoxWriter) {
    // Enabled, in the movie, in the preview.
    out.full(b"tkhd", 0, 7, |out| {
        out.zeros(8);
        out.u32(id);
        out.zeros(8 + 8 + 4);
        out.u16(if track.is_video() { 0 } else { 0x100 });
        out.u16(0);
        MATRIX.iter().for_each(|number| out.u32(*number));
        out.u32(u32::from(track.width) << 16);
        out.u32(u32::from(track.height) << 16);
    });
    out.boxed(b"mdia", |out| {
        out.full(b"mdhd", 0, 0, |out| {
            out.zeros(8);
            out.u32(track.timescale);
            out.u32(0);
            out.u16(UNDETERMINED);
            out.u16(0);
        });
        out.full(b"hdlr", 0, 0, |out| {
            out.u32(0);
            out.bytes(if track.is_video() { b"vide" } else { b"soun" });
            out.zeros(12);
            out.bytes(if track.is_video() { b"video\0" } else { b"audio\0" });
        });
        out.boxed(b"minf", |out| {
            if track.is_video() {
                out.full(b"vmhd", 0, 1, |out| out.zeros(8));
            } else {
                out.full(b"smhd", 0, 0, |out| out.zeros(4));
            }
            out.boxed(b"dinf", |out| {
                out.full(b"dref", 0, 0, |out| {
                    out.u32(1);
                    // The media is in this file.
                    out.full(b"url ", 0, 1, |_| {});
                });
            });
            out.boxed(b"stbl", |out| {
                out.full(b"stsd", 0, 0, |out| {
                    out.u32(1);
                    write_sample_entry(track, out);
                });
                for (table, counts) in [(b"stts", 1), (b"stsc", 1), (b"stsz", 2), (b"stco", 1)] {
                    out.full(table, 0, 0, |out| out.zeros(4 * counts));
                }
            });
        });
    });
}

fn write_sample_entry(track: &TrackConfig, out: &mut BoxWriter) {
    let (entry, config) = match track.codec {
        TrackCodec::Avc => (b"avc1", b"avcC"),
        TrackCodec::Hevc => (b"hvc1", b"hvcC"),
        TrackCodec::Av1 => (b"av01", b"av1C"),
        TrackCodec::Aac | TrackCodec::Mp3 => (b"mp4a", b"esds"),
        TrackCodec::Opus => (b"Opus", b"dOps"),
        TrackCodec::Ac3 => (b"ac-3", b"dac3"),
        TrackCodec::Eac3 => (b"ec-3", b"dec3"),
        TrackCodec::Flac => (b"fLaC", b"dfLa"),
    };
    out.boxed(entry, |out| {
        out.zeros(6);
        out.u16(1);
        if track.is_video() {
            out.zeros(16);
            out.u16(track.width);
            out.u16(track.height);
            out.u32(RESOLUTION);
            out.u32(RESOLUTION);
            out.u32(0);
            out.u16(1);
            out.zeros(32);
            out.u16(24);
            out.u16(0xFFFF);
        } else {
            out.zeros(8);
            out.u16(track.channels.into());
            out.u16(16);
            out.u32(0);
            // 16.16; a higher rate is told by the codec's record.
            out.u32(track.timescale.try_into().map_or(0, |rate: u16| u32::from(rate) << 16));
        }
        match track.codec {
            TrackCodec::Aac => out.full(config, 0, 0, |out| write_descriptor(0x40, &track.record, out)),
            TrackCodec::Mp3 => {
                let object_type = if track.timescale >= MPEG1_RATE { 0x6B } else { 0x69 };
                out.full(config, 0, 0, |out| write_descriptor(object_type, &[], out));
            }
            TrackCodec::Flac => out.full(config, 0, 0, |out| out.bytes(&track.record)),
            _ => out.boxed(config, |out| out.bytes(&track.record)),
        }
    });
}

/// Writes an ES descriptor (ISO/IEC 14496-1 §7.2.6.5) with this object type and decoder configuration.
fn write_descriptor(object_type: u8, config: &[u8], out: &mut BoxWriter) {
    let config_size = if config.is_empty() { 0 } else { DESCRIPTOR_HEAD + config.len() };
    let decoder_size = 13 + config_size;
    descriptor(3, 3 + DESCRIPTOR_HEAD + decoder_size + DESCRIPTOR_HEAD + 1, out);
    out.u16(0);
    out.u8(0);
    descriptor(4, decoder_size, out);
    out.u8(object_type);
    // Audio stream.
    out.u8(0x15);
    out.zeros(3 + 4 + 4);
    if !config.is_empty() {
        descriptor(5, config.len(), out);
        out.bytes(config);
    }
    descriptor(6, 1, out);
    out.u8(2);
}

/// Tag and size of a descriptor, seven bits a byte.
fn descriptor(tag: u8, size: usize, out: &mut BoxWriter) {
    out.u8(tag);
    for (shift, more) in [(21, 0x80), (14, 0x80), (7, 0x80), (0, 0)] {
        out.u8((size >> shift & 0x7F) as u8 | more);
    }
}

const DESCRIPTOR_HEAD: usize = 5;
