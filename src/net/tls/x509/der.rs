//! DER elements, and the outer parts of structures, which signatures cover as they are encoded.

/// Tag of a sequence.
pub const SEQUENCE: u8 = 0x30;
/// Tag of a bit string.
const BIT_STRING: u8 = 0x03;

/// The parts of a certificate, of a revocation list (RFC 5280 §4.1, §5.1) or of an OCSP response (RFC 6960 §4.2.1).
#[derive(Clone, Copy, Debug)]
pub(in crate::net::tls) struct Signed<'d> {
    /// The signed part, encoded.
    pub(in crate::net::tls) message: &'d [u8],
    /// Contents of the algorithm's sequence.
    pub(super) algorithm: &'d [u8],
    /// The signature.
    pub(super) signature: &'d [u8],
}

/// The parts of a signed structure.
pub(in crate::net::tls) fn signed(der: &[u8]) -> Option<Signed<'_>> {
    let (whole, _) = element(der, SEQUENCE)?;
    let (_, after) = element(whole, SEQUENCE)?;
    let message = whole.get(..whole.len() - after.len())?;
    let (algorithm, rest) = element(after, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    Some(Signed { message, algorithm, signature: whole_bytes(bits)? })
}

/// Algorithm (contents of its sequence) and key of an encoded SubjectPublicKeyInfo.
pub(super) fn public_key(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let (whole, _) = element(spki, SEQUENCE)?;
    let (algorithm, rest) = element(whole, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    Some((algorithm, whole_bytes(bits)?))
}

/// Contents of a bit string of whole bytes.
fn whole_bytes(bits: &[u8]) -> Option<&[u8]> {
    let (unused, bytes) = bits.split_first()?;
    (*unused == 0).then_some(bytes)
}

/// Contents of a DER element with this tag, and what follows it.
pub fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7F => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (*first == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_has_no_parts() {
        for bad in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x30\x00"] {
            assert!(signed(bad).is_none(), "{bad:?}");
            assert!(public_key(bad).is_none(), "{bad:?}");
        }
        assert_eq!(element(b"\x30\x01ab", SEQUENCE), Some((&b"a"[..], &b"b"[..])));
    }
}
