//! Shell scripts in commands.

/// Programs that take a script after `-c`.
const SHELLS: [&[u8]; 8] = [b"sh", b"ash", b"bash", b"dash", b"fish", b"ksh", b"zsh", b"busybox"];

/// Index of a shell's script among the words after the program's name.
pub(super) fn script_at(program: &[u8], words: &[&[u8]]) -> Option<usize> {
    let base = program.rsplit(|b| *b == b'/').next()?;
    // After helpers such as `nice` or `env`, the shell is one of the words.
    let from = if SHELLS.contains(&base) {
        0
    } else {
        1 + words.iter().position(|word| {
            let base = word.rsplit(|b| *b == b'/').next().unwrap_or_default();
            SHELLS.contains(&base)
        })?
    };
    let option = words[from..].iter().position(|w| w.starts_with(b"-") && w.ends_with(b"c"))?;
    Some(from + option + 1).filter(|at| *at < words.len())
}

/// Appends a value so that it is one plain word of a script, however the script quotes it, even if it is evaluated
/// twice: bytes with a meaning in shells are percent-encoded.
///
/// PingOS inserts values unchanged, so that a stream name can be a command.
pub(super) fn push_plain(out: &mut Vec<u8>, value: &[u8]) {
    // Bytes that are not UTF-8 could absorb a quote of the script in a shell with another encoding.
    let utf8 = std::str::from_utf8(value).is_ok();
    for &byte in value {
        let plain = byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte) || (byte >= 0x80 && utf8);
        if plain {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_found_behind_helpers_too() {
        assert_eq!(script_at(b"/bin/bash", &[b"-c", b"echo"]), Some(1));
        assert_eq!(script_at(b"nice", &[b"-n", b"5", b"sh", b"-ec", b"echo"]), Some(4));
        assert_eq!(script_at(b"sh", &[b"-c"]), None);
        assert_eq!(script_at(b"ffmpeg", &[b"-c", b"copy"]), None);
    }

    #[test]
    fn nothing_of_a_value_means_anything_to_a_shell() {
        let mut out = Vec::new();
        push_plain(&mut out, b"$(id)`id`;a&b|c>d<e'f\"g\\h i\nj*k?l[m{n}~!#");
        assert!(!out.iter().any(|b| b"$()`;&|><'\"\\ \n*?[{}~!#".contains(b)), "{out:?}");
        out.clear();
        push_plain(&mut out, b"k=v%20/a.b:1");
        assert_eq!(out, b"k=v%20/a.b:1");
    }
}
