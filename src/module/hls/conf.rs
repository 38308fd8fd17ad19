//! Directives of HLS files.

use super::{KeySettings, Naming, PlaylistKind, SegmenterSettings, VariantRule};
use crate::directive::context::{APPLICATION, RTMP_ALL};
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::{
    Args, Arity, Evaluation, Flag, Msec, MsecFrom, NotInheritedList, Num, RawPath, Size, Text, Value,
};
use crate::media::files::keep::Keep;
use crate::media::segments::{CutRule, Slicing};
use crate::syntax::{Problem, sentence};

/// Default of `hls_max_fragment` as a multiple of `hls_fragment`.
const LONGEST_FRAGMENT: u64 = 10;

directives! {
    /// HLS files.
    module "hls";
    held as Conf completed by Conf::derived_from {
        session {
            /// Writes HLS files for published streams: a playlist NAME.m3u8 and its segments in `hls_path`. `hls2`
            /// serves HLS from memory instead.
            ///
            /// Example: `hls on;`
            "hls" => hls: Flag = "off", in RTMP_ALL;
            /// Nominal length of a segment; it ends at the first key frame after it.
            ///
            /// Example: `hls_fragment 4s;`
            "hls_fragment" => fragment: MsecFrom<1> = "5s", in RTMP_ALL;
            /// Length at which a segment ends even without a key frame; the default is ten times the server's
            /// `hls_fragment`.
            ///
            /// Example: `hls_max_fragment 20s;`
            "hls_max_fragment" => max_fragment: Option<Msec>, in RTMP_ALL;
            /// Directory of playlists and segments. A relative path refers to the working directory. A directory made
            /// for a stream name never has an extension of an HLS file: for `a.m3u8/b` it is called `a%2Em3u8`.
            ///
            /// Differs from PingOS: the directory is made with its parents, at the start and not by `-t`.
            /// PingOS refuses a path whose parent is missing, or that two applications share; here `-t` warns
            /// of the latter.
            ///
            /// Example: `hls_path /var/lib/pingosd/hls;`
            "hls_path" => path: RawPath = "", in RTMP_ALL;
            /// Length of a playlist; it lists this length's worth of segments of `hls_fragment`.
            ///
            /// Example: `hls_playlist_length 24s;`
            "hls_playlist_length" => playlist_length: Msec = "30s", in RTMP_ALL;
            /// Continues an existing playlist when a stream is published again.
            ///
            /// Example: `hls_continuous off;`
            "hls_continuous" => continuous: Flag = "on", in RTMP_ALL;
            /// Writes NAME/index.m3u8 and NAME/N.ts instead of NAME.m3u8 and NAME-N.ts.
            ///
            /// Example: `hls_nested on;`
            "hls_nested" => nested: Flag = "off", in RTMP_ALL;
            /// Number in the name of a segment: `sequential` counts from 0, `timestamp` is the segment's time in the
            /// stream and `system` the time of day at which it began.
            ///
            /// Example: `hls_fragment_naming system;`
            "hls_fragment_naming" => fragment_naming: Naming = "sequential", in RTMP_ALL;
            /// Cuts at the first key frame after `hls_fragment`, or after each multiple of it.
            ///
            /// Example: `hls_fragment_slicing aligned;`
            "hls_fragment_slicing" => fragment_slicing: Slicing = "plain", in RTMP_ALL;
            /// Whether old segments leave the playlist, and the format of segments. The segments of an event stay forever,
            /// and its playlist grows in place; with `hls_continuous off` it ends with EXT-X-ENDLIST. With `fmp4` segments are fragmented MP4, named NAME-N.m4s, which carries
            /// H.264, HEVC, AV1, AAC, MP3, Opus, AC-3, E-AC-3 and FLAC; NAME-N.init.m4s is the initialisation segment of
            /// the segments from N on. Serve both as video/mp4. A stream whose codecs or tracks change continues with
            /// another one after a discontinuity. `hls_keys` encrypts whole segments, but no initialisation
            /// segments. Data messages such as `onTextData` and `onCuePoint` are timed ID3 metadata, with their values as JSON.
            ///
            /// Differs from PingOS: `fmp4` is new, and PingOS ends no playlist with EXT-X-ENDLIST.
            ///
            /// Example: `hls_type event;`
            "hls_type" => kind: HlsType = "live", in RTMP_ALL;
            /// Removes segments, playlists and keys that are no longer needed.
            ///
            /// Differs from PingOS, which removes nothing with `master_process off`, or of an `hls_path` that
            /// stands in `rtmp`.
            ///
            /// Example: `hls_cleanup off;`
            "hls_cleanup" => cleanup: Flag = "on", in RTMP_ALL;
            /// Suffix of stream names that are variants of one stream, and their attributes in its master playlist.
            /// The measured bandwidth, codecs and resolution are added once known, unless they are given.
            ///
            /// Differs from PingOS, which writes only the attributes on the line.
            ///
            /// Example: `hls_variant _low BANDWIDTH=500000;`
            "hls_variant" => variant: NotInheritedList<VariantRule>, in RTMP_ALL;
            /// Text before the name of each segment in playlists, inserted unchanged: usually the address of a CDN,
            /// with a slash at its end.
            ///
            /// Example: `hls_base_url https://cdn.example.com/hls/;`
            "hls_base_url" => base_url: Text = "", in RTMP_ALL;
            /// Rounds numbers of segments down to multiples of this value; 0 does not round.
            ///
            /// Example: `hls_fragment_naming_granularity 1000;`
            "hls_fragment_naming_granularity" => fragment_naming_granularity: Num = "0", in RTMP_ALL;
            /// Encrypts segments with AES-128 and writes key files. Their names can be guessed, as in PingOS:
            /// protect the keys by access rules of the location that serves them.
            ///
            /// Example: `hls_keys on;`
            "hls_keys" => keys: Flag = "off", in RTMP_ALL;
            /// Directory of the keys; the default is `hls_path`.
            ///
            /// Example: `hls_key_path /var/lib/pingosd/keys;`
            "hls_key_path" => key_path: RawPath = "", in RTMP_ALL;
            /// Text before the name of each key file in playlists, inserted unchanged: usually the path of a location
            /// that only admits viewers, with a slash at its end.
            ///
            /// Example: `hls_key_url /keys/;`
            "hls_key_url" => key_url: Text = "", in RTMP_ALL;
            /// Number of segments with the same key; 0 keeps one key for the whole publish.
            ///
            /// Example: `hls_fragments_per_key 10;`
            "hls_fragments_per_key" => fragments_per_key: Num = "0", in RTMP_ALL;
        }
    }
    live as Current {
        /// Removes HLS files that are older than age=, and the oldest ones while all files in `hls_path` together
        /// exceed size=; files being written or read stay. The files of a stream that is no longer published are
        /// removed together. HLS files are those named *.m3u8, and those that end in -NUMBER.ts, -NUMBER.key,
        /// /NUMBER.ts or /NUMBER.key, or in the same way in .m4s or .init.m4s. It is meant for `hls_type event` and
        /// `hls_cleanup off`; otherwise `hls_cleanup` removes them. Of several applications with the same directory
        /// the most generous one counts.
        ///
        /// Not in PingOS.
        ///
        /// Example: `hls_keep age=1d;`
        "hls_keep" => keep: Keep = "off", in RTMP_ALL;
    }
    needless {
        /// Replaced by `mpegts_sync`, because a stream is packaged once for all outputs.
        ///
        /// Differs from PingOS, which has separate values for HLS files.
        "hls_sync" => Msec = "2ms", in RTMP_ALL;
        /// Replaced by `mpegts_audio_delay`, because a stream is packaged once for all outputs.
        ///
        /// Differs from PingOS, which has separate values for HLS files.
        "hls_max_audio_delay" => Msec = "300ms", in RTMP_ALL;
        /// Replaced by `mpegts_audio_buffer_size`, because a stream is packaged once for all outputs.
        ///
        /// Differs from PingOS, which has separate values for HLS files.
        "hls_audio_buffer_size" => Size = "1m", in RTMP_ALL;
        /// Has no effect in PingOS either.
        "hls_muxdelay" => Msec = "700ms", in RTMP_ALL;
    }
    checks {
        has_path, in APPLICATION;
        keeps_something, in APPLICATION;
    }
}

