//! MPEG-TS recording: a task per publish calls `on_record`, receives the pieces of the stream's feed, has them written,
//! and sends callbacks about the files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::RecordingDirectory;
use super::conf::Current;
use super::current::CurrentFiles;
use super::files::{TsFiles, TsRecordingEvent};
use crate::config::store::Store;
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::files::log as files_log;
use crate::media::mpegts::FrameQueue;
use crate::media::mpegts::{FeedSettings, Feeds, MpegtsFeed, PieceObserver};
use crate::media::session::Session;
use crate::media::view::AppView;
use crate::module::live_record::log;
use crate::notify;
use crate::notify::request::RecordFields;
use crate::notify::{CallbackAnswer, EventKind, Heartbeat, Notifier, SessionEvent};
use crate::task::clock::unix_ms;
use crate::task::disk::{self, DiskWork};
use crate::task::lifetime::Lifetime;

/// Output that records streams as MPEG-TS.
pub struct TsRecording {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// MPEG-TS feeds.
    pub feeds: Arc<Feeds>,
    /// Files that are being recorded.
    pub current: Arc<CurrentFiles>,
    /// Callbacks.
    pub callbacks: Notifier,
    /// Shutdown of the process, which waits for files.
    pub lifetime: Lifetime,
}

impl Output for TsRecording {
    fn prepare(&self, publisher: OnStream<'_>) -> Option<Running> {
        let OnStream { view, stream, .. } = publisher;
        is_configured(view).then(|| Box::new(self.feeds.prepare(view, stream)) as Running)
    }

    fn begin(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Running> {
        Some(Box::new(LiveRecording::start(&self, publisher)))
    }
}

/// Recording of one publish. Dropped with the publisher; queued pieces are still written.
struct LiveRecording {
    /// Dropping it tells the task that the publisher has left.
    _stop: oneshot::Sender<()>,
}

/// Whether the application may record its streams as MPEG-TS.
fn is_configured(view: &AppView) -> bool {
    let application = view.current();
    application.get::<Current>().live_record || application.get::<notify::conf::Current>().on_record.is_some()
}

impl LiveRecording {
    /// Starts the recording of a session that has just taken `stream`. Must be called before its first packet, within a
    /// runtime.
    fn start(output: &Arc<TsRecording>, publisher: OnStream<'_>) -> Self {
        let OnStream { view, session, stream } = publisher;
        let (stop, stopped) = oneshot::channel();
        let mut task = TsRecordingTask {
            output: output.clone(),
            view: view.clone(),
            session: session.clone(),
            stream: stream.clone(),
            epoch: stream.phase().epoch,
            source: None,
            event: None,
            file: None,
            complained: false,
            _unfinished: output.lifetime.unfinished.token(),
        };
        // From the first packet on, even while the callback server's answer is pending.
        if is_configured(view) {
            task.tap();
        }
        task.event = SessionEvent::begin(&output.callbacks, view, EventKind::Record, session, None);
        tokio::spawn(task.run(stopped));
        LiveRecording { _stop: stop }
    }
}

struct TsRecordingTask {
    output: Arc<TsRecording>,
    view: AppView,
    session: Arc<Session>,
    stream: Arc<Stream>,
    /// Epoch of the publisher.
    epoch: u64,
    source: Option<PieceSource>,
    event: Option<SessionEvent>,
    /// File being written.
    file: Option<RecordFields>,
    /// Whether a failure was logged: a full disk fails with every attempt.
    complained: bool,
    _unfinished: TaskTrackerToken,
}

/// Source of pieces.
struct PieceSource {
    _feed: Arc<MpegtsFeed>,
    queue: Arc<FrameQueue>,
}

/// Reason for the end of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FileOver {
    /// The publisher left.
    Published,
    /// A reload, or an answer of a callback server.
    Unwanted,
}

