//! What holds for any bytes at the beginning of a connection with a PROXY header. Shared by the fuzz target and the replay
//! of its corpus.

use pingosd::limits;
use pingosd::wire::proxy_protocol::{Parsed, parse};

/// The bytes are decided within the bound; and what was decided stays, however the bytes arrive and whatever follows.
pub fn beginning(bytes: &[u8]) {
    let whole = parse(bytes);
    let bound = bytes.len().min(limits::PROXY_HEADER_V2);
    let mut lengths = (0..bound).rev().take(300).chain(0..bound.min(300));
    assert!(lengths.all(|length| matches!(parse(&bytes[..length]), Ok(Parsed::Incomplete))
        || parse(&bytes[..length]) == whole));
    if let Ok(Parsed::Complete { length, header }) = &whole {
        assert!(*length <= bound);
        let Some(header) = header else { return };
        header.source_ip();
        for name in ["alpn", "ssl", "ssl_verify", "ssl_cn", "ssl_0x2f", "0x04"] {
            header.tlv(name.as_bytes());
        }
    }
    let longer = [bytes, &[b'0'; limits::PROXY_HEADER_V2]].concat();
    assert_ne!(parse(&longer), Ok(Parsed::Incomplete));
    if whole != Ok(Parsed::Incomplete) {
        assert_eq!(parse(&longer), whole);
    }
}
