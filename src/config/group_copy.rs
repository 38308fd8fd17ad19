//! The configuration of a group (`cluster_conf GROUP;`) as a file: the last one that this server took.
//!
//! It stands in `PREFIX/cluster_conf`, which only the server's user can enter, and is read in place of the directive, as an
//! included file is. So a start without etcd, a reload, `-t`, `conf_watch` and the generations on disk treat it like any other
//! file. Its last line is a comment that says which configuration it is:
//!
//! ```text
//! # pingosd cluster_conf: group web, revision 17, sha256 HASH
//! ```

use std::path::{Path, PathBuf};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::private_files::{self, PrivateFileError};
use crate::directive::ReloadClass;
use crate::directive::context::MAIN;
use crate::directive::registry::Registry;
use crate::syntax::reading::{CompanionFile, Reading};
use crate::syntax::{Problem, sentence};

/// Directive that brings the file along.
pub const DIRECTIVE: &str = "cluster_conf";
/// Directory below the prefix.
pub const DIRECTORY: &str = "cluster_conf";
/// Beginning of the last line.
const MARK: &[u8] = b"# pingosd cluster_conf: group ";
/// Maximum length of a group's name.
const NAME: usize = 64;

/// Place of the file of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupCopy {
    directory: PathBuf,
    /// Path of the file.
    pub path: PathBuf,
}

/// The file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupText {
    /// The configuration.
    pub text: Bytes,
    /// Revision in etcd; 0 if the last line is missing.
    pub revision: i64,
    /// Whether the configuration is as it was written.
    pub is_genuine: bool,
}

impl GroupCopy {
    /// The file of a group, for a server with this prefix and main file. There is none for names that no group has, nor for
    /// the embedded configuration.
    pub fn of(prefix: &Path, main: Option<&Path>, group: &[u8]) -> Option<GroupCopy> {
        let main = main?;
        let group = std::str::from_utf8(group).ok().filter(|_| is_name(group))?;
        let directory = prefix.join(DIRECTORY);
        let path = directory.join(format!("{}.{group}.conf", private_files::stem(main)));
        Some(GroupCopy { directory, path })
    }

    /// Creates the directory, and hands it over to the server's user. Must be called before privileges are dropped.
    ///
    /// # Errors
    ///
    /// It cannot be created, or not be made private.
    pub fn prepare(&self, user: Option<u32>) -> Result<(), PrivateFileError> {
        private_files::directory(&self.directory, user).map(drop)
    }

    /// Writes the file at once or not at all; only its owner may read it.
    ///
    /// # Errors
    ///
    /// It cannot be written, and what was there stays.
    pub fn keep(&self, bytes: &[u8]) -> Result<(), PrivateFileError> {
        let directory = private_files::directory(&self.directory, None)?;
        let mut unfinished = self.path.clone().into_os_string();
        unfinished.push(format!(".new-{}", std::process::id()));
        private_files::replace(&directory, Path::new(&unfinished), &self.path, bytes)
    }
}

impl GroupText {
    /// Takes the content of the file apart.
    pub fn parse(bytes: &Bytes) -> GroupText {
        let end = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let values = end[line..].strip_prefix(MARK).and_then(|rest| std::str::from_utf8(rest).ok());
        let parts = values.and_then(|values| {
            let (_, rest) = values.split_once(", revision ")?;
            let (revision, hash) = rest.split_once(", sha256 ")?;
            Some((revision.parse().ok()?, hash))
        });
        match parts {
            Some((revision, hash)) => {
                let text = bytes.slice(..line);
                let is_genuine = hash_of(&text) == hash;
                GroupText { text, revision, is_genuine }
            }
            None => GroupText { text: bytes.clone(), revision: 0, is_genuine: false },
        }
    }

    /// Content of the file for a configuration. Its lines keep their numbers.
    pub fn file(group: &str, revision: i64, text: &[u8]) -> Bytes {
        let mut file = text.to_vec();
        if !file.is_empty() && !file.ends_with(b"\n") {
            file.push(b'\n');
        }
        let hash = hash_of(&file);
        file.extend_from_slice(MARK);
        file.extend_from_slice(format!("{group}, revision {revision}, sha256 {hash}\n").as_bytes());
        file.into()
    }
}

/// SHA-256 of a configuration in hexadecimal digits. A line feed that is missing at the end counts as there.
pub fn hash_of(text: &[u8]) -> String {
    let mut hash = Sha256::new_with_prefix(text);
    if !text.is_empty() && !text.ends_with(b"\n") {
        hash.update(b"\n");
    }
    HEXLOWER.encode(&hash.finalize())
}

/// Whether a group may have this name: letters, digits, `-`, `_` and `.`.
pub fn is_name(name: &[u8]) -> bool {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    !name.is_empty() && name.len() <= NAME && name.iter().all(is_plain)
}

/// Refuses directives that a group's configuration cannot have because they decide how a server starts, or which group it
/// belongs to.
pub(super) fn refuse_own(reading: &mut Reading, registry: &Registry) {
    let mut problems = Vec::new();
    for CompanionFile { path, span, statement } in &reading.companions {
        let Some(file) = reading.sources.find(path) else {
            let text = "the configuration of the group is not here yet, the server takes it from etcd";
            problems.push((*statement, Problem::warning(text).at(*span).place(*span)));
            continue;
        };
        for node in reading.tree.body().filter(|node| node.terminator().file == file) {
            let Some(name) = node.words().first().filter(|_| !node.is_damaged()) else { continue };
            let is_own = is_own(&name.bytes, registry);
            if is_own {
                let text =
                    sentence(&[b"\"", &name.bytes, b"\" is not allowed in the configuration of a group"]);
                let problem = Problem::new(text).at(name.span).place(node.terminator());
                problems.push((node.order(), problem.help("it stands in each server's own file")));
            }
        }
    }
    problems.into_iter().for_each(|(order, problem)| reading.reports.add(order, problem));
}

/// Whether a directive of the outermost level stands in each server's own file only: a reload cannot change it, or it decides
/// about the group.
pub fn is_own(name: &[u8], registry: &Registry) -> bool {
    let rows = registry.find(name).iter().map(|entry| entry.row);
    let is_kept = rows
        .filter(|row| row.contexts & MAIN != 0)
        .any(|row| row.class == ReloadClass::Restart && !row.inert);
    is_kept || name == b"cluster" || name == DIRECTIVE.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_which_configuration_it_is() {
        for text in [&b""[..], b"a b;\n", b"a b;", b"# pingosd cluster_conf: group x\n"] {
            let file = GroupText::file("web", 17, text);
            let read = GroupText::parse(&file);
            assert!(read.is_genuine && read.revision == 17, "{file:?}");
            assert_eq!(hash_of(&read.text), hash_of(text));
        }
        let changed = [b"more on;\n", &GroupText::file("web", 17, b"a b;\n")[..]].concat();
        let read = GroupText::parse(&changed.into());
        assert!(!read.is_genuine && read.revision == 17);
        for hostile in [&b"\n"[..], b"\xff\n", b"# pingosd cluster_conf: group web, revision 9", b"a b;"] {
            let read = GroupText::parse(&Bytes::copy_from_slice(hostile));
            assert!(!read.is_genuine && read.revision == 0 && read.text == hostile);
        }
    }

    #[test]
    fn names_of_groups_are_names_of_files() {
        assert!(is_name(b"web-1_a.b"));
        for name in [&b""[..], b"a/b", b"a b", b"\xff", &[b'a'; 65]] {
            assert!(!is_name(name));
        }
    }
}
