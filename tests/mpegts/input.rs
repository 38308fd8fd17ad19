//! What publishers send, out of files ffmpeg made.

use std::path::Path;

use pingosd::wire::MediaKind;

/// One message of a publisher.
pub struct Frame {
    pub kind: MediaKind,
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

/// The tags of an FLV file.
pub fn flv_frames(path: &Path) -> Vec<Frame> {
    let flv = std::fs::read(path).unwrap();
    let mut rest = &flv[13..];
    let mut frames = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(11) {
        let size = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        let timestamp = u32::from_be_bytes([head[7], head[4], head[5], head[6]]);
        let kind = match head[0] {
            8 => MediaKind::Audio,
            9 => MediaKind::Video,
            _ => MediaKind::Data,
        };
        frames.push(Frame { kind, timestamp, payload: tail[..size].to_vec() });
        rest = &tail[size + 4..];
    }
    frames
}

/// The access units of a byte stream with delimiters, as a publisher of enhanced RTMP sends them.
pub fn hevc_frames(annexb: &[u8]) -> Vec<Frame> {
    let mut units: Vec<Vec<&[u8]>> = Vec::new();
    for nal in nal_units(annexb) {
        match nal[0] >> 1 {
            35 => units.push(Vec::new()),
            _ => units.last_mut().unwrap().push(nal),
        }
    }
    let mut record = vec![1; 21];
    record.extend_from_slice(&[0xff, 3]);
    for kind in 32..=34 {
        let set = units[0].iter().find(|nal| nal[0] >> 1 == kind).unwrap();
        record.extend_from_slice(&[kind, 0, 1]);
        record.extend_from_slice(&(set.len() as u16).to_be_bytes());
        record.extend_from_slice(set);
    }
    let header = Frame { kind: MediaKind::Video, timestamp: 0, payload: [b"\x90hvc1", &record[..]].concat() };
    let frames = units.iter().enumerate().map(|(n, unit)| {
        let key = unit.iter().any(|nal| (16..24).contains(&(nal[0] >> 1)));
        let mut payload = if key { b"\x93hvc1".to_vec() } else { b"\xa3hvc1".to_vec() };
        for nal in unit {
            payload.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            payload.extend_from_slice(nal);
        }
        Frame { kind: MediaKind::Video, timestamp: n as u32 * 40, payload }
    });
    std::iter::once(header).chain(frames).collect()
}

/// The NAL units of a byte stream.
pub fn nal_units(annexb: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..annexb.len() - 2).filter(|&i| annexb[i..i + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([annexb.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let nal = &annexb[start + 3..end];
            let zeros = nal.iter().rev().take_while(|&&byte| byte == 0).count();
            &nal[..nal.len() - zeros]
        })
        .collect()
}
