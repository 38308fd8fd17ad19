//! The exchange with the other process of an upgrade, over the control sockets of both.
//!
//! The newer process connects to the socket that the older one has renamed, before it accepts connections. That
//! connection carries the claims of publishers as long as both run; each stream, and each request for statistics or
//! control, has its own connection.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::timeout;

use super::control::socket::old_name;
use super::parts::Parts;
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::log::ErrorLog;
use crate::media::control::ControlOrder;
use crate::media::counterpart::Side;
use crate::media::counterpart::message::{CounterpartMessage, CounterpartRequest, VIEWER_KNOWN};
use crate::media::counterpart::stream::{StreamToCounterpart, ask};
use crate::media::workers::Worker;
use crate::module::ban::{Ban, BanTarget};
use crate::module::hls2::{FragmentPiece, SessionId, ViewerAnswer, ViewerQuestion};
use crate::net::socket::Socket;
use crate::server::log;

/// What a counterpart's requests and messages use.
#[derive(Clone)]
pub(super) struct CounterpartService {
    pub(super) parts: Arc<Parts>,
    pub(super) log: ErrorLog,
}

impl CounterpartService {
    /// Begins the exchange with the process that this one replaces, and begins it anew when it breaks off, as long as
    /// `is_running` tells that there is such a process. `control` is this process's control socket. Returns once the
    /// streams of that process are known, or after [`limits::COUNTERPART_JOIN`].
    pub(super) async fn join(self, control: PathBuf, is_running: impl Fn() -> bool + Send + 'static) {
        let (ready, mut is_ready) = watch::channel(false);
        tokio::spawn(async move {
            while is_running() {
                if let Err(error) = self.clone().join_once(&control, &ready).await
                    && error.kind() != io::ErrorKind::WouldBlock
                {
                    log::no_counterpart(&error);
                }
                ready.send_replace(false);
                tokio::time::sleep(limits::COUNTERPART_REJOIN).await;
            }
        });
        let _ = timeout(limits::COUNTERPART_JOIN, is_ready.wait_for(|ready| *ready)).await;
    }

    async fn join_once(self, control: &Path, ready: &watch::Sender<bool>) -> io::Result<()> {
        let request = CounterpartRequest::Join { control: control.to_owned() };
        let stream = ask(&old_name(control), &request).await?;
        self.talk(stream, Side::Newer, old_name(control), ready).await;
        Ok(())
    }

    /// Answers a request of the counterpart.
    pub(super) async fn answer(&self, request: CounterpartRequest, mut stream: UnixStream) {
        match request {
            CounterpartRequest::Join { control } => {
                let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
                if !self.parts.counterpart.expects(pid) {
                    return log::unexpected_counterpart(pid);
                }
                let (ready, _) = watch::channel(false);
                self.clone().talk(stream, Side::Older, control, &ready).await;
            }
            CounterpartRequest::Stream { stream: key } => self.send_stream(&(&key).into(), stream),
            CounterpartRequest::Statistics => {
                let source = self.parts.statistics.clone();
                let made = tokio::task::spawn_blocking(move || serde_json::to_vec(&source.part()));
                if let Ok(Ok(line)) = made.await {
                    let _ = timeout(limits::CONTROL_IDLE, stream.write_all(&line)).await;
                }
            }
            CounterpartRequest::Control { section, method, query, caller } => {
                let (method, query) = (method.bytes(), query.bytes());
                let order = ControlOrder::new(&method, &query, &caller);
                let result = self.parts.control.carry_out_here(&section.bytes(), &order);
                if let Ok(line) = serde_json::to_vec(&result) {
                    let _ = timeout(limits::CONTROL_IDLE, stream.write_all(&line)).await;
                }
            }
            CounterpartRequest::Viewer { stream: key, session, addr, query, fragment, end } => {
                let viewers = self.parts.viewers.clone();
                self.on_worker(stream, move |_, mut stream| async move {
                    let (key, query) = (StreamKey::from(&key), query.bytes());
                    let Some(session) = SessionId::parse(session.as_bytes()) else { return };
                    let piece = FragmentPiece::parse(end.as_bytes()).unwrap_or(FragmentPiece::Ts);
                    let fragment = fragment.map(|id| (id, piece));
                    let question =
                        ViewerQuestion { stream: &key, session: &session, addr, query: &query, fragment };
                    let Some(visit) = viewers.visit(question.stream, question.session, addr) else { return };
                    let answered = async {
                        stream.write_all(VIEWER_KNOWN).await?;
                        send_answer(&mut stream, ViewerAnswer::to(visit, &question).await).await
                    };
                    // Without the rest of the answer the counterpart knows that it is incomplete.
                    let _ = timeout(limits::CONTROL_PATIENCE, answered).await;
                });
            }
            CounterpartRequest::Counted { counts } => {
                if self.parts.counterpart.counts()
                    && let Ok(counts) = counts.parse()
                {
                    self.parts.counterpart.counted();
                    self.parts.sessions.take_over(counts);
                }
            }
        }
    }

    /// Sends a stream that is published here.
    fn send_stream(&self, key: &StreamKey, stream: UnixStream) {
        let Parts { counterpart, registry, sessions, lifetime, .. } = &*self.parts;
        let Some((publisher, found)) = counterpart.publisher(key).zip(registry.find(key)) else { return };
        let sending = StreamToCounterpart { publisher, stream: found, session: sessions.next_session_id() };
        let (counterpart, lifetime) = (counterpart.clone(), lifetime.clone());
        self.on_worker(stream, move |worker, stream| async move {
            // The last frames are sent before this process ends.
            let _unfinished = lifetime.unfinished.token();
            sending.send(&worker, Socket::from(stream), &counterpart, &lifetime.shutdown).await;
        });
    }

