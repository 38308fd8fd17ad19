use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::modules::LANGUAGE;
use crate::syntax::source::TextOrigin;
use crate::syntax::{SourceFile, Sources};

const MAIN: &str = "/etc/a.conf";

fn options(globals: &[u8]) -> LoadOptions {
    LoadOptions::choose(&LANGUAGE, Some("/etc".into()), Some("a.conf".into()), globals.to_vec(), None)
}

fn generation(number: u64, files: &[(&str, &[u8])]) -> Generation {
    let mut sources = Sources::default();
    for (name, bytes) in files {
        let (name, bytes) = (Arc::from(Path::new(name)), bytes::Bytes::copy_from_slice(bytes));
        sources.add(SourceFile { name, bytes, origin: TextOrigin::File });
    }
    Generation::new(number, Fingerprint::of(&sources), sources)
}

fn one(number: u64, text: &str) -> Generation {
    generation(number, &[(MAIN, text.as_bytes())])
}

fn archive() -> (tempfile::TempDir, Archive) {
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::new(dir.path().join("kept"), Path::new(MAIN));
    archive.prepare(None).unwrap();
    (dir, archive)
}

fn numbers(archive: &Archive) -> Vec<u64> {
    let found = archive.read(&options(b""));
    assert!(found.skipped.is_empty(), "{found:?}");
    found.generations.iter().map(|generation| generation.number).collect()
}

#[test]
fn what_is_kept_is_found() {
    let (_dir, archive) = archive();
    assert_eq!(archive.read(&options(b"")).last_number, 0);
    let kept = generation(
        7,
        &[(MAIN, b"include \xb0\xa1.conf;\n"), ("/etc/b", b""), ("/x/\u{e9}\n", b"\nfile 1 1\n")],
    );
    archive.keep(&kept, &[]).unwrap();
    let found = archive.read(&options(b""));
    assert_eq!((found.last_number, found.generations.len()), (7, 1));
    assert_eq!(found.generations[0].fingerprint, kept.fingerprint);
    assert_eq!(found.generations[0].since, kept.since);
    // The command line is not archived: the current one precedes the files.
    let with = &archive.read(&options(b"daemon off;")).generations[0];
    assert_eq!(with.sources.files().len(), 4);
    assert_eq!(with.sources.files()[0].origin, TextOrigin::CommandLine);
}

