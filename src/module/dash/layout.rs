//! Names and URIs of a stream's files.

use std::path::PathBuf;

use crate::media::files::StreamName;

/// Names of one stream's files, relative to `dash_path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DashLayout {
    /// Stream name.
    pub name: StreamName,
    /// `dash_nested`: whether every stream has its own directory.
    pub nested: bool,
}

impl DashLayout {
    /// File of the manifest.
    pub fn manifest_file(&self) -> PathBuf {
        self.name.file(if self.nested { "/index.mpd" } else { ".mpd" })
    }

    /// URI of the manifest, relative to itself.
    pub fn manifest_uri(&self) -> String {
        if self.nested { "index.mpd".to_owned() } else { format!("{}.mpd", self.name.last_uri(false)) }
    }

    /// File of an initialisation segment: the first one of a publish, or one that begins at a time in milliseconds.
    pub fn init_file(&self, video: bool, since_ms: Option<u64>) -> PathBuf {
        self.name.file(&format!("{}{}", self.separator(), init_name(video, since_ms)))
    }

    /// File of the segment that begins at this time in milliseconds.
    pub fn segment_file(&self, video: bool, start_ms: u64) -> PathBuf {
        self.name.file(&format!("{}{start_ms}.{}", self.separator(), extension(video)))
    }

    /// URI of that initialisation segment as a template of DASH, relative to the manifest.
    pub fn init_template(&self, video: bool, since_ms: Option<u64>) -> String {
        self.prefix() + &init_name(video, since_ms)
    }

    /// URIs of segments as a template of DASH.
    pub fn segment_template(&self, video: bool) -> String {
        format!("{}$Time$.{}", self.prefix(), extension(video))
    }

    /// A dollar sign begins a variable of a template, unless it is doubled.
    fn prefix(&self) -> String {
        if self.nested { String::new() } else { format!("{}-", self.name.last_uri(false).replace('$', "$$")) }
    }

    fn separator(&self) -> &'static str {
        if self.nested { "/" } else { "-" }
    }
}

fn init_name(video: bool, since_ms: Option<u64>) -> String {
    let extension = extension(video);
    // A dot, so that it is no file of a stream whose name ends in a number.
    since_ms.map_or_else(|| format!("init.{extension}"), |since_ms| format!("{since_ms}.init.{extension}"))
}

fn extension(video: bool) -> &'static str {
    if video { "m4v" } else { "m4a" }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn layout(name: &str, nested: bool) -> DashLayout {
        DashLayout { name: StreamName::new(name.as_bytes()).unwrap(), nested }
    }

    #[test]
    fn names_of_both_layouts() {
        let flat = layout("inst/s1", false);
        assert_eq!(flat.manifest_file(), PathBuf::from("inst/s1.mpd"));
        assert_eq!(flat.init_file(true, None), PathBuf::from("inst/s1-init.m4v"));
        assert_eq!(flat.segment_file(false, 7), PathBuf::from("inst/s1-7.m4a"));
        assert_eq!(flat.segment_template(true), "s1-$Time$.m4v");
        let nested = layout("inst/s1", true);
        assert_eq!(nested.manifest_file(), PathBuf::from("inst/s1/index.mpd"));
        assert_eq!(nested.segment_file(true, 7), PathBuf::from("inst/s1/7.m4v"));
        assert_eq!(nested.init_template(false, Some(7)), "7.init.m4a");
        assert_eq!(layout("a$b", false).segment_template(true), "a$$b-$Time$.m4v");
    }

    #[test]
    fn no_stream_s_files_are_another_s() {
        for nested in [false, true] {
            let mut names: Vec<String> =
                ["s", "s-init", "s-1", "s-1.init", "1", "init", "index"].map(Into::into).into();
            let files = |name: &str| {
                let layout = layout(name, nested);
                let mut files = vec![layout.manifest_file()];
                for video in [false, true] {
                    files.extend([layout.init_file(video, None), layout.init_file(video, Some(1))]);
                    files.push(layout.segment_file(video, 1));
                }
                files
            };
            let derived: Vec<String> = names
                .iter()
                .flat_map(|name| files(name))
                .map(|file| file.to_str().unwrap().to_owned())
                .collect();
            names.extend(derived.iter().flat_map(|name| [name.clone(), format!("{name}/x")]));
            names.sort_unstable();
            names.dedup();
            let mut owners: HashMap<PathBuf, &str> = HashMap::new();
            for name in &names {
                for file in files(name) {
                    assert_eq!(owners.insert(file.clone(), name), None, "{name}: {}", file.display());
                }
            }
            for (file, name) in &owners {
                for directory in file.ancestors().skip(1) {
                    assert_eq!(owners.get(directory), None, "{name}: {}", directory.display());
                }
            }
        }
    }
}
