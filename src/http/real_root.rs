//! `$realpath_root`, found before it is used: a worker must not wait for a disk.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::exchange::Exchange;
use super::log;
use crate::net::links::{self, Access, LinkPolicy};
use crate::task::disk::{self, DiskWork};

impl Exchange<'_> {
    /// Finds the real path of the location's directory, if the configuration uses it anywhere.
    pub(super) async fn find_real_root(&mut self) {
        if !self.plan().uses_real_root {
            return;
        }
        let root = self.document_root();
        if self.real_root.as_ref().is_some_and(|(of, _)| *of == root) {
            return;
        }
        let real = match present(&root) {
            Some(real) => real,
            None => {
                let root = root.clone();
                let found = disk::spawn(DiskWork::Served, move || fs::canonicalize(root));
                found.await.unwrap_or_else(|error| Err(io::Error::other(error)))
            }
        };
        self.real_root = Some((root, real));
    }

    /// Value of `$realpath_root`. Where a variable in `root` has changed since the phase began, only what need not be read
    /// from a disk is found.
    pub(super) fn real_root(&self) -> Option<PathBuf> {
        let root = self.document_root();
        let failure = match &self.real_root {
            Some((of, Ok(real))) if *of == root => return Some(real.clone()),
            Some((of, Err(failure))) if *of == root => failure,
            _ => &match present(&root)? {
                Ok(real) => return Some(real),
                Err(failure) => failure,
            },
        };
        log::no_real_root(self, &root, failure);
        None
    }
}

/// The real path, if it can be told from memory.
fn present(path: &Path) -> Option<io::Result<PathBuf>> {
    match links::open_present(path, LinkPolicy::default(), Access::Test)? {
        Ok(file) => fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok().map(Ok),
        Err(error) => Some(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::LoadOptions;
    use crate::config::load::load_text;
    use crate::http::variable::RealRootUse;
    use crate::modules::LANGUAGE;

    #[test]
    fn what_is_in_memory_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        symlink(&real, dir.path().join("link")).unwrap();
        for path in [real.join("link"), real.join("link/../link")] {
            // Without openat2 nothing can be told.
            if let Some(found) = present(&path) {
                assert_eq!(found.ok(), fs::canonicalize(&path).ok(), "{path:?}");
            }
        }
        assert!(present(&real.join("none")).is_none_or(|found| found.is_err()));
    }

    #[test]
    fn requests_look_for_it_where_the_configuration_uses_it() {
        let uses = |line: &str| {
            let text = format!("events {{ }} http {{ server {{ listen 1; location / {{ {line} }} }} }}");
            let options = LoadOptions::choose(&LANGUAGE, Some("/nonexistent".into()), None, Vec::new(), None);
            let Ok(config) = load_text(Path::new("test.conf"), text.into(), &options) else {
                panic!("{line} is refused")
            };
            let server = &config.http.as_ref().unwrap().servers[0];
            server.routes().fallback.get::<RealRootUse>().0
        };
        assert!(uses("return 200 a$realpath_root;") && uses("if ($realpath_root) { return 200; }"));
        assert!(!uses("return 200 $document_root;"));
    }
}
