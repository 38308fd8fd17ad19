//! Session tickets: encrypted sessions that clients keep.
//!
//! The keys are those of `ssl_session_ticket_key`, otherwise one that lives as long as the process, so that sessions are
//! resumed over reloads. From each, a key is derived for what the session was made with: certificates and what clients are
//! verified with. A ticket of another server is thus of no use.

use std::fmt;

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

/// Makes and reads tickets. The first key encrypts.
pub(super) struct Tickets {
    keys: Vec<([u8; NAME], LessSafeKey)>,
    /// Life of a session in seconds.
    lifetime: u32,
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

impl Tickets {
    /// Tickets for what `context` identifies; `None` if the library refuses a key.
    pub(super) fn new(secrets: &[TicketSecret], context: &[u8], lifetime: u32) -> Option<Tickets> {
        let keys = secrets.iter().map(|secret| derive(secret, context)).collect::<Option<_>>()?;
        Some(Tickets { keys, lifetime })
    }
}

fn derive(secret: &TicketSecret, context: &[u8]) -> Option<([u8; NAME], LessSafeKey)> {
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
        let (name, key) = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = certificate::now().to_be_bytes().to_vec();
        sealed.extend_from_slice(plain);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
            .ok()?;
        Some([&name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let (_, key) = self.keys.iter().find(|(known, _)| known == name)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = key.open_in_place(nonce, Aad::from(name), &mut sealed).ok()?;
        let (time, session) = plain.split_at_checked(TIME)?;
        let age = certificate::now() - i64::from_be_bytes(time.try_into().ok()?);
        (0..=i64::from(self.lifetime)).contains(&age).then(|| session.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_read_with_any_key_and_for_the_same_servers_only() {
        let (old, new) = (TicketSecret(vec![1; 48]), TicketSecret(vec![2; 80]));
        let before = Tickets::new(std::slice::from_ref(&old), b"a", 300).unwrap();
        let ticket = before.encrypt(b"session").unwrap();
        let after = Tickets::new(&[new.clone(), old.clone()], b"a", 300).unwrap();
        assert_eq!(after.decrypt(&ticket).unwrap(), b"session");
        assert!(Tickets::new(&[new], b"a", 300).unwrap().decrypt(&ticket).is_none());
        assert!(Tickets::new(&[old], b"b", 300).unwrap().decrypt(&ticket).is_none());
        for end in 0..ticket.len() {
            assert!(before.decrypt(&ticket[..end]).is_none());
        }
        let mut changed = ticket.clone();
        changed[NAME + NONCE_LEN] ^= 1;
        assert!(before.decrypt(&changed).is_none());
    }
}
