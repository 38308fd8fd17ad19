//! Files of the page. They are part of the program and need no other host.
//!
//! They are compressed once, when the page is first asked for.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// A file.
pub(super) struct Asset {
    /// Its name below `assets/`.
    name: &'static str,
    /// Content type.
    pub(super) kind: &'static str,
    /// Contents.
    pub(super) bytes: Bytes,
    /// Contents, compressed.
    pub(super) compressed: Bytes,
    /// Hash of the contents.
    pub(super) hash: String,
}

/// The page itself.
pub(super) const PAGE: &str = "index.html";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! assets {
    ($($name:literal: $kind:expr,)+) => {
        [$(($name, $kind, include_bytes!(concat!("assets/", $name)))),+]
    };
}

static ASSETS: OnceLock<Vec<Asset>> = OnceLock::new();

fn assets() -> Vec<Asset> {
    let files: [(&str, &str, &'static [u8]); 18] = assets! {
        "index.html": HTML,
        "console.css": STYLE,
        "icon.svg": PICTURE,
        "main.js": SCRIPT,
        "dom.js": SCRIPT,
        "format.js": SCRIPT,
        "model.js": SCRIPT,
        "chart.js": SCRIPT,
        "streams.js": SCRIPT,
        "player.js": SCRIPT,
        "relays.js": SCRIPT,
        "callbacks.js": SCRIPT,
        "cluster.js": SCRIPT,
        "configuration.js": SCRIPT,
        "mpegts.js": SCRIPT,
        "hls.js": SCRIPT,
        "mpegts.LICENSE.txt": TEXT,
        "hls.LICENSE.txt": TEXT,
    };
    files.into_iter().map(|(name, kind, bytes)| Asset::new(name, kind, bytes)).collect()
}

/// Whether the files are compressed already.
pub(super) fn are_ready() -> bool {
    ASSETS.get().is_some()
}

/// Compresses the files, which takes too long for a worker.
pub(super) fn make_ready() {
    ASSETS.get_or_init(assets);
}

impl Asset {
    /// The file with this name.
    pub(super) fn find(name: &[u8]) -> Option<&'static Asset> {
        ASSETS.get_or_init(assets).iter().find(|asset| asset.name.as_bytes() == name)
    }

    fn new(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> Asset {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish());
        let hash = Sha256::digest(bytes).iter().take(10).map(|byte| format!("{byte:02x}")).collect();
        Asset {
            name,
            kind,
            bytes: Bytes::from_static(bytes),
            compressed: compressed.expect("memory can be written").into(),
            hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_names_another_host_and_none_contains_script_of_its_own() {
        for asset in ASSETS
            .get_or_init(assets)
            .iter()
            .filter(|asset| !matches!(asset.name, "mpegts.js" | "hls.js") && asset.kind != TEXT)
        {
            let text = std::str::from_utf8(&asset.bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{}", asset.name);
            for word in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("] {
                assert!(!text.contains(word), "{word} in {}", asset.name);
            }
        }
        let page = Asset::find(PAGE.as_bytes()).unwrap();
        let text = std::str::from_utf8(&page.bytes).unwrap();
        assert!(!text.contains("style=") && !text.contains(" onclick") && !text.contains("<script>"));
    }
}
