//! Players of other projects, as they are published: fetched once with npm, by version and checksum.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::tool::tool;

/// A package and the file of it that is used.
pub struct Script {
    package: &'static str,
    sha256: &'static str,
    file: &'static str,
}

/// dash.js.
pub const DASH_JS: Script = Script {
    package: "dashjs@5.2.1",
    sha256: "4eacb0cc3525276666ca3f084611cdabb5a2264d128dfe0750fe106fbddd088f",
    file: "package/dist/modern/umd/dash.all.min.js",
};

/// Shaka Player.
pub const SHAKA: Script = Script {
    package: "shaka-player@5.2.12",
    sha256: "0c09816ea0b1399434bb6423b6a955f22e75b1886e4d394934ec73b9b38e3018",
    file: "package/dist/shaka-player.compiled.js",
};

impl Script {
    /// The file; `None`, with the reason printed, where it cannot be had.
    ///
    /// # Panics
    ///
    /// What came is not what was expected.
    pub fn get(&self) -> Option<PathBuf> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = directory.join(format!("{}.js", self.package));
        if path.exists() {
            return Some(path);
        }
        let place = tempfile::tempdir_in(directory).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", "--fetch-timeout=30000", "--fetch-retries=1", self.package]);
        let output = npm.current_dir(place.path()).stdin(Stdio::null()).output();
        let archive = fs::read_dir(place.path()).unwrap().flatten().map(|entry| entry.path()).next();
        let Some(archive) = archive.filter(|_| output.as_ref().is_ok_and(|output| output.status.success()))
        else {
            eprintln!("skipped: npm cannot fetch {}: {output:?}", self.package);
            return None;
        };
        let sum = Sha256::digest(fs::read(&archive).unwrap());
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, self.sha256, "{}", self.package);
        let unpacked = tool("tar", ["-xzOf", archive.to_str().unwrap(), self.file]).output().unwrap();
        assert!(unpacked.status.success(), "{unpacked:?}");
        // Test programs may run at the same time: each writes its own, the last one stays.
        let unfinished = place.path().join("script.js");
        fs::write(&unfinished, unpacked.stdout).unwrap();
        fs::rename(&unfinished, &path).unwrap();
        Some(path)
    }
}
