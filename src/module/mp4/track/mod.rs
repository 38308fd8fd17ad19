//! One track: its atoms, and their tables cut to the samples between two times.
//!
//! Samples, chunks and bytes follow from one another: `stts` gives the first and last sample, `stsc` their chunks, `stsz`
//! the bytes before them in those chunks, and `stco` or `co64` the position in the file.

mod cut;
mod offsets;

use self::offsets::Offsets;
use crate::module::mp4::atom::{Atom, VERSION, atoms, put, put_header, u32_at, versioned, with_duration};
use crate::module::mp4::error::Mp4Error;
use crate::module::mp4::part::Part;
use crate::module::mp4::table::Table;

/// The parts of a track that are kept; everything else is left out, as in nginx.
#[derive(Clone, Debug, Default)]
pub(in crate::module::mp4) struct Track {
    /// Time of the part in the time scale of the file.
    movie_duration: u64,
    tkhd: Option<Vec<u8>>,
    has_mdia: bool,
    mdhd: Option<Vec<u8>>,
    hdlr: Option<Vec<u8>>,
    has_minf: bool,
    vmhd: Option<Vec<u8>>,
    smhd: Option<Vec<u8>>,
    dinf: Option<Vec<u8>>,
    has_stbl: bool,
    stsd: Option<Vec<u8>>,
    stts: Option<Table<2>>,
    stss: Option<Table<1>>,
    ctts: Option<Table<2>>,
    stsc: Option<Table<3>>,
    /// Sizes of the samples.
    stsz: Option<Table<1>>,
    /// The atom, if all samples have one size.
    uniform: Option<Vec<u8>>,
    offsets: Option<Offsets>,
    timescale: u64,
    /// Time of the part in the track's time scale.
    duration: u64,
    /// Time between the key frame at the beginning and the time asked for.
    prefix: u64,
    samples: Span,
    chunks: Span,
    /// Samples of the first chunk before the part, and of the last one up to its end.
    start_chunk_samples: u64,
    end_chunk_samples: u64,
    /// Bytes of those samples.
    start_chunk_size: u64,
    end_chunk_size: u64,
}

/// First number, and the number behind the last one.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u64,
    end: u64,
}

impl Track {
    /// Reads a `trak` atom; `None` if the track ends before the part. `timescale` is that of the file.
    pub(in crate::module::mp4) fn parse(
        data: &[u8],
        part: &Part,
        timescale: u64,
    ) -> Result<Option<Track>, Mp4Error> {
        let mut track = Track::default();
        Ok(track.read(data, part, timescale, b"trak")?.then_some(track))
    }

