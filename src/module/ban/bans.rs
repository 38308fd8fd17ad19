//! The list of bans.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bstr::{BString, ByteSlice};
use parking_lot::RwLock;

use crate::directive::Network;
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::log::shown::Shown;

/// What is banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanTarget {
    /// An address or a network, as given.
    Network(Network, String),
    /// A stream: `NAME` in every application, or `APPLICATION/NAME`.
    Stream(BString),
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// What is banned.
    pub target: BanTarget,
    /// Its end; `None` if it has none.
    pub until: Option<SystemTime>,
}

/// All bans.
#[derive(Debug, Default)]
pub struct Bans {
    bans: RwLock<Vec<Ban>>,
    /// Their number, so that requests need no lock while there are none.
    count: AtomicUsize,
}

impl BanTarget {
    /// Parses an address, a network or the name of a stream; `None` for an empty text.
    pub fn parse(text: &[u8]) -> Option<BanTarget> {
        let is_address = text.first().is_some_and(|first| first.is_ascii_hexdigit() || *first == b':');
        let network = Network::parse(text).filter(|_| is_address && text != b"all");
        match network {
            Some((network, _)) => Some(BanTarget::Network(network, Shown::new(text).to_string())),
            None if text.is_empty() => None,
            None => Some(BanTarget::Stream(text.into())),
        }
    }

    /// The text from which it was parsed.
    pub fn text(&self) -> &[u8] {
        match self {
            BanTarget::Network(_, text) => text.as_bytes(),
            BanTarget::Stream(name) => name,
        }
    }

    /// Whether two name the same.
    fn is(&self, other: &BanTarget) -> bool {
        match (self, other) {
            (BanTarget::Network(one, _), BanTarget::Network(other, _)) => one == other,
            _ => self == other,
        }
    }

    /// Whether it names the address.
    pub fn is_address(&self, ip: Option<IpAddr>) -> bool {
        matches!(self, BanTarget::Network(network, _) if ip.is_some() && network.contains(ip))
    }

    /// Whether it names the stream.
    pub fn is_stream(&self, key: &StreamKey) -> bool {
        let BanTarget::Stream(name) = self else { return false };
        let below = || name.strip_prefix(&key.app[..])?.strip_prefix(b"/");
        key.name == name[..] || below() == Some(&key.name[..])
    }
}

impl BanTarget {
    /// Names in an application of the configuration that it names. Of `*`, which takes any application, those of all.
    pub fn names_in(&self, application: &[u8]) -> impl Iterator<Item = &[u8]> {
        let name: Option<&[u8]> = match self {
            BanTarget::Stream(name) => Some(name),
            BanTarget::Network(..) => None,
        };
        let below = name.and_then(|name| match application {
            b"*" => name.split_once_str("/").map(|(_, rest)| rest),
            application => name.strip_prefix(application)?.strip_prefix(b"/"),
        });
        name.into_iter().chain(below).filter(|name| !name.is_empty())
    }
}

impl fmt::Display for BanTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BanTarget::Network(_, text) => f.write_str(text),
            BanTarget::Stream(name) => write!(f, "'{}'", Shown::new(name)),
        }
    }
}

