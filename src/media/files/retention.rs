//! Removal of old files (`record_keep` and its siblings). Runs on a blocking thread.
//!
//! Files that a publish writes and files that a process has open stay, whatever the bounds.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use super::claims::FileClaims;
use super::keep::{Keep, KeptSet};
use super::log;
use crate::config::Config;
use crate::config::store::Store;
use crate::limits;
use crate::media::counterpart::Counterpart;

/// Files of an output that are kept only for a while.
pub trait Retained: Send + Sync {
    /// Name of the directive, for the log.
    fn directive(&self) -> &'static str;

    /// Directories with the files of the configuration's applications.
    fn directories(&self, config: &Config) -> Vec<RetainedDirectory>;
}

/// A directory.
pub struct RetainedDirectory {
    /// Its path.
    pub path: PathBuf,
    /// Which files of it are meant.
    pub files: Arc<dyn RetainedFiles>,
    /// The bounds.
    pub keep: Keep,
}

/// Selects files of a directory.
pub trait RetainedFiles: Send + Sync {
    /// Distinguishes kinds of files in the same directory; of kinds that fit a file, the one with the longest text counts.
    fn pattern(&self) -> &[u8];

    /// Number of levels of directories below the directory.
    fn depth(&self) -> usize;

    /// File that represents the set to which `path` belongs, possibly itself; `None` for files of other kinds. A set stays
    /// as long as a publish writes that file, which `is_written` tells.
    fn set_of(&self, path: &Path, is_written: &dyn Fn(&Path) -> bool) -> Option<PathBuf>;
}

/// Files that belong together.
struct FileSet {
    files: Vec<PathBuf>,
    kept: KeptSet,
}

/// Removes files forever.
pub async fn run(
    store: Arc<Store>,
    places: Arc<FileClaims>,
    counterpart: Arc<Counterpart>,
    kinds: Arc<[Arc<dyn Retained>]>,
) {
    let mut complaints = Complaints::default();
    loop {
        let (config, places, kinds) = (store.load(), places.clone(), kinds.clone());
        let quiet = match counterpart.control() {
            Some(_) => limits::KEEP_QUIET_SHARED,
            None => limits::KEEP_QUIET,
        };
        let work = tokio::task::spawn_blocking(move || {
            for kind in kinds.iter() {
                pass(&**kind, &config, &places, quiet, &mut complaints);
            }
            complaints
        });
        // If a pass panics, only that pass is lost.
        complaints = work.await.unwrap_or_default();
        tokio::time::sleep(limits::KEEP_INTERVAL).await;
    }
}

/// Problems that were logged, by directive and directory. Each is logged again only after it was gone.
#[derive(Default)]
struct Complaints(HashSet<(&'static str, PathBuf, Problem)>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Problem {
    TooManyFiles,
    NotRemoved,
}

impl Complaints {
    /// Whether a problem is to be logged now.
    fn is_new(&mut self, kind: &dyn Retained, path: &Path, problem: Problem, occurs: bool) -> bool {
        let entry = (kind.directive(), path.to_owned(), problem);
        if occurs {
            return self.0.insert(entry);
        }
        self.0.remove(&entry);
        false
    }
}

/// A directory by its real path, however applications name it.
struct SharedDirectory {
    files: Arc<dyn RetainedFiles>,
    keep: Keep,
    /// The paths in the configuration.
    names: Vec<PathBuf>,
}

/// Looks once at all files of a kind.
fn pass(
    kind: &dyn Retained,
    config: &Config,
    places: &FileClaims,
    quiet: Duration,
    complaints: &mut Complaints,
) {
    let configured = kind.directories(config);
    // Mostly there are no bounds at all, and no directory needs to be looked up.
    if configured.iter().all(|directory| directory.keep.is_off()) {
        return;
    }
    // Files of several applications in one directory can't be told apart: what any of them keeps is kept.
    let mut directories: BTreeMap<(PathBuf, Vec<u8>), SharedDirectory> = BTreeMap::new();
    for RetainedDirectory { path: name, files, keep } in configured {
        // A missing directory has no files.
        let Ok(path) = fs::canonicalize(&name) else { continue };
        match directories.entry((path, files.pattern().to_vec())) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.keep = known.keep.or(keep);
                known.names.push(name);
            }
            Entry::Vacant(vacant) => drop(vacant.insert(SharedDirectory { files, keep, names: vec![name] })),
        }
    }
    let roots: HashSet<&Path> = directories.keys().map(|(path, _)| &**path).collect();
    for ((path, pattern), directory) in &directories {
        if directory.keep.is_off() {
            continue;
        }
        let longer: Vec<&dyn RetainedFiles> = directories
            .iter()
            .filter(|((other, text), _)| other == path && text.len() > pattern.len())
            .map(|(_, other)| &*other.files)
            .collect();
        let is_written = |file: &Path| {
            let below = file.strip_prefix(path);
            below.is_ok_and(|below| directory.names.iter().any(|name| places.is_taken(&name.join(below))))
        };
        let files = &*directory.files;
        let mut walk =
            Walk { files, longer, roots: &roots, is_written: &is_written, sets: HashMap::new(), seen: 0 };
        walk.look(path, 0);
        let too_many = walk.seen > limits::KEEP_FILES;
        if complaints.is_new(kind, path, Problem::TooManyFiles, too_many) {
            log::too_many_files(kind.directive(), path);
        }
        let mut sets: Vec<(PathBuf, FileSet)> = walk.sets.into_iter().collect();
        sets.sort_by_key(|(_, set)| set.kept.modified);
        let failures = enforce(kind, directory.keep, &sets, quiet, &is_written);
        let first = failures.first();
        if complaints.is_new(kind, path, Problem::NotRemoved, first.is_some())
            && let Some((file, error)) = first
        {
            log::not_removed(kind.directive(), file, error, failures.len());
        }
    }
}

