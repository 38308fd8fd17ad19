//! What holds for any bytes given as an MP4 file. Shared by the fuzz target and the replay of its corpus.

use std::io::Cursor;

use pingosd::module::mp4::seek::{Mp4Part, Part};

/// Largest description that is accepted.
const MOST: u64 = 1 << 20;

/// Four bytes each give the beginning and the length of the part in milliseconds, one byte gives the rest; the file follows.
/// A part is inside of the file, and its own head is no longer than a few times what describes the file.
pub fn part(bytes: &[u8]) {
    let Some((choice, file)) = bytes.split_first_chunk::<9>() else { return };
    let number = |at: usize| {
        u64::from(u32::from_be_bytes([choice[at], choice[at + 1], choice[at + 2], choice[at + 3]]))
    };
    let part = Part {
        start: number(0),
        length: Some(number(4)).filter(|length| *length > 0),
        from_key_frame: choice[8] & 1 > 0,
    };
    let size = file.len() as u64;
    let cut = Mp4Part::cut(&mut Cursor::new(file), size, &part, MOST);
    match cut {
        Ok(Some(cut)) => {
            assert!(cut.data.start <= cut.data.end && cut.data.end <= size, "{:?} of {size}", cut.data);
            assert!(cut.head.len() <= 2 * file.len() + 4096, "{} of {size}", cut.head.len());
        }
        Ok(None) => {}
        Err(error) => assert!(!error.text(b"file").is_empty()),
    }
}
