//! Configurations in directories of their own.

use std::fs;
use std::path::{Path, PathBuf};

use pingosd::cli::Test;
use pingosd::config::{Config, LoadOptions, Report, load};
use pingosd::modules::LANGUAGE;
use pingosd::syntax::render::Style;
use tempfile::TempDir;

/// A prefix with a configuration in it; removed when dropped.
pub struct Prefix {
    dir: TempDir,
}

impl Prefix {
    /// Lays out PREFIX/conf/nginx.conf and further files beside it.
    pub fn new(main: impl AsRef<[u8]>, files: &[(&str, &str)]) -> Prefix {
        let dir = tempfile::tempdir().unwrap();
        for name in ["conf", "logs", "html"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let prefix = Prefix { dir };
        prefix.write("nginx.conf", main);
        for (name, text) in files {
            prefix.write(name, text);
        }
        prefix
    }

    /// Writes a file of the conf directory.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join("conf").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The prefix.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What loads it.
    pub fn options(&self, globals: &str) -> LoadOptions {
        LoadOptions::choose(&LANGUAGE, Some(self.path().into()), None, globals.into(), None)
    }

    /// Loads it.
    pub fn load(&self) -> Result<Config, Report> {
        load(&self.options(""))
    }

    /// What `-t` says: whether it succeeds, and its output with the prefix's path replaced by `PREFIX`.
    pub fn test(&self, globals: &str) -> (bool, String) {
        self.said(self.options(globals))
    }

    /// What `-t` says of these options, as [`Prefix::test`].
    pub fn said(&self, load: LoadOptions) -> (bool, String) {
        let test = Test { load, dump: false, quiet: false, verbose: false };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        test.run(Style::default(), &mut out, &mut err).unwrap();
        let text = String::from_utf8_lossy(&err).replace(self.path().to_str().unwrap(), "PREFIX");
        (text.contains("test is successful"), text)
    }
}

/// The directory of the test data.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conf")
}

/// Whether expected outputs are to be written instead of compared.
pub fn blessing() -> bool {
    std::env::var_os("PINGOSD_BLESS").is_some()
}
