//! Session tickets: encrypted sessions that clients keep.
//!
//! The keys are those of `ssl_session_ticket_key`, otherwise ones that the server makes itself and replaces after a lifetime of
//! sessions; they stay over reloads, so that sessions are resumed. From each, a key is derived for what the session was made with: certificates and what clients are
//! verified with. A ticket of another server is thus of no use.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use rustls::server::ProducesTickets;

use super::x509::certificate;

/// Bytes of a key's name.
const NAME: usize = 16;
/// Bytes of the time that precedes a session.
const TIME: usize = 8;

/// Sizes of the files of `ssl_session_ticket_key`.
pub(super) const SECRET_SIZES: [usize; 2] = [48, 80];

/// A secret that keys are derived from.
#[derive(Clone)]
pub(super) struct TicketSecret(pub(super) Vec<u8>);

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret")
    }
}

/// Secrets that the server makes itself, by the lifetime of sessions in seconds. As in nginx, one is replaced after a lifetime, and
/// reads for another one: what was recorded cannot be decrypted later.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnSecrets(Arc<Mutex<HashMap<u32, Turn>>>);

/// The secret that makes tickets, and behind it the one before.
#[derive(Debug)]
struct Turn {
    secrets: Arc<[TicketSecret]>,
    /// Second from which the first one makes tickets.
    since: i64,
}

impl OwnSecrets {
    /// The secrets at a second since 1970, the newest one first; `None` if the system has no random numbers.
    fn current(&self, lifetime: u32, now: i64) -> Option<Arc<[TicketSecret]>> {
        let mut turns = self.0.lock();
        let is_within =
            |turn: &Turn, lifetimes: i64| now.saturating_sub(turn.since) <= i64::from(lifetime) * lifetimes;
        let old = turns.get(&lifetime);
        if let Some(turn) = old.filter(|turn| is_within(turn, 1)) {
            return Some(turn.secrets.clone());
        }
        let previous = old.filter(|turn| is_within(turn, 2)).and_then(|turn| turn.secrets.first().cloned());
        let mut newest = vec![0; SECRET_SIZES[1]];
        getrandom::fill(&mut newest).ok()?;
        let secrets: Arc<[_]> = [TicketSecret(newest)].into_iter().chain(previous).collect();
        // Those of lifetimes that a reload has removed are not asked for.
        turns.retain(|lifetime, turn| now.saturating_sub(turn.since) <= i64::from(*lifetime) * 2);
        turns.insert(lifetime, Turn { secrets: secrets.clone(), since: now });
        Some(secrets)
    }
}

/// Where the secrets of tickets come from.
#[derive(Clone, Debug)]
pub(super) enum TicketSecrets {
    /// `ssl_session_ticket_key`; the first one makes tickets.
    Given(Arc<[TicketSecret]>),
    /// The server makes them.
    Own(OwnSecrets),
}

/// The keys of secrets.
struct DerivedKeys {
    of: Arc<[TicketSecret]>,
    keys: Arc<[Key]>,
}

/// Makes and reads tickets.
pub(super) struct Tickets {
    secrets: TicketSecrets,
    /// What the sessions are made with.
    context: Vec<u8>,
    /// Life of a session in seconds.
    lifetime: u32,
    derived: Mutex<Option<DerivedKeys>>,
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

/// Length of derived bytes.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// A key and its name.
type Key = ([u8; NAME], LessSafeKey);

impl Tickets {
    /// Tickets for what `context` identifies; `None` if the library refuses a key.
    pub(super) fn new(secrets: &TicketSecrets, context: &[u8], lifetime: u32) -> Option<Tickets> {
        let derived = Mutex::default();
        let tickets = Tickets { secrets: secrets.clone(), context: context.to_vec(), lifetime, derived };
        tickets.keys(certificate::now())?;
        Some(tickets)
    }

