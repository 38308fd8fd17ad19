//! Lints about directories in which the server writes files of streams.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use nix::unistd::{Gid, User, getegid, geteuid, getgrouplist, getgroups};

use super::finding::{Finding, LintContext};
use crate::directive::context::MAIN;
use crate::directive::outline::OutlineStatement;
use crate::syntax::{Problem, sentence, to_path};
use crate::task::user::{self, UserGroup};

/// A directive of a directory in which files are written.
struct DirectoryDirective {
    name: &'static str,
    /// Whether a relative path begins at the prefix. Others begin at the directory in which the server is started, which is not
    /// known here.
    is_at_prefix: bool,
    /// Whether a server that is started as root makes a missing directory and gives it to its user.
    is_made: bool,
}

const DIRECTORIES: [DirectoryDirective; 5] = [
    DirectoryDirective { name: "dash_path", is_at_prefix: false, is_made: true },
    DirectoryDirective { name: "hls_key_path", is_at_prefix: false, is_made: true },
    DirectoryDirective { name: "hls_path", is_at_prefix: false, is_made: true },
    DirectoryDirective { name: "live_record_path", is_at_prefix: true, is_made: true },
    DirectoryDirective { name: "record_path", is_at_prefix: false, is_made: false },
];

/// Permissions to make files in a directory: to write to it and to search it.
const WRITE: u32 = 0o3;

/// The user of the server once it runs.
struct Runner {
    name: String,
    uid: u32,
    groups: Vec<Gid>,
    /// Whether the server is root until its sockets are bound.
    was_root: bool,
    /// Whether the configuration names no user, so that a service manager may choose another one.
    is_default: bool,
}

/// Why no file can be written.
enum Obstacle {
    /// This does not exist, and the server does not make it.
    Missing(PathBuf),
    /// This is not a directory.
    NoDirectory(PathBuf),
    /// The user may not write here.
    Forbidden(PathBuf),
}

/// The directory is not made here, because `-t` changes nothing. A failure of the server is logged once per stream only, after
/// the media is lost.
pub(super) fn unwritable_path(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let mut runner = None;
    let mut known: HashMap<(PathBuf, bool), Option<Obstacle>> = HashMap::new();
    for statement in &scope.outline.statements {
        let Some(directive) = DIRECTORIES.iter().find(|directive| statement.is(directive.name)) else {
            continue;
        };
        let Some(path) = directory(scope, statement, directive.is_at_prefix) else { continue };
        let Some(runner) = runner.get_or_insert_with(|| Runner::of(scope)) else { return };
        let is_made = directive.is_made;
        let obstacle =
            known.entry((path, is_made)).or_insert_with_key(|(path, _)| obstacle(path, is_made, runner));
        let text = match obstacle {
            None => continue,
            Some(Obstacle::Missing(path)) => {
                sentence(&[b"\"", path.as_os_str().as_encoded_bytes(), b"\" does not exist"])
            }
            Some(Obstacle::NoDirectory(path)) => {
                sentence(&[b"\"", path.as_os_str().as_encoded_bytes(), b"\" is not a directory"])
            }
            Some(Obstacle::Forbidden(path)) => {
                let (user, path) = (runner.name.as_bytes(), path.as_os_str().as_encoded_bytes());
                sentence(&[b"user \"", user, b"\" may not write to \"", path, b"\""])
            }
        };
        let help = match obstacle {
            Some(Obstacle::Forbidden(_) | Obstacle::Missing(_)) => format!(
                "make the directory and give it to the user{}: `install -d -o {} {}`",
                if runner.is_default { " of a server that is started as root without `user`" } else { "" },
                runner.name,
                statement.words().first().map(|word| word.text().to_string()).unwrap_or_default()
            ),
            _ => "no files can be written below it".to_owned(),
        };
        findings.push(Finding::new(statement, Problem::warning(text).help(help)));
    }
}

/// Directory that a line names, up to the first part with a variable or a time.
fn directory(scope: &LintContext<'_>, statement: &OutlineStatement<'_>, at_prefix: bool) -> Option<PathBuf> {
    let word = &statement.words().first()?.bytes;
    let fixed = match word.find_byteset(b"$%") {
        Some(at) => &word[..word[..at].rfind_byte(b'/')?],
        None => &word[..],
    };
    let path = match at_prefix {
        true => scope.bases.prefix.join(to_path(fixed)),
        false => to_path(fixed),
    };
    (!fixed.is_empty() && path.is_absolute()).then_some(path)
}

/// What keeps a user from writing to a directory, or from making it. `None` also if that cannot be found out.
fn obstacle(path: &Path, is_made: bool, runner: &Runner) -> Option<Obstacle> {
    let mut ancestors = path.ancestors();
    let (nearest, found) = ancestors.by_ref().find_map(|path| match fs::metadata(path) {
        Ok(found) => Some(Some((path, found))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
        Err(_) => Some(None),
    })??;
    if !found.is_dir() {
        return Some(Obstacle::NoDirectory(nearest.to_owned()));
    }
    if nearest != path {
        match is_made {
            true if runner.was_root => return None,
            true => {}
            false => return Some(Obstacle::Missing(path.to_owned())),
        }
    }
    let may_reach = ancestors.all(|above| fs::metadata(above).is_ok_and(|above| runner.may(&above, 0o1)));
    let is_foreign = runner.is_default && found.uid() != 0;
    let may_write = is_foreign || (may_reach && runner.may(&found, WRITE));
    (!may_write).then(|| Obstacle::Forbidden(nearest.to_owned()))
}

impl Runner {
    /// `None` if the server stays root.
    fn of(scope: &LintContext<'_>) -> Option<Runner> {
        let own = geteuid();
        if !own.is_root() {
            let name = User::from_uid(own).ok().flatten().map_or_else(|| own.to_string(), |user| user.name);
            let mut groups = getgroups().unwrap_or_default();
            groups.push(getegid());
            return Some(Runner { name, uid: own.as_raw(), groups, was_root: false, is_default: false });
        }
        let main = scope.outline.of(MAIN).next()?;
        let line = scope.outline.own(main, "user").next();
        let words = line.map(OutlineStatement::words).unwrap_or_default();
        let named = match words {
            [] => None,
            [user, group @ ..] => {
                let group = group.first().map(|word| word.bytes.as_bstr());
                Some(UserGroup::named(user.bytes.as_bstr(), group).ok()?)
            }
        };
        let UserGroup { name, uid, gid } = user::becomes(named.as_ref())?;
        let groups = CString::new(name.as_str()).ok().and_then(|name| getgrouplist(&name, gid).ok());
        Some(Runner {
            name,
            uid: uid.as_raw(),
            groups: groups.unwrap_or_else(|| vec![gid]),
            was_root: true,
            is_default: line.is_none(),
        })
    }

    /// Whether the permission bits grant all of these; lists of access rights (ACL) are not considered.
    fn may(&self, directory: &Metadata, wanted: u32) -> bool {
        let granted = match () {
            () if directory.uid() == self.uid => directory.mode() >> 6,
            () if self.groups.iter().any(|group| group.as_raw() == directory.gid()) => directory.mode() >> 3,
            () => directory.mode(),
        };
        granted & wanted == wanted
    }
}
