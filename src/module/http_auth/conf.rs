//! Directives of the http auth module.

use std::path::PathBuf;

use crate::directive::context::{HTTP_ALL, LIMIT_EXCEPT};
use crate::directive::table::directives;
use crate::directive::{Args, Evaluation, Value};
use crate::http::variable::Template;
use crate::syntax::Problem;

directives! {
    /// Password authentication.
    module "http auth";
    live as Current {
        /// Requires a user and a password of `auth_basic_user_file`; the text is the realm. `off` requires none.
        ///
        /// Example: `auth_basic "viewers";`
        "auth_basic" => realm: Realm = "off", in HTTP_ALL | LIMIT_EXCEPT, restricts requests;
        /// htpasswd file, relative to the conf directory. Passwords may be encrypted by `crypt`, as `$apr1$`, bcrypt, `{SHA}`
        /// or `{SSHA}`.
        ///
        /// Example: `auth_basic_user_file /etc/pingosd/viewers;`
        "auth_basic_user_file" => user_file: Option<UserFile>, in HTTP_ALL | LIMIT_EXCEPT;
    }
}

/// Text of `auth_basic`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm(pub Template);

/// Path of a user file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFile {
    /// Directory that a relative path begins at.
    pub base: PathBuf,
    /// The path; variables are allowed.
    pub path: Template,
}

impl Realm {
    /// Whether no password is required.
    pub fn is_off(&self) -> bool {
        self.0.literal().is_some_and(|text| text == "off")
    }
}

impl Value for Realm {
    fn syntax() -> String {
        "string | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Realm, Problem> {
        Template::parse(args, evaluation).map(Realm)
    }
}

impl Value for UserFile {
    fn syntax() -> String {
        "file".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<UserFile, Problem> {
        let base = evaluation.under_conf(b"");
        Ok(UserFile { base, path: Template::parse(args, evaluation)? })
    }
}
