//! Which recordings belong to a stream.

use std::path::Path;

use super::conf::{Current, Recorders};
use super::retention::fixed_ending;
use crate::config::model::{Application, RtmpServer};
use crate::media::files::escape;
use crate::media::files::stream_files::{StreamDirectory, StreamFiles, after_digits, split_end};

/// Recordings as FLV, MPEG-TS and MP4.
pub struct RecordedStreamFiles;

impl StreamFiles for RecordedStreamFiles {
    fn directories(
        &self,
        _: &RtmpServer,
        application: &Application,
        name: &[u8],
        path: &Path,
    ) -> Vec<StreamDirectory> {
        let Some((before, file)) = split_end(path, 1) else { return Vec::new() };
        let recorders = application.get::<Recorders>().0.iter().map(|recorder| &recorder.conf);
        recorders
            .filter(|conf| is_of(conf, name, file))
            .map(|conf| StreamDirectory::of(&conf.path.0, before))
            .collect()
    }
}

/// Whether a recording with this file name may be one of the stream; conversions of `record_suffix` stand for any text.
fn is_of(conf: &Current, name: &[u8], file: &[u8]) -> bool {
    let Some(mut rest) = file.strip_prefix(escape(name).as_bytes()) else { return false };
    if conf.unique {
        let Some(after) = rest.strip_prefix(b"-").and_then(after_digits) else { return false };
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(b"+").and_then(after_digits) {
        rest = after;
    }
    let suffix = conf.suffix();
    match suffix.iter().position(|byte| *byte == b'%') {
        None => rest == suffix,
        Some(percent) => rest.starts_with(&suffix[..percent]) && rest.ends_with(fixed_ending(suffix)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::file_path;
    use super::*;
    use crate::config::Config;
    use crate::modules::LANGUAGE;

    #[test]
    fn recordings_are_known_by_name_and_suffix() {
        let config = Config::embedded_default(&LANGUAGE);
        let application = config.applications().next().unwrap();
        for (unique, suffix) in [(false, ".flv"), (true, ".flv"), (true, "-%Y-%m-%d.flv"), (false, "_%s")] {
            let mut conf = application
                .get::<Recorders>()
                .0
                .first()
                .map_or_else(|| application.get::<Current>().clone(), |recorder| (*recorder.conf).clone());
            conf.unique = unique;
            conf.suffix = Some(crate::directive::Text(suffix.into()));
            for (name, part) in [("s", 1), ("s", 2), ("a/b c", 1)] {
                let path = file_path(&conf, name.as_bytes(), 1_750_000_000, part);
                let file = path.file_name().unwrap().as_encoded_bytes();
                assert!(is_of(&conf, name.as_bytes(), file), "{}", path.display());
                for other in ["t", "s-1", "ss"] {
                    assert!(!is_of(&conf, other.as_bytes(), file), "{} {other}", path.display());
                }
            }
        }
    }
}
