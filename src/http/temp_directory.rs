//! Directories of temporary files, made at the start.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::core::conf::Current;
use super::locations::Location;
use super::log;
use super::temp_file::MODE;
use crate::config::Config;

/// The directories that the locations of a configuration name, by what reads one from a location.
pub fn of_locations<'c>(
    config: &'c Config,
    of: impl Fn(&'c Location) -> &'c Path,
) -> impl Iterator<Item = PathBuf> {
    let mut wanted: BTreeSet<&Path> = BTreeSet::new();
    for server in config.http.iter().flat_map(|http| &http.servers) {
        let routes = server.routes();
        let mut locations: Vec<_> = routes.locations.iter().chain([&routes.fallback]).collect();
        while let Some(location) = locations.pop() {
            wanted.insert(of(location));
            let limited = location.limited.iter().map(|(_, limited)| limited);
            locations.extend(location.conditional.iter().chain(limited).chain(location.nested.iter()));
        }
    }
    wanted.into_iter().map(Path::to_owned)
}

/// Creates the directories that a configuration names, and `others`, and returns them all, so that they can be handed over to the server's
/// user, as nginx does at its start. Failures are logged; what is missing is created when it is first used.
pub fn make(config: &Config, others: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    // Without the prefix, as usual with the built-in configuration, nothing could be made in it.
    if !config.paths.prefix.exists() {
        return Vec::new();
    }
    let bodies = of_locations(config, |location| &location.get::<Current>().client_body_temp_path.directory);
    let wanted: BTreeSet<PathBuf> = bodies.chain(others).collect();
    let made = |path: PathBuf| match DirBuilder::new().mode(MODE.1).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            log::directory_not_made(&path, &error);
            None
        }
        _ => Some(path),
    };
    wanted.into_iter().filter_map(made).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::LoadOptions;
    use crate::config::load::load_text;
    use crate::modules::LANGUAGE;

    #[test]
    fn each_directory_of_a_location_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().display();
        let text = format!(
            "events {{ }} http {{ client_body_temp_path {root}/outer; server {{ listen 1; \
             location /a {{ client_body_temp_path {root}/a 1 2; location /a/b {{ client_body_temp_path {root}/b; }} }} \
             location /missing {{ client_body_temp_path {root}/none/x; }} }} }}"
        );
        let options = LoadOptions::choose(&LANGUAGE, Some(dir.path().into()), None, Vec::new(), None);
        let Ok(config) = load_text(Path::new("test.conf"), text.into(), &options) else {
            panic!("it is refused")
        };
        let names = ["a", "b", "outer"].map(|name| dir.path().join(name));
        // Existing directories are given to the user, too.
        for _ in 0..2 {
            assert_eq!(make(&config, std::iter::once(dir.path().join("a"))), names);
        }
        let mode = std::fs::metadata(&names[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
