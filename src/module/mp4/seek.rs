//! The part of an MP4 file between two times: a new description, and a range of the file.
//!
//! As in nginx, the description (`moov`) is read into memory, its tables are cut, and it is sent before the data (`mdat`),
//! wherever it stands in the file.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::atom::{self, HEADER, LONG_HEADER, atoms, put, put_header, u32_at, versioned, with_duration};
pub use super::error::Mp4Error;
pub use super::part::Part;
use super::part::scaled;
use super::track::Track;
use crate::limits;

/// Maximum length of the data of an `ftyp` atom.
const LONGEST_FTYP: u64 = 1024;

/// What is sent instead of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp4Part {
    /// First bytes.
    pub head: Vec<u8>,
    /// Positions in the file of the bytes that follow.
    pub data: Range<u64>,
}

impl Mp4Part {
    /// Length of the response.
    pub fn length(&self) -> u64 {
        self.head.len() as u64 + (self.data.end - self.data.start)
    }

    /// Cuts a file of a size; `None` if it is sent as it is. `most` is the maximum size of the description in bytes.
    ///
    /// # Errors
    ///
    /// The file is not an MP4 file, or the part is not in it.
    pub fn cut<F: Read + Seek>(
        file: &mut F,
        size: u64,
        part: &Part,
        most: u64,
    ) -> Result<Option<Mp4Part>, Mp4Error> {
        let Some(mut movie) = Movie::read(file, size, part, most)? else { return Ok(None) };
        if movie.tracks.is_empty() {
            return Err(Mp4Error::In("no mp4 trak atoms were found in"));
        }
        let mdat = movie.mdat.clone().ok_or(Mp4Error::In("no mp4 mdat atom was found in"))?;
        let (mut start, mut end) = (size, 0);
        for track in &mut movie.tracks {
            if let Some((from, to)) = track.cut(part, mdat.end)? {
                (start, end) = (start.min(from), end.max(to));
            }
        }
        if end <= start {
            return Err(Mp4Error::In("no data between start time and end time in"));
        }
        if end > size {
            return Err(Mp4Error::In("end time is out mp4 mdat atom in"));
        }
        if start > mdat.end {
            return Err(Mp4Error::In("start time is out mp4 mdat atom in"));
        }
        let length = end - start;
        let header = if length > u64::from(u32::MAX) - HEADER as u64 { LONG_HEADER } else { HEADER };
        let moved = (movie.put().len() + header) as u64;
        let distance = i64::try_from(moved).ok().zip(i64::try_from(start).ok()).map(|(to, from)| to - from);
        let distance = distance.ok_or(Mp4Error::In("too large chunk offset in"))?;
        movie.tracks.iter_mut().for_each(|track| track.shift(distance));
        let mut head = movie.put();
        if header == HEADER {
            put_header(&mut head, b"mdat", length as usize);
        } else {
            head.extend_from_slice(&1_u32.to_be_bytes());
            head.extend_from_slice(b"mdat");
            head.extend_from_slice(&(length + LONG_HEADER as u64).to_be_bytes());
        }
        Ok(Some(Mp4Part { head, data: start..end }))
    }
}

/// What a file says about itself.
#[derive(Debug, Default)]
struct Movie {
    ftyp: Option<Vec<u8>>,
    mvhd: Option<Vec<u8>>,
    timescale: u64,
    tracks: Vec<Track>,
    /// Positions of the data.
    mdat: Option<Range<u64>>,
}

impl Movie {
    fn read<F: Read + Seek>(
        file: &mut F,
        size: u64,
        part: &Part,
        most: u64,
    ) -> Result<Option<Movie>, Mp4Error> {
        let mut movie = Movie::default();
        let mut has_moov = false;
        let (mut at, mut count_of_atoms) = (0, 0);
        while at < size {
            count_of_atoms += 1;
            if count_of_atoms > limits::MP4_ATOMS {
                return Err(Mp4Error::Of("mp4 file has too many atoms", None));
            }
            let mut bytes = [0; LONG_HEADER];
            let count = (size - at).min(bytes.len() as u64) as usize;
            read_at(file, at, &mut bytes[..count])?;
            let Some(header) = atom::header(&bytes[..count], size - at)? else { break };
            let data = at + header.header..at + header.size;
            let length = data.end - data.start;
            match &header.name {
                b"ftyp" if length > LONGEST_FTYP => {
                    return Err(Mp4Error::Of("mp4 ftyp atom is too large", Some(header.size)));
                }
                b"ftyp" => {
                    let before = movie.ftyp.replace(read_all(file, data.start, length)?);
                    if before.is_some() {
                        return Err(Mp4Error::In("duplicate mp4 ftyp atom in"));
                    }
                }
                b"moov" => {
                    if movie.mdat.is_none() && part.start == 0 && part.length.is_none() {
                        return Ok(None);
                    }
                    if std::mem::replace(&mut has_moov, true) {
                        return Err(Mp4Error::In("duplicate mp4 moov atom in"));
                    }
                    if length > most {
                        return Err(Mp4Error::TooLarge(length));
                    }
                    movie.read_moov(&read_all(file, data.start, length)?, part)?;
                }
                b"mdat" => {
                    if movie.mdat.replace(data).is_some() {
                        return Err(Mp4Error::In("duplicate mp4 mdat atom in"));
                    }
                    // What follows data behind its description is left out.
                    if !movie.tracks.is_empty() {
                        break;
                    }
                }
                _ => {}
            }
            at += header.size;
        }
        Ok(Some(movie))
    }

