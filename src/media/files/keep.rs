//! Values of `record_keep` and its siblings, and the rule for what goes first.

use std::time::{Duration, SystemTime};

use crate::directive::number;
use crate::directive::{Args, Arity, Evaluation, Msec, Value};
use crate::syntax::Problem;

/// How long and how much of a directory's files are kept. Without either bound everything is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Age, by the last modification, above which files are removed.
    pub age: Option<Msec>,
    /// Size in bytes of all files together above which the oldest are removed.
    pub size: Option<u64>,
}

/// Files that are kept or removed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSet {
    /// Last modification of any of them.
    pub modified: SystemTime,
    /// Size of all of them in bytes.
    pub size: u64,
}

impl Keep {
    /// Whether everything is kept.
    pub fn is_off(self) -> bool {
        self == Keep::default()
    }

    /// The more generous of both: what either keeps.
    pub fn or(self, other: Keep) -> Keep {
        if self.is_off() || other.is_off() {
            return Keep::default();
        }
        Keep {
            age: self.age.zip(other.age).map(|(a, b)| a.max(b)),
            size: self.size.zip(other.size).map(|(a, b)| a.max(b)),
        }
    }

    /// Removes sets until the bounds hold, oldest first. `sets` is sorted by modification; `remove` returns whether it
    /// has removed the set at this index, which it does not while the set is in use. Sets that were modified within
    /// `quiet` stay.
    pub fn enforce(
        self,
        sets: &[KeptSet],
        now: SystemTime,
        quiet: Duration,
        mut remove: impl FnMut(usize) -> bool,
    ) {
        let mut total = sets.iter().fold(0_u64, |total, set| total.saturating_add(set.size));
        for (index, set) in sets.iter().enumerate() {
            // A modification in the future counts as new.
            let age = now.duration_since(set.modified).unwrap_or(Duration::ZERO);
            let is_old = self.age.is_some_and(|most| age > most.duration());
            let is_too_much = self.size.is_some_and(|most| total > most);
            if !is_old && !is_too_much {
                return;
            }
            if age >= quiet && remove(index) {
                total = total.saturating_sub(set.size);
            }
        }
    }
}

impl Value for Keep {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | age=time | size=size (both may be given)".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Keep, Problem> {
        let mut keep = Keep::default();
        if let [only] = args.words
            && only.is("off")
        {
            return Ok(keep);
        }
        for word in args.words {
            let refused = || {
                args.refuse("invalid value").caption("age=time or size=size, for example age=7d size=100g")
            };
            if let Some(age) = word.bytes.strip_prefix(b"age=") {
                let age = number::msec(age).filter(|age| *age > 0).ok_or_else(refused)?;
                if keep.age.replace(Msec(age)).is_some() {
                    return Err(refused());
                }
            } else if let Some(size) = word.bytes.strip_prefix(b"size=") {
                let size = number::offset(size).filter(|size| *size > 0).ok_or_else(refused)?;
                if keep.size.replace(size).is_some() {
                    return Err(refused());
                }
            } else {
                return Err(refused());
            }
        }
        Ok(keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    /// Indices of the sets that are removed, of sets with these ages in seconds and sizes.
    fn removed(keep: Keep, sets: &[(u64, u64)], in_use: &[usize]) -> Vec<usize> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let sets: Vec<KeptSet> = sets
            .iter()
            .map(|(age, size)| KeptSet { modified: now - Duration::from_secs(*age), size: *size })
            .collect();
        let mut removed = Vec::new();
        keep.enforce(&sets, now, limits::KEEP_QUIET, |index| {
            let free = !in_use.contains(&index);
            removed.extend(free.then_some(index));
            free
        });
        removed
    }

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_needed() {
        let keep = Keep { age: None, size: Some(100) };
        let sets = [(900, 40), (800, 40), (700, 40), (600, 40)];
        assert_eq!(removed(keep, &sets, &[]), [0, 1]);
        assert_eq!(removed(keep, &sets, &[0]), [1, 2]);
        assert_eq!(removed(keep, &sets[2..], &[]), [0; 0]);
        let keep = Keep { age: Some(Msec(750_000)), size: None };
        assert_eq!(removed(keep, &sets, &[]), [0, 1]);
        let both = Keep { age: Some(Msec(850_000)), size: Some(50) };
        assert_eq!(removed(both, &sets, &[]), [0, 1, 2]);
        assert_eq!(removed(Keep::default(), &sets, &[]), [0; 0]);
    }

    #[test]
    fn what_was_written_just_now_stays() {
        let keep = Keep { age: Some(Msec(1)), size: Some(1) };
        assert_eq!(removed(keep, &[(900, 40), (limits::KEEP_QUIET.as_secs() - 1, 40)], &[]), [0]);
    }

    #[test]
    fn of_two_rules_for_the_same_files_the_more_generous_counts() {
        let (day, both) = (
            Keep { age: Some(Msec(86_400_000)), size: None },
            Keep { age: Some(Msec(3_600_000)), size: Some(10) },
        );
        assert_eq!(day.or(both), day);
        assert_eq!(both.or(Keep { size: Some(20), ..both }).size, Some(20));
        assert!(day.or(Keep::default()).is_off());
    }
}
