//! Variables in exec lines.
//!
//! A name is a run of letters after `$`, or the text between `${` and `}`; it is case-sensitive. A backslash makes the
//! next character literal. Unknown names expand to nothing; `${name` without `}` consumes the rest. A `$` before any
//! other character is kept, so that a script can contain `$0`; PingOS drops it.

use std::convert::Infallible;

use super::script;
use crate::directive::template::{self, Notation};

/// Declares the variables of the dialect.
macro_rules! variables {
    ($( $(#[doc = $doc:literal])+ $name:literal => $Variant:ident, )+) => {
        /// A variable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ExecVariable { $( $(#[doc = $doc])+ $Variant, )+ }

        /// Every name.
        const NAMES: &[(&[u8], ExecVariable)] = &[$(($name, ExecVariable::$Variant)),+];
    };
}

variables! {
    /// Client address.
    b"addr" => Addr,
    /// Application name.
    b"app" => App,
    /// Query string of publish or play.
    b"args" => Args,
    /// File name of the recording without extension.
    b"basename" => Basename,
    /// Directory of the recording.
    b"dirname" => Dirname,
    /// File name of the recording.
    b"filename" => Filename,
    /// flashVer of connect.
    b"flashver" => Flashver,
    /// Stream name.
    b"name" => Name,
    /// pageUrl of connect.
    b"pageurl" => Pageurl,
    /// Full path of the closed recording.
    b"path" => Path,
    /// Recorder name.
    b"recorder" => Recorder,
    /// Local time of the event as YYYYmmddHHMMSS.
    b"starttime" => Starttime,
    /// swfUrl of connect.
    b"swfurl" => Swfurl,
    /// tcUrl of connect.
    b"tcurl" => Tcurl,
}

/// Source of values.
pub trait ExecValues {
    /// Value of a variable; empty if there is none.
    fn value(&self, variable: ExecVariable) -> Vec<u8>;
}

/// A word prepared for expansion.
pub(super) type Template = template::Template<ExecVariable>;

/// Sanitising of a value, depending on its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanitising {
    /// None, for an argument.
    Argument,
    /// For part of a path: the value stays one file name.
    FileName,
    /// For part of a shell script: the value stays one plain word, however the script quotes it.
    Script,
}

impl Template {
    /// Parses a word.
    pub fn compile(word: &[u8]) -> Template {
        let Ok(template) = Notation::EXEC.template(word, |found| {
            let name = found.map_or(&b""[..], |(name, _)| name);
            let known = NAMES.iter().find(|(known, _)| *known == name);
            Ok::<_, Infallible>(known.map(|(_, variable)| *variable))
        });
        template
    }

    /// Expands the word. NUL bytes, which arguments cannot contain, are dropped.
    pub fn expand(&self, values: &dyn ExecValues, taming: Sanitising) -> Vec<u8> {
        let mut out = Vec::new();
        self.fill(&mut out, |variable, out| {
            let value = values.value(*variable);
            match taming {
                Sanitising::Argument => out.extend_from_slice(&value),
                // These values are paths of the server's own files.
                Sanitising::FileName if matches!(variable, ExecVariable::Path | ExecVariable::Dirname) => {
                    out.extend_from_slice(&value);
                }
                Sanitising::FileName => out.extend_from_slice(crate::media::files::escape(&value).as_bytes()),
                Sanitising::Script => script::push_plain(out, &value),
            }
        });
        out.retain(|byte| *byte != 0);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Session;

    impl ExecValues for Session {
        fn value(&self, variable: ExecVariable) -> Vec<u8> {
            match variable {
                ExecVariable::Name => b"cam 1;/x".to_vec(),
                ExecVariable::App => b"live".to_vec(),
                _ => Vec::new(),
            }
        }
    }

    fn expanded(word: &str, taming: Sanitising) -> String {
        String::from_utf8(Template::compile(word.as_bytes()).expand(&Session, taming)).unwrap()
    }

    #[test]
    fn names_are_letters_and_unknown_ones_vanish() {
        let word = |text| expanded(text, Sanitising::Argument);
        assert_eq!(word("$app_low $app2 ${app}x $nosuch|$APP|"), "live_low live2 livex ||");
        assert_eq!(word("a${app"), "a");
        assert_eq!(word(r"\$app\\"), r"$app\");
        assert_eq!(word("$0 $$ $(x)$"), "$0 $$ $(x)$");
        assert_eq!(word("$name"), "cam 1;/x");
    }

    #[test]
    fn values_are_tamed_by_where_they_go() {
        assert_eq!(expanded("/log/$name.txt", Sanitising::FileName), "/log/cam%201%3B%2Fx.txt");
        assert_eq!(expanded("echo '$name'", Sanitising::Script), "echo 'cam%201%3B/x'");
    }
}