    /// Reads the atoms inside one; whether the track reaches into the part.
    fn read(&mut self, data: &[u8], part: &Part, timescale: u64, parent: &[u8; 4]) -> Result<bool, Mp4Error> {
        for atom in atoms(data) {
            let atom = atom?;
            let reaches = match (parent, &atom.name) {
                (b"trak", b"tkhd") => self.read_tkhd(atom, part, timescale)?,
                (b"trak", b"mdia") => {
                    once(&mut self.has_mdia, "duplicate mp4 mdia atom in")?;
                    self.read(atom.data, part, timescale, b"mdia")?
                }
                (b"mdia", b"mdhd") => self.read_mdhd(atom, part)?,
                (b"mdia", b"hdlr") => {
                    copy(&mut self.hdlr, atom, "duplicate mp4 hdlr atom in")?;
                    true
                }
                (b"mdia", b"minf") => {
                    once(&mut self.has_minf, "duplicate mp4 minf atom in")?;
                    self.read(atom.data, part, timescale, b"minf")?
                }
                (b"minf", b"vmhd") => {
                    copy(&mut self.vmhd, atom, "duplicate mp4 vmhd/smhd atom in")?;
                    true
                }
                (b"minf", b"smhd") => {
                    copy(&mut self.smhd, atom, "duplicate mp4 vmhd/smhd atom in")?;
                    true
                }
                (b"minf", b"dinf") => {
                    copy(&mut self.dinf, atom, "duplicate mp4 dinf atom in")?;
                    true
                }
                (b"minf", b"stbl") => {
                    once(&mut self.has_stbl, "duplicate mp4 stbl atom in")?;
                    self.read(atom.data, part, timescale, b"stbl")?
                }
                (b"stbl", _) => {
                    self.read_sample_table(atom)?;
                    true
                }
                _ => true,
            };
            if !reaches {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_tkhd(&mut self, atom: Atom<'_>, part: &Part, timescale: u64) -> Result<bool, Mp4Error> {
        let small = Mp4Error::Of("mp4 tkhd atom too small", None);
        at_least(atom.data, [84, 96], small)?;
        let duration = versioned(atom.data, [20, 28]).ok_or(small)?;
        let Some(duration) = part.left(duration, timescale) else { return Ok(false) };
        self.movie_duration = duration;
        let copied = with_duration(atom.data, [20, 28], duration);
        set(&mut self.tkhd, copied, "duplicate mp4 tkhd atom in")?;
        Ok(true)
    }

    fn read_mdhd(&mut self, atom: Atom<'_>, part: &Part) -> Result<bool, Mp4Error> {
        let small = Mp4Error::Of("mp4 mdhd atom too small", None);
        at_least(atom.data, [24, 36], small)?;
        let timescale_at = if atom.data[0] == 0 { 12 } else { 20 };
        self.timescale = u32_at(atom.data, timescale_at).ok_or(small)?.into();
        let duration = versioned(atom.data, [16, 24]).ok_or(small)?;
        let Some(duration) = part.left(duration, self.timescale) else { return Ok(false) };
        self.duration = duration;
        set(&mut self.mdhd, atom.data.to_vec(), "duplicate mp4 mdhd atom in")?;
        Ok(true)
    }

    fn read_sample_table(&mut self, atom: Atom<'_>) -> Result<(), Mp4Error> {
        let data = atom.data;
        match &atom.name {
            b"stsd" if data.len() < 16 => Err(Mp4Error::Of("mp4 stsd atom too small", None)),
            b"stsd" => copy(&mut self.stsd, atom, "duplicate mp4 stsd atom in"),
            b"stts" => {
                let table = Table::parse(data, "mp4 stts atom too small")?;
                set(&mut self.stts, table, "duplicate mp4 stts atom in")
            }
            b"stss" => {
                let table = Table::parse(data, "mp4 stss atom too small")?;
                set(&mut self.stss, table, "duplicate mp4 stss atom in")
            }
            b"ctts" => {
                let table = Table::parse(data, "mp4 ctts atom too small")?;
                set(&mut self.ctts, table, "duplicate mp4 ctts atom in")
            }
            b"stsc" => {
                let table = Table::parse(data, "mp4 stsc atom too small")?;
                set(&mut self.stsc, table, "duplicate mp4 stsc atom in")
            }
            b"stsz" => {
                let small = "mp4 stsz atom too small";
                let size =
                    u32_at(data, VERSION).filter(|_| data.len() >= 12).ok_or(Mp4Error::Of(small, None))?;
                let duplicate = "duplicate mp4 stsz atom in";
                if self.stsz.is_some() || self.uniform.is_some() {
                    return Err(Mp4Error::In(duplicate));
                }
                if size > 0 {
                    return copy(&mut self.uniform, atom, duplicate);
                }
                set(&mut self.stsz, Table::parse_at(data, 2 * VERSION, small)?, duplicate)
            }
            b"stco" => {
                let table = Offsets::Short(Table::parse(data, "mp4 stco atom too small")?);
                set(&mut self.offsets, table, "duplicate mp4 stco/co64 atom in")
            }
            b"co64" => {
                let table = Offsets::Long(Table::parse(data, "mp4 co64 atom too small")?);
                set(&mut self.offsets, table, "duplicate mp4 stco/co64 atom in")
            }
            _ => Ok(()),
        }
    }

    /// Moves all positions by a distance.
    pub(in crate::module::mp4) fn shift(&mut self, distance: i64) {
        let Some(offsets) = &mut self.offsets else { return };
        for at in 0..offsets.len() {
            if let Some(offset) = offsets.get(at) {
                offsets.set(at, offset.wrapping_add_signed(distance));
            }
        }
    }

    /// Appends the track as a `trak` atom.
    pub(in crate::module::mp4) fn put(&self, out: &mut Vec<u8>) {
        let copied = |out: &mut Vec<u8>, name: &[u8; 4], data: &Option<Vec<u8>>| {
            if let Some(data) = data {
                put(out, name, data);
            }
        };
        let mut stbl = Vec::new();
        copied(&mut stbl, b"stsd", &self.stsd);
        for (name, table) in [(b"stts", &self.stts), (b"ctts", &self.ctts)] {
            if let Some(table) = table {
                table.put(&mut stbl, name, &[]);
            }
            if name == b"stts"
                && let Some(stss) = &self.stss
            {
                stss.put(&mut stbl, b"stss", &[]);
            }
        }
        if let Some(stsc) = &self.stsc {
            stsc.put(&mut stbl, b"stsc", &[]);
        }
        copied(&mut stbl, b"stsz", &self.uniform);
        if let Some(stsz) = &self.stsz {
            stsz.put(&mut stbl, b"stsz", &[0; 4]);
        }
        match &self.offsets {
            Some(Offsets::Short(table)) => table.put(&mut stbl, b"stco", &[]),
            Some(Offsets::Long(table)) => table.put(&mut stbl, b"co64", &[]),
            None => {}
        }
        let mut minf = Vec::new();
        copied(&mut minf, b"vmhd", &self.vmhd);
        copied(&mut minf, b"smhd", &self.smhd);
        copied(&mut minf, b"dinf", &self.dinf);
        put(&mut minf, b"stbl", &stbl);
        let mut mdia = Vec::new();
        if let Some(mdhd) = &self.mdhd {
            put(&mut mdia, b"mdhd", &with_duration(mdhd, [16, 24], self.duration));
        }
        copied(&mut mdia, b"hdlr", &self.hdlr);
        put(&mut mdia, b"minf", &minf);
        let mut trak = Vec::new();
        copied(&mut trak, b"tkhd", &self.tkhd);
        if self.prefix > 0 {
            self.put_edit_list(&mut trak);
        }
        put(&mut trak, b"mdia", &mdia);
        put(out, b"trak", &trak);
    }

    /// Appends the edit list with which a player skips what precedes the time asked for.
    fn put_edit_list(&self, out: &mut Vec<u8>) {
        let mut elst = vec![1, 0, 0, 0, 0, 0, 0, 1];
        elst.extend_from_slice(&self.movie_duration.to_be_bytes());
        elst.extend_from_slice(&self.prefix.to_be_bytes());
        // Media rate 1.0.
        elst.extend_from_slice(&[0, 1, 0, 0]);
        put_header(out, b"edts", elst.len() + crate::module::mp4::atom::HEADER);
        put(out, b"elst", &elst);
    }
}

fn at_least(data: &[u8], lengths: [usize; 2], small: Mp4Error) -> Result<(), Mp4Error> {
    let is_long = data.first().is_some_and(|version| *version != 0);
    if data.len() < lengths[usize::from(is_long)] { Err(small) } else { Ok(()) }
}

fn once(seen: &mut bool, duplicate: &'static str) -> Result<(), Mp4Error> {
    if std::mem::replace(seen, true) { Err(Mp4Error::In(duplicate)) } else { Ok(()) }
}

fn set<T>(place: &mut Option<T>, value: T, duplicate: &'static str) -> Result<(), Mp4Error> {
    if place.replace(value).is_some() { Err(Mp4Error::In(duplicate)) } else { Ok(()) }
}

fn copy(place: &mut Option<Vec<u8>>, atom: Atom<'_>, duplicate: &'static str) -> Result<(), Mp4Error> {
    set(place, atom.data.to_vec(), duplicate)
}
