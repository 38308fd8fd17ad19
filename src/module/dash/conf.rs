//! Directives of the dash module.

use super::DashSettings;
use crate::directive::context::{APPLICATION, RTMP_ALL};
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, MsecFrom, RawPath};
use crate::media::segments::{CutRule, Slicing};
use crate::syntax::Problem;

/// Longest segment as a multiple of `dash_fragment`, for streams with few key frames.
const LONGEST_FRAGMENT: u64 = 10;

directives! {
    /// DASH files.
    module "dash";
    held as Conf {
        session {
            /// Writes MPEG-DASH files for published streams: a manifest NAME.mpd, and for each track an initialisation
            /// segment and media segments, NAME-init.m4v and NAME-TIME.m4v for video, .m4a for audio. TIME is in
            /// milliseconds since 1970, so that a stream that is published again goes on. Serve .mpd as
            /// application/dash+xml, .m4v as video/mp4 and .m4a as audio/mp4. Codecs: H.264, HEVC, AV1, AAC, MP3, Opus,
            /// AC-3, E-AC-3 and FLAC. When codecs, tracks or the clock of the stream change, a new period begins.
            ///
            /// Example: `dash on;`
            "dash" => dash: Flag = "off", in RTMP_ALL;
            /// Nominal length of a segment; it ends at the first key frame after it, and without one at ten times the length.
            ///
            /// Example: `dash_fragment 4s;`
            "dash_fragment" => fragment: MsecFrom<1> = "5s", in RTMP_ALL;
            /// Directory of manifests and segments. A relative path refers to the working directory. A directory made for a
            /// stream name never has an extension of an output file: for `a.mpd/b` it is called `a%2Empd`.
            ///
            /// Differs from PingOS: the directory is made with its parents, at the start and not by `-t`.
            /// PingOS refuses a path whose parent is missing, or that two applications share; here `-t` warns
            /// of the latter.
            ///
            /// Example: `dash_path /var/lib/pingosd/dash;`
            "dash_path" => path: RawPath = "", in RTMP_ALL;
            /// Length of the manifest window, up to which players can go back.
            ///
            /// Example: `dash_playlist_length 60s;`
            "dash_playlist_length" => playlist_length: Msec = "30s", in RTMP_ALL;
            /// Removes a segment when it has been out of the manifest for the length of the manifest, and the files
            /// of a publish that has ended. DASH files are those named *.mpd, and those that end in -init, -TIME or
            /// -TIME.init with .m4v or .m4a.
            ///
            /// Differs from PingOS, which removes nothing with `master_process off`, or of a `dash_path` that stands
            /// in `rtmp`.
            ///
            /// Example: `dash_cleanup off;`
            "dash_cleanup" => cleanup: Flag = "on", in RTMP_ALL;
            /// Writes NAME/index.mpd, NAME/init.m4v and NAME/TIME.m4v instead of NAME.mpd, NAME-init.m4v and NAME-TIME.m4v.
            ///
            /// Example: `dash_nested on;`
            "dash_nested" => nested: Flag = "off", in RTMP_ALL;
        }
    }
    checks {
        has_path, in APPLICATION;
    }
}

/// Reports DASH without a directory.
fn has_path(values: &dyn ValueLookup) -> Option<Problem> {
    let conf = values.find::<Conf>()?;
    let without = conf.dash && conf.path.0.as_os_str().is_empty();
    without.then(|| Problem::warning("\"dash\" is on without \"dash_path\": no files are written"))
}

impl Conf {
    /// Settings of a segmenter.
    pub(super) fn settings(&self) -> DashSettings {
        DashSettings {
            cut: CutRule {
                fragment_ms: self.fragment.0,
                max_fragment_ms: self.fragment.0.saturating_mul(LONGEST_FRAGMENT),
                slicing: Slicing::Plain,
            },
            window_ms: self.playlist_length.0,
            cleanup: self.cleanup,
        }
    }
}
