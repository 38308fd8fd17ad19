//! Cutting of a track's tables to the samples between two times.

use super::offsets::Offsets;
use super::{Span, Track};
use crate::module::mp4::error::Mp4Error;
use crate::module::mp4::part::{Part, scaled};
use crate::module::mp4::table::Table;

/// End of a part that tables are cut to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Start,
    Finish,
}

impl Track {
    /// Cuts the tables to the part, and returns its first position in the file and the one behind its last byte; `None` if
    /// the track has no chunk in it. `mdat_end` is the end of the data.
    pub(in crate::module::mp4) fn cut(
        &mut self,
        part: &Part,
        mdat_end: u64,
    ) -> Result<Option<(u64, u64)>, Mp4Error> {
        for end in [End::Start, End::Finish] {
            self.cut_stts(part, end)?;
        }
        self.cut_stss(part);
        if let Some(mut ctts) = self.ctts.take() {
            self.cut_ctts(&mut ctts, part);
            // An empty table is left out.
            self.ctts = Some(ctts).filter(|ctts| !ctts.entries.is_empty());
        }
        let mut stsc = self.stsc.take().ok_or(Mp4Error::In("no mp4 stsc atoms were found in"))?;
        self.cut_stsc(&mut stsc, part)?;
        self.stsc = Some(stsc);
        self.cut_stsz(part)?;
        self.cut_offsets(part, mdat_end)
    }

    fn cut_stts(&mut self, part: &Part, end: End) -> Result<(), Mp4Error> {
        let table = self.stts.as_mut().ok_or(Mp4Error::In("no mp4 stts atoms were found in"))?;
        let msec = match (end, part.length) {
            (End::Start, _) => part.start,
            (End::Finish, Some(length)) => length,
            (End::Finish, None) => return Ok(()),
        };
        let mut time = scaled(msec, self.timescale).saturating_add(self.prefix);
        let mut sample: u64 = 0;
        let mut found = None;
        for (at, [count, duration]) in table.entries.iter().enumerate() {
            let (count, duration) = (u64::from(*count), u64::from(*duration));
            if time < count * duration {
                sample += time / duration;
                found = Some((at, time / duration));
                break;
            }
            sample += count;
            time -= count * duration;
        }
        let Some((mut at, mut rest)) = found else {
            if end == End::Start {
                return Err(Mp4Error::In("start time is out mp4 stts samples in"));
            }
            self.samples.end = self.samples.start + sample;
            return Ok(());
        };
        if end == End::Finish {
            table.entries[at][0] = rest as u32;
            table.entries.truncate(at + 1);
            self.samples.end = self.samples.start + sample;
            return Ok(());
        }
        let mut back = if part.from_key_frame { samples_to_key_frame(self.stss.as_ref(), sample) } else { 0 };
        sample -= back.min(sample);
        while rest < back && at > 0 {
            self.prefix += rest * u64::from(table.entries[at][1]);
            back -= rest;
            at -= 1;
            rest = table.entries[at][0].into();
        }
        let back = back.min(rest);
        self.prefix += back * u64::from(table.entries[at][1]);
        self.duration += self.prefix;
        rest -= back;
        table.entries[at][0] -= rest as u32;
        table.entries.drain(..at);
        self.samples.start = sample;
        Ok(())
    }

    fn cut_stss(&mut self, part: &Part) {
        let Some(table) = &mut self.stss else { return };
        // Samples are counted from 1.
        let position = |table: &Table<1>, sample: u64| {
            table.entries.iter().take_while(|[key]| u64::from(*key) <= sample).count()
        };
        let start = position(table, self.samples.start);
        table.entries.drain(..start);
        if part.length.is_some() {
            let end = position(table, self.samples.end);
            table.entries.truncate(end);
        }
        for entry in &mut table.entries {
            entry[0] = entry[0].wrapping_sub(self.samples.start as u32);
        }
    }