/// Reports HLS without a directory.
fn has_path(values: &dyn ValueLookup) -> Option<Problem> {
    let conf = values.find::<Conf>()?;
    let without = conf.hls && conf.path.0.as_os_str().is_empty();
    without.then(|| Problem::warning("\"hls\" is on without \"hls_path\": no files are written"))
}

/// Reports bounds for files that are removed anyway.
fn keeps_something(values: &dyn ValueLookup) -> Option<Problem> {
    let (hls, keep) = (values.find::<Conf>()?, values.find::<Current>()?.keep);
    let without = hls.hls && hls.cleans_up() && !keep.is_off();
    without.then(|| Problem::warning("\"hls_keep\" has no effect: \"hls_cleanup\" removes the files earlier"))
}

impl Conf {
    /// Whether files that a publish has left are removed once their playlist is outdated.
    pub(super) fn cleans_up(&self) -> bool {
        self.cleanup && self.kind.playlist == PlaylistKind::Live
    }

    /// Takes the derived default from the server's values, as PingOS does: an application that sets only `hls_fragment`
    /// keeps the server's maximum segment length.
    pub fn derived_from(mut self, server: &Conf) -> Conf {
        let longest = server.longest_ms().max(self.fragment.0);
        self.max_fragment.get_or_insert(Msec(longest));
        self
    }

