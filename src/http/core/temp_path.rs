//! Directories of temporary files.

use std::path::PathBuf;

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::syntax::Problem;

/// A directory of temporary files, and the lengths of the names of its levels of subdirectories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TempPath {
    /// The directory.
    pub directory: PathBuf,
    /// Number of digits in the name of each level, at most three levels.
    pub levels: Vec<usize>,
}

/// Number of digits in a file's name.
const DIGITS: usize = 10;

impl TempPath {
    /// Path of the file with this number. As in nginx, levels are the last digits of its name.
    pub fn file(&self, number: u32) -> PathBuf {
        let name = format!("{number:0DIGITS$}");
        let mut path = self.directory.clone();
        let mut end = name.len();
        for level in &self.levels {
            path.push(&name[end - level..end]);
            end -= level;
        }
        path.push(name);
        path
    }
}

impl Value for TempPath {
    const ARITY: Arity = Arity::between(1, 4);

    fn syntax() -> String {
        "path [level1 [level2 [level3]]]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<TempPath, Problem> {
        let mut levels = Vec::new();
        for word in &args.words[1..] {
            let level = number::digits(&word.bytes).and_then(|level| usize::try_from(level).ok());
            match level.filter(|level| (1..=DIGITS).contains(level)) {
                Some(level) => levels.push(level),
                None => return Err(args.refuse("invalid value").caption("a level has 1 to 10 digits")),
            }
        }
        if levels.iter().sum::<usize>() > DIGITS {
            return Err(args.refuse("invalid value").caption("the levels have more than 10 digits together"));
        }
        Ok(TempPath { directory: evaluation.under_prefix(&args.first().bytes), levels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_last_digits() {
        let path = |levels: &[usize]| TempPath { directory: "/t".into(), levels: levels.to_vec() }.file(1234);
        assert_eq!(path(&[]), PathBuf::from("/t/0000001234"));
        assert_eq!(path(&[1, 2]), PathBuf::from("/t/4/23/0000001234"));
        assert_eq!(path(&[5, 4, 1]), PathBuf::from("/t/01234/0000/0/0000001234"));
    }
}