    fn cut_ctts(&self, table: &mut Table<2>, part: &Part) {
        for end in [End::Start, End::Finish] {
            // Samples are counted from 1.
            let mut sample = match (end, part.length) {
                (End::Start, _) => self.samples.start + 1,
                (End::Finish, Some(_)) => self.samples.end - self.samples.start + 1,
                (End::Finish, None) => continue,
            };
            let found = table.entries.iter().position(|[count, _]| {
                let is_here = sample <= u64::from(*count);
                sample -= if is_here { 0 } else { u64::from(*count) };
                is_here
            });
            match (found, end) {
                (None, End::Start) => table.entries.clear(),
                (None, End::Finish) => {}
                (Some(at), End::Start) => {
                    table.entries[at][0] -= (sample - 1) as u32;
                    table.entries.drain(..at);
                }
                (Some(at), End::Finish) => {
                    table.entries[at][0] = (sample - 1) as u32;
                    table.entries.truncate(at + 1);
                }
            }
        }
    }

    /// Number of chunks.
    fn chunk_count(&self) -> u64 {
        match &self.offsets {
            Some(Offsets::Short(table)) => table.entries.len() as u64,
            Some(Offsets::Long(table)) => table.entries.len() as u64,
            None => 0,
        }
    }

    fn cut_stsc(&mut self, table: &mut Table<3>, part: &Part) -> Result<(), Mp4Error> {
        if table.entries.is_empty() {
            return Err(Mp4Error::In("zero number of entries in stsc atom in"));
        }
        let chunks = self.chunk_count();
        let found =
            locate(&table.entries, self.samples.start, chunks, "start time is out mp4 stsc chunks in")?;
        let [_, samples, id] = table.entries[found.at];
        let next = found.next;
        self.chunks.start = found.chunk;
        self.start_chunk_samples = found.rest;
        table.entries.drain(..found.at);
        table.entries[0][0] = found.chunk as u32 + 1;
        // The first chunk loses the samples before the part, and so its own entry if others follow in its run.
        let mut first = None;
        if found.rest > 0 {
            let kept = samples - found.rest as u32;
            if next - found.chunk == 2 {
                table.entries[0][1] = kept;
            } else {
                first = Some([1, kept, id]);
                table.entries[0][0] = found.chunk as u32 + 2;
            }
        }
        let mut last = None;
        if part.length.is_some() {
            last = self.cut_stsc_end(table, &mut first, chunks)?;
        }
        for entry in &mut table.entries {
            entry[0] = entry[0].wrapping_sub(self.chunks.start as u32);
        }
        table.entries.splice(..0, first);
        table.entries.extend(last);
        Ok(())
    }

    /// Cuts the end; returns an additional entry for a last chunk that loses samples.
    fn cut_stsc_end(
        &mut self,
        table: &mut Table<3>,
        first: &mut Option<[u32; 3]>,
        chunks: u64,
    ) -> Result<Option<[u32; 3]>, Mp4Error> {
        let mut sample = self.samples.end - self.samples.start;
        if let Some(first) = first {
            let samples = u64::from(first[1]).min(sample);
            first[1] = samples as u32;
            sample -= samples;
        }
        let found = locate(&table.entries, sample, chunks, "end time is out mp4 stsc chunks in")?;
        let [chunk, samples, id] = table.entries[found.at];
        if found.before > 0 {
            table.entries.truncate(found.at + 1);
            self.end_chunk_samples = samples.into();
        } else {
            table.entries.truncate(found.at);
            self.end_chunk_samples = found.previous.into();
        }
        self.chunks.end = found.chunk;
        if found.rest == 0 {
            return Ok(None);
        }
        self.chunks.end += 1;
        self.end_chunk_samples = found.rest;
        let kept = found.rest as u32;
        // The chunk is the first one of its run.
        if u64::from(chunk) == found.chunk + 1 {
            table.entries[found.at][1] = kept;
            return Ok(None);
        }
        Ok(Some([(self.chunks.end - self.chunks.start) as u32, kept, id]))
    }

    fn cut_stsz(&mut self, part: &Part) -> Result<(), Mp4Error> {
        let Some(table) = &mut self.stsz else { return Ok(()) };
        let sum = |sizes: &[[u32; 1]]| sizes.iter().map(|[size]| u64::from(*size)).sum();
        let entries = &mut table.entries;
        let start = usize::try_from(self.samples.start).unwrap_or(usize::MAX);
        let out = Mp4Error::In("start time is out mp4 stsz samples in");
        let from = start.checked_sub(self.start_chunk_samples as usize).ok_or(out)?;
        self.start_chunk_size = sum(entries.get(from..start).ok_or(out)?);
        entries.drain(..start);
        if part.length.is_some() {
            let out = Mp4Error::In("end time is out mp4 stsz samples in");
            let count = (self.samples.end - self.samples.start) as usize;
            if count > entries.len() {
                return Err(out);
            }
            entries.truncate(count);
            // The last chunk may have begun before the part.
            let from = count.saturating_sub(self.end_chunk_samples as usize);
            self.end_chunk_size = sum(&entries[from..]);
        }
        Ok(())
    }

