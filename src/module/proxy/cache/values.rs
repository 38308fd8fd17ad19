//! Values of the directives of the cache.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use crate::directive::conclusion::WholeConfig;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::syntax::{Problem, Span, Word, sentence};

/// Minimum size of a zone in bytes: two pages, as in nginx.
const SMALLEST: u64 = 2 * 4096;
/// Maximum number of levels of directories, and of digits of each.
const LEVELS: (usize, usize) = (3, 2);

/// `proxy_cache_path`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePath {
    /// The directory.
    pub directory: PathBuf,
    /// Number of digits in the name of each level.
    pub levels: Vec<usize>,
    /// Name of the zone.
    pub zone: BString,
    /// Size of the zone in bytes, which bounds the number of responses.
    pub size: u64,
    /// Whether files are written in `proxy_temp_path` first, otherwise in the directory itself.
    pub uses_temp_path: bool,
    /// Time without use after which a response is removed.
    pub inactive: Duration,
    /// Maximum size of the files in bytes.
    pub max_size: Option<u64>,
    /// Free space in bytes that the file system is to keep.
    pub min_free: u64,
    /// How files are read in at the start.
    pub loader: Pace,
    /// How files are removed.
    pub manager: Pace,
}

/// Steps of work on many files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Files of a step.
    pub files: u64,
    /// Wait between steps.
    pub sleep: Duration,
    /// Time of a step.
    pub threshold: Duration,
}

/// `proxy_cache`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheZone {
    /// None.
    Off,
    /// The zone of this name.
    Zone(BString),
    /// The zone whose name variables give.
    Variable(Template),
}

/// `proxy_cache_valid`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheValid {
    /// The statuses; none of all.
    pub statuses: Vec<Option<u16>>,
    /// Time in seconds.
    pub seconds: i64,
}

/// Zones defined and used.
#[derive(Default)]
struct Zones {
    defined: HashMap<BString, (u64, Span)>,
    paths: HashMap<PathBuf, Span>,
    used: Vec<(BString, Span)>,
}

/// `proxy_cache` and `proxy_store` of a block.
#[derive(Default)]
struct Storing {
    cache: bool,
    store: bool,
}

/// Reports zones that are used but not defined.
pub fn are_defined(whole: &mut WholeConfig<'_>) -> Vec<Problem> {
    let zones = whole.notes.of::<Zones>();
    let unknown = zones.used.iter().filter(|(name, _)| !zones.defined.contains_key(name));
    let complaint = |(name, span): &(BString, Span)| {
        let text = sentence(&[b"\"proxy_cache\" zone \"", name, b"\" is unknown"]);
        Problem::new(text).at(*span).place(*span).help("zones are defined by `proxy_cache_path` in http")
    };
    unknown.map(complaint).collect()
}

