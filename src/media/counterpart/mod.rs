//! The other process of an upgrade, the counterpart: which of the two publishes a stream.
//!
//! Both processes accept connections on the same sockets, so a publisher and its players may reach different ones. Each
//! publisher claims its stream before it begins. While the counterpart runs, it is asked first, so that a name has one
//! publisher in both processes together. The relays of one process fetch what the other one publishes.
//!
//! ```text
//! publisher here --Claim--> counterpart:  free -------------------------> Granted
//!                                         published there --------------> Taken
//!                                         claimed there at the same time: the older process's publisher wins
//! ```

pub mod message;
mod statistics;
pub mod stream;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use self::message::{CounterpartMessage, KeyText, PassedEvent};
use super::session::{Reason, Session};
use super::view::AppView;
use crate::hub::stream_key::StreamKey;
use crate::limits;

/// Claims of this process and of its counterpart.
#[derive(Default)]
pub struct Counterpart {
    state: Mutex<Claims>,
    /// Number of changes of the counterpart's claims.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Claims {
    own: HashMap<StreamKey, OwnClaim>,
    /// Streams with sessions of this process. A stream that ends overlaps the next one of its name for a moment; this is
    /// the number of them.
    used: HashMap<StreamKey, usize>,
    /// Streams that this process fetches from the counterpart.
    fetched: HashSet<StreamKey>,
    /// Number of claims so far.
    count: u64,
    /// Whether this process only waits for its sessions to end.
    retires: bool,
    /// Process that may become the counterpart of this one.
    expected: Option<u32>,
    link: Option<Link>,
}

/// Claim of a publisher of this process.
struct OwnClaim {
    view: AppView,
    session: Arc<Session>,
    number: u64,
    /// Channel for the counterpart's answer; `None` if the claim is granted.
    asked: Option<oneshot::Sender<bool>>,
    /// Number of the claim of the counterpart's publisher that gets the stream when this one has left.
    awaited_by: Option<u64>,
}

/// An exchange with a counterpart.
struct Link {
    side: Side,
    control: PathBuf,
    outbox: mpsc::UnboundedSender<CounterpartMessage>,
    /// Streams that the counterpart's publishers have claimed.
    theirs: HashSet<StreamKey>,
    /// Streams with sessions of the counterpart.
    used: HashSet<StreamKey>,
    /// Whether the counterpart only waits for its sessions to end.
    retires: bool,
    /// Whether the counterpart has passed on all that it has counted.
    is_counted: bool,
}

/// Which of the two processes this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one being replaced. It wins where both claim a stream at the same time.
    Older,
    /// The one that takes over.
    Newer,
}

/// A publisher's claim of its stream; released when dropped.
pub struct StreamClaim {
    counterpart: Arc<Counterpart>,
    key: StreamKey,
}

/// A stream that is fetched from the counterpart.
pub struct FetchedStream {
    counterpart: Arc<Counterpart>,
    key: StreamKey,
}

impl Drop for FetchedStream {
    fn drop(&mut self) {
        self.counterpart.state.lock().fetched.remove(&self.key);
    }
}

/// A publisher of this process.
pub struct Publisher {
    /// Its application.
    pub view: AppView,
    /// Its session.
    pub session: Arc<Session>,
}

impl Counterpart {
    /// Claims a stream for a publisher; `None` if another publisher has it, in either process.
    ///
    /// A counterpart that gives no answer within [`limits::COUNTERPART_PATIENCE`] counts as ended.
    pub async fn claim(self: &Arc<Self>, view: &AppView, session: &Arc<Session>) -> Option<StreamClaim> {
        let key = session.key.clone();
        let answer = {
            let mut claims = self.state.lock();
            let Claims { own, link, count, .. } = &mut *claims;
            if own.contains_key(&key) {
                return None;
            }
            *count += 1;
            let number = *count;
            let (asked, answer) = match link {
                Some(link) => {
                    let (asked, answer) = oneshot::channel();
                    let stream = KeyText::from(&key);
                    link.tell(CounterpartMessage::Claim { stream, number, addr: session.peer.addr.clone() });
                    (Some(asked), Some(answer))
                }
                None => (None, None),
            };
            let (view, session) = (view.clone(), session.clone());
            let claim = OwnClaim { view, session, number, asked, awaited_by: None };
            own.insert(key.clone(), claim);
            answer
        };
        let claim = StreamClaim { counterpart: self.clone(), key };
        let Some(answer) = answer else { return Some(claim) };
        let answered = timeout(limits::COUNTERPART_PATIENCE, answer).await;
        if answered.is_err() {
            self.detach();
        }
        let is_granted = answered.map_or(true, |answered| answered.unwrap_or(true));
        if let Some(own) = self.state.lock().own.get_mut(&claim.key) {
            own.asked = None;
        }
        is_granted.then_some(claim)
    }

