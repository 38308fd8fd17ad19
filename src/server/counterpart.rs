//! The exchange with the other process of an upgrade, over the control sockets of both.
//!
//! The newer process connects to the socket that the older one has renamed, before it accepts connections. That
//! connection carries the claims of publishers as long as both run; each stream, and each request for statistics or
//! control, has its own connection.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::control::socket::old_name;
use super::parts::Parts;
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::log::ErrorLog;
use crate::media::counterpart::Side;
use crate::media::counterpart::message::{CounterpartMessage, CounterpartRequest};
use crate::media::counterpart::stream::StreamToCounterpart;
use crate::module::hls2::{SessionId, ViewerAnswer, ViewerQuestion};
use crate::net::socket::Socket;
use crate::server::log;

/// What a counterpart's requests and messages use.
#[derive(Clone)]
pub(super) struct CounterpartService {
    pub(super) parts: Arc<Parts>,
    pub(super) log: ErrorLog,
}

impl CounterpartService {
    /// Begins the exchange with the process that this one replaces. `control` is this process's control socket. Returns
    /// once the streams of that process are known.
    pub(super) async fn join(self, control: &Path) {
        let joined = async {
            let mut stream = UnixStream::connect(old_name(control)).await?;
            let mut line = serde_json::to_vec(&CounterpartRequest::Join { control: control.to_owned() })?;
            line.push(b'\n');
            stream.write_all(&line).await?;
            let (ready, mut is_ready) = watch::channel(false);
            tokio::spawn(self.talk(stream, Side::Newer, old_name(control), ready));
            // An error means that the exchange has ended, which is logged there.
            let _ = is_ready.wait_for(|ready| *ready).await;
            Ok(())
        };
        match timeout(limits::COUNTERPART_JOIN, joined).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::no_counterpart(&error),
            Err(late) => log::no_counterpart(&late.into()),
        }
    }

    /// Answers a request of the counterpart.
    pub(super) async fn answer(&self, request: CounterpartRequest, mut stream: UnixStream) {
        match request {
            CounterpartRequest::Join { control } => {
                let (ready, _) = watch::channel(false);
                self.clone().talk(stream, Side::Older, control, ready).await;
            }
            CounterpartRequest::Stream { stream: key } => self.send_stream(&(&key).into(), stream),
            CounterpartRequest::Statistics => {
                let statistics = self.parts.statistics.part();
                let Ok(line) = serde_json::to_vec(&statistics) else { return };
                let _ = timeout(limits::CONTROL_IDLE, stream.write_all(&line)).await;
            }
            CounterpartRequest::Control { section, method, query } => {
                let result = self.parts.control.carry_out_here(&section, &method, &query);
                let Ok(line) = serde_json::to_vec(&result) else { return };
                let _ = timeout(limits::CONTROL_IDLE, stream.write_all(&line)).await;
            }
            CounterpartRequest::Viewer { stream: key, session, addr, query, fragment } => {
                let Some(session) = SessionId::parse(session.as_bytes()) else { return };
                let key = StreamKey::from(&key);
                let question =
                    ViewerQuestion { stream: &key, session: &session, addr, query: &query, fragment };
                let Some(answer) = self.parts.viewers.answer_known(&question).await else { return };
                let _ = timeout(limits::CONTROL_PATIENCE, send_answer(&mut stream, answer)).await;
            }
            CounterpartRequest::Counted { counts } => {
                if let Ok(counts) = counts.parse() {
                    self.parts.sessions.take_over(counts);
                }
            }
        }
    }

    /// Sends a stream that is published here on the next worker.
    fn send_stream(&self, key: &StreamKey, socket: UnixStream) {
        let Parts { counterpart, registry, sessions, workers, lifetime, .. } = &*self.parts;
        let Some((publisher, stream)) = counterpart.publisher(key).zip(registry.find(key)) else { return };
        let (worker, shutdown) = (workers.next(), lifetime.shutdown.clone());
        let sending = StreamToCounterpart { publisher, stream, session: sessions.next_session_id() };
        let runtime = worker.runtime.clone();
        // The socket moves to the worker's runtime.
        let Ok(socket) = socket.into_std() else { return };
        runtime.spawn(async move {
            let Ok(socket) = UnixStream::from_std(socket) else { return };
            sending.send(&worker, Socket::from(socket), &shutdown).await;
        });
    }

    /// Exchanges messages until one of the processes ends. `ready` becomes true when the counterpart has named its
    /// streams.
    async fn talk(self, stream: UnixStream, side: Side, control: PathBuf, ready: watch::Sender<bool>) {
        let counterpart = &self.parts.counterpart;
        let Some(mut outbox) = counterpart.attach(side, control) else {
            return log::second_counterpart();
        };
        let (reader, mut writer) = stream.into_split();
        let mut is_ready = ready.subscribe();
        let sending = async {
            // What follows the request too closely would be read together with it.
            if side == Side::Newer {
                let _ = is_ready.wait_for(|ready| *ready).await;
            }
            while let Some(message) = outbox.recv().await {
                let Ok(mut line) = serde_json::to_vec(&message) else { return };
                line.push(b'\n');
                if writer.write_all(&line).await.is_err() {
                    return;
                }
            }
        };
        let receiving = async {
            let mut reader = BufReader::new(reader);
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = (&mut reader).take(limits::COUNTERPART_MESSAGE).read_until(b'\n', &mut line).await;
                if !matches!(read, Ok(1..)) {
                    return;
                }
                match serde_json::from_slice(&line) {
                    Ok(CounterpartMessage::Reopen) => self.log.reopen(|opened| match opened {
                        Ok(()) => log::reopened(),
                        Err(error) => log::reopen_failed(&error),
                    }),
                    Ok(CounterpartMessage::Event(message)) => self.parts.admission.handle(&message),
                    Ok(message) => {
                        counterpart.handle(&message);
                        if message == CounterpartMessage::Ready {
                            ready.send_replace(true);
                        }
                    }
                    // A message that only the other version knows.
                    Err(error) => log::message_not_understood(&error),
                }
            }
        };
        log::counterpart_joined();
        tokio::select! {
            () = sending => {}
            () = receiving => {}
        }
        counterpart.detach();
        self.parts.admission.counterpart_left();
        log::counterpart_left();
    }
}

async fn send_answer(stream: &mut UnixStream, answer: ViewerAnswer) -> io::Result<()> {
    stream.write_all(format!("{}\n", answer.status().as_str()).as_bytes()).await?;
    match answer {
        ViewerAnswer::Playlist(text) => stream.write_all(&text).await,
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
