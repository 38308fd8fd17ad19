//! Replays the corpus of the fuzz target, and mutates the examples as typing errors and broken disks would.

#[path = "../../fuzz/fuzz_targets/check.rs"]
mod check;
#[path = "../../fuzz/fuzz_targets/check_mp4.rs"]
mod check_mp4;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

#[test]
fn the_corpus_holds() {
    let corpus = files("fuzz/corpus/conf");
    assert!(corpus.len() >= 20, "{} files", corpus.len());
    for path in corpus {
        println!("{}", path.display());
        check::whole_path(&fs::read(path).unwrap());
    }
}

#[test]
fn the_corpus_of_mp4_files_holds_also_when_it_is_damaged() {
    let corpus = files("fuzz/corpus/mp4");
    assert!(corpus.len() >= 9, "{} files", corpus.len());
    for path in corpus {
        println!("{}", path.display());
        let whole = fs::read(path).unwrap();
        check_mp4::part(&whole);
        for at in (0..whole.len()).step_by(61) {
            check_mp4::part(&whole[..at]);
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                check_mp4::part(&damaged);
            }
        }
    }
}

/// Pieces of a text that stay whole while they are moved: lines, and the words and signs of lines.
fn pieces(text: &[u8]) -> Vec<&[u8]> {
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\n' | b';' | b'{' | b'}');
    text.split_inclusive(is_end).collect()
}

/// One change: of the piece at a place, with another piece.
#[derive(Clone, Copy, Debug)]
enum Change {
    Double,
    Drop,
    Insert,
    Quote,
    Replace,
    Swap,
}

fn changed(text: &[u8], changes: &[(Change, prop::sample::Index, prop::sample::Index)]) -> Vec<u8> {
    let mut pieces: Vec<Vec<u8>> = pieces(text).into_iter().map(<[u8]>::to_vec).collect();
    for (change, at, other) in changes {
        if pieces.is_empty() {
            break;
        }
        let (at, other) = (at.index(pieces.len()), other.index(pieces.len()));
        match change {
            Change::Double => pieces.insert(at, pieces[at].clone()),
            Change::Drop => drop(pieces.remove(at)),
            Change::Insert => pieces.insert(at, pieces[other].clone()),
            Change::Quote => pieces[at].insert(0, b"\"'#$\\{"[other % 6]),
            Change::Replace => pieces[at] = pieces[other].clone(),
            Change::Swap => pieces.swap(at, other),
        }
    }
    pieces.concat()
}

fn change() -> impl Strategy<Value = Change> {
    use Change::*;
    prop::sample::select(vec![Double, Drop, Insert, Quote, Replace, Swap])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn examples_with_pieces_moved_about_are_read(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((change(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8),
    ) {
        let mut files = files("conf/examples");
        files.extend(self::files("conf").into_iter().filter(|path| path.extension().is_some_and(|e| e == "conf")));
        let text = fs::read(&files[file.index(files.len())]).unwrap();
        check::whole_path(&changed(&text, &changes));
    }
}
