//! A player that is sent what is recorded before the stream: a task reads it, and the delivery loop sends it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::hub::cursor::PlayerSettings;
use crate::hub::packet::{Container, Packet, PacketClass};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::delivery::{Delivery, PlayerLink, SentBeforeJoin};
use crate::media::live;
use crate::media::log;
use crate::media::past::{PastRequest, PastStep, Pasts};
use crate::media::session::Reason;
use crate::wire::MediaKind;
use crate::wire::flv::FlvReader;

/// The task of a player that the delivery loop holds; ends when dropped.
pub(super) struct PastFeed {
    state: Arc<watch::Sender<FeedState>>,
    task: JoinHandle<()>,
}

/// What a task needs.
pub(super) struct FeedPlan {
    pub(super) request: PastRequest,
    pub(super) delivery: Delivery,
    pub(super) settings: PlayerSettings,
}

#[derive(Clone, Copy, Debug, Default)]
struct FeedState {
    stage: Stage,
    /// Whether the player has paused.
    is_paused: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing was read yet.
    #[default]
    Waiting,
    /// The player is sent what is recorded.
    Past,
    Ended(PastEnd),
}

/// End of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PastEnd {
    /// The player is sent the stream.
    Joined,
    /// The player ends.
    Over(Reason),
}

impl PastFeed {
    /// Starts to read. `pasts` may have nothing: the player then begins as its settings say.
    pub(super) fn start(pasts: Arc<dyn Pasts>, plan: FeedPlan) -> PastFeed {
        let state = Arc::new(watch::Sender::new(FeedState::default()));
        let feeding = Feeding { plan, state: state.clone() };
        let task = tokio::spawn(async move {
            let end = feeding.run(&*pasts).await;
            feeding.state.send_modify(|state| state.stage = Stage::Ended(end));
        });
        PastFeed { state, task }
    }

    /// Waits for the end of the past.
    pub(super) async fn ended(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this.
        let _ = state.wait_for(|state| matches!(state.stage, Stage::Ended(_))).await;
    }

    /// The end of the past, if it has ended.
    pub(super) fn end(&self) -> Option<PastEnd> {
        match self.state.borrow().stage {
            Stage::Ended(end) => Some(end),
            Stage::Waiting | Stage::Past => None,
        }
    }

    /// Whether the player is sent what is recorded, whatever becomes of the publisher.
    pub(super) fn is_past(&self) -> bool {
        self.state.borrow().stage == Stage::Past
    }

    /// Pauses or resumes what is recorded. Returns false if the player is sent the stream already.
    pub(super) fn pause(&self, is_paused: bool) -> bool {
        let mut is_fed = false;
        self.state.send_modify(|state| {
            is_fed = !matches!(state.stage, Stage::Ended(_));
            state.is_paused = is_paused;
        });
        is_fed
    }
}

impl Drop for PastFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Feeding {
    plan: FeedPlan,
    state: Arc<watch::Sender<FeedState>>,
}

impl Feeding {
    async fn run(&self, pasts: &dyn Pasts) -> PastEnd {
        let request = &self.plan.request;
        // The tracks are known then.
        let _ = request.stream.watch().wait_for(|phase| phase.flowing).await;
        let Some(mut past) = pasts.open(request.clone()).await else { return self.begin(None).await };
        self.state.send_modify(|state| state.stage = Stage::Past);
        let mut tags = FlvReader::at_tags(limits::MESSAGE_LENGTH);
        loop {
            let joining = match past.step().await {
                Ok(PastStep::Media(media)) => match self.send(&mut tags, &media).await {
                    true => continue,
                    false => return PastEnd::Over(Reason::StreamEnd),
                },
                Ok(PastStep::Joins(joining)) => joining,
                Ok(PastStep::Over(joining)) if request.view.held().get::<live::conf::Conf>().idle_streams => {
                    joining
                }
                Ok(PastStep::Over(_)) => return PastEnd::Over(Reason::StreamEnd),
                Err(error) => {
                    log::past_unreadable(&request.session, &error);
                    return PastEnd::Over(Reason::StreamEnd);
                }
            };
            return self
                .begin(Some(SentBeforeJoin { next: joining.next, origin: joining.origin, bytes: 0 }))
                .await;
        }
    }

    /// Sends tags as messages, of which the player's queue has at most two pieces. Returns false if they are no tags.
    async fn send(&self, tags: &mut FlvReader, media: &[u8]) -> bool {
        let mut rest = media;
        let mut piece = BytesMut::new();
        loop {
            let Ok(tag) = tags.read(&mut rest) else { return false };
            let is_last = tag.is_none();
            if let Some(tag) = tag {
                self.put_message(tag.kind, tag.timestamp, tag.payload, &mut piece);
            }
            if piece.len() >= limits::PAST_WRITE_BYTES || is_last && !piece.is_empty() {
                self.resumed().await;
                let (stream, link) = self.player();
                self.plan.delivery.media(stream.id(), link, std::mem::take(&mut piece).freeze());
                link.drained().await;
            }
            if is_last {
                return true;
            }
        }
    }

    fn put_message(&self, kind: MediaKind, timestamp: u32, payload: Bytes, out: &mut BytesMut) {
        let PlayerSettings { stream_id, repeat_extended, .. } = self.plan.settings;
        let chunk_size = self.plan.request.stream.chunk_size();
        let packet = Packet::new(kind, PacketClass::Other, timestamp, 0, payload, chunk_size);
        let (head, body) = packet.private(Container::Rtmp, timestamp, stream_id, repeat_extended);
        out.extend_from_slice(&head);
        out.extend_from_slice(&body);
    }

    async fn resumed(&self) {
        let _ = self.state.subscribe().wait_for(|state| !state.is_paused).await;
    }

    /// Lets the player begin with the stream, unless it is paused.
    async fn begin(&self, sent: Option<SentBeforeJoin>) -> PastEnd {
        let mut has_begun = false;
        while !has_begun {
            self.resumed().await;
            // A pause comes before this or after it.
            self.state.send_if_modified(|state| {
                if !state.is_paused {
                    let (stream, link) = self.player();
                    self.plan.delivery.begin(stream.id(), link, sent);
                    (state.stage, has_begun) = (Stage::Ended(PastEnd::Joined), true);
                }
                has_begun
            });
        }
        PastEnd::Joined
    }

    fn player(&self) -> (&Arc<Stream>, &Arc<PlayerLink>) {
        (&self.plan.request.stream, &self.plan.request.session.link)
    }
}
