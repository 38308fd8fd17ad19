//! Values of the directives.

use crate::directive::word::{any_of, one_of};
use crate::directive::{Args, Evaluation, Value, number};
use crate::syntax::Problem;

one_of! {
    /// What is done about the cookie.
    pub enum UserIdMode {
        /// Nothing.
        "off" => Off,
        /// It is only read.
        "log" => Log,
        /// It is read, and set in version 1.
        "v1" => V1,
        /// It is read, and set in version 2.
        "on" => On,
    }
}

any_of! {
    /// Attributes of the cookie.
    pub struct UserIdFlags {
        /// None.
        "off" => OFF = 0x01,
        /// `secure`.
        "secure" => SECURE = 0x02,
        /// `httponly`.
        "httponly" => HTTPONLY = 0x04,
        /// `samesite=strict`.
        "samesite=strict" => SAMESITE_STRICT = 0x08,
        /// `samesite=lax`.
        "samesite=lax" => SAMESITE_LAX = 0x10,
        /// `samesite=none`.
        "samesite=none" => SAMESITE_NONE = 0x20,
    }
}

/// How long a browser keeps the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserIdExpires {
    /// Until it is closed.
    Off,
    /// Until the end of 2037.
    Max,
    /// For a number of seconds.
    Seconds(u64),
}

/// A letter, digit or `=` that marks the cookie, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserIdMark(pub Option<u8>);

impl Value for UserIdExpires {
    fn syntax() -> String {
        "time | max | off".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<UserIdExpires, Problem> {
        match &args.first().bytes[..] {
            b"max" => Ok(UserIdExpires::Max),
            b"off" => Ok(UserIdExpires::Off),
            time => match number::sec(time) {
                Some(0) => Ok(UserIdExpires::Off),
                Some(seconds) => Ok(UserIdExpires::Seconds(seconds)),
                None => Err(args.refuse("invalid value")),
            },
        }
    }
}

impl Value for UserIdMark {
    fn syntax() -> String {
        "letter | digit | = | off".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<UserIdMark, Problem> {
        match &args.first().bytes[..] {
            b"off" => Ok(UserIdMark(None)),
            [mark] if mark.is_ascii_alphanumeric() || *mark == b'=' => Ok(UserIdMark(Some(*mark))),
            _ => Err(args.refuse("value must be \"off\" or a single letter, digit or \"=\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn values_are_refused_in_the_words_of_nginx() {
        let mark = |text: &str| sample::read::<UserIdMark>(&format!("userid_mark {text};"));
        for wrong in ["xx", "-", "OFF", "\"\""] {
            let want = "\"userid_mark\" directive value must be \"off\" or a single letter, digit or \"=\"";
            assert_eq!(mark(wrong).1, [want], "{wrong}");
        }
        assert_eq!((mark("=").0, mark("off").0), (Some(UserIdMark(Some(b'='))), Some(UserIdMark(None))));
        let expires = |text: &str| sample::read::<UserIdExpires>(&format!("userid_expires {text};"));
        for wrong in ["1ms", "x", "\"\""] {
            assert_eq!(expires(wrong).1, ["\"userid_expires\" directive invalid value"], "{wrong}");
        }
        assert_eq!(expires("1d").0, Some(UserIdExpires::Seconds(86_400)));
        assert_eq!(sample::read::<UserIdMode>("userid x;").1, ["invalid value \"x\""]);
        assert_eq!(
            sample::read::<UserIdFlags>("userid_flags secure secure;").1,
            ["duplicate value \"secure\""]
        );
        let flags: UserIdFlags = sample::value("userid_flags SECURE samesite=lax;");
        assert_eq!(flags, UserIdFlags::SECURE | UserIdFlags::SAMESITE_LAX);
    }
}
