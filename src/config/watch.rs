//! Files of a configuration: names, fingerprint, and notification of changes.
//!
//! Directories are watched rather than files: editors and deployment tools replace files by renaming others over them,
//! Kubernetes swaps a link to a directory, and a pattern may match a new file. A notification only triggers a check;
//! what counts is the [`Fingerprint`] of the contents.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use data_encoding::HEXLOWER;
use nix::sys::statfs::statfs;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};

use super::LoadOptions;
use super::load::read;
use crate::syntax::source::TextOrigin;
use crate::syntax::texts::is_pattern;
use crate::syntax::{SourceFile, Sources};

/// Hash of the names and contents of all files of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Files of a configuration at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Fingerprint of the current files.
    pub fingerprint: Fingerprint,
    /// Directories whose entries determine which files are read and their contents. All of them exist.
    pub directories: BTreeSet<PathBuf>,
}

impl Fingerprint {
    /// Fingerprint of texts that were read.
    pub fn of(sources: &Sources) -> Fingerprint {
        Fingerprint::over(sources.files().iter())
    }

    /// Fingerprint of the files among the texts, without the command line.
    pub fn of_files(sources: &Sources) -> Fingerprint {
        Fingerprint::over(sources.files().iter().filter(|file| file.origin == TextOrigin::File))
    }

    /// The first digits, for display.
    pub fn short(&self) -> String {
        HEXLOWER.encode(&self.0[..6])
    }

    fn over<'a>(files: impl Iterator<Item = &'a SourceFile>) -> Fingerprint {
        let mut hash = Sha256::new();
        for file in files {
            for part in [file.name.as_os_str().as_bytes(), &file.bytes] {
                // The length separates a name from its contents.
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Fingerprint(hash.finalize().into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Footprint {
    /// Reads the files. Errors in them do not matter; unreadable files are skipped.
    pub fn read(options: &LoadOptions) -> Footprint {
        let (reading, _) = read(options);
        let mut directories = BTreeSet::new();
        for file in options.conf_file.iter().map(PathBuf::as_path).chain(
            reading
                .sources
                .files()
                .iter()
                .filter(|file| file.origin == TextOrigin::File)
                .map(|file| &*file.name),
        ) {
            add_deciding(file, &mut directories);
        }
        for brought in &reading.companions {
            add_deciding(&brought.path, &mut directories);
        }
        for include in &reading.includes {
            for path in places(&include.path) {
                add_deciding(&path, &mut directories);
            }
        }
        let directories = directories.into_iter().filter_map(existing).collect();
        Footprint { fingerprint: Fingerprint::of(&reading.sources), directories }
    }

    /// Whether other machines may write the files, which the system does not report.
    pub fn is_remote(&self) -> bool {
        self.directories.iter().any(|directory| {
            statfs(directory).is_ok_and(|fs| REMOTE.contains(&(fs.filesystem_type().0 as u32)))
        })
    }
}

/// Notifies of changes in directories until dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Calls `changed` from a separate thread whenever something has changed, once or several times.
    ///
    /// # Errors
    ///
    /// Errors of the system, usually that there are too many watches.
    pub fn new(
        directories: &BTreeSet<PathBuf>,
        changed: impl Fn() + Send + 'static,
    ) -> notify::Result<Watch> {
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error means that events were lost.
            if event.map_or(true, |event| is_change(&event.kind)) {
                changed();
            }
        })?;
        for directory in directories {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
        }
        Ok(Watch { _watcher: watcher })
    }
}

/// Reading, which the server itself does, is not a change.
fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// A path for each directory that an include searches: for `sites/*/a.conf`, `sites` and all directories in it.
fn places(include: &Path) -> Vec<PathBuf> {
    let components: Vec<Component<'_>> = include.components().collect();
    let first = components.iter().position(|c| is_pattern(c.as_os_str().as_bytes()));
    let Some(first) = first else { return vec![include.to_owned()] };
    let mut found = Vec::new();
    for end in first..components.len() {
        let parent: PathBuf = components[..end].iter().collect();
        if end == first {
            found.push(parent.join("entry"));
        } else if let Some(Ok(directories)) = parent.to_str().map(glob::glob) {
            let directories = directories.filter_map(Result::ok).filter(|path| path.is_dir());
            found.extend(directories.take(MOST_DIRECTORIES).map(|directory| directory.join("entry")));
        }
    }
    found
}

/// Adds the directories in which an entry determines the meaning of a path: those of every link on the way, and of its
/// target.
fn add_deciding(path: &Path, directories: &mut BTreeSet<PathBuf>) {
    let Ok(path) = std::path::absolute(path) else { return };
    let owned = |path: &Path| path.components().map(|c| c.as_os_str().to_owned()).collect::<Vec<_>>();
    let mut rest: VecDeque<OsString> = owned(&path).into();
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        match Path::new(&name).components().next() {
            Some(Component::RootDir) => at = PathBuf::from("/"),
            Some(Component::ParentDir) => drop(at.pop()),
            Some(Component::Normal(name)) => {
                let next = at.join(name);
                let Ok(target) = std::fs::read_link(&next) else {
                    at = next;
                    continue;
                };
                directories.insert(at.clone());
                links += 1;
                if links > MOST_LINKS {
                    return;
                }
                owned(&target).into_iter().rev().for_each(|name| rest.push_front(name));
            }
            _ => {}
        }
    }
    if let Some(parent) = at.parent() {
        directories.insert(parent.to_owned());
    }
}