    fn cut_offsets(&mut self, part: &Part, mdat_end: u64) -> Result<Option<(u64, u64)>, Mp4Error> {
        let chunks = self.chunk_count();
        let (is_long, start_out, end_out) = match &self.offsets {
            None => return Err(Mp4Error::In("no mp4 stco atoms were found in")),
            Some(Offsets::Short(_)) => {
                (false, "start time is out mp4 stco chunks in", "end time is out mp4 stco chunks in")
            }
            Some(Offsets::Long(_)) => {
                (true, "start time is out mp4 co64 chunks in", "end time is out mp4 co64 chunks in")
            }
        };
        let Span { start, mut end } = self.chunks;
        if start > chunks {
            return Err(Mp4Error::In(start_out));
        }
        if part.length.is_none() {
            end = chunks;
        } else if end > chunks || end < start {
            return Err(Mp4Error::In(end_out));
        }
        let offsets = self.offsets.as_mut().expect("the number of chunks was counted");
        offsets.keep(start as usize, end as usize);
        let most = if is_long { u64::MAX } else { u32::MAX.into() };
        let behind = |offset: u64, size: u64| {
            offset
                .checked_add(size)
                .filter(|sum| *sum <= most)
                .ok_or(Mp4Error::In("too large chunk offset in"))
        };
        let Some(first) = offsets.get(0) else { return Ok(None) };
        let start_offset = behind(first, self.start_chunk_size)?;
        let last = offsets.get((end - start - 1) as usize).unwrap_or(first);
        let end_offset = match part.length {
            // The last offset is read after the first one has been moved.
            Some(_) if end - start == 1 => behind(start_offset, self.end_chunk_size)?,
            Some(_) => behind(last, self.end_chunk_size)?,
            None => mdat_end,
        };
        offsets.set(0, start_offset);
        Ok(Some((start_offset, end_offset)))
    }
}

/// Where a sample is.
struct Located {
    /// Index of the entry of its chunk.
    at: usize,
    /// Its chunk, counted from zero.
    chunk: u64,
    /// Samples before it in that chunk.
    rest: u64,
    /// Samples before it in the run of the entry.
    before: u64,
    /// First chunk behind the run, counted from 1.
    next: u64,
    /// Samples per chunk of the run before.
    previous: u32,
}

/// Finds the chunk of a sample, where samples and entries begin together.
fn locate(entries: &[[u32; 3]], sample: u64, chunks: u64, out: &'static str) -> Result<Located, Mp4Error> {
    let mut before = sample;
    let mut previous = 0;
    for (at, [chunk, samples, _]) in entries.iter().copied().enumerate() {
        let next = entries.get(at + 1).map_or(chunks + 1, |next| next[0].into());
        let run = next
            .checked_sub(chunk.into())
            .ok_or(Mp4Error::In("unordered mp4 stsc chunks in"))?
            .saturating_mul(samples.into());
        let is_last = at + 1 == entries.len();
        if before < run || is_last {
            if before > run {
                return Err(Mp4Error::In(out));
            }
            if samples == 0 {
                return Err(Mp4Error::In("zero number of samples in"));
            }
            let first =
                u64::from(chunk).checked_sub(1).ok_or(Mp4Error::In("unordered mp4 stsc chunks in"))?;
            let each = u64::from(samples);
            return Ok(Located {
                at,
                chunk: first + before / each,
                rest: before % each,
                before,
                next,
                previous,
            });
        }
        before -= run;
        previous = samples;
    }
    Err(Mp4Error::In(out))
}

/// Samples between the last key frame up to a sample and that sample.
fn samples_to_key_frame(stss: Option<&Table<1>>, sample: u64) -> u64 {
    let Some(table) = stss else { return 0 };
    // Samples are counted from 1.
    let keys = table.entries.iter().map(|[key]| u64::from(*key)).take_while(|key| *key <= sample + 1);
    keys.last().map_or(0, |key| sample + 1 - key)
}