    fn read_moov(&mut self, data: &[u8], part: &Part) -> Result<(), Mp4Error> {
        for atom in atoms(data) {
            let atom = atom?;
            match &atom.name {
                b"mvhd" => self.read_mvhd(atom.data, part)?,
                b"trak" => self.tracks.extend(Track::parse(atom.data, part, self.timescale)?),
                b"cmov" => {
                    return Err(Mp4Error::Of("mp4 compressed moov atom (cmov) is not supported", None));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_mvhd(&mut self, data: &[u8], part: &Part) -> Result<(), Mp4Error> {
        let small = Mp4Error::Of("mp4 mvhd atom too small", None);
        let (least, timescale_at) = if data.first() == Some(&0) { (100, 12) } else { (112, 20) };
        if self.mvhd.is_some() {
            return Err(Mp4Error::In("duplicate mp4 mvhd atom in"));
        }
        if data.len() < least {
            return Err(small);
        }
        self.timescale = u32_at(data, timescale_at).ok_or(small)?.into();
        let duration = versioned(data, [16, 24]).ok_or(small)?;
        if duration < scaled(part.start, self.timescale) {
            return Err(Mp4Error::Of("mp4 start time exceeds file duration", None));
        }
        let left = part.left(duration, self.timescale).unwrap_or(0);
        self.mvhd = Some(with_duration(data, [16, 24], left));
        Ok(())
    }

    /// `ftyp` and `moov`.
    fn put(&self) -> Vec<u8> {
        let mut moov = Vec::new();
        if let Some(mvhd) = &self.mvhd {
            put(&mut moov, b"mvhd", mvhd);
        }
        self.tracks.iter().for_each(|track| track.put(&mut moov));
        let mut out = Vec::with_capacity(moov.len() + 2048);
        if let Some(ftyp) = &self.ftyp {
            put(&mut out, b"ftyp", ftyp);
        }
        put(&mut out, b"moov", &moov);
        out
    }
}

fn read_all<F: Read + Seek>(file: &mut F, at: u64, length: u64) -> Result<Vec<u8>, Mp4Error> {
    // The caller has bounded the length.
    let mut bytes = vec![0; length as usize];
    read_at(file, at, &mut bytes)?;
    Ok(bytes)
}

fn read_at<F: Read + Seek>(file: &mut F, at: u64, bytes: &mut [u8]) -> Result<(), Mp4Error> {
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Mp4Error::Of("mp4 file truncated", None),
        kind => Mp4Error::Read(kind),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use data_encoding::HEXLOWER;
    use md5::{Digest, Md5};

    use super::*;

    const MOST: u64 = 10 * 1024 * 1024;

    fn cut(file: &[u8], start: &str, end: &str, key: bool) -> Result<Option<Mp4Part>, Mp4Error> {
        let argument = |text: &str| if text == "-" { None } else { Some(text.as_bytes().to_vec()) };
        let (start, end) = (argument(start), argument(end));
        let part = Part::parse(start.as_deref(), end.as_deref(), key);
        part.map_or(Ok(None), |part| Mp4Part::cut(&mut Cursor::new(file), file.len() as u64, &part, MOST))
    }

    /// Lengths and MD5 sums of the answers of nginx 1.22 are compared, `500` for an error.
    #[test]
    fn parts_are_those_of_nginx() {
        let files: [(&str, &[u8]); 4] = [
            ("front.mp4", include_bytes!("testdata/front.mp4")),
            ("back.mp4", include_bytes!("testdata/back.mp4")),
            ("audio.mp4", include_bytes!("testdata/audio.mp4")),
            // Many chunks have as many samples each.
            ("runs.mp4", include_bytes!("testdata/runs.mp4")),
        ];
        let mut seen = 0;
        let mut wrong = Vec::new();
        for line in include_str!("testdata/answers.txt").lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [name, key, start, end, length, sum] = fields[..] else { panic!("{line}") };
            let file = files.iter().find(|(known, _)| *known == name).unwrap().1;
            let answer = match cut(file, start, end, key == "key") {
                Err(_) => ("500".to_owned(), "-".to_owned()),
                Ok(part) => {
                    let (head, data) = part.map_or((Vec::new(), 0..file.len()), |part| {
                        (part.head, part.data.start as usize..part.data.end as usize)
                    });
                    let body = [&head, &file[data]].concat();
                    let sum = HEXLOWER.encode(&Md5::digest(&body));
                    (body.len().to_string(), sum)
                }
            };
            if answer != (length.to_owned(), sum.to_owned()) {
                wrong.push(format!("{line}: {answer:?}"));
            }
            seen += 1;
        }
        assert!(seen > 50, "{seen}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_part_of_a_whole_file_is_cut() {
        let files: [&[u8]; 4] = [
            include_bytes!("testdata/front.mp4"),
            include_bytes!("testdata/back.mp4"),
            include_bytes!("testdata/audio.mp4"),
            include_bytes!("testdata/runs.mp4"),
        ];
        for file in files {
            for (start, end) in (0..20).flat_map(|start| (start + 1..40).map(move |end| (start, end))) {
                let seconds = |part: u32| format!("{}", f64::from(part) / 10.0);
                // Only the beginning may lie behind the file.
                if let Err(why) = cut(file, &seconds(start), &seconds(end), false) {
                    let Mp4Error::In(why) = why else { panic!("{start} to {end}: {why:?}") };
                    let is_empty = why.starts_with("start time is out") || why.starts_with("no data between");
                    assert!(is_empty, "{start} to {end}: {why}");
                }
            }
        }
    }

    #[test]
    fn arguments_are_read_as_nginx_does() {
        let part = |start: Option<&str>, end: Option<&str>| {
            let part = Part::parse(start.map(str::as_bytes), end.map(str::as_bytes), false);
            part.map(|part| (part.start, part.length))
        };
        assert_eq!(part(Some("1.5"), None), Some((1500, None)));
        assert_eq!(part(Some("1.23456"), Some("2")), Some((1234, Some(766))));
        assert_eq!(part(None, Some("2")), Some((0, Some(2000))));
        assert_eq!(part(Some("3"), Some("2")), Some((3000, None)));
        assert_eq!(part(Some("x"), Some("2")), Some((0, Some(2000))));
        assert_eq!(part(Some("3"), Some("0")), Some((3000, None)));
        assert_eq!(part(Some("."), None), Some((0, None)));
        for wrong in ["", "1.2.3", "-1", "99999999999999999999", "9223372036854775.808"] {
            assert_eq!(part(Some(wrong), None), None, "{wrong}");
        }
        assert_eq!(part(None, None), None);
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = include_bytes!("testdata/front.mp4");
        for length in (0..whole.len()).step_by(37) {
            let _ = cut(&whole[..length], "1", "2", true);
        }
        // Numbers of the description, as the smallest and the largest ones.
        let description = 4096;
        for at in (0..description).step_by(3) {
            for value in [0, 0xff] {
                let mut damaged = whole.to_vec();
                damaged[at] = value;
                let _ = cut(&damaged, "0.5", "1.1", at % 2 == 0);
            }
        }
        assert_eq!(cut(b"", "1", "-", false), Err(Mp4Error::In("no mp4 trak atoms were found in")));
        assert_eq!(
            cut(b"no mp4 file", "1", "-", false).unwrap_err().text(b"f"),
            "\"f\" mp4 atom too large:1852776557"
        );
        assert_eq!(
            cut(&[0, 0, 0, 2, 1, 1, 1, 1], "1", "-", false),
            Err(Mp4Error::Of("mp4 atom is too small", Some(2)))
        );
        assert_eq!(Mp4Error::In("duplicate mp4 moov atom in").text(b"f"), "duplicate mp4 moov atom in \"f\"");
    }

    #[test]
    fn a_file_of_small_atoms_is_not_read_to_its_end() {
        let mut file = Vec::new();
        for _ in 0..limits::MP4_ATOMS {
            put(&mut file, b"free", &[]);
        }
        assert_eq!(cut(&file, "1", "-", false), Err(Mp4Error::In("no mp4 trak atoms were found in")));
        put(&mut file, b"free", &[]);
        assert_eq!(cut(&file, "1", "-", false), Err(Mp4Error::Of("mp4 file has too many atoms", None)));
    }

    #[test]
    fn a_description_above_the_bound_is_not_read() {
        let mut file = Vec::new();
        put(&mut file, b"mdat", &[0; 8]);
        put(&mut file, b"moov", &[0; 4096]);
        let part = Part { start: 1000, length: None, from_key_frame: false };
        let found = Mp4Part::cut(&mut Cursor::new(&file), file.len() as u64, &part, 4095);
        assert_eq!(
            found.unwrap_err().text(b"f"),
            "\"f\" mp4 moov atom is too large:4096, you may want to increase mp4_max_buffer_size"
        );
    }
}
