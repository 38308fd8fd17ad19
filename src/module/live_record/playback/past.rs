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
use super::format::{self, PastOf};
use super::log;
use super::range::TimeRange;
use super::reader::{RecordedRange, RecordingReader};
use crate::hub::info::MediaInfo;
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::past::{Joining, Opening, Past, PastFormat, PastRequest, PastStep, Pasts};
use crate::task::clock::unix_ms;
use crate::task::disk::{self, DiskWork};
use crate::wire::mpegts::Splicer;

/// Brings the past from what `live_record` has recorded.
pub struct RecordedPasts {
    /// Files that are being recorded.
    pub current: Arc<CurrentFiles>,
}

impl Pasts for RecordedPasts {
    fn open(&self, request: PastRequest) -> Opening<'_> {
        Box::pin(async move {
            let conf: Arc<RecordConf> = request.view.current().share();
            // A player of MPEG-TS lacks the same tracks in the live stream.
            let lacks_tracks = || match request.format {
                PastFormat::Tags => !is_recordable(&request.stream.info()),
                PastFormat::Mpegts(_) => false,
            };
            if !conf.live_record || lacks_tracks() {
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
            let (current, session) = (self.current.clone(), request.session.clone());
            Some(match request.format.clone() {
                PastFormat::Tags => {
                    let reader = RecordingReader::new(recorded, session, parts, format::tags());
                    let joins = request.stream.clone();
                    Box::new(RecordedPast { request, joins, reader, current, idle_since: None })
                        as Box<dyn Past>
                }
                PastFormat::Mpegts(joins) => {
                    let reader = RecordingReader::new(recorded, session, parts, Splicer::default());
                    Box::new(RecordedPast { request, joins, reader, current, idle_since: None })
                }
            })
        })
    }
}

/// Whether MPEG-TS has all tracks.
fn is_recordable(info: &MediaInfo) -> bool {
    (info.video_codec_id.is_none() || !info.video_codecs.is_empty())
        && (info.audio_codec_id.is_none() || !info.audio_codecs.is_empty())
}

struct RecordedPast<F> {
    request: PastRequest,
    /// The stream with which the player goes on.
    joins: Arc<Stream>,
    reader: RecordingReader<F>,
    current: Arc<CurrentFiles>,
    /// Time since which nothing new is recorded.
    idle_since: Option<Instant>,
}

impl<F: PastOf> Past for RecordedPast<F> {
    fn step(&mut self) -> Pin<Box<dyn Future<Output = io::Result<PastStep>> + Send + '_>> {
        Box::pin(self.next())
    }
}

impl<F: PastOf> RecordedPast<F> {
    async fn next(&mut self) -> io::Result<PastStep> {
        loop {
            if let Some(media) = self.reader.read().await? {
                self.idle_since = None;
                if !media.is_empty() {
                    return Ok(PastStep::Media(media));
                }
                continue;
            }
            // The parts end with whole frames.
            let rest = self.reader.flush();
            if !rest.is_empty() {
                return Ok(PastStep::Media(rest));
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
                return Ok(PastStep::Over(self.behind_gap()?));
            }
            let longest = std::time::Duration::from_millis(conf.max_fragment.0);
            let patience = if recorded || conf.live_record { longest } else { std::time::Duration::ZERO };
            if is_published && since.elapsed() >= patience + limits::PAST_PATIENCE {
                log::gap(&self.request.session);
                return Ok(PastStep::Joins(self.behind_gap()?));
            }
            tokio::time::sleep(limits::PAST_INTERVAL).await;
        }
    }

    /// Where the cache goes on behind the latest part, if the media ends with it and the cache has what follows.
    fn joining(&self) -> Option<Joining> {
        self.reader.last()?;
        self.reader.format()?.joining(&self.joins, self.end_ms())
    }

    /// End of the latest part in the stream's time, if that part is of this publish.
    fn end_ms(&self) -> Option<u64> {
        let last = self.reader.last()?;
        self.current.is_of_publish(&self.request.stream, last.file.unix).then_some(last.end_ms)
    }

    /// Where the stream goes on for a player whose past does not reach the cache.
    fn behind_gap(&self) -> io::Result<Joining> {
        let format = self.reader.format().ok_or_else(|| io::Error::other("a conversion was given up"))?;
        Ok(format.behind_gap(&self.joins, self.end_ms()))
    }
}