    /// Goes on with a connection on the next worker.
    fn on_worker<F: Future<Output = ()> + Send>(
        &self,
        stream: UnixStream,
        work: impl FnOnce(Worker, UnixStream) -> F + Send + 'static,
    ) {
        let worker = self.parts.workers.next();
        let runtime = worker.runtime.clone();
        // The socket moves to the worker's runtime.
        let Ok(stream) = stream.into_std() else { return };
        runtime.spawn(async move {
            if let Ok(stream) = UnixStream::from_std(stream) {
                work(worker, stream).await;
            }
        });
    }

    /// Exchanges messages until one of the processes ends. `ready` becomes true when the counterpart has named its
    /// streams.
    async fn talk(self, stream: UnixStream, side: Side, control: PathBuf, ready: &watch::Sender<bool>) {
        let Parts { counterpart, stream_events, viewers, bans, .. } = &*self.parts;
        let greeting = (side == Side::Older).then(|| CounterpartMessage::ViewerKey { key: viewers.key() });
        let Some(outbox) = counterpart.attach(side, control, greeting) else {
            return log::second_counterpart();
        };
        if side == Side::Older {
            for ban in bans.list() {
                let until = ban.until.and_then(|until| until.duration_since(UNIX_EPOCH).ok());
                counterpart.tell(CounterpartMessage::Banned {
                    target: ban.target.text().into(),
                    until_ms: until.map(|until| u64::try_from(until.as_millis()).unwrap_or(u64::MAX)),
                });
            }
        }
        let (reader, writer) = stream.into_split();
        let mut is_ready = ready.subscribe();
        let sending = async {
            // What follows the request too closely would be read together with it.
            if side == Side::Newer && is_ready.wait_for(|ready| *ready).await.is_err() {
                return;
            }
            send_messages(outbox, writer).await;
        };
        tokio::select! {
            () = sending => {}
            () = self.receive(reader, ready) => {}
        }
        counterpart.detach();
        stream_events.counterpart_left();
        match *ready.borrow() {
            true => log::counterpart_left(),
            false => log::no_counterpart(&io::ErrorKind::ConnectionRefused.into()),
        }
    }

    /// Receives messages until the counterpart ends, falls silent, or turns out to be of a version that does not
    /// exchange streams.
    async fn receive(&self, reader: OwnedReadHalf, ready: &watch::Sender<bool>) {
        let Parts { counterpart, stream_events, viewers, bans, .. } = &*self.parts;
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut bounded = (&mut reader).take(limits::COUNTERPART_MESSAGE);
            let read = timeout(limits::COUNTERPART_SILENCE, bounded.read_until(b'\n', &mut line)).await;
            if !matches!(read, Ok(Ok(1..))) {
                return;
            }
            match serde_json::from_slice(&line) {
                Ok(CounterpartMessage::Reopen) => self.log.reopen(|opened| match opened {
                    Ok(()) => log::reopened(),
                    Err(error) => log::reopen_failed(&error),
                }),
                Ok(CounterpartMessage::ViewerKey { key }) => viewers.adopt_key(&key),
                Ok(CounterpartMessage::Banned { target, until_ms }) => {
                    let until = until_ms.and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)));
                    if let Some(target) = BanTarget::parse(&target.bytes()) {
                        bans.add(Ban { target, until });
                    }
                }
                Ok(message) => {
                    counterpart.handle(&message);
                    stream_events.handle(&message);
                    if message == CounterpartMessage::Ready {
                        log::counterpart_joined();
                        ready.send_replace(true);
                    }
                }
                Err(error) => {
                    log::message_not_understood(&error);
                    // Before that, it is the refusal of a version without this exchange.
                    if !*ready.borrow() {
                        return;
                    }
                }
            }
        }
    }
}

/// Sends messages as they come, and [`CounterpartMessage::Alive`] in between, until the exchange ends.
async fn send_messages(mut outbox: UnboundedReceiver<CounterpartMessage>, mut writer: OwnedWriteHalf) {
    loop {
        let message = match timeout(limits::COUNTERPART_ALIVE, outbox.recv()).await {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(_) => CounterpartMessage::Alive,
        };
        let Ok(mut line) = serde_json::to_vec(&message) else { return };
        line.push(b'\n');
        if !matches!(timeout(limits::COUNTERPART_SILENCE, writer.write_all(&line)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn send_answer(stream: &mut UnixStream, answer: ViewerAnswer) -> io::Result<()> {
    let head = format!("{} {}\n", answer.status().as_str(), answer.length());
    stream.write_all(head.as_bytes()).await?;
    match answer {
        ViewerAnswer::Playlist(bytes) | ViewerAnswer::Piece(bytes) => stream.write_all(&bytes).await,
        ViewerAnswer::Fragment(fragment, visit) => {
            for chunk in &fragment.chunks {
                stream.write_all(chunk).await?;
                visit.sent(chunk.len());
            }
            Ok(())
        }
        ViewerAnswer::Refused(_) => Ok(()),
    }
}

/// At the end of this process: passes its counters on to the counterpart, if there is one.
pub(super) async fn pass_on_counts(parts: &Parts) {
    let request = CounterpartRequest::Counted { counts: parts.sessions.remainder().to_string() };
    let told = async {
        let mut socket = parts.counterpart.ask(&request).await.ok()?;
        // The counterpart closes the connection when it has read them.
        socket.read_to_end(&mut Vec::new()).await.ok()
    };
    let _ = timeout(limits::LINGER, told).await;
}