    /// A stream has its first session in this process. Returns whether the counterpart has sessions of it.
    pub fn enter(&self, key: &StreamKey) -> bool {
        let mut claims = self.state.lock();
        *claims.used.entry(key.clone()).or_default() += 1;
        let Some(link) = &claims.link else { return false };
        link.tell(CounterpartMessage::Enters { stream: key.into() });
        link.used.contains(key)
    }

    /// The last session of a stream in this process has left. Returns whether the counterpart has sessions of it; it is
    /// then asked to continue the stream's event.
    pub fn leave(&self, key: &StreamKey, event: Option<Box<PassedEvent>>) -> bool {
        let mut claims = self.state.lock();
        let Claims { used, link, .. } = &mut *claims;
        let left = used.get_mut(key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            used.remove(key);
        }
        let Some(link) = link else { return false };
        let goes_on = link.used.contains(key);
        let passed = event.filter(|_| goes_on);
        if left == 0 || passed.is_some() {
            link.tell(CounterpartMessage::Leaves { stream: key.into(), passed });
            // The next stream of the name has begun already.
            if left > 0 {
                link.tell(CounterpartMessage::Enters { stream: key.into() });
            }
        }
        goes_on
    }

    /// The publisher of this process that has claimed a stream, or is about to.
    pub fn publisher(&self, key: &StreamKey) -> Option<Publisher> {
        let claims = self.state.lock();
        let claim = claims.own.get(key)?;
        Some(Publisher { view: claim.view.clone(), session: claim.session.clone() })
    }

    /// A stream is fetched from the counterpart until the result is dropped.
    pub fn fetch(self: &Arc<Self>, key: &StreamKey) -> FetchedStream {
        self.state.lock().fetched.insert(key.clone());
        FetchedStream { counterpart: self.clone(), key: key.clone() }
    }

    /// Whether a stream is being fetched from the counterpart: it must not be sent back.
    fn fetches(&self, key: &StreamKey) -> bool {
        self.state.lock().fetched.contains(key)
    }

    /// Whether a publisher of the counterpart has claimed the stream.
    pub fn holds(&self, key: &StreamKey) -> bool {
        self.state.lock().link.as_ref().is_some_and(|link| link.theirs.contains(key))
    }

