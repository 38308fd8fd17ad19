//! Path of the control socket, even if the configuration is invalid.

use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::config::archive::{Archive, DIRECTORY};
use crate::config::history::Generation;
use crate::config::load::{DEFAULT_CONF, DEFAULT_PREFIX, PACKAGED_CONF, PACKAGED_PREFIX, read, read_texts};
use crate::config::path_setting::PathSetting;
use crate::config::{Config, LoadOptions};
use crate::directive::outline::Outline;
use crate::server::core;
use crate::syntax::reading::Reading;
use crate::syntax::to_path;

/// Default pid file.
const PID: &str = "logs/nginx.pid";

/// Paths of the server's own files according to the texts, whatever errors they contain.
struct ControlPathSources {
    control: Option<PathBuf>,
    archive: Option<Archive>,
}

impl Config {
    /// Path of the control socket, if enabled. That of the embedded configuration, which has no pid file, is in the directory
    /// for such files of the user, if there is one.
    pub fn control_path(&self) -> Option<PathBuf> {
        match &self.get::<core::conf::Conf>().control_socket {
            PathSetting::On => match self.pid_path() {
                Some(pid) => next_to(&pid),
                None => of_user(),
            },
            PathSetting::Off => None,
            PathSetting::Path(path) => Some(path.clone()),
        }
    }
}

impl LoadOptions {
    /// Paths at which a running server may answer, most likely first: as in the files, whatever errors they contain,
    /// then as in the generations on disk, which are read only on demand. A server must be reachable especially when a
    /// file is broken or missing, and a change of `pid` or `control_socket` takes effect only after a restart.
    pub fn control_paths(&self) -> impl Iterator<Item = PathBuf> {
        let embedded = self.conf_file.is_none().then(of_user).flatten();
        let of_files = self.meant().into_iter().flat_map(|options| {
            let ControlPathSources { control, archive } = ControlPathSources::by(&read(&options).0, &options);
            let earlier = std::iter::once_with(move || kept_paths(archive, &options)).flatten();
            control.into_iter().chain(earlier)
        });
        of_files.chain(embedded)
    }

    /// These options, and if no file is named and none exists by now, those of a server that was started with one.
    fn meant(&self) -> Vec<LoadOptions> {
        if self.conf_file.is_some() {
            return vec![self.clone()];
        }
        let with = |prefix: &Path, conf: &str| LoadOptions {
            prefix: prefix.to_owned(),
            conf_file: Some(prefix.join(conf)),
            ..self.clone()
        };
        let mut meant = vec![with(&self.prefix, DEFAULT_CONF)];
        if self.prefix == Path::new(DEFAULT_PREFIX) {
            meant.push(with(Path::new(PACKAGED_PREFIX), PACKAGED_CONF));
        }
        meant
    }
}

impl ControlPathSources {
    fn by(reading: &Reading, options: &LoadOptions) -> ControlPathSources {
        let outline = Outline::new(&reading.tree, options.language.registry());
        let first_word = |name| {
            let word = outline.nearest(0, name).and_then(|statement| statement.words().first());
            word.map(|word| word.bytes.clone())
        };
        let place = |name| match first_word(name) {
            Some(word) if word.eq_ignore_ascii_case(b"off") => PathSetting::Off,
            Some(word) if !word.eq_ignore_ascii_case(b"on") => {
                PathSetting::Path(options.prefix.join(to_path(&word)))
            }
            _ => PathSetting::On,
        };
        let pid = options.prefix.join(first_word("pid").map_or(PID.into(), |word| to_path(&word)));
        let control = match place("control_socket") {
            PathSetting::On => next_to(&pid),
            PathSetting::Off => None,
            PathSetting::Path(path) => Some(path),
        };
        let directory = match place("conf_generations") {
            PathSetting::On => Some(options.prefix.join(DIRECTORY)),
            PathSetting::Off => None,
            PathSetting::Path(path) => Some(path),
        };
        let archive = directory.zip(options.conf_file.as_deref());
        ControlPathSources {
            control,
            archive: archive.map(|(directory, main)| Archive::new(directory, main)),
        }
    }
}

/// Control sockets of the generations in an archive, newest first.
fn kept_paths(archive: Option<Archive>, options: &LoadOptions) -> Vec<PathBuf> {
    // Errors in some of them do not matter here.
    let found = archive.map(|archive| archive.read(options)).unwrap_or_default();
    let sources_of = |generation: &Generation| {
        ControlPathSources::by(&read_texts(options, &generation.sources).0, options)
    };
    found.generations.iter().rev().filter_map(|generation| sources_of(generation).control).collect()
}

/// Control socket of a server with the embedded configuration: in `/run` for root, otherwise in `XDG_RUNTIME_DIR`, which only
/// its user can enter.
fn of_user() -> Option<PathBuf> {
    let directory = match geteuid().is_root() {
        true => PathBuf::from("/run"),
        false => PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?),
    };
    (directory.is_absolute() && directory.is_dir()).then(|| directory.join("pingosd.sock"))
}

/// The pid file's name with another extension. A pid file that is not a regular file, such as `/dev/null`, has no such
/// neighbour.
fn next_to(pid: &Path) -> Option<PathBuf> {
    let usable = std::fs::metadata(pid).map_or(true, |metadata| metadata.is_file());
    usable.then(|| pid.with_extension("sock"))
}