/// The directory, or the nearest existing one above it, in which it would be created.
fn existing(directory: PathBuf) -> Option<PathBuf> {
    directory.ancestors().find(|d| d.is_dir()).map(Path::to_owned)
}

/// Maximum number of links followed to one file, as in the kernel.
const MOST_LINKS: usize = 40;

/// Maximum number of directories that one pattern may add.
const MOST_DIRECTORIES: usize = 1000;

/// Network file systems, which other machines may write to: NFS, SMB, CIFS, SMB2, 9P, Ceph, AFS, Coda, FUSE, Lustre,
/// GFS2, OCFS2.
const REMOTE: [u32; 12] = [
    0x6969,
    0x517B,
    0xFF53_4D42,
    0xFE53_4D42,
    0x0102_1997,
    0x00C3_6400,
    0x5346_414F,
    0x7375_7245,
    0x6573_5546,
    0x0BD0_0BD0,
    0x0116_1970,
    0x7461_636F,
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::modules::LANGUAGE;

    fn footprint(conf: &Path) -> Footprint {
        Footprint::read(&LoadOptions::choose(&LANGUAGE, None, Some(conf.to_owned()), Vec::new(), None))
    }

    #[test]
    fn every_directory_that_decides_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["kube/..2024", "sites/a", "sites/b", "real"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        symlink("..2024", root.join("kube/..data")).unwrap();
        symlink("..data/main.conf", root.join("kube/main.conf")).unwrap();
        fs::write(
            root.join("kube/..2024/main.conf"),
            format!(
                "include {0}/sites/*/x.conf; include {0}/link.conf; include {0}/none/yet/*.conf;",
                root.display()
            ),
        )
        .unwrap();
        fs::write(root.join("real/target.conf"), "").unwrap();
        symlink(root.join("real/target.conf"), root.join("link.conf")).unwrap();
        let found = footprint(&root.join("kube/main.conf")).directories;
        let want = ["", "kube", "kube/..2024", "real", "sites", "sites/a", "sites/b"];
        let want: BTreeSet<PathBuf> =
            want.iter().map(|name| root.join(name).components().collect()).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn a_circle_of_links_ends() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert!(!footprint(&dir.path().join("a/main.conf")).directories.is_empty());
    }

    #[test]
    fn the_fingerprint_is_of_names_and_contents() {
        let dir = tempfile::tempdir().unwrap();
        let conf = dir.path().join("main.conf");
        let look = |main: &str| {
            fs::write(&conf, main).unwrap();
            footprint(&conf).fingerprint
        };
        let first = look("include d/*.conf;");
        assert_eq!(first, look("include d/*.conf;"));
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/x.txt"), "no part of it").unwrap();
        assert_eq!(first, look("include d/*.conf;"));
        fs::write(dir.path().join("d/x.conf"), "").unwrap();
        assert_ne!(first, look("include d/*.conf;"));
    }
}
