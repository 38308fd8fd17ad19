//! Streams that are published in the other process of an upgrade. No callback is asked: that process has asked them.
//!
//! Only streams of clients are fetched. What that process pulls itself, each process pulls, and asks `on_pull` for it: a
//! pulled stream would otherwise keep a process that waits for its sessions to end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::fetch::RunningPull;
use crate::limits;
use crate::media::ingest::Feeder;
use crate::module::relay::log;
use crate::module::relay::outcome::RelayEnd;
use crate::module::relay::pulled::PulledStream;
use crate::module::relay::relays::Relays;
use crate::wire::flv::{FlvReader, FlvTag};

impl PulledStream {
    /// Brings the stream as long as the counterpart's publisher has it. Returns after any end.
    pub(super) async fn bring_from_counterpart(&self, relays: &Arc<Relays>) {
        let Some(session) = self.session(relays) else { return };
        let fetched = relays.counterpart.fetch(self.stream.key());
        let mut fetch = RunningPull {
            relays,
            pulled: self,
            session: &session,
            connect: Duration::ZERO,
            feeder: Feeder::Counterpart,
            ingest: None,
            started: None,
            carried: None,
            idle: false,
        };
        let end = tokio::select! {
            end = fetch.counterpart() => match end {
                Ok(never) => match never {},
                Err(end) => end,
            },
            () = self.published_by_another(&session) => RelayEnd::Published,
            () = self.gives_way() => RelayEnd::Published,
        };
        let worked = fetch.started.is_some() && matches!(end, RelayEnd::Closed | RelayEnd::Published);
        drop(fetch);
        drop(fetched);
        log::left_counterpart(&session, &end);
        if !worked {
            tokio::time::sleep(limits::COUNTERPART_RETRY).await;
        }
    }
}

impl RunningPull<'_> {
    async fn counterpart(&mut self) -> Result<Infallible, RelayEnd> {
        let max_message = usize::try_from(self.pulled.view.server().max_message.0).unwrap_or(usize::MAX);
        let socket = self.relays.counterpart.open(self.pulled.stream.key()).await?;
        let (mut reader, mut received) = (FlvReader::new(max_message), 0);
        let mut buffer = vec![0; limits::READ_BUFFER];
        loop {
            socket.readable().await?;
            let length = match socket.try_read(&mut buffer) {
                Ok(0) => return Err(RelayEnd::Closed),
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            received += length as u64;
            let (mut input, mut tags) = (&buffer[..length], Vec::<FlvTag>::new());
            while let Some(tag) = reader.read(&mut input)? {
                tags.push(tag);
            }
            self.take_tags(tags, received)?;
        }
    }
}
