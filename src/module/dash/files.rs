//! Which files of DASH belong to a stream.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::conf::Conf;
use crate::config::model::{Application, RtmpServer};
use crate::media::files::StreamName;
use crate::media::files::stream_files::{StreamDirectory, StreamFiles, after_digits, parts, split_end};

/// Manifests and segments.
pub struct DashStreamFiles;

impl StreamFiles for DashStreamFiles {
    fn directories(
        &self,
        _: &RtmpServer,
        application: &Application,
        name: &[u8],
        path: &Path,
    ) -> Vec<StreamDirectory> {
        let conf = application.get::<Conf>();
        let before = StreamName::new(name).and_then(|name| directory(&name, conf.nested, path));
        let before = before.filter(|_| !conf.path.0.as_os_str().is_empty());
        before.map(|before| StreamDirectory::of(&conf.path.0, before)).into_iter().collect()
    }
}

/// The directory of DASH in which a path would be a file of this stream.
fn directory<'p>(name: &StreamName, nested: bool, path: &'p Path) -> Option<&'p Path> {
    let manifest = name.file(if nested { "/index.mpd" } else { ".mpd" });
    if let Some((before, end)) = split_end(path, parts(&manifest))
        && end == manifest.as_os_str().as_bytes()
    {
        return Some(before);
    }
    let stem = name.file(if nested { "/" } else { "-" });
    let (before, end) = split_end(path, parts(&manifest))?;
    let rest = end.strip_prefix(stem.as_os_str().as_bytes())?;
    let is_init = |rest: &[u8]| matches!(rest, b"init.m4v" | b"init.m4a");
    let is_segment = |rest: &[u8]| {
        after_digits(rest).is_some_and(|end| {
            matches!(end, b".m4v" | b".m4a") || end.strip_prefix(b".").is_some_and(is_init)
        })
    };
    (is_init(rest) || is_segment(rest)).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::super::DashLayout;
    use super::*;

    #[test]
    fn files_are_those_of_the_layout() {
        for nested in [false, true] {
            let name = StreamName::new(b"in/s1").unwrap();
            let layout = DashLayout { name: name.clone(), nested };
            let mut files = vec![layout.manifest_file()];
            for video in [false, true] {
                files.push(layout.init_file(video, None));
                files.push(layout.init_file(video, Some(7)));
                files.push(layout.segment_file(video, 7000));
            }
            for file in files {
                let path = Path::new("/d").join(&file);
                assert_eq!(directory(&name, nested, &path), Some(Path::new("/d")), "{}", path.display());
                let other = StreamName::new(b"in/s").unwrap();
                assert_eq!(directory(&other, nested, &path), None, "{}", path.display());
                assert_eq!(directory(&name, !nested, &path), None, "{}", path.display());
            }
        }
    }
}
