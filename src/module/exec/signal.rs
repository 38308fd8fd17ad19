//! Signals by name and number.

use crate::directive::{Args, Evaluation, Value, number};
use crate::syntax::Problem;

/// Signal that ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KillSignal(pub i32);

/// POSIX names without `SIG`, with the numbers of Linux.
const NAMES: [(&str, i32); 20] = [
    ("hup", 1),
    ("int", 2),
    ("quit", 3),
    ("ill", 4),
    ("trap", 5),
    ("abrt", 6),
    ("bus", 7),
    ("fpe", 8),
    ("kill", 9),
    ("usr1", 10),
    ("segv", 11),
    ("usr2", 12),
    ("pipe", 13),
    ("alrm", 14),
    ("term", 15),
    ("chld", 17),
    ("cont", 18),
    ("stop", 19),
    ("tstp", 20),
    ("sys", 31),
];

/// Highest signal number.
const MAX: u64 = 64;

impl Value for KillSignal {
    fn syntax() -> String {
        "number | name".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<KillSignal, Problem> {
        let word = args.first();
        if let Some((_, signal)) = NAMES.iter().find(|(name, _)| word.is(name)) {
            return Ok(KillSignal(*signal));
        }
        let number = number::digits(&word.bytes).filter(|n| *n <= MAX).and_then(|n| i32::try_from(n).ok());
        number.map(KillSignal).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            args.refuse("unknown signal").help(format!("a number, or one of: {}", names.join(", ")))
        })
    }
}