/// Refuses `proxy_store` beside `proxy_cache` in the same block.
///
/// # Errors
///
/// nginx's sentence.
pub fn store_beside_cache(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<(), Problem> {
    let storing = evaluation.block.of::<Storing>();
    storing.store = true;
    match storing.cache {
        true => Err(args.refuse("is incompatible with \"proxy_cache\"")),
        false => Ok(()),
    }
}

impl CacheValid {
    /// Time in seconds for which a response of a status is fresh by these lines; 0 if it is not kept.
    pub fn of(all: &[CacheValid], status: u16) -> i64 {
        let is_of = |line: &&CacheValid| line.statuses.iter().any(|one| one.is_none_or(|one| one == status));
        all.iter().find(is_of).map_or(0, |line| line.seconds)
    }
}

impl Value for CacheZone {
    fn syntax() -> String {
        "zone | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CacheZone, Problem> {
        let word = args.first();
        if word.is("off") {
            return Ok(CacheZone::Off);
        }
        let storing = evaluation.block.of::<Storing>();
        storing.cache = true;
        if storing.store {
            return Err(args.refuse("is incompatible with \"proxy_store\""));
        }
        if word.bytes.contains(&b'$') {
            return Template::compile(word, &word.bytes, evaluation).map(CacheZone::Variable);
        }
        let name = word.text().to_owned();
        evaluation.notes.of::<Zones>().used.push((name.clone(), word.span));
        Ok(CacheZone::Zone(name))
    }
}

impl Value for CacheValid {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "[status ... | any] time".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<CacheValid, Problem> {
        let Some((time, words)) = args.words.split_last() else { return Err(args.refuse("is incomplete")) };
        let seconds = number::sec(&time.bytes).and_then(|seconds| i64::try_from(seconds).ok());
        let seconds = seconds.ok_or_else(|| about("invalid time value", time))?;
        if words.is_empty() {
            return Ok(CacheValid { statuses: [200, 301, 302].map(Some).into(), seconds });
        }
        let status = |word: &Word| match &word.bytes[..] {
            b"any" => Ok(None),
            text => {
                let status = number::digits(text).and_then(|status| u16::try_from(status).ok());
                let status = status.filter(|status| (100..=599).contains(status));
                status.map(Some).ok_or_else(|| about("invalid status", word))
            }
        };
        Ok(CacheValid { statuses: words.iter().map(status).collect::<Result<_, _>>()?, seconds })
    }
}

impl Value for CachePath {
    const ARITY: Arity = Arity::from(2);

    fn syntax() -> String {
        "path [levels=levels] [use_temp_path=on | off] keys_zone=name:size [inactive=time] [max_size=size] \
         [min_free=size] [manager_files=number] [manager_sleep=time] [manager_threshold=time] [loader_files=number] \
         [loader_sleep=time] [loader_threshold=time]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CachePath, Problem> {
        let text = args.first().bytes.strip_suffix(b"/").unwrap_or(&args.first().bytes);
        let pace = |threshold| Pace {
            files: 100,
            sleep: Duration::from_millis(50),
            threshold: Duration::from_millis(threshold),
        };
        let mut path = CachePath {
            directory: evaluation.under_prefix(text),
            levels: Vec::new(),
            zone: BString::default(),
            size: 0,
            uses_temp_path: true,
            inactive: Duration::from_secs(600),
            max_size: None,
            min_free: 0,
            loader: pace(200),
            manager: pace(200),
        };
        for word in args.words.get(1..).unwrap_or_default() {
            let Some((name, value)) = word.bytes.split_once_str("=") else {
                return Err(about("invalid parameter", word));
            };
            let invalid = || about(&format!("invalid {} value", name.as_bstr()), word);
            let msec = || number::msec(value).map(Duration::from_millis).ok_or_else(invalid);
            let files = || number::digits(value).ok_or_else(invalid);
            match name {
                b"levels" => {
                    path.levels = levels(value).ok_or_else(|| {
                        Problem::new(sentence(&[b"invalid \"levels\" \"", &word.bytes, b"\""])).at(word.span)
                    })?;
                }
                b"use_temp_path" => {
                    path.uses_temp_path = match value {
                        b"on" => true,
                        b"off" => false,
                        _ => {
                            let text = sentence(&[
                                b"invalid use_temp_path value \"",
                                &word.bytes,
                                b"\", it must be \"on\" or \"off\"",
                            ]);
                            return Err(Problem::new(text).at(word.span));
                        }
                    };
                }
                b"keys_zone" => (path.zone, path.size) = zone(value, word)?,
                b"inactive" => {
                    path.inactive = number::sec(value).map(Duration::from_secs).ok_or_else(invalid)?;
                }
                b"max_size" => path.max_size = Some(number::offset(value).ok_or_else(invalid)?),
                b"min_free" => path.min_free = number::offset(value).ok_or_else(invalid)?,
                b"loader_files" => path.loader.files = files()?,
                b"loader_sleep" => path.loader.sleep = msec()?,
                b"loader_threshold" => path.loader.threshold = msec()?,
                b"manager_files" => path.manager.files = files()?,
                b"manager_sleep" => path.manager.sleep = msec()?,
                b"manager_threshold" => path.manager.threshold = msec()?,
                b"purger" | b"purger_files" | b"purger_sleep" | b"purger_threshold" => {
                    let text = sentence(&[b"parameter \"", name, b"\" has no effect"]);
                    let help = "it belongs to nginx's commercial version; files of a cache may be removed at any time";
                    evaluation.report(Problem::warning(text).at(word.span).help(help));
                }
                _ => return Err(about("invalid parameter", word)),
            }
        }
        if path.zone.is_empty() {
            return Err(args.refuse("must have \"keys_zone\" parameter"));
        }
        let zones = evaluation.notes.of::<Zones>();
        if let Some(first) = zones.paths.insert(path.directory.clone(), args.span()) {
            let text = sentence(&[
                b"the same path name \"",
                path.directory.as_os_str().as_encoded_bytes(),
                b"\" used",
            ]);
            return Err(Problem::new(text).at(args.span()).label(first, "first given here"));
        }
        if let Some((size, first)) = zones.defined.insert(path.zone.clone(), (path.size, args.span())) {
            let text = match size == path.size {
                true => sentence(&[b"duplicate zone \"", &path.zone, b"\""]),
                false => sentence(&[
                    b"the size ",
                    path.size.to_string().as_bytes(),
                    b" of shared memory zone \"",
                    &path.zone,
                    b"\" conflicts with already declared size ",
                    size.to_string().as_bytes(),
                ]),
            };
            return Err(Problem::new(text).at(args.span()).label(first, "first given here"));
        }
        Ok(path)
    }
}

fn zone(value: &[u8], word: &Word) -> Result<(BString, u64), Problem> {
    let invalid = || about("invalid keys zone size", word);
    let (name, size) = value.split_once_str(":").filter(|(name, _)| !name.is_empty()).ok_or_else(invalid)?;
    let size = number::size(size).ok_or_else(invalid)?;
    if size < SMALLEST {
        let text = sentence(&[b"keys zone \"", &word.bytes, b"\" is too small"]);
        return Err(Problem::new(text).at(word.span).help("a zone has at least 8k"));
    }
    Ok((name.into(), size))
}

fn levels(value: &[u8]) -> Option<Vec<usize>> {
    let level = |digits: &[u8]| match digits {
        [digit @ b'1'..=b'2'] => Some(usize::from(digit - b'0')).filter(|level| *level <= LEVELS.1),
        _ => None,
    };
    let levels: Vec<usize> = value.split(|b| *b == b':').map(level).collect::<Option<_>>()?;
    Some(levels).filter(|levels| levels.len() <= LEVELS.0)
}

fn about(what: &str, word: &Word) -> Problem {
    Problem::new(sentence(&[what.as_bytes(), b" \"", &word.bytes, b"\""])).at(word.span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn a_path_has_the_defaults_of_nginx() {
        let path: CachePath = sample::value("proxy_cache_path /c/ levels=1:2 keys_zone=a:1m max_size=1g;");
        assert_eq!((path.directory, path.levels), ("/c".into(), vec![1, 2]));
        assert_eq!((&path.zone[..], path.size, path.max_size), (&b"a"[..], 1 << 20, Some(1 << 30)));
        assert_eq!((path.inactive, path.uses_temp_path), (Duration::from_secs(600), true));
    }

    #[test]
    fn the_first_line_that_names_a_status_counts() {
        let lines = ["200 404 1m", "any 10s", "500 1h"];
        let lines = lines.map(|line| sample::value::<CacheValid>(&format!("proxy_cache_valid {line};")));
        assert_eq!([200, 404, 500].map(|status| CacheValid::of(&lines, status)), [60, 60, 10]);
        let usual = [sample::value::<CacheValid>("proxy_cache_valid 5m;")];
        assert_eq!([200, 301, 302, 404].map(|status| CacheValid::of(&usual, status)), [300, 300, 300, 0]);
    }

    #[test]
    fn levels_are_one_or_two_digits() {
        assert_eq!(levels(b"1:2:2"), Some(vec![1, 2, 2]));
        for text in ["", "3", "0", "1:", "1:2:2:1", "12", "a"] {
            assert_eq!(levels(text.as_bytes()), None, "{text}");
        }
    }
}
