//! The past of a live stream, for players that ask for more of it than the cache holds.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::RecordingDirectory;
use super::super::conf::Current as RecordConf;
use super::super::current::CurrentFiles;
use super::catalogue::find;
use super::log;
use super::range::TimeRange;
use super::reader::{RecordedRange, RecordingReader};
use crate::hub::info::MediaInfo;
use crate::limits;
use crate::media::past::{Joining, Opening, Past, PastRequest, PastStep, Pasts};
use crate::task::clock::unix_ms;
use crate::task::disk::{self, DiskWork};
use crate::wire::flv::Remuxer;

/// Brings the past from what `live_record` has recorded.
pub struct RecordedPasts {
    /// Files that are being recorded.
    pub current: Arc<CurrentFiles>,
}

impl Pasts for RecordedPasts {
    fn open(&self, request: PastRequest) -> Opening<'_> {
        Box::pin(async move {
            let conf: Arc<RecordConf> = request.view.current().share();
            if !conf.live_record || !is_recordable(&request.stream.info()) {
                return None;
            }
            let key = request.stream.key();
            let place = RecordingDirectory::new(&key.serverid, &key.app, &key.name)?;
            let root = std::path::absolute(&conf.path.0).unwrap_or_else(|_| conf.path.0.clone());
            let range = TimeRange { from_ms: unix_ms().saturating_sub(request.ago_ms), to_ms: None };
            let recorded = RecordedRange { place, root, range };
            let search = recorded.clone();
            let work = disk::spawn(DiskWork::Served, move || find(&search.place, &search.root, search.range));
            let parts = match work.await.map_err(io::Error::other) {
                Ok(Ok(found)) => found.parts,
                Ok(Err(error)) | Err(error) => {
                    log::unreadable(&request.session, &error);
                    return None;
                }
            };
            if parts.is_empty() {
                return None;
            }
            let remuxer = Remuxer::without_header(limits::VOD_FRAME_BYTES);
            let reader = RecordingReader::new(recorded, request.session.clone(), parts, remuxer);
            let current = self.current.clone();
            let past = RecordedPast { request, reader, current, idle_since: None };
            Some(Box::new(past) as Box<dyn Past>)
        })
    }
}

/// Whether MPEG-TS has all tracks.
fn is_recordable(info: &MediaInfo) -> bool {
    (info.video_codec_id.is_none() || !info.video_codecs.is_empty())
        && (info.audio_codec_id.is_none() || !info.audio_codecs.is_empty())
}

struct RecordedPast {
    request: PastRequest,
    reader: RecordingReader,
    current: Arc<CurrentFiles>,
    /// Time since which nothing new is recorded.
    idle_since: Option<Instant>,
}

impl Past for RecordedPast {
    fn step(&mut self) -> Pin<Box<dyn Future<Output = io::Result<PastStep>> + Send + '_>> {
        Box::pin(self.next())
    }
}

impl RecordedPast {
    async fn next(&mut self) -> io::Result<PastStep> {
        loop {
            if let Some(tags) = self.reader.read().await? {
                self.idle_since = None;
                if !tags.is_empty() {
                    return Ok(PastStep::Tags(tags));
                }
                continue;
            }
            // The parts end with whole frames.
            let rest = self.reader.flush();
            if !rest.is_empty() {
                return Ok(PastStep::Tags(rest));
            }
            if let Some(joining) = self.joining() {
                return Ok(PastStep::Joins(joining));
            }
            // The last parts come when the publisher has left, before its recording ends.
            let is_published = self.request.stream.phase().publishing;
            let recorded = self.current.records(&self.request.stream);
            let since = *self.idle_since.get_or_insert_with(Instant::now);
            if self.reader.look().await? {
                continue;
            }
            let conf: Arc<RecordConf> = self.request.view.current().share();
            if !is_published && !recorded {
                return Ok(PastStep::Over(self.behind_gap()));
            }
            let longest = std::time::Duration::from_millis(conf.max_fragment.0);
            let patience = if recorded || conf.live_record { longest } else { std::time::Duration::ZERO };
            if is_published && since.elapsed() >= patience + limits::PAST_PATIENCE {
                log::gap(&self.request.session);
                return Ok(PastStep::Joins(self.behind_gap()));
            }
            tokio::time::sleep(limits::PAST_INTERVAL).await;
        }
    }

    /// Where the cache goes on behind the latest part, if that is of this publish and the cache has what follows.
    fn joining(&self) -> Option<Joining> {
        let origin = self.origin()?;
        let times = self.reader.times();
        let sent = |time_ms: Option<u64>| time_ms.map(|time_ms| origin.wrapping_add(time_ms as u32));
        let next = self.request.stream.continuation(sent(times.seen_ms()), sent(times.heard_ms()))?;
        Some(Joining { next, origin })
    }

    /// The stream's timestamp of the player's time 0, if the latest part is of this publish.
    fn origin(&self) -> Option<u32> {
        let last = self.reader.last()?;
        if !self.current.is_of_publish(&self.request.stream, last.file.unix) {
            return None;
        }
        let end = self.reader.times().time_of(last.end_ms)?;
        // Stream timestamps have 32 bits.
        Some((last.end_ms as u32).wrapping_sub(end as u32))
    }

    /// Where the stream goes on for a player whose past does not reach the cache.
    fn behind_gap(&self) -> Joining {
        let newest = self.reader.times().newest_ms() as u32;
        let after = self.origin().map(|origin| origin.wrapping_add(newest));
        let (next, timestamp) = self.request.stream.behind_gap(after);
        Joining { next, origin: timestamp.wrapping_sub(newest.wrapping_add(GAP_MS)) }
    }
}

/// Distance in the player's time between media that does not join.
const GAP_MS: u32 = 40;
