//! Recording: a task per publish reads the stream like a player, blocking threads write the files.
//!
//! A slow disk does not delay the stream: packets wait in a bounded queue; when it is full, packets up to the next key
//! frame are dropped.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::SteadyTimeline;
use super::record_file::FileRemark;
use super::recorder::{Recorder, RecorderEvent};
pub use super::registry::{RecordControl, Recordings};
use super::{RecorderSettings, Recorders};
use crate::config::store::Store;
use crate::hub::headers::Headers;
use crate::hub::packet::Packet;
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::files::claims::FileClaims;
use crate::media::files::log;
use crate::media::gop;
use crate::media::millis;
use crate::media::mpegts::FeedSettings;
use crate::media::reader::PacketReader;
use crate::media::session::Session;
use crate::media::view::AppView;
use crate::task::disk::{self, DiskWork};
use crate::task::fault;
use crate::task::lifetime::Lifetime;

/// Output that records streams (`record`).
pub struct FlvRecording {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// Files being written.
    pub places: Arc<FileClaims>,
    /// Publishes that control requests can record.
    pub recordings: Arc<Recordings>,
    /// Runs commands once a file is complete.
    pub done: Arc<dyn RecordDone>,
    /// Shutdown of the process, which waits for files.
    pub lifetime: Lifetime,
}

/// Action after a completed recording.
pub trait RecordDone: Send + Sync {
    /// A recorder of a session has completed a file.
    fn record_done(&self, recorder: &RecorderSettings, session: &Arc<Session>, file: &Path);
}

impl Output for FlvRecording {
    fn begin(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Running> {
        Some(Box::new(RunningRecording::start(&self, publisher)))
    }
}

/// Recorders of one publish. Dropping it ends them with the packets received so far.
struct RunningRecording {
    stream: Arc<Stream>,
    /// Sends the number after the publisher's last packet.
    stop: Option<oneshot::Sender<u64>>,
    _listed: super::registry::ListedPublish,
}

impl RunningRecording {
    /// Starts recorders for a session that has just taken `stream`. Must be called before its first packet, within a
    /// runtime.
    fn start(output: &Arc<FlvRecording>, publisher: OnStream<'_>) -> Self {
        let OnStream { view, session, stream } = publisher;
        let (stop, stopped) = oneshot::channel();
        let (commands, asked) = mpsc::channel(limits::RECORD_COMMANDS);
        let task = RecordingTask {
            output: output.clone(),
            view: view.clone(),
            session: session.clone(),
            stream: stream.clone(),
            reader: None,
            queue: PacketQueue::default(),
            jumps: stream.jumps(),
            set: RecorderSet::default(),
            _unfinished: output.lifetime.unfinished.token(),
        };
        tokio::spawn(task.prepared().run(asked, stopped));
        let listed = output.recordings.list(stream.id(), view.clone(), session.key.clone(), commands);
        RunningRecording { stream: stream.clone(), stop: Some(stop), _listed: listed }
    }
}

impl Drop for RunningRecording {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(self.stream.end());
        }
    }
}

struct RecordingTask {
    output: Arc<FlvRecording>,
    view: AppView,
    session: Arc<Session>,
    stream: Arc<Stream>,
    /// Present only if there are recorders.
    reader: Option<PacketReader>,
    queue: PacketQueue,
    /// Jumps of timestamps that were flattened before the publish.
    jumps: u64,
    set: RecorderSet,
    _unfinished: TaskTrackerToken,
}

/// Packets to be written.
#[derive(Default)]
struct PacketQueue {
    packets: Vec<Arc<Packet>>,
    bytes: usize,
    lost: u64,
}

/// The recorders with their state.
#[derive(Default)]
struct RecorderSet {
    recorders: Vec<Recorder>,
    steady: SteadyTimeline,
    headers: Headers,
    news: Vec<RecorderEvent>,
    /// Whether the log says that timestamps were corrected.
    said_repaired: bool,
}

