//! What stands in a file before the body of a cached response.
//!
//! ```text
//! magic               8 bytes   "pingos\0\1"
//! length              u32       of all that stands before the body
//! checksum            u32       CRC-32 of what follows up to the body
//! valid, updating, error, date, modified    i64 each; modified is i64::MIN without a date
//! body                u64       its length: a file that is shorter or longer is damaged
//! variant             16 bytes  the key of the variant, if the response varies
//! lengths             u16 u16 u32 u32   of tag, Vary, key and head
//! tag, Vary
//! "\nKEY: " key "\n"
//! head                status line and headers, as HTTP/1.1 writes them
//! ```
//!
//! Numbers are little-endian.

use bstr::BString;
use bytes::BytesMut;

use super::super::head::{HeadReader, ResponseHead};
use super::key::Key;
use crate::limits;

const MAGIC: &[u8; 8] = b"pingos\0\x01";
const FIXED: usize = 8 + 4 + 4 + 5 * 8 + 8 + 16 + 2 + 2 + 4 + 4;
const KEY_START: &[u8] = b"\nKEY: ";
/// Bytes with which a file is read at first.
pub(super) const FIRST: usize = 4096;

/// What is known of a cached response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Meta {
    /// Seconds since 1970 until which it is fresh.
    pub(in super::super) valid: i64,
    /// Seconds for which it may be used afterwards while it is being replaced.
    pub(in super::super) updating: i64,
    /// Seconds for which it may be used afterwards where it cannot be replaced.
    pub(in super::super) error: i64,
    /// Seconds since 1970 at which it was received, or found to be unchanged.
    pub(in super::super) date: i64,
    /// Seconds since 1970 of its last modification.
    pub(in super::super) modified: Option<i64>,
    /// Its `ETag`.
    pub(in super::super) tag: BString,
    /// Its `Vary`.
    pub(in super::super) vary: BString,
    /// Key of the variant.
    pub(in super::super) variant: Key,
    /// Text of the key.
    pub(in super::super) key: BString,
    /// Length of the body in bytes.
    pub(in super::super) body: u64,
}

/// A beginning of a file that is not one of a cached response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Length of what stands before the body.
pub(super) fn length(meta: &Meta, head: &[u8]) -> usize {
    FIXED + meta.tag.len() + meta.vary.len() + KEY_START.len() + meta.key.len() + 1 + head.len()
}

/// The head of a response as it is kept.
pub(super) fn head(head: &ResponseHead) -> Vec<u8> {
    let mut out = b"HTTP/1.1 ".to_vec();
    out.extend_from_slice(&head.status_line);
    out.extend_from_slice(b"\r\n");
    for (name, value) in head.headers.iter() {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// What stands before the body. `None` if it is longer than [`limits::PROXY_CACHE_HEAD`].
pub(super) fn encode(meta: &Meta, head: &[u8]) -> Option<Vec<u8>> {
    let length = length(meta, head);
    if length > limits::PROXY_CACHE_HEAD {
        return None;
    }
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let modified = meta.modified.unwrap_or(i64::MIN);
    for number in [meta.valid, meta.updating, meta.error, meta.date, modified] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&meta.body.to_le_bytes());
    out.extend_from_slice(&meta.variant);
    out.extend_from_slice(&u16::try_from(meta.tag.len()).ok()?.to_le_bytes());
    out.extend_from_slice(&u16::try_from(meta.vary.len()).ok()?.to_le_bytes());
    out.extend_from_slice(&u32::try_from(meta.key.len()).ok()?.to_le_bytes());
    out.extend_from_slice(&u32::try_from(head.len()).ok()?.to_le_bytes());
    for part in [&meta.tag[..], &meta.vary, KEY_START, &meta.key, b"\n", head] {
        out.extend_from_slice(part);
    }
    let checksum = crc32fast::hash(&out[16..]);
    out[12..16].copy_from_slice(&checksum.to_le_bytes());
    Some(out)
}

/// The length that the first bytes of a file give for what stands before the body.
pub(super) fn announced(bytes: &[u8]) -> Result<usize, Damaged> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Damaged)?;
    let length = u32::from_le_bytes(*rest.first_chunk().ok_or(Damaged)?) as usize;
    if (FIXED..=limits::PROXY_CACHE_HEAD).contains(&length) { Ok(length) } else { Err(Damaged) }
}

