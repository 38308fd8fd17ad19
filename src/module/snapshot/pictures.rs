//! Pictures of streams: made once per key frame, a bounded number at a time, and kept until the next one.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::decoder::{DecodeError, PictureFormat, decode};
use super::key_frame::KeyFrameFile;
use super::log;
use crate::hub::registry::{StreamKey, StreamRegistry};
use crate::hub::stream::Stream;
use crate::limits;

/// Pictures of all streams.
pub struct Pictures {
    registry: Arc<StreamRegistry>,
    runtime: Handle,
    /// By stream, format and program.
    kept: Mutex<FxHashMap<PictureKey, Arc<Slot>>>,
    /// Permits for child processes.
    children: Arc<Semaphore>,
    /// Permits for requests that wait for pictures.
    waiting: Arc<Semaphore>,
    /// Permits for requests that wait for key frames.
    waiting_for_frames: Semaphore,
}

type PictureKey = (StreamKey, PictureFormat, Bytes);

/// The picture of the last key frame that was asked for, with its number.
type Slot = AsyncMutex<Option<((u64, u64), Result<Bytes, DecodeError>)>>;

/// Why a request gets no picture.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum NoPicture {
    /// No such stream.
    #[error("there is no such stream")]
    NoStream,
    /// No key frame has come.
    #[error("the stream has sent no key frame while the request waited; ask again, or set cache_time")]
    NoKeyFrame,
    /// Too many requests.
    #[error("too many pictures are being made")]
    TooMany,
    /// It was not decoded.
    #[error(transparent)]
    NotDecoded(#[from] DecodeError),
}

/// A picture.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    /// Which key frame it shows.
    pub(super) number: (u64, u64),
    /// The file.
    pub(super) bytes: Bytes,
}

impl Pictures {
    /// None so far. Children belong to `runtime`.
    pub fn new(registry: Arc<StreamRegistry>, runtime: Handle) -> Pictures {
        Pictures {
            registry,
            runtime,
            kept: Mutex::default(),
            children: Arc::new(Semaphore::new(limits::SNAPSHOT_CHILDREN)),
            waiting: Arc::new(Semaphore::new(limits::SNAPSHOT_WAITING)),
            waiting_for_frames: Semaphore::new(limits::SNAPSHOT_WAITING),
        }
    }

    /// The stream with these names that is published; of several the first by `serverid`.
    pub(super) fn find(&self, serverid: Option<&[u8]>, app: &[u8], name: &[u8]) -> Option<Arc<Stream>> {
        let fits = |stream: &Arc<Stream>| {
            let key = stream.key();
            key.app == app && key.name == name && serverid.is_none_or(|id| key.serverid == id)
        };
        let published = |stream: &Arc<Stream>| stream.publisher().is_some();
        let found = self.registry.list().into_iter().filter(|stream| fits(stream) && published(stream));
        found.min_by(|a, b| a.key().serverid.cmp(&b.key().serverid))
    }

    /// The picture of a stream's newest key frame. A stream without a cache keeps key frames from the first request on: that
    /// request waits for one.
    pub(super) async fn picture(
        self: &Arc<Self>,
        stream: &Stream,
        format: PictureFormat,
        program: &[u8],
    ) -> Result<Picture, NoPicture> {
        if stream.newest_key_frame().is_none() {
            // They wait for seconds: others must not lack their places.
            let _place = self.waiting_for_frames.try_acquire().map_err(|_| NoPicture::TooMany)?;
            wait_for_key_frame(stream).await?;
        }
        let place = self.waiting.clone().try_acquire_owned().map_err(|_| NoPicture::TooMany)?;
        let slot = self.slot((stream.key().clone(), format, Bytes::copy_from_slice(program)))?;
        let (key, program) = (stream.key().clone(), program.to_vec());
        let mut slot = slot.lock_owned().await;
        // Read after the wait: those that have waited share what is made now.
        let frame = KeyFrameFile::newest(stream).ok_or(NoPicture::NoKeyFrame)?;
        if let Some((number, result)) = slot.as_ref().filter(|(number, _)| *number == frame.number) {
            return Ok(Picture { number: *number, bytes: result.clone()? });
        }
        let children = self.children.clone();
        // It is completed even if the client leaves, so that repeated requests start no more children.
        let work = self.runtime.spawn(async move {
            let _place = place;
            let _child = children.acquire_owned().await;
            let result = decode(&program, frame.file, format).await;
            if let Err(why) = &result {
                log::failed(why, &key);
            }
            *slot = Some((frame.number, result.clone()));
            (frame.number, result)
        });
        let (number, result) = work.await.map_err(|_| DecodeError::GivenUp)?;
        Ok(Picture { number, bytes: result? })
    }

    /// The place of a picture. If there are too many, one without a request that waits for it makes room.
    fn slot(&self, key: PictureKey) -> Result<Arc<Slot>, NoPicture> {
        let mut kept = self.kept.lock();
        if let Some(slot) = kept.get(&key) {
            return Ok(slot.clone());
        }
        if kept.len() >= limits::SNAPSHOT_KEPT {
            let unused = kept.iter().find(|(_, slot)| Arc::strong_count(slot) == 1);
            let unused = unused.map(|(key, _)| key.clone()).ok_or(NoPicture::TooMany)?;
            kept.remove(&unused);
        }
        Ok(kept.entry(key).or_default().clone())
    }
}

async fn wait_for_key_frame(stream: &Stream) -> Result<(), NoPicture> {
    let due = Instant::now() + limits::SNAPSHOT_PATIENCE;
    while stream.newest_key_frame().is_none() {
        if Instant::now() >= due || stream.publisher().is_none() {
            return Err(NoPicture::NoKeyFrame);
        }
        tokio::time::sleep(limits::SNAPSHOT_LOOK).await;
    }
    Ok(())
}
