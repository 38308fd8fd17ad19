//! Programs of other projects that come from a package registry: players' scripts from npm, a current ffmpeg from PyPI. Each is fetched
//! once, by version and checksum, and kept below `target`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha512};

use super::tool::tool;

/// A package of the npm registry.
pub struct Script {
    /// NAME@VERSION.
    package: &'static str,
    /// SHA-512 of the archive in base64, as `npm view PACKAGE dist.integrity` shows it.
    sha512: &'static str,
    /// The file of it that is used; what it imports is beside it.
    file: &'static str,
}

/// dash.js, of the DASH Industry Forum.
pub const DASH_JS: Script = Script {
    package: "dashjs@5.2.1",
    sha512: "axcJmLeJCTJMLUfQRErUJB1KOiU5iHF+DMLBc3FKeox1HPYtGUQlC6Xm5Mm6vhBUR3CHHLIPOqw0JDIqMtP+Dw==",
    file: "dist/modern/umd/dash.all.min.js",
};

/// Shaka Player.
pub const SHAKA: Script = Script {
    package: "shaka-player@5.2.12",
    sha512: "vEsuVDI3+oLh+yqpjXexQZlg2XMUBI0VrqatDuKWacPaxAud6Uph5uCowUPLhUgNG5XKWCpoM4l1r8qYzWH+zg==",
    file: "dist/shaka-player.compiled.js",
};

/// The MPD parser of video.js.
pub const MPD_PARSER: Script = Script {
    package: "mpd-parser@1.4.0",
    sha512: "blbA7XpAaOdC/PR0Tu8GiUxlx6CpBuRowQPYV7lhi9Yr9G9+dkPXIUjqjzc/NCn/uZZPopluaJlIYntIEI/VLw==",
    file: "dist/mpd-parser.min.js",
};

/// GPAC's mp4box.js.
pub const MP4BOX: Script = Script {
    package: "mp4box@2.4.1",
    sha512: "0HGX7nXoDIX6FKLVl4a3wtYjBlwqsN3xuQC3GXzNtKp98FXUOhDSq623azsz8DG5ptd9ZXcXodDkgbdMZOjWvw==",
    file: "dist/mp4box.all.mjs",
};

impl Script {
    /// The file; `None`, with the reason printed, where it cannot be had.
    ///
    /// # Panics
    ///
    /// What came is not what was expected.
    #[track_caller]
    pub fn get(&self) -> Option<PathBuf> {
        let unpacked = kept(self.package, |place| {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent", "--fetch-timeout=60000", "--fetch-retries=1", self.package]);
            let archive = fetched(&mut npm, place, self.package)?;
            check(&archive, self.sha512);
            let done = tool("tar", ["-xzf", archive.to_str().unwrap()]).current_dir(place).output().unwrap();
            assert!(done.status.success(), "{done:?}");
            Some(place.join("package"))
        })?;
        Some(unpacked.join(self.file))
    }
}

/// An ffmpeg of this year, which knows enhanced RTMP; `None`, with the reason printed, where it cannot be had.
///
/// # Panics
///
/// What came is not what was expected.
#[track_caller]
pub fn current_ffmpeg() -> Option<PathBuf> {
    const PACKAGE: &str = "imageio-ffmpeg==0.8.1";
    const SHA512: &str =
        "+ooW/0Wp4eFXNK0wTJzcqMO9jmN1I/3Jg8xaSK/kBF/MCTwZGTQK0s1x6YjIYAapk/RN/171vsAisUMc9wjt1w==";
    const FILE: &str = "imageio_ffmpeg/binaries/ffmpeg-linux-x86_64-v9.0.2";
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        eprintln!("SKIPPED: {PACKAGE} is for Linux on x86_64");
        return None;
    }
    let unpacked = kept(PACKAGE, |place| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--timeout=60", "--retries=1"]);
        pip.args(["--only-binary=:all:", "--platform=manylinux_2_28_x86_64", PACKAGE]);
        let archive = fetched(&mut pip, place, PACKAGE)?;
        check(&archive, SHA512);
        let to = place.join("package");
        let args = ["-m", "zipfile", "-e", archive.to_str().unwrap(), to.to_str().unwrap()];
        let done = tool("python3", args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        fs::set_permissions(to.join(FILE), PermissionsExt::from_mode(0o755)).unwrap();
        Some(to)
    })?;
    Some(unpacked.join(FILE))
}

/// The directory of a package, which `fetch` makes in the place that it is given, unless it is there already.
fn kept(package: &str, fetch: impl FnOnce(&Path) -> Option<PathBuf>) -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join(format!("package-{package}"));
    if path.exists() {
        return Some(path);
    }
    let place = tempfile::tempdir_in(directory).unwrap();
    let made = fetch(place.path())?;
    // Tests that run at the same time make their own; the first one stays.
    if let Err(error) = fs::rename(made, &path) {
        assert!(path.exists(), "{}: {error}", path.display());
    }
    Some(path)
}

/// The only file that this command leaves in the place; `None`, with the reason printed, where it cannot be had.
fn fetched(command: &mut Command, place: &Path, package: &str) -> Option<PathBuf> {
    let output = command.current_dir(place).stdin(Stdio::null()).output();
    let file = fs::read_dir(place).unwrap().flatten().map(|entry| entry.path()).next();
    let file = file.filter(|_| output.as_ref().is_ok_and(|output| output.status.success()));
    if file.is_none() {
        let said = output.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
        );
        eprintln!("SKIPPED: {package} cannot be fetched: {said}");
    }
    file
}

#[track_caller]
fn check(archive: &Path, sha512: &str) {
    let found = STANDARD.encode(Sha512::digest(fs::read(archive).unwrap()));
    assert_eq!(found, sha512, "{}", archive.display());
}