    /// Waits until a publisher of the counterpart has claimed the stream.
    pub async fn held(&self, key: &StreamKey) {
        let mut changes = self.changes.subscribe();
        while !self.holds(key) {
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }

    /// Watches changes of the counterpart's claims.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The counterpart's control socket.
    pub fn control(&self) -> Option<PathBuf> {
        self.state.lock().link.as_ref().map(|link| link.control.clone())
    }

    /// From now on this process only waits for its sessions to end.
    pub fn retire(&self) {
        let mut claims = self.state.lock();
        claims.retires = true;
        if let Some(link) = &claims.link {
            link.tell(CounterpartMessage::Retires);
        }
        drop(claims);
        self.changed();
    }

    /// This process has started another one to replace it.
    pub fn expect(&self, pid: Option<u32>) {
        self.state.lock().expected = pid;
    }

    /// Whether the process with this number is the one that replaces this one.
    pub fn expects(&self, pid: Option<i32>) -> bool {
        let expected = self.state.lock().expected;
        expected.is_some() && pid.and_then(|pid| u32::try_from(pid).ok()) == expected
    }

    /// Whether commands that run once per server are this process's: the older one has them until it retires.
    pub fn is_in_charge(&self) -> bool {
        let claims = self.state.lock();
        let waits = claims.link.as_ref().is_some_and(|link| link.side == Side::Newer && !link.retires);
        !claims.retires && !waits
    }

    /// The counterpart has passed on all that it has counted.
    pub fn counted(&self) {
        if let Some(link) = &mut self.state.lock().link {
            link.is_counted = true;
        }
    }

    /// Whether what the counterpart has counted is to be added to this process's counters.
    pub fn counts(&self) -> bool {
        self.state.lock().link.as_ref().is_some_and(|link| !link.is_counted)
    }

    /// Begins the exchange with a counterpart that answers on `control`; `greeting` is sent first. Returns the messages to
    /// send to it; `None` if there is a counterpart already.
    pub fn attach(
        &self,
        side: Side,
        control: PathBuf,
        greeting: Option<CounterpartMessage>,
    ) -> Option<mpsc::UnboundedReceiver<CounterpartMessage>> {
        let mut claims = self.state.lock();
        if claims.link.is_some() {
            return None;
        }
        // Unbounded, but a session causes a handful of messages.
        let (outbox, messages) = mpsc::unbounded_channel();
        let link = Link {
            side,
            control,
            outbox,
            theirs: HashSet::new(),
            used: HashSet::new(),
            retires: false,
            is_counted: false,
        };
        greeting.into_iter().for_each(|message| link.tell(message));
        claims.used.keys().for_each(|key| link.tell(CounterpartMessage::Enters { stream: key.into() }));
        claims.own.keys().for_each(|key| link.tell(CounterpartMessage::Holds { stream: key.into() }));
        if claims.retires {
            link.tell(CounterpartMessage::Retires);
        }
        link.tell(CounterpartMessage::Ready);
        claims.link = Some(link);
        Some(messages)
    }

    /// Sends a message to the counterpart, if there is one. A counterpart that hangs is given up before many pile up.
    pub fn tell(&self, message: CounterpartMessage) {
        if let Some(link) = &self.state.lock().link {
            link.tell(message);
        }
    }

    /// The counterpart has ended, or its connection has.
    pub fn detach(&self) {
        let mut claims = self.state.lock();
        claims.link = None;
        for claim in claims.own.values_mut() {
            claim.awaited_by = None;
            // Its publisher has no rival any more.
            if let Some(asked) = claim.asked.take() {
                let _ = asked.send(true);
            }
        }
        drop(claims);
        self.changed();
    }

    /// Processes a message of the counterpart.
    pub fn handle(&self, message: &CounterpartMessage) {
        let mut claims = self.state.lock();
        let Claims { own, link: Some(link), .. } = &mut *claims else { return };
        match message {
            CounterpartMessage::ViewerKey { .. }
            | CounterpartMessage::Ready
            | CounterpartMessage::Alive
            | CounterpartMessage::Banned { .. }
            | CounterpartMessage::Reopen
            | CounterpartMessage::EventContinued { .. }
            | CounterpartMessage::EventReturned { .. } => return,
            CounterpartMessage::Retires => link.retires = true,
            CounterpartMessage::Enters { stream } => {
                link.used.insert(stream.into());
                return;
            }
            CounterpartMessage::Leaves { stream, .. } => {
                link.used.remove(&stream.into());
                return;
            }
            CounterpartMessage::Holds { stream } => drop(link.theirs.insert(stream.into())),
            CounterpartMessage::Claim { stream, number, addr } => {
                let key = StreamKey::from(stream);
                let wins = |claim: &&mut OwnClaim| claim.asked.is_none() || link.side == Side::Older;
                if let Some(claim) = own.get_mut(&key).filter(wins) {
                    if !claim.gives_way(addr, *number) {
                        link.tell(CounterpartMessage::Taken { stream: stream.clone(), number: *number });
                    }
                    return;
                }
                link.theirs.insert(key);
                link.tell(CounterpartMessage::Granted { stream: stream.clone(), number: *number });
            }
            CounterpartMessage::Granted { stream, number } | CounterpartMessage::Taken { stream, number } => {
                let claim = own.get_mut(&StreamKey::from(stream)).filter(|claim| claim.number == *number);
                if let Some(asked) = claim.and_then(|claim| claim.asked.take()) {
                    let _ = asked.send(matches!(message, CounterpartMessage::Granted { .. }));
                }
                return;
            }
            CounterpartMessage::Release { stream } => {
                let key = StreamKey::from(stream);
                if let Some(claim) = own.get_mut(&key) {
                    claim.awaited_by = None;
                }
                link.theirs.remove(&key);
            }
        }
        drop(claims);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl OwnClaim {
    /// Whether this publisher leaves for the one at `addr` with this claim: it was asked to reconnect, and that is what it
    /// does.
    fn gives_way(&mut self, addr: &str, number: u64) -> bool {
        let reconnects =
            self.session.asked_to_reconnect.load(Ordering::Relaxed) && self.session.peer.addr == addr;
        if reconnects {
            self.awaited_by = Some(number);
            self.session.close(Reason::NormalClose);
        }
        reconnects
    }
}

impl Link {
    fn tell(&self, message: CounterpartMessage) {
        // Without a receiver the exchange is about to end.
        let _ = self.outbox.send(message);
    }
}

impl Drop for StreamClaim {
    fn drop(&mut self) {
        let mut claims = self.counterpart.state.lock();
        let Some(own) = claims.own.remove(&self.key) else { return };
        let Some(link) = &mut claims.link else { return };
        let stream = KeyText::from(&self.key);
        link.tell(CounterpartMessage::Release { stream: stream.clone() });
        if let Some(number) = own.awaited_by {
            link.theirs.insert(self.key.clone());
            link.tell(CounterpartMessage::Granted { stream, number });
            drop(claims);
            self.counterpart.changed();
        }
    }
}

#[cfg(test)]
mod tests;