impl Ban {
    /// Whether it is in force.
    pub fn holds(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Bans {
    /// Adds a ban, or replaces that of the same target. Returns false if there are [`limits::BANS`] already.
    pub fn add(&self, ban: Ban) -> bool {
        let mut bans = self.bans.write();
        let now = SystemTime::now();
        bans.retain(|known| known.holds(now) && !known.target.is(&ban.target));
        let has_room = bans.len() < limits::BANS;
        if has_room {
            bans.push(ban);
        }
        self.count.store(bans.len(), Ordering::Release);
        has_room
    }

    /// Removes a ban. Returns whether it was in force.
    pub fn remove(&self, target: &BanTarget) -> bool {
        let mut bans = self.bans.write();
        let now = SystemTime::now();
        bans.retain(|known| known.holds(now));
        let before = bans.len();
        bans.retain(|known| !known.target.is(target));
        self.count.store(bans.len(), Ordering::Release);
        bans.len() < before
    }

    /// All bans in force, oldest first.
    pub fn list(&self) -> Vec<Ban> {
        let now = SystemTime::now();
        self.bans.read().iter().filter(|ban| ban.holds(now)).cloned().collect()
    }

    /// The streams that are banned now.
    pub fn streams(&self) -> Vec<BanTarget> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let now = SystemTime::now();
        let bans = self.bans.read();
        let streams = bans.iter().filter(|ban| ban.holds(now) && matches!(ban.target, BanTarget::Stream(_)));
        streams.map(|ban| ban.target.clone()).collect()
    }

    /// The ban in force that names this address or stream.
    pub fn find(&self, named: impl Fn(&BanTarget) -> bool) -> Option<BanTarget> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let now = SystemTime::now();
        let bans = self.bans.read();
        bans.iter().find(|ban| ban.holds(now) && named(&ban.target)).map(|ban| ban.target.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn target(text: &str) -> BanTarget {
        BanTarget::parse(text.as_bytes()).unwrap()
    }

    fn ban(text: &str) -> Ban {
        Ban { target: target(text), until: None }
    }

    #[test]
    fn addresses_are_told_from_names() {
        for text in ["10.0.0.1", "10.0.0.0/8", "2001:db8::/32", "::1"] {
            assert!(matches!(target(text), BanTarget::Network(..)), "{text}");
        }
        for text in ["all", "cam", "10.0.0.x", "live/cam", "10.0.0.0/99"] {
            assert!(matches!(target(text), BanTarget::Stream(_)), "{text}");
        }
        assert_eq!(BanTarget::parse(b""), None);
        let ip = |text: &str| Some(text.parse().unwrap());
        assert!(target("10.0.0.0/8").is_address(ip("::ffff:10.1.2.3")));
        assert!(!target("10.0.0.0/8").is_address(ip("11.0.0.1")) && !target("10.0.0.0/8").is_address(None));
    }

    #[test]
    fn a_name_is_banned_everywhere_or_in_one_application() {
        let key = |app: &'static str, name: &'static str| StreamKey::new("default", app, name);
        assert!(target("cam").is_stream(&key("live", "cam")) && target("cam").is_stream(&key("x", "cam")));
        assert!(target("live/cam").is_stream(&key("live", "cam")));
        assert!(!target("live/cam").is_stream(&key("x", "cam")));
        assert!(target("live/cam").is_stream(&key("x", "live/cam")), "names may contain slashes");
        assert!(!target("livecam").is_stream(&key("live", "cam")));
        let names = |text: &str, app: &str| {
            target(text)
                .names_in(app.as_bytes())
                .map(|name| name.to_str_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("cam", "live"), ["cam"]);
        assert_eq!(names("live/cam", "live"), ["live/cam", "cam"]);
        assert_eq!(names("live/cam", "x"), ["live/cam"]);
        assert_eq!(names("live/cam", "*"), ["live/cam", "cam"]);
        assert!(names("10.0.0.1", "live").is_empty());
    }

    #[test]
    fn bans_are_bounded_and_expire() {
        let bans = Bans::default();
        assert_eq!(bans.find(|_| true), None);
        for n in 0..limits::BANS {
            assert!(bans.add(ban(&format!("s{n}"))));
        }
        assert!(!bans.add(ban("one too many")));
        assert!(bans.add(Ban { until: Some(SystemTime::now() + Duration::from_secs(60)), ..ban("s0") }));
        assert!(bans.remove(&target("s1")) && !bans.remove(&target("s1")));
        assert!(bans.add(Ban { until: Some(SystemTime::UNIX_EPOCH), ..ban("over") }));
        assert_eq!(bans.find(|known| known.is(&target("over"))), None, "it is over");
        assert_eq!(bans.find(|known| known.is(&target("s0"))), Some(target("s0")));
        assert!(bans.add(ban("new")), "what is over takes no room");
        assert_eq!(bans.list().len(), limits::BANS);
    }
}