    /// Length in milliseconds at which a segment ends even without a key frame.
    fn longest_ms(&self) -> u64 {
        self.max_fragment.map_or(self.fragment.0.saturating_mul(LONGEST_FRAGMENT), |length| length.0)
    }

    /// Settings of the segmenter.
    pub fn settings(&self) -> SegmenterSettings {
        SegmenterSettings {
            cut: CutRule {
                fragment_ms: self.fragment.0,
                max_fragment_ms: self.longest_ms(),
                slicing: self.fragment_slicing,
            },
            playlist_length_ms: self.playlist_length.0,
            kind: self.kind.playlist,
            ends: self.kind.playlist == PlaylistKind::Event && !self.continuous,
            naming: self.fragment_naming,
            naming_granularity: self.fragment_naming_granularity,
            keys: self.keys.then_some(KeySettings { fragments_per_key: self.fragments_per_key }),
            cleanup: self.cleanup,
            variants: self.variant.0.clone(),
        }
    }
}

/// `hls_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HlsType {
    /// Kind of playlist.
    pub playlist: PlaylistKind,
    /// Whether segments are fragmented MP4 and not MPEG-TS.
    pub fmp4: bool,
}

impl Value for HlsType {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "[live | event] [fmp4]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<HlsType, Problem> {
        let is_fmp4 =
            |at: usize| args.words.get(at).is_some_and(|word| word.bytes.eq_ignore_ascii_case(b"fmp4"));
        if is_fmp4(0) && args.words.len() == 1 {
            return Ok(HlsType { playlist: PlaylistKind::Live, fmp4: true });
        }
        let playlist = PlaylistKind::parse(args, evaluation)?;
        if args.words.len() == 2 && !is_fmp4(1) {
            let text = sentence(&[b"invalid number of arguments in \"", &args.name.bytes, b"\" directive"]);
            return Err(Problem::new(text).at(args.span()).caption("a second word is \"fmp4\""));
        }
        Ok(HlsType { playlist, fmp4: args.words.len() == 2 })
    }
}

impl Value for VariantRule {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "suffix [attribute=value ...]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<VariantRule, Problem> {
        if evaluation.context != APPLICATION {
            let text = "\"hls_variant\" counts only in an application, it is not inherited";
            evaluation.report(Problem::warning(text).at(args.span()));
        }
        let attributes = args.words.iter().skip(1).map(|word| {
            let line_safe = !word.bytes.iter().any(u8::is_ascii_control);
            match str::from_utf8(&word.bytes) {
                Ok(text) if line_safe => Ok(text.to_owned()),
                _ => Err(args.refuse("invalid value").caption("attributes are one line of UTF-8")),
            }
        });
        Ok(VariantRule {
            suffix: args.first().bytes.to_vec(),
            attributes: attributes.collect::<Result<_, _>>()?,
        })
    }
}