/// Reads what stands before the body: exactly the announced length.
pub(super) fn decode(bytes: &[u8]) -> Result<(Meta, ResponseHead), Damaged> {
    if announced(bytes)? != bytes.len() {
        return Err(Damaged);
    }
    let mut rest = &bytes[12..];
    if u32::from_le_bytes(take(&mut rest)?) != crc32fast::hash(&bytes[16..]) {
        return Err(Damaged);
    }
    let mut number = || take(&mut rest).map(i64::from_le_bytes);
    let (valid, updating, error, date) = (number()?, number()?, number()?, number()?);
    let modified = Some(number()?).filter(|date| *date != i64::MIN);
    let body = u64::from_le_bytes(take(&mut rest)?);
    let variant = take(&mut rest)?;
    let (tag, vary) = (u16::from_le_bytes(take(&mut rest)?), u16::from_le_bytes(take(&mut rest)?));
    let (key, head) = (u32::from_le_bytes(take(&mut rest)?), u32::from_le_bytes(take(&mut rest)?));
    let tag = part(&mut rest, usize::from(tag))?.into();
    let vary = part(&mut rest, usize::from(vary))?.into();
    if part(&mut rest, KEY_START.len())? != KEY_START {
        return Err(Damaged);
    }
    let key = part(&mut rest, key as usize)?.into();
    if part(&mut rest, 1)? != b"\n" || rest.len() != head as usize {
        return Err(Damaged);
    }
    let mut head = BytesMut::from(rest);
    let head = HeadReader::default().read(&mut head).ok().flatten().ok_or(Damaged)?;
    let meta = Meta { valid, updating, error, date, modified, tag, vary, variant, key, body };
    Ok((meta, head))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Damaged> {
    let (first, others) = rest.split_first_chunk().ok_or(Damaged)?;
    *rest = others;
    Ok(*first)
}

fn part<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], Damaged> {
    let (first, others) = rest.split_at_checked(length).ok_or(Damaged)?;
    *rest = others;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Meta, Vec<u8>) {
        let meta = Meta {
            valid: 5,
            updating: 1,
            error: 2,
            date: 3,
            modified: Some(-4),
            tag: "\"x\"".into(),
            vary: "Accept".into(),
            variant: [7; 16],
            key: "http://a/b".into(),
            body: 10,
        };
        let mut text = BytesMut::from(&b"HTTP/1.1 200 All fine\r\nA: b\r\nContent-Length: 10\r\n\r\n"[..]);
        let head = head(&HeadReader::default().read(&mut text).unwrap().unwrap());
        (meta, head)
    }

    #[test]
    fn what_is_written_is_read() {
        let (meta, head) = sample();
        let bytes = encode(&meta, &head).unwrap();
        assert_eq!(bytes.len(), length(&meta, &head));
        assert!(bytes.windows(18).any(|part| part == b"\nKEY: http://a/b\nH"));
        let (read, found) = decode(&bytes).unwrap();
        assert_eq!(read, meta);
        assert_eq!(
            (found.status, &found.status_line[..], found.length),
            (200, &b"200 All fine"[..], Some(10))
        );
        assert_eq!(found.headers.get(b"a").unwrap(), "b");
    }

    #[test]
    fn any_changed_byte_is_damage() {
        let (meta, head) = sample();
        let bytes = encode(&meta, &head).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_err(), "{at}");
            assert!(decode(&bytes[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn a_head_beyond_the_bound_is_not_kept() {
        let (meta, _) = sample();
        assert_eq!(encode(&meta, &vec![b'a'; limits::PROXY_CACHE_HEAD]), None);
    }
}