impl TsRecordingTask {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let verdict = match &mut self.event {
            Some(event) => match event.answer().await {
                CallbackAnswer::Status(200) => Some(true),
                CallbackAnswer::Status(_) => Some(false),
                CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut => None,
            },
            None => None,
        };
        let mut is_reported = false;
        if verdict != Some(false)
            && let Some(place) = self.place()
        {
            let current = self.output.current.begin(self.stream.id(), self.epoch);
            let mut changed = self.output.store.watch();
            loop {
                let wanted = verdict.unwrap_or_else(|| self.conf().live_record);
                if wanted {
                    self.tap();
                    current.set_writes(true);
                    let over = self.record(&place, verdict.is_some(), &mut is_reported).await;
                    current.set_writes(false);
                    self.source = None;
                    if over == FileOver::Published || verdict.is_some() {
                        break;
                    }
                } else {
                    self.source = None;
                }
                tokio::select! {
                    _ = changed.changed() => {}
                    _ = &mut stopped => break,
                }
            }
        }
        if let Some(event) = self.event.take() {
            // As in recordings of PingOS's traffic, `done` is sent only after something has begun.
            if is_reported { drop(event.finish(None)) } else { event.forget() }
        }
    }

    fn conf(&self) -> Arc<Current> {
        self.view.current().share()
    }

    fn place(&self) -> Option<RecordingDirectory> {
        let key = self.stream.key();
        let place = RecordingDirectory::new(&key.serverid, &key.app, &key.name);
        if place.is_none() && is_configured(&self.view) {
            log::name_refused(&self.stream);
        }
        place
    }

    /// Starts receiving pieces.
    fn tap(&mut self) {
        if self.source.is_some() {
            return;
        }
        let settings = FeedSettings::of(&self.view);
        let feed = self.output.feeds.hold(&self.stream, settings);
        let queue = Arc::new(FrameQueue::new(self.epoch));
        let tap: Weak<FrameQueue> = Arc::downgrade(&queue);
        feed.tap(tap as Weak<dyn PieceObserver>);
        self.source = Some(PieceSource { _feed: feed, queue });
    }

    /// Writes until the publisher leaves, or until recording is no longer wanted.
    async fn record(&mut self, place: &RecordingDirectory, asked: bool, is_reported: &mut bool) -> FileOver {
        let Some(queue) = self.source.as_ref().map(|source| source.queue.clone()) else {
            return FileOver::Unwanted;
        };
        let mut files = TsFiles::new(place.clone());
        let mut heartbeat = self.event.as_ref().map(Heartbeat::new);
        loop {
            let collected = async {
                queue.filled().await;
                tokio::select! {
                    () = tokio::time::sleep(limits::RECORD_WRITE_INTERVAL) => {}
                    () = queue.ended() => {}
                }
            };
            let refused = tokio::select! {
                () = collected => None,
                answer = self.beat(heartbeat.as_mut()) => Some(answer),
            };
            if let Some(answer) = &refused {
                files_log::refused(&self.session, answer);
            }
            let batch = queue.take();
            if batch.lost > 0 {
                files_log::too_slow(&self.stream, batch.lost);
            }
            let conf = self.conf();
            let mut over = match (batch.ended, asked || conf.live_record) {
                (true, _) => Some(FileOver::Published),
                (false, _) if refused.is_some() => Some(FileOver::Unwanted),
                (false, true) => None,
                (false, false) => Some(FileOver::Unwanted),
            };
            let ends = over.is_some();
            let work = disk::spawn(DiskWork::LiveRecord, move || {
                let mut news = Vec::new();
                if batch.lost > 0 {
                    files.lost();
                }
                files.write(&conf, &batch.frames, &mut news);
                if ends {
                    files.finish(&mut news);
                }
                (files, news)
            });
            let Ok((back, news)) = work.await else { return FileOver::Published };
            files = back;
            for news in news {
                if self.tell(news, is_reported).await.is_err() && over.is_none() {
                    over = Some(FileOver::Unwanted);
                }
            }
            match over {
                None => {}
                Some(over) if ends => return over,
                // A callback server has ended it.
                Some(over) => {
                    let work = disk::spawn(DiskWork::LiveRecord, move || {
                        let mut news = Vec::new();
                        files.finish(&mut news);
                        news
                    });
                    for news in work.await.unwrap_or_default() {
                        let _ = self.tell(news, is_reported).await;
                    }
                    return over;
                }
            }
        }
    }

    /// Sends updates about the file being written. Resolves to an answer that ends the recording.
    async fn beat(&self, heartbeat: Option<&mut Heartbeat>) -> CallbackAnswer {
        let fields = || self.file.clone().map(|file| RecordFields { end_ms: unix_ms(), ..file });
        match (heartbeat, &self.event) {
            (Some(heartbeat), Some(event)) => heartbeat.refused(event, fields).await,
            _ => std::future::pending().await,
        }
    }

    /// Logs an event and sends its callback. `Err` if the answer ends the recording.
    async fn tell(&mut self, news: TsRecordingEvent, is_reported: &mut bool) -> Result<(), ()> {
        match news {
            TsRecordingEvent::Opened(fields, unix) => {
                self.output.current.opened(self.stream.id(), self.epoch, unix);
                *is_reported = true;
                self.complained = false;
                files_log::opened(&self.stream, Path::new(OsStr::from_bytes(&fields.file)));
                self.file = Some(fields);
            }
            TsRecordingEvent::Turned(fields) => {
                self.file = None;
                let Some(event) = &mut self.event else { return Ok(()) };
                event.set_fields(fields);
                if let Err(answer) = event.update().await {
                    files_log::refused(&self.session, &answer);
                    return Err(());
                }
            }
            TsRecordingEvent::Closed(fields) => {
                self.file = None;
                if let Some(event) = &mut self.event {
                    event.set_fields(fields);
                }
            }
            TsRecordingEvent::Failed(error) => {
                self.file = None;
                if !std::mem::replace(&mut self.complained, true) {
                    files_log::failed(&self.stream, error.call, &error.path, &error.error);
                }
            }
        }
        Ok(())
    }
}
