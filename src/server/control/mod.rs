//! Control socket, through which commands reach the running server.

pub mod client;
pub mod order;
mod path;
pub mod probe;
pub mod protocol;
pub mod socket;
mod status;

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use self::order::QueuedRequest;
use self::probe::Probe;
use self::protocol::{ControlAnswer, FileInForce, Request};
use self::socket::{ControlSocket, ControlSocketError};
use super::counterpart::CounterpartService;
use super::parts::Parts;
use crate::config::Config;
use crate::config::path_setting::PathSetting;
use crate::limits;
use crate::log::counted;
use crate::media::control::{ControlCaller, ControlOrder, ControlOutcome};
use crate::server::core;
use crate::server::log;
use crate::syntax::source::TextOrigin;
use crate::task::lifetime::Lifetime;

/// Creates the socket of the configuration. If the configuration does not name one, the inner error is only logged, and
/// the server runs without a control socket.
///
/// # Errors
///
/// The named socket cannot be created.
pub fn open(
    config: &Config,
) -> Result<Option<Result<ControlSocket, ControlSocketError>>, ControlSocketError> {
    let Some(path) = config.control_path() else { return Ok(None) };
    let bound = ControlSocket::bind(&path);
    match config.get::<core::conf::Conf>().control_socket {
        PathSetting::Path(_) => bound.map(Ok).map(Some),
        PathSetting::On | PathSetting::Off => Ok(Some(bound)),
    }
}

/// Checks whether [`open`] would refuse a start. A running process that has the socket does not count: it is the one to
/// be reloaded.
///
/// # Errors
///
/// The configured socket could not be created.
pub fn check(config: &Config) -> Result<(), ControlSocketError> {
    match (config.control_path(), &config.get::<core::conf::Conf>().control_socket) {
        (Some(path), PathSetting::Path(_)) => socket::check(&path),
        _ => Ok(()),
    }
}

/// Data for answering requests.
struct ControlService {
    parts: Arc<Parts>,
    counterpart: CounterpartService,
    orders: mpsc::Sender<QueuedRequest>,
    /// Permits for commands in progress.
    places: Semaphore,
    /// Permits for orders that wait or are in progress.
    waiting: Semaphore,
}

/// Answers on a control socket as long as the server runs. Requests that only read are answered here, others go through
/// `orders`, one at a time.
pub(super) async fn run(
    counterpart: CounterpartService,
    listener: std::os::unix::net::UnixListener,
    orders: mpsc::Sender<QueuedRequest>,
) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log::not_listening(&error),
    };
    let service = Arc::new(ControlService {
        parts: counterpart.parts.clone(),
        counterpart,
        orders,
        places: Semaphore::new(limits::CONTROL_CONNECTIONS),
        waiting: Semaphore::new(limits::CONTROL_ORDERS),
    });
    let sockets = Arc::new(Semaphore::new(limits::CONTROL_SOCKETS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(socket) = sockets.clone().try_acquire_owned() else { continue };
                let service = service.clone();
                tokio::spawn(async move {
                    let _socket = socket;
                    // The client may disconnect before the answer.
                    let _ = service.serve(stream).await;
                });
            }
            Err(error) => {
                log::not_listening(&error);
                tokio::time::sleep(limits::CONTROL_IDLE).await;
            }
        }
    }
}