impl RecordingTask {
    fn prepared(mut self) -> Self {
        self.configure();
        self
    }

    async fn run(mut self, mut asked: mpsc::Receiver<RecordControl>, mut stopped: oneshot::Receiver<u64>) {
        let mut changed = self.output.store.watch();
        loop {
            let waits = !self.queue.packets.is_empty();
            tokio::select! {
                () = ready(self.reader.as_ref()), if !waits => self.fetch(None),
                () = tokio::time::sleep(limits::RECORD_WRITE_INTERVAL), if waits => {
                    self.fetch(None);
                    self.write().await;
                }
                Ok(()) = changed.changed() => {
                    self.write().await;
                    self.configure();
                }
                Some(command) = asked.recv() => {
                    self.write().await;
                    self.obey(&command);
                }
                last = &mut stopped => {
                    self.fetch(last.ok());
                    self.write().await;
                    return self.finish().await;
                }
            }
        }
    }

    /// Fetches packets of the stream, up to number `end`.
    fn fetch(&mut self, end: Option<u64>) {
        let Some(reader) = &mut self.reader else { return };
        let queue = &mut self.queue;
        let before = queue.packets.len();
        queue.lost += reader.fetch(&mut queue.packets);
        if let Some(end) = end {
            // Later packets belong to the next publisher.
            let beyond = usize::try_from(reader.next().saturating_sub(end)).unwrap_or(usize::MAX);
            queue.packets.truncate(queue.packets.len().saturating_sub(beyond));
        }
        queue.bytes += queue.packets.iter().skip(before).map(|p| p.payload().len()).sum::<usize>();
        if queue.bytes > limits::RECORD_QUEUE_BYTES || queue.packets.len() > limits::RECORD_QUEUE_PACKETS {
            // The headers among the dropped packets still count.
            self.set.take_newer(queue.packets.iter());
            queue.lost += queue.packets.len() as u64;
            queue.packets.clear();
            queue.bytes = 0;
        }
    }

    /// Writes queued packets, and fetches from the stream in the meantime.
    async fn write(&mut self) {
        let PacketQueue { packets, lost, .. } = std::mem::take(&mut self.queue);
        if packets.is_empty() && lost == 0 {
            return;
        }
        if lost > 0 {
            log::too_slow(&self.stream, lost);
        }
        let mut set = std::mem::take(&mut self.set);
        let tracks = self.stream.info().tracks();
        let work = disk::spawn(DiskWork::Record, move || {
            fault::stall_at("record_stalls");
            set.recorders.iter_mut().for_each(|recorder| recorder.learn(tracks));
            set.write(&packets, lost);
            set
        });
        self.wait(work).await;
    }

    async fn finish(mut self) {
        let mut set = std::mem::take(&mut self.set);
        let work = disk::spawn(DiskWork::Record, move || {
            let RecorderSet { recorders, news, .. } = &mut set;
            recorders.iter_mut().for_each(|recorder| recorder.finish(news));
            set
        });
        self.wait(work).await;
    }

    /// Waits for a blocking job; packets that arrive meanwhile are queued.
    async fn wait(&mut self, mut work: JoinHandle<RecorderSet>) {
        loop {
            tokio::select! {
                done = &mut work => {
                    // A job that panicked takes its recorders with it; a reload or the next publish creates new ones.
                    let headers = std::mem::take(&mut self.set.headers);
                    self.set = done.unwrap_or_default();
                    self.set.take_newer(headers.iter());
                    self.tell();
                    return;
                }
                () = ready(self.reader.as_ref()) => self.fetch(None),
            }
        }
    }

