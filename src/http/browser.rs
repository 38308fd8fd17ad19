//! Browsers that nginx treats in their own way.

use bstr::ByteSlice;

/// Whether a user agent is MSIE of any version, and not Opera, which calls itself so.
pub fn is_msie(agent: &[u8]) -> bool {
    // As in nginx, a version with at least two characters and more follows.
    let has_version = agent.find(b"MSIE ").is_some_and(|at| at + 7 < agent.len());
    has_version && agent.find(b"Opera").is_none()
}

/// Whether a user agent is MSIE 4 to 6, but not its version of Windows XP SP2, whose faults are mended.
pub fn is_msie6(agent: &[u8]) -> bool {
    let Some(at) = agent.find("MSIE ") else { return false };
    match &agent[at + 5..] {
        [b'4' | b'5', b'.', _, ..] => true,
        [b'6', b'.', _, rest @ ..] => !rest.contains_str("SV1"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_of_msie() {
        assert!(is_msie6(b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT)"));
        assert!(is_msie6(b"Mozilla/4.0 (compatible; MSIE 5.5)"));
        assert!(!is_msie6(b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)"));
        assert!(!is_msie6(b"Mozilla/4.0 (compatible; MSIE 7.0)"));
        assert!(!is_msie6(b"MSIE 6.") && !is_msie6(b"MSIE ") && !is_msie6(b""));
    }
}