impl ControlService {
    async fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        let user = stream.peer_cred()?.uid();
        if user != 0 && user != nix::unistd::geteuid().as_raw() {
            log::stranger(user);
            return turn_away(stream, "only root and the server's user may use its control socket").await;
        }
        let (reader, mut writer) = stream.split();
        let mut reader = BufReader::new(reader);
        let request = loop {
            let mut line = Vec::new();
            let mut bounded = (&mut reader).take(limits::CONTROL_REQUEST);
            let length = timeout(limits::CONTROL_IDLE, bounded.read_until(b'\n', &mut line)).await??;
            if length == 0 {
                return Ok(());
            }
            if let Ok(request) = serde_json::from_slice(&line) {
                break request;
            }
            let answer = match line.last() {
                Some(b'\n') => match serde_json::from_slice(&line) {
                    Ok(request) => match self.places.try_acquire() {
                        Ok(_place) => self.answer(request, user).await,
                        Err(_) => refused("too many commands at once"),
                    },
                    Err(error) => refused(&format!("the request is not understood ({error})")),
                },
                _ => {
                    // The rest would be read as the next request.
                    return tell(&mut writer, &refused("the request is too long")).await;
                }
            };
            tell(&mut writer, &answer).await?;
        };
        self.counterpart.answer(request, stream).await;
        Ok(())
    }

    /// `user` is the number of the user who asks.
    async fn answer(&self, request: Request, user: u32) -> ControlAnswer {
        match request {
            Request::Status => ControlAnswer::Status(Box::new(status::of(&self.parts).await)),
            Request::Callbacks => ControlAnswer::Callbacks(Box::new(self.parts.callbacks.snapshot())),
            Request::Streams => match self.parts.stat.value().await {
                Some(document) => ControlAnswer::Streams(Box::new(document)),
                None => refused("the statistics cannot be read"),
            },
            Request::Probe { place } => {
                let (config, transport) = (self.parts.store.load(), self.parts.callbacks.transport());
                match probe::run(&config, &transport, &place).await {
                    Ok(Probe { text, has_failed: true }) => ControlAnswer::Failed { text },
                    Ok(Probe { text, has_failed: false }) => ControlAnswer::done(text),
                    Err(error) => ControlAnswer::Refused { text: error.to_string() },
                }
            }
            Request::Confirm => self.confirm(),
            Request::Files => self.files(),
            Request::Control { section, method, query } => {
                let (method, query, caller) = (method.bytes(), query.bytes(), ControlCaller::User(user));
                let order = ControlOrder::new(&method, &query, &caller);
                self.control(&section, &order).await
            }
            request => self.order(request).await,
        }
    }

    async fn control(&self, section: &str, order: &ControlOrder<'_>) -> ControlAnswer {
        let control = &self.parts.control;
        let Some(verb) = control.verbs().find(|verb| verb.name == section) else {
            return refused("there is no such control request");
        };
        match control.carry_out(section.as_bytes(), order).await {
            Some(Ok(outcome)) => ControlAnswer::Controlled {
                text: match &outcome {
                    ControlOutcome::Sessions(count) => {
                        format!("{} {}\n", verb.done, counted(*count, "session"))
                    }
                    other => other.to_string(),
                },
                result: outcome.json(),
            },
            Some(Err(why)) => refused(&why.to_string()),
            None => refused("there is no such control request"),
        }
    }

    /// Not queued behind a reload in progress, since the confirmation time is running.
    fn confirm(&self) -> ControlAnswer {
        let mut history = self.parts.history.lock();
        if history.confirm_by().is_none() {
            return refused("there is nothing to confirm");
        }
        history.confirm_within(None);
        ControlAnswer::done(format!("generation {} is confirmed\n", self.parts.store.generation()))
    }

    fn files(&self) -> ControlAnswer {
        let history = self.parts.history.lock();
        let Some(current) = history.current() else { return refused("the server is starting") };
        let files = current.sources.files().iter().filter(|file| file.origin == TextOrigin::File);
        let files = files.map(|file| FileInForce {
            path: file.name.as_os_str().as_bytes().into(),
            content: file.bytes[..].into(),
        });
        ControlAnswer::Files { files: files.collect(), is_rolled_back: history.is_rolled_back() }
    }

    async fn order(&self, request: Request) -> ControlAnswer {
        if self.parts.lifetime.draining.is_cancelled() || self.parts.lifetime.shutdown.is_cancelled() {
            return refused("the server is shutting down");
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return refused("other commands wait for a reload that is in progress");
        };
        let (reply, answer) = oneshot::channel();
        // During shutdown the receiver drops pending orders.
        let stopping = "the server is shutting down";
        if self.orders.send(QueuedRequest { request, reply }).await.is_err() {
            return refused(stopping);
        }
        let Lifetime { draining, shutdown, .. } = &self.parts.lifetime;
        tokio::select! {
            answer = answer => answer.unwrap_or_else(|_| match shutdown.is_cancelled() {
                true => refused(stopping),
                false => refused("an upgrade is in progress, and the new process reads the files"),
            }),
            () = draining.cancelled() => refused(stopping),
            () = shutdown.cancelled() => refused(stopping),
        }
    }
}

impl ControlAnswer {
    /// Answer of a request that was carried out.
    pub fn done(text: String) -> ControlAnswer {
        ControlAnswer::Done { text, warnings: String::new() }
    }
}

/// Answer of a request that was not carried out.
pub fn refused(text: &str) -> ControlAnswer {
    ControlAnswer::Refused { text: text.to_owned() }
}

/// Refuses a connection. Its request is read first, within bounds: closing the connection earlier would reset it and
/// lose the answer.
async fn turn_away(mut stream: UnixStream, text: &str) -> io::Result<()> {
    tell(&mut stream, &ControlAnswer::NotPermitted { text: text.to_owned() }).await?;
    stream.shutdown().await?;
    let mut asked = stream.take(limits::CONTROL_REQUEST);
    timeout(limits::LINGER, tokio::io::copy(&mut asked, &mut tokio::io::sink())).await??;
    Ok(())
}

async fn tell(to: &mut (impl AsyncWriteExt + Unpin), answer: &ControlAnswer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    timeout(limits::CONTROL_IDLE, to.write_all(&line)).await?
}
