//! `Accept-Encoding`, read as nginx reads it.

use bstr::ByteSlice;

/// Whether `Accept-Encoding` names gzip, with a quality above 0.
pub fn names_gzip(accepted: &[u8]) -> bool {
    let mut from = 0;
    let rest = loop {
        let found = accepted[from..].windows(4).position(|text| text.eq_ignore_ascii_case(b"gzip"));
        let Some(at) = found.map(|at| at + from) else { return false };
        if at == 0 || matches!(accepted[at - 1], b',' | b' ') {
            break &accepted[at + 4..];
        }
        from = at + 4;
    };
    let mut rest = rest.trim_start_with(|c| c == ' ');
    match rest {
        [] | [b',', ..] => return true,
        [b';', behind @ ..] => rest = behind.trim_start_with(|c| c == ' '),
        _ => return false,
    }
    match rest {
        [] => true,
        [b'q' | b'Q', b'=', quality @ ..] => is_positive(quality),
        _ => false,
    }
}

/// Whether a quality is above 0 and valid: up to 1, with up to three decimals.
fn is_positive(quality: &[u8]) -> bool {
    let quality = quality.split(|b| matches!(b, b',' | b' ')).next().unwrap_or_default();
    let (whole, decimals) = match quality {
        [whole @ (b'0' | b'1')] => (*whole, &b""[..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] => (*whole, decimals),
        _ => return false,
    };
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let has_part = decimals.iter().any(|digit| *digit != b'0');
    (whole == b'1') != has_part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_encodings() {
        let yes = [
            "gzip",
            "GZIP",
            "gzip, deflate",
            "deflate, gzip",
            "gzip;q=0.001",
            "gzip;q=1",
            "gzip;q=1.0",
            "gzip; q=0.5",
            "gzip ;q=0.5",
            "gzip;q=0.5, x",
            "br, gzip;q=0.1",
            "gzip,",
            ",gzip",
            "xgzip, gzip",
            "gzip;",
            "gzip;q=1,x",
            "gzip;q=1. x",
            "gzip;q=0.1 ;",
        ];
        for accepted in yes {
            assert!(names_gzip(accepted.as_bytes()), "{accepted}");
        }
        let no = [
            "",
            "deflate",
            "gzip;q=0",
            "gzip;q=0.0",
            "gzip;q=0.000",
            "gzip;q=1.001",
            "gzip;q=",
            "gzip;q=x",
            "x-gzip",
            "gzipx",
            "*",
            "identity",
            "gzip;x=y",
            "gzip;q=2",
            "gzi",
            "gzip;q",
            "gzip;q=0.1234",
            "gzip;q=1;",
            "gzip;q =1",
            "gzipped, gzip",
        ];
        for accepted in no {
            assert!(!names_gzip(accepted.as_bytes()), "{accepted}");
        }
    }
}
