//! "Did you mean": the most similar of many names.

/// Longest name that is compared, in bytes; the cost grows with its square.
const MAX_COMPARED: usize = 64;

/// The most similar name, if it is close enough to be a typing error.
pub fn nearest<'n>(word: &[u8], names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if word.is_empty() || word.len() > MAX_COMPARED {
        return None;
    }
    let allowed = (word.len() / 3).clamp(1, 3);
    names
        .filter(|name| name.len() <= MAX_COMPARED && name.len().abs_diff(word.len()) <= allowed)
        .map(|name| (distance(word, name.as_bytes()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, name)| (*distance, *name))
        .map(|(_, name)| name)
}

/// Optimal string alignment distance: edits between two words, where a swap of neighbours counts as one.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    let mut row: Vec<usize> = vec![0; width];
    for (i, x) in a.iter().enumerate() {
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = usize::from(!x.eq_ignore_ascii_case(y));
            let mut best = (above[j] + cost).min(above[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && a[i - 1] == *y && *x == b[j - 1];
            if swapped {
                best = best.min(before[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name() {
        let names = ["worker_connections", "worker_processes", "live", "listen"];
        assert_eq!(nearest(b"worker_conections", names.into_iter()), Some("worker_connections"));
        assert_eq!(nearest(b"lisetn", names.into_iter()), Some("listen"));
        assert_eq!(nearest(b"Live", names.into_iter()), Some("live"));
        assert_eq!(nearest(b"upstream", names.into_iter()), None);
    }
}