    /// Applies the recorders of the current configuration.
    fn configure(&mut self) {
        self.set.steady.set_fix(millis(self.view.held().get::<gop::conf::Conf>().fix_timestamp));
        let application = self.view.current();
        let packager = FeedSettings::of(&self.view).packager;
        let mut before = std::mem::take(&mut self.set.recorders);
        for conf in &application.get::<Recorders>().0 {
            let recorder = match before.iter().position(|old| old.conf().name == conf.name) {
                Some(at) => {
                    let mut recorder = before.remove(at);
                    recorder.configure(conf, &mut self.set.news);
                    recorder
                }
                None => Recorder::new(conf.clone(), &self.stream.key().name, &self.output.places, packager),
            };
            self.set.recorders.push(recorder);
        }
        // Complete the removed ones, which takes a few bytes each.
        for mut recorder in before {
            recorder.finish(&mut self.set.news);
        }
        self.tell();
        if self.set.recorders.is_empty() {
            self.reader = None;
        } else if self.reader.is_none() {
            let reader = PacketReader::attach(&self.stream);
            self.set.headers = reader.before().headers;
            self.reader = Some(reader);
        }
    }

    fn obey(&mut self, command: &RecordControl) {
        for recorder in &mut self.set.recorders {
            if recorder.conf().name == command.recorder {
                recorder.ask(command.on, &mut self.set.news);
            }
        }
        self.tell();
    }

    fn tell(&mut self) {
        for news in std::mem::take(&mut self.set.news) {
            let (conf, told) = match &news {
                RecorderEvent::Opened(conf, path) => {
                    log::opened(&self.stream, path);
                    (conf, Some(("status", "NetStream.Record.Start")))
                }
                RecorderEvent::Closed(conf, path, failed) => {
                    log::closed(&self.stream, path);
                    self.output.done.record_done(conf, &self.session, path);
                    // A failure was told before.
                    (conf, (!failed).then_some(("status", "NetStream.Record.Stop")))
                }
                RecorderEvent::Empty(conf, path) => {
                    log::empty(&self.stream, path);
                    (conf, Some(("status", "NetStream.Record.Stop")))
                }
                RecorderEvent::Failed(conf, error, stops) => {
                    log::failed(&self.stream, error.call, &error.path, &error.error);
                    (conf, stops.then_some(("error", "NetStream.Record.Failed")))
                }
                RecorderEvent::Remark(path, FileRemark::LeftOut(kind, reason)) => {
                    log::left_out(&self.stream, path, *kind, reason);
                    continue;
                }
                RecorderEvent::Remark(_, FileRemark::Repaired) => {
                    self.say_repaired();
                    continue;
                }
            };
            if let Some((level, code)) = told.filter(|_| conf.conf.notify) {
                self.session.tell(level, code, conf.name.to_string());
            }
        }
        let is_repaired = self.set.steady.take_repaired() || self.stream.jumps() != self.jumps;
        if is_repaired && !self.set.recorders.is_empty() {
            self.say_repaired();
        }
    }

    fn say_repaired(&mut self) {
        if !std::mem::replace(&mut self.set.said_repaired, true) {
            log::repaired(&self.stream);
        }
    }
}

impl RecorderSet {
    fn write(&mut self, packets: &[Arc<Packet>], lost: u64) {
        let now = Instant::now();
        if lost > 0 {
            self.recorders.iter_mut().for_each(Recorder::lost);
        }
        for packet in packets {
            self.headers.keep_packet(packet);
            let packet = self.steady.place(packet);
            let RecorderSet { recorders, headers, news, .. } = self;
            for recorder in recorders {
                recorder.handle(&packet, headers, now, news);
            }
        }
        let RecorderSet { recorders, news, .. } = self;
        recorders.iter_mut().for_each(|recorder| recorder.flush(news));
    }

    fn take_newer<'a>(&mut self, packets: impl Iterator<Item = &'a Arc<Packet>>) {
        for packet in packets {
            self.headers.keep_packet(packet);
        }
    }
}

async fn ready(reader: Option<&PacketReader>) {
    match reader {
        Some(reader) => reader.ready().await,
        None => std::future::pending().await,
    }
}