/// Removes what is beyond the bounds. Returns the files that could not be removed.
fn enforce<'a>(
    kind: &dyn Retained,
    keep: Keep,
    sets: &'a [(PathBuf, FileSet)],
    quiet: Duration,
    is_written: &dyn Fn(&Path) -> bool,
) -> Vec<(&'a Path, io::Error)> {
    let kept: Vec<KeptSet> = sets.iter().map(|(_, set)| set.kept).collect();
    // Only looked up if there is something to remove.
    let mut open = None;
    let mut failures = Vec::new();
    keep.enforce(&kept, SystemTime::now(), quiet, |index| {
        let (id, set) = &sets[index];
        if is_written(id) {
            return false;
        }
        let open = open.get_or_insert_with(open_files);
        if set.files.iter().any(|file| open.contains(file)) {
            return false;
        }
        // The file that represents the set goes first: a playlist without segments would mislead players.
        set.files.iter().fold(true, |all, file| match fs::remove_file(file) {
            Ok(()) => {
                log::removed(kind.directive(), file);
                all
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => all,
            Err(error) => {
                failures.push((&**file, error));
                false
            }
        })
    });
    failures
}

/// Regular files that processes have open, as far as the system shows them: those of this process always, those of others
/// to root.
fn open_files() -> HashSet<PathBuf> {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let processes = entries(Path::new("/proc")).filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let descriptors = processes.flat_map(|process| entries(&process.path().join("fd")));
    descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter(|path| path.is_absolute())
        .collect()
}

/// A look through a directory.
struct Walk<'a> {
    files: &'a dyn RetainedFiles,
    /// Kinds of files in the same directory with longer patterns.
    longer: Vec<&'a dyn RetainedFiles>,
    /// Directories with bounds of their own.
    roots: &'a HashSet<&'a Path>,
    is_written: &'a dyn Fn(&Path) -> bool,
    sets: HashMap<PathBuf, FileSet>,
    seen: usize,
}

impl Walk<'_> {
    fn look(&mut self, path: &Path, depth: usize) {
        let Ok(entries) = fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            self.seen += 1;
            if self.seen > limits::KEEP_FILES {
                return;
            }
            let (Ok(kind), path) = (entry.file_type(), entry.path()) else { continue };
            if kind.is_dir() && depth < self.files.depth() && !self.roots.contains(&*path) {
                self.look(&path, depth + 1);
            } else if kind.is_file()
                && let Ok(metadata) = entry.metadata()
                && let Ok(modified) = metadata.modified()
                && !self.longer.iter().any(|other| other.set_of(&path, self.is_written).is_some())
                && let Some(id) = self.files.set_of(&path, self.is_written)
            {
                self.add(id, path, KeptSet { modified, size: metadata.len() });
            }
        }
    }

    fn add(&mut self, id: PathBuf, path: PathBuf, file: KeptSet) {
        let is_first = id == path;
        let set = self
            .sets
            .entry(id)
            .or_insert_with(|| FileSet { files: Vec::new(), kept: KeptSet { size: 0, ..file } });
        set.kept.size = set.kept.size.saturating_add(file.size);
        set.kept.modified = set.kept.modified.max(file.modified);
        let at = if is_first { 0 } else { set.files.len() };
        set.files.insert(at, path);
    }
}
