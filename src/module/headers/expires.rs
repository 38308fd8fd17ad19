//! The `expires` directive.

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::syntax::Problem;

/// Expiry of responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expires {
    /// No header.
    Off,
    /// Already expired, with a date in the past.
    Epoch,
    /// As late as possible.
    Max,
    /// This number of seconds from now; a negative one forbids caching.
    Access(i64),
    /// This number of seconds after the file's last modification.
    Modified(i64),
    /// At this second of the day.
    Daily(i64),
    /// Value of variables at each request, and whether it counts from the last modification.
    Variable(Template, bool),
}

/// Seconds per day.
const DAY: i64 = 86_400;

impl Value for Expires {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "[modified] time | @time | epoch | max | off | $variable".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Expires, Problem> {
        if let [modified @ .., word] = args.words
            && word.bytes.contains(&b'$')
        {
            if modified.first().is_some_and(|first| !first.is("modified")) {
                return Err(args
                    .refuse("invalid value")
                    .caption("takes a variable alone or after `modified`"));
            }
            let modified = !modified.is_empty();
            return Template::compile(word, &word.bytes, evaluation)
                .map(|text| Expires::Variable(text, modified));
        }
        let words: Vec<&[u8]> = args.words.iter().map(|word| &word.bytes[..]).collect();
        let daily = words.last().and_then(|word| word.strip_prefix(b"@")).and_then(seconds);
        match daily {
            Some(_) if words.len() > 1 => {
                return Err(args.refuse("daily time cannot be used with \"modified\" parameter"));
            }
            Some(time) if time >= DAY => {
                return Err(args.refuse("daily time value must be less than 24 hours"));
            }
            _ => {}
        }
        Expires::of_words(&words).ok_or_else(|| {
            args.refuse("invalid value").caption("such as 30d, -1, @15h30m, modified 1h, epoch, max, off")
        })
    }
}

impl Expires {
    /// Parses words without variables.
    pub fn of_words(words: &[&[u8]]) -> Option<Expires> {
        let (modified, word) = match *words {
            [b"modified", time] => (true, time),
            [only] => (false, only),
            _ => return None,
        };
        if !modified {
            match word {
                b"epoch" => return Some(Expires::Epoch),
                b"max" => return Some(Expires::Max),
                b"off" => return Some(Expires::Off),
                [b'@', time @ ..] => return seconds(time).map(Expires::Daily),
                _ => {}
            }
        }
        let (sign, time) = match word {
            [b'-', time @ ..] => (-1, time),
            [b'+', time @ ..] => (1, time),
            time => (1, time),
        };
        let seconds = seconds(time)? * sign;
        Some(if modified { Expires::Modified(seconds) } else { Expires::Access(seconds) })
    }
}

fn seconds(time: &[u8]) -> Option<i64> {
    number::sec(time).and_then(|seconds| i64::try_from(seconds).ok())
}
