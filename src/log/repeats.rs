//! Errors that repeat: the first line of a text is written, then one line per interval with the number of further ones.
//!
//! A text counts as the same if it comes from the same place of the program, whatever connection it is about.

use std::collections::HashMap;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tracing::callsite::Identifier;

use super::level::LogLevel;
use crate::limits;

/// Texts that were written lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    state: Mutex<State>,
    /// Signalled when there is a text to watch.
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a thread calls [`Repeats::wait`]. Without it every line is written.
    is_watched: bool,
    texts: HashMap<(Identifier, String), RepeatedText>,
}

#[derive(Debug)]
struct RepeatedText {
    level: LogLevel,
    /// Number of lines that were not written.
    count: u64,
    /// End of the interval.
    due: Instant,
}

/// A line about lines that were not written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Their level.
    pub(super) level: LogLevel,
    /// The line's text.
    pub(super) text: String,
}

impl Repeats {
    /// From now on a thread writes summaries.
    pub(super) fn begin(&self) {
        self.state.lock().is_watched = true;
    }

    /// Whether a line is to be written; otherwise a summary will mention it.
    pub(super) fn admits(&self, place: Identifier, level: LogLevel, text: &str, now: Instant) -> bool {
        let mut state = self.state.lock();
        if !state.is_watched {
            return true;
        }
        let key = (place, text.to_owned());
        if let Some(repeated) = state.texts.get_mut(&key) {
            repeated.count += 1;
            return false;
        }
        if state.texts.len() < limits::LOG_REPEATED_TEXTS {
            state.texts.insert(key, RepeatedText { level, count: 0, due: now + limits::LOG_REPEAT });
            self.filled.notify_one();
        }
        true
    }

    /// Waits until summaries are due.
    pub(super) fn wait(&self) -> Vec<Summary> {
        let mut state = self.state.lock();
        loop {
            match state.texts.values().map(|text| text.due).min() {
                None => self.filled.wait(&mut state),
                Some(due) if due > Instant::now() => drop(self.filled.wait_until(&mut state, due)),
                Some(_) => {
                    let due = state.summaries(Instant::now());
                    if !due.is_empty() {
                        return due;
                    }
                }
            }
        }
    }

    /// All that would be due later.
    pub(super) fn rest(&self) -> Vec<Summary> {
        let mut state = self.state.lock();
        state.texts.values_mut().for_each(|text| text.due = Instant::now());
        state.summaries(Instant::now())
    }
}

impl State {
    /// Summaries that are due. Texts that have not repeated are forgotten.
    fn summaries(&mut self, now: Instant) -> Vec<Summary> {
        let mut due = Vec::new();
        self.texts.retain(|(_, text), repeated| {
            if repeated.due > now {
                return true;
            }
            let count = std::mem::take(&mut repeated.count);
            if count > 0 {
                let times = if count == 1 { "time" } else { "times" };
                let text = format!("last message repeated {count} {times}: {text}");
                due.push(Summary { level: repeated.level, text });
                repeated.due = now + limits::LOG_REPEAT;
            }
            count > 0
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::Callsite;

    use super::*;

    /// Two places.
    fn places() -> [Identifier; 2] {
        struct Place;
        impl Callsite for Place {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &tracing::Metadata<'_> {
                unreachable!("nothing asks for it")
            }
        }
        // Places are told apart by their addresses, which types without a size may share.
        static ONE: (Place, u8) = (Place, 1);
        static TWO: (Place, u8) = (Place, 2);
        let _ = (ONE.1, TWO.1);
        [Identifier(&ONE.0), Identifier(&TWO.0)]
    }

    #[test]
    fn a_text_that_repeats_is_counted_and_others_are_written() {
        let repeats = Repeats::default();
        let [one, two] = places();
        let now = Instant::now();
        let admits =
            |place: &Identifier, text: &str| repeats.admits(place.clone(), LogLevel::Error, text, now);
        assert!(admits(&one, "a") && admits(&one, "a"), "nothing would write the summary");
        repeats.begin();
        assert!(admits(&one, "a") && admits(&one, "b") && admits(&two, "a"));
        assert!(!admits(&one, "a") && !admits(&one, "a") && !admits(&two, "a"));
        let mut state = repeats.state.lock();
        assert_eq!(state.summaries(now), []);
        let later = now + limits::LOG_REPEAT + Duration::from_secs(1);
        let mut texts: Vec<String> = state.summaries(later).into_iter().map(|summary| summary.text).collect();
        texts.sort();
        assert_eq!(texts, ["last message repeated 1 time: a", "last message repeated 2 times: a"]);
        assert_eq!(state.texts.len(), 2, "what does not repeat is forgotten");
        assert_eq!(state.summaries(later + limits::LOG_REPEAT), []);
        assert!(state.texts.is_empty());
    }

    #[test]
    fn texts_above_the_bound_are_written() {
        let repeats = Repeats::default();
        repeats.begin();
        let [one, _] = places();
        let admits = |text: String| repeats.admits(one.clone(), LogLevel::Error, &text, Instant::now());
        for n in 0..limits::LOG_REPEATED_TEXTS {
            assert!(admits(n.to_string()));
        }
        assert!(admits("more".into()) && admits("more".into()));
        assert!(!admits("0".into()));
        assert_eq!(repeats.rest().len(), 1);
    }
}