#[test]
fn only_the_owner_may_read() {
    let (_dir, archive) = archive();
    fs::set_permissions(archive.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    archive.keep(&one(1, "a"), &[]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(archive.directory()), 0o700);
    for entry in fs::read_dir(archive.directory()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn the_oldest_and_the_forgotten_go() {
    let (_dir, archive) = archive();
    for number in 1..=15 {
        archive.keep(&one(number, &number.to_string()), &[]).unwrap();
    }
    assert_eq!(numbers(&archive), (6..=15).collect::<Vec<_>>());
    archive.keep(&one(16, "14"), &[one(14, "14"), one(15, "15")]).unwrap();
    assert_eq!(numbers(&archive), [6, 7, 8, 9, 10, 11, 12, 13, 16]);
}

#[test]
fn others_in_the_directory_are_left_alone() {
    let (dir, archive) = archive();
    let other = Archive::new(dir.path().join("kept"), Path::new("/srv/a.conf"));
    archive.keep(&one(1, "a"), &[]).unwrap();
    other.keep(&generation(5, &[("/srv/a.conf", b"")]), &[]).unwrap();
    fs::write(archive.directory().join("notes"), "").unwrap();
    assert_eq!(numbers(&archive), [1]);
    assert_eq!(numbers(&other), [5]);
}

#[test]
fn what_is_damaged_or_foreign_is_left_out() {
    let (dir, archive) = archive();
    for number in 1..=3 {
        archive.keep(&one(number, &number.to_string()), &[]).unwrap();
    }
    let place = |number: u64| archive.directory().join(archive.name(&one(number, &number.to_string())));
    let skipped = || {
        let found = archive.read(&options(b""));
        assert_eq!(
            found.generations.iter().map(|g| g.number).collect::<Vec<_>>(),
            [1, 3],
            "{:?}",
            found.skipped
        );
        assert_eq!(found.last_number, 3);
        found.skipped.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let text = fs::read(place(2)).unwrap();
    for damage in 0..text.len() {
        let mut text = text.clone();
        text[damage] ^= 1;
        fs::write(place(2), &text).unwrap();
        assert!(skipped().contains("is damaged"));
        fs::write(place(2), &text[..damage]).unwrap();
        assert!(skipped().contains("is damaged"));
    }
    // A link to a valid file, a directory, a FIFO.
    fs::remove_file(place(2)).unwrap();
    fs::write(dir.path().join("sound"), &text).unwrap();
    symlink(dir.path().join("sound"), place(2)).unwrap();
    assert!(skipped().contains("open()"));
    fs::remove_file(place(2)).unwrap();
    fs::create_dir(place(2)).unwrap();
    assert!(skipped().contains("is not a regular file"));
    fs::remove_dir(place(2)).unwrap();
    nix::unistd::mkfifo(&place(2), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(skipped().contains("is not a regular file"));
    fs::remove_file(place(2)).unwrap();
    fs::copy(place(1), place(2)).unwrap();
    assert!(skipped().contains("has a different generation number"));
    fs::rename(place(2), archive.directory().join(format!("{}.x", archive.stem))).unwrap();
    assert!(skipped().contains("is not a generation"));
}

#[test]
fn a_link_in_place_of_the_directory_is_not_followed() {
    let (dir, archive) = archive();
    archive.keep(&one(1, "a"), &[]).unwrap();
    symlink(archive.directory(), dir.path().join("link")).unwrap();
    let linked = Archive::new(dir.path().join("link"), Path::new(MAIN));
    assert!(linked.keep(&one(2, "b"), &[]).is_err());
    let found = linked.read(&options(b""));
    assert!(found.generations.is_empty() && found.skipped.len() == 1, "{found:?}");
}

#[test]
fn leftovers_are_removed_once_their_process_is_gone() {
    let (_dir, archive) = archive();
    let place = |pid: i32| archive.directory().join(format!("{}.new-{pid}", archive.stem));
    let ours = i32::try_from(std::process::id()).unwrap();
    // Process 1 lives as long as the system.
    for pid in [1, ours, i32::MAX] {
        fs::write(place(pid), "half").unwrap();
    }
    assert_eq!(numbers(&archive), Vec::<u64>::new());
    assert!(place(1).exists() && !place(ours).exists() && !place(i32::MAX).exists());
    archive.keep(&one(1, "a"), &[]).unwrap();
    assert_eq!(numbers(&archive), [1]);
}

#[test]
fn too_large_a_configuration_is_refused() {
    let (_dir, archive) = archive();
    let text = vec![b' '; usize::try_from(limits::GENERATION_BYTES).unwrap()];
    let refused = archive.keep(&generation(1, &[(MAIN, &text)]), &[]).unwrap_err().to_string();
    assert!(refused.contains("larger than"), "{refused}");
    let path = archive.directory().join(archive.name(&one(1, "a")));
    let file = File::create(&path).unwrap();
    file.set_len(limits::GENERATION_BYTES + 1).unwrap();
    let found = archive.read(&options(b""));
    assert!(found.skipped[0].to_string().contains("too large"), "{found:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = format::decode(bytes.clone().into(), b"");
        // Also after a valid head.
        let mut text = b"number 1\nsince 2026-01-01T00:00:00Z\n".to_vec();
        text.extend_from_slice(&bytes);
        let _ = format::decode(format::with_head(&text).into(), b"");
    }

    #[test]
    fn any_texts_survive(texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..5)) {
        let named: Vec<(String, &[u8])> = texts.iter().enumerate().map(|(n, text)| (format!("/{n}"), &text[..])).collect();
        let files: Vec<(&str, &[u8])> = named.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        let kept = generation(9, &files);
        let read = format::decode(format::encode(&kept).into(), b"").unwrap();
        prop_assert_eq!(read.fingerprint, kept.fingerprint);
    }
}