    /// The keys at a second since 1970; the first one makes tickets.
    fn keys(&self, now: i64) -> Option<Arc<[Key]>> {
        let secrets = match &self.secrets {
            TicketSecrets::Given(secrets) => secrets.clone(),
            TicketSecrets::Own(own) => own.current(self.lifetime, now)?,
        };
        let mut derived = self.derived.lock();
        if let Some(known) = derived.as_ref().filter(|known| Arc::ptr_eq(&known.of, &secrets)) {
            return Some(known.keys.clone());
        }
        let keys = secrets.iter().map(|secret| derive(secret, &self.context));
        let keys: Arc<[Key]> = keys.collect::<Option<Vec<_>>>()?.into();
        *derived = Some(DerivedKeys { of: secrets, keys: keys.clone() });
        Some(keys)
    }

    fn encrypt_at(&self, plain: &[u8], now: i64) -> Option<Vec<u8>> {
        let keys = self.keys(now)?;
        let (name, key) = keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = now.to_be_bytes().to_vec();
        sealed.extend_from_slice(plain);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
            .ok()?;
        Some([&name[..], &nonce, &sealed].concat())
    }

    fn decrypt_at(&self, ticket: &[u8], now: i64) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let keys = self.keys(now)?;
        let (name, key) = keys.iter().find(|(known, _)| known == name)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = key.open_in_place(nonce, Aad::from(name), &mut sealed).ok()?;
        let (time, session) = plain.split_at_checked(TIME)?;
        let age = now - i64::from_be_bytes(time.try_into().ok()?);
        (0..=i64::from(self.lifetime)).contains(&age).then(|| session.to_vec())
    }
}

fn derive(secret: &TicketSecret, context: &[u8]) -> Option<Key> {
    let extracted = Salt::new(HKDF_SHA256, b"pingosd session tickets").extract(&secret.0);
    let mut name = [0; NAME];
    extracted.expand(&[b"name", context], Bytes(NAME)).ok()?.fill(&mut name).ok()?;
    let mut key = [0; 32];
    extracted.expand(&[b"key", context], Bytes(key.len())).ok()?.fill(&mut key).ok()?;
    Some((name, LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?)))
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.lifetime
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.encrypt_at(plain, certificate::now())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.decrypt_at(ticket, certificate::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_read_with_any_key_and_for_the_same_servers_only() {
        let (old, new) = (TicketSecret(vec![1; 48]), TicketSecret(vec![2; 80]));
        let of = |secrets: &[&TicketSecret], context: &[u8]| {
            let given = secrets.iter().copied().cloned().collect();
            Tickets::new(&TicketSecrets::Given(given), context, 300).unwrap()
        };
        let before = of(&[&old], b"a");
        let ticket = before.encrypt(b"session").unwrap();
        assert_eq!(of(&[&new, &old], b"a").decrypt(&ticket).unwrap(), b"session");
        assert!(of(&[&new], b"a").decrypt(&ticket).is_none());
        assert!(of(&[&old], b"b").decrypt(&ticket).is_none());
        for end in 0..ticket.len() {
            assert!(before.decrypt(&ticket[..end]).is_none());
        }
        let mut changed = ticket.clone();
        changed[NAME + NONCE_LEN] ^= 1;
        assert!(before.decrypt(&changed).is_none());
    }

    #[test]
    fn own_secrets_are_replaced_after_a_lifetime() {
        let own = OwnSecrets::default();
        let tickets = Tickets::new(&TicketSecrets::Own(own.clone()), b"a", 300).unwrap();
        let start = certificate::now();
        let name = |at: i64| tickets.encrypt_at(b"", start + at).unwrap()[..NAME].to_vec();
        let (first, ticket) = (name(0), tickets.encrypt_at(b"session", start + 250).unwrap());
        assert_eq!(first, name(299));
        let second = name(302);
        assert_ne!(first, second);
        assert_eq!(tickets.decrypt_at(&ticket, start + 500).unwrap(), b"session");
        assert_ne!(second, name(604));
        assert!(tickets.decrypt_at(&ticket, start + 604).is_none());
        // Nothing is left of what was not asked for.
        name(5000);
        assert_eq!(own.current(300, start + 5000).unwrap().len(), 1);
        own.current(10, start + 9000).unwrap();
        assert_eq!(own.0.lock().len(), 1);
    }
}
