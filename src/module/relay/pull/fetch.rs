//! A running pull: passes the origin's media to the stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::media::extension::{OnStream, Running};
use crate::media::ingest::{Feeder, Ingest};
use crate::media::relay_messages;
use crate::media::session::Session;
use crate::module::relay::attempt::RelayKind;
use crate::module::relay::conf::Current;
use crate::module::relay::destination::Destination;
use crate::module::relay::error::RelayError;
use crate::module::relay::http::Download;
use crate::module::relay::log;
use crate::module::relay::outcome::RelayEnd;
use crate::module::relay::pulled::PulledStream;
use crate::module::relay::relays::Relays;
use crate::module::relay::rtmp::{ConnectSettings, Upstream, check};
use crate::net::read_pause::ReadPause;
use crate::wire::MediaKind;
use crate::wire::flv::FlvTag;
use crate::wire::rtmp::client_session::{ClientEvent as UpstreamEvent, ClientPurpose};

/// A running pull.
pub(super) struct RunningPull<'a> {
    pub(super) relays: &'a Arc<Relays>,
    pub(super) pulled: &'a PulledStream,
    pub(super) session: &'a Arc<Session>,
    pub(super) connect: Duration,
    pub(super) feeder: Feeder,
    /// Set at the first media; until then a local publisher may take the stream.
    pub(super) ingest: Option<Ingest>,
    pub(super) started: Option<Instant>,
    /// That it runs, for the cluster, if it pulls a stream that was claimed.
    pub(super) carried: Option<Running>,
    /// Whether the source has reported that its publisher has left.
    pub(super) idle: bool,
}

impl RunningPull<'_> {
    pub(super) async fn rtmp(&mut self, destination: &Destination) -> Result<Infallible, RelayEnd> {
        destination.name(self.session);
        let server = self.pulled.view.server();
        let terms = ConnectSettings {
            relays: self.relays,
            connect: self.connect,
            chunk_size: server.chunk_size.0,
            max_message: usize::try_from(server.max_message.0).unwrap_or(usize::MAX),
            buffer: self.pulled.view.current().get::<Current>().relay_buffer.duration(),
            trail: self.session.identity.trail.claimed().clone(),
        };
        let mut upstream = Upstream::start(destination, |name| ClientPurpose::Play { name }, terms).await?;
        let (mut pause, mut received) = (ReadPause::new(&upstream.socket), 0);
        loop {
            upstream.flush().await?;
            while let Some(event) = upstream.core.poll_event() {
                match event {
                    UpstreamEvent::Media { kind, payload, .. }
                        if relay_messages::is_control(kind, &payload) =>
                    {
                        self.take_relay_message(kind, &payload)?;
                    }
                    UpstreamEvent::Media { kind, timestamp, payload } => {
                        self.ingest()?.media(kind, timestamp, payload);
                    }
                    event => check(event)?,
                }
            }
            let before = std::mem::replace(&mut received, upstream.core.bytes_received());
            if let Some(ingest) = &mut self.ingest {
                ingest.push(received);
                pause.until(ingest.next_wanted().filter(|_| received != before));
            }
            let read = pause.ready().await?;
            upstream.read_with(read)?;
        }
    }

    pub(super) async fn http(&mut self, destination: &Destination) -> Result<Infallible, RelayEnd> {
        destination.name(self.session);
        let max_message = usize::try_from(self.pulled.view.server().max_message.0).unwrap_or(usize::MAX);
        let trail = self.session.identity.trail.claimed();
        let mut download = Download::start(self.relays, destination, max_message, trail).await?;
        loop {
            let mut tags = Vec::new();
            let read = download.read(|tag| tags.push(tag)).await;
            self.take_tags(tags, download.received())?;
            read?;
        }
    }

    /// Passes on what was read at once. `received` is the number of bytes so far.
    pub(super) fn take_tags(&mut self, tags: Vec<FlvTag>, received: u64) -> Result<(), RelayEnd> {
        for tag in tags {
            if relay_messages::is_control(tag.kind, &tag.payload) {
                self.take_relay_message(tag.kind, &tag.payload)?;
                continue;
            }
            self.ingest()?.media(tag.kind, tag.timestamp, tag.payload);
        }
        if let Some(ingest) = &mut self.ingest {
            ingest.push(received);
        }
        Ok(())
    }

    /// Processes a control message of the source: if its media comes through the very stream being pulled, the relay
    /// would feed itself.
    fn take_relay_message(&mut self, kind: MediaKind, payload: &Bytes) -> Result<(), RelayEnd> {
        if relay_messages::is_idle(kind, payload) {
            self.set_idle(true);
        }
        let Some(way) = relay_messages::way_of(kind, payload) else { return Ok(()) };
        if self.relays.trails.leads_back(&way, self.pulled.stream.key()) {
            return Err(RelayError::SourceLoop.into());
        }
        self.pulled.way.send_if_modified(|known| std::mem::replace(known, way.clone()) != way);
        Ok(())
    }

    fn set_idle(&mut self, idle: bool) {
        if std::mem::replace(&mut self.idle, idle) != idle {
            self.pulled.idle.send_replace(idle);
        }
    }

    /// The ingest for media that has arrived.
    fn ingest(&mut self) -> Result<&mut Ingest, RelayEnd> {
        self.set_idle(false);
        if self.ingest.is_none() {
            let PulledStream { view, stream, .. } = self.pulled;
            let ingest = Ingest::start(
                &self.relays.intake,
                OnStream { view, session: self.session, stream },
                self.feeder,
            )
            .map_err(|_| RelayEnd::Published)?;
            let epoch = self.session.epoch.load(Ordering::Acquire);
            if epoch > 0 {
                self.carried = Some(self.relays.origins.clone().pulled(view, stream.key(), epoch));
            }
            self.started = Some(Instant::now());
            self.relays.sessions.relays.pull.started.fetch_add(1, Ordering::Relaxed);
            log::started(self.session, RelayKind::Pull.name());
            self.ingest = Some(ingest);
        }
        Ok(self.ingest.as_mut().expect("set above"))
    }
}

impl Drop for RunningPull<'_> {
    fn drop(&mut self) {
        self.set_idle(false);
        self.pulled.way.send_if_modified(|way| !std::mem::take(way).is_empty());
    }
}
