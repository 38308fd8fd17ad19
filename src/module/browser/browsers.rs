//! The lines of `ancient_browser` and `modern_browser`, and what they say of a browser.

use bstr::{BString, ByteSlice};

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// One `ancient_browser` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AncientBrowsers(Vec<BString>);

/// One `modern_browser` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModernBrowser {
    /// Browsers of which no line tells.
    Unlisted,
    /// A browser from this version on.
    From {
        /// Number in the list of known browsers.
        number: usize,
        /// Version as a number that can be compared.
        version: u64,
    },
}

/// What is known of a browser.
struct KnownBrowser {
    /// As in the configuration.
    name: &'static str,
    /// Number of bytes of the user agent before which its name does not stand.
    skip: usize,
    /// What stands in a user agent.
    mark: &'static str,
    /// Number of bytes from the mark's beginning to the version.
    add: usize,
}

/// In the order in which nginx looks for them: Opera calls itself MSIE, too.
const KNOWN: [KnownBrowser; 5] = [
    KnownBrowser { name: "opera", skip: 0, mark: "Opera", add: "Opera ".len() },
    KnownBrowser { name: "msie", skip: "Mozilla/4.0 (compatible; ".len(), mark: "MSIE ", add: "MSIE ".len() },
    KnownBrowser { name: "gecko", skip: "Mozilla/5.0 (".len(), mark: "rv:", add: "rv:".len() },
    KnownBrowser { name: "safari", skip: "Mozilla/5.0 (".len(), mark: "Safari/", add: "Safari/".len() },
    KnownBrowser {
        name: "konqueror",
        skip: "Mozilla/5.0 (compatible; ".len(),
        mark: "Konqueror/",
        add: "Konqueror/".len(),
    },
];

/// What the first part of a version counts; each further part counts a hundredth of the one before.
const FIRST_PART: u64 = 1_000_000;

/// What the lines in force say of a user agent; `None` of a request without one.
pub fn is_modern(agent: Option<&[u8]>, ancient: &[AncientBrowsers], modern: &[ModernBrowser]) -> bool {
    let makes_unlisted_modern = modern.contains(&ModernBrowser::Unlisted);
    let Some(agent) = agent else { return makes_unlisted_modern };
    let mut listed: Vec<(usize, u64)> = modern
        .iter()
        .filter_map(|line| match line {
            ModernBrowser::Unlisted => None,
            ModernBrowser::From { number, version } => Some((*number, *version)),
        })
        .collect();
    listed.sort_by_key(|(number, _)| *number);
    for (number, least) in listed {
        let known = &KNOWN[number];
        let Some(rest) = agent.get(known.skip..) else { continue };
        let found = rest.find(known.mark).and_then(|at| rest.get(at + known.add..));
        if let Some(text) = found.filter(|text| !text.is_empty()) {
            return version(text).0 >= least;
        }
    }
    makes_unlisted_modern && !ancient.iter().any(|line| line.names(agent))
}

/// The version at the beginning of a text, and what follows it.
fn version(text: &[u8]) -> (u64, &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let (digits, rest) = text.split_at(length);
    let mut scale = FIRST_PART;
    let mut version = 0_u64;
    for part in digits.split(|byte| *byte == b'.') {
        let number = part
            .iter()
            .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        version = version.saturating_add(number.saturating_mul(scale));
        scale /= 100;
    }
    (version, rest)
}

impl AncientBrowsers {
    fn names(&self, agent: &[u8]) -> bool {
        self.0.iter().any(|text| match &text[..] {
            b"netscape4" => {
                agent.len() > "Mozilla/4.72 ".len()
                    && agent.strip_prefix(b"Mozilla/").is_some_and(|rest| (b'1'..=b'4').contains(&rest[0]))
            }
            text => agent.contains_str(text),
        })
    }
}

impl Value for AncientBrowsers {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "netscape4 | text ...".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<AncientBrowsers, Problem> {
        Ok(AncientBrowsers(args.words.iter().map(|word| word.text().to_owned()).collect()))
    }
}

impl Value for ModernBrowser {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "unlisted | opera|msie|gecko|safari|konqueror version".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<ModernBrowser, Problem> {
        let refuse = |what: &str, number: usize| {
            let word = &args.words[number];
            Problem::new(sentence(&[what.as_bytes(), b" \"", &word.bytes, b"\""])).at(word.span)
        };
        let [browser, least] = args.words else {
            let is_unlisted = &args.first().bytes[..] == b"unlisted";
            let problem = || refuse("invalid parameter", 0).help("`unlisted`, or a browser and a version");
            return if is_unlisted { Ok(ModernBrowser::Unlisted) } else { Err(problem()) };
        };
        let number = KNOWN.iter().position(|known| browser.bytes.eq_ignore_ascii_case(known.name.as_bytes()));
        let number = number.ok_or_else(|| {
            refuse("unknown browser name", 0).help("known: opera, msie, gecko, safari, konqueror")
        })?;
        match version(&least.bytes) {
            (version, []) => Ok(ModernBrowser::From { number, version }),
            _ => Err(refuse("invalid browser version", 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn versions_are_compared_part_by_part() {
        let of = |text: &str| version(text.as_bytes()).0;
        assert!(of("5.5") < of("6") && of("6.0") == of("6") && of("1.7.12") > of("1.7.2"));
        assert_eq!(version(b"1.8x"), (1_080_000, &b"x"[..]));
        assert_eq!(of(&"9".repeat(40)), u64::MAX);
        assert_eq!((of(""), of("...")), (0, 0));
    }

    #[test]
    fn no_user_agent_is_too_short() {
        let modern: Vec<ModernBrowser> =
            vec![sample::value("modern_browser msie 5.5;"), sample::value("modern_browser opera 9;")];
        let ancient = [sample::value("ancient_browser netscape4 Lynx;")];
        let whole = b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1) Opera 9";
        for end in 0..whole.len() {
            is_modern(Some(&whole[..end]), &ancient, &modern);
        }
        assert!(is_modern(Some(whole), &ancient, &modern));
        assert!(!is_modern(Some(&whole[..whole.len() - 1]), &ancient, &modern[1..]));
    }
}
