//! `record_keep`: which files are recordings.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::conf::{Current, Recorders};
use crate::config::Config;
use crate::media::files::retention::{Retained, RetainedDirectory, RetainedFiles};

/// FLV recordings.
pub struct FlvRecordings;

/// Files in `record_path` that end as `record_suffix` does.
struct FlvFileNames(Vec<u8>);

impl Retained for FlvRecordings {
    fn directive(&self) -> &'static str {
        "record_keep"
    }

    fn directories(&self, config: &Config) -> Vec<RetainedDirectory> {
        let recorders = config.applications().flat_map(|application| &application.get::<Recorders>().0);
        let directories = recorders.filter_map(|recorder| {
            let conf = &recorder.conf;
            let ending = fixed_ending(conf.suffix());
            let path = conf.path.0.clone();
            let files = Arc::new(FlvFileNames(ending.to_vec()));
            (!ending.is_empty()).then_some(RetainedDirectory { path, files, keep: conf.keep })
        });
        directories.collect()
    }
}

impl RetainedFiles for FlvFileNames {
    fn pattern(&self) -> &[u8] {
        &self.0
    }

    fn depth(&self) -> usize {
        0
    }

    fn set_of(&self, path: &Path, _: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
        let name = path.file_name()?.as_bytes();
        let is_ours = name.len() > self.0.len() && name.ends_with(&self.0);
        is_ours.then(|| path.to_owned())
    }
}

/// The part of a suffix after its last `%` conversion. Without such a part recordings can't be told from other files.
pub(super) fn fixed_ending(suffix: &[u8]) -> &[u8] {
    let Some(percent) = suffix.iter().rposition(|byte| *byte == b'%') else { return suffix };
    let conversion = &suffix[percent + 1..];
    let flags = conversion.iter().take_while(|byte| b"-_0^#EO".contains(byte)).count();
    conversion.get(flags + 1..).unwrap_or_default()
}

impl Current {
    /// Whether files can be found that `record_keep` is meant for.
    pub(super) fn keeps_what_it_finds(&self) -> bool {
        self.keep.is_off() || !fixed_ending(self.suffix()).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_known_by_the_end_of_their_suffix() {
        for (suffix, ending) in [
            (&b".flv"[..], &b".flv"[..]),
            (b"-%Y-%m-%d.flv", b".flv"),
            (b"-%-H_high.flv", b"_high.flv"),
            (b"-%s", b""),
            (b"-%", b""),
            (b"", b""),
        ] {
            assert_eq!(fixed_ending(suffix), ending);
        }
        let files = FlvFileNames(b".flv".to_vec());
        let set = |path: &str| files.set_of(Path::new(path), &|_| false);
        assert_eq!(set("/r/a.flv"), Some("/r/a.flv".into()));
        assert_eq!((set("/r/.flv"), set("/r/a.mp4")), (None, None));
    }
}
