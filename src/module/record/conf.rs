//! Directives of the record module, and an application's recorders that they make up.

use std::sync::Arc;

use bstr::BString;

use super::format::RecordFormat;
use crate::directive::context::{APPLICATION, RECORDER, RTMP_ALL};
use crate::directive::evaluate::Block;
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::word::any_of;
use crate::directive::{
    BlockLevel, Contexts, Count, Evaluation, Flag, Msec, RawPath, Size, Slot, Summed, Text, Values,
};
use crate::media::files::keep::Keep;
use crate::syntax::Problem;

any_of! {
    /// Media that a recorder writes.
    pub struct RecordParts {
        /// Nothing, regardless of the other words.
        "off" => OFF = 0b0_0001,
        /// Audio and video.
        "all" => ALL = 0b0_0110,
        /// Audio.
        "audio" => AUDIO = 0b0_0010,
        /// Video.
        "video" => VIDEO = 0b0_0100,
        /// Key frames only.
        "keyframes" => KEYFRAMES = 0b0_1000,
        /// Only on a control request.
        "manual" => MANUAL = 0b1_0000,
    }
}

directives! {
    /// Recording of streams as FLV, MPEG-TS or MP4.
    module "record";
    blocks {
        /// A named recorder in addition to the application's own; it inherits the application's settings.
        "recorder" => Text, opens RECORDER, in APPLICATION;
    }
    live as Current {
        /// Media that the recorder of this level writes; manual starts it only by a control request. A file with
        /// video begins with the first key frame, or with the audio between the video's codec header and that key
        /// frame. While no video comes, it begins 2s after the first audio, with that audio.
        ///
        /// Example: `record all;`
        "record" => parts: Summed<RecordParts>, in RTMP_ALL | RECORDER;
        /// Directory of the files, which must exist. A relative path refers to the working directory. After a failure
        /// the next attempt follows at a growing interval, from 10s to 5 minutes.
        ///
        /// Example: `record_path /var/lib/pingosd/flv;`
        "record_path" => path: RawPath = "", in RTMP_ALL | RECORDER;
        /// Container of the files. mp4 is fragmented MP4, which plays up to the last fragment of about a second after a
        /// crash, and has an index for seeking once it is complete; codecs are H.264, HEVC, AV1, AAC, MP3, Opus, AC-3,
        /// E-AC-3 and FLAC. ts is MPEG-TS with H.264, HEVC, AAC and MP3. With mp4, another codec configuration or a
        /// track that begins late begins another file at the next key frame, and with ts another codec does:
        /// NAME+2.mp4, NAME+3.mp4. flv keeps everything as published in one file.
        ///
        /// Not in PingOS.
        ///
        /// Example: `record_format mp4;`
        "record_format" => format: RecordFormat = "flv", in RTMP_ALL | RECORDER;
        /// Suffix of the file name; with a % it is expanded by strftime (local time). Without this directive it is
        /// .flv, .ts or .mp4, as `record_format` says.
        ///
        /// Differs from PingOS, which has .flv alone, as default and as format.
        ///
        /// Example: `record_suffix -%Y%m%d-%H%M%S.flv;`
        "record_suffix" => suffix: Option<Text>, in RTMP_ALL | RECORDER;
        /// Adds -UNIXTIME, the seconds since 1970 at which the file begins, to the file name: NAME-1795925475.flv.
        /// Without it another recording of a stream replaces the file.
        ///
        /// Example: `record_unique on;`
        "record_unique" => unique: Flag = "off", in RTMP_ALL | RECORDER;
        /// Appends to an existing file and continues its timestamps; only with `record_format flv`.
        ///
        /// Example: `record_append on;`
        "record_append" => append: Flag = "off", in RTMP_ALL | RECORDER;
        /// Locks the file with fcntl while recording.
        ///
        /// Example: `record_lock on;`
        "record_lock" => lock: Flag = "off", in RTMP_ALL | RECORDER;
        /// Closes the file once it exceeds this size; the next file requires a unique name (`record_unique`).
        ///
        /// Example: `record_max_size 500m;`
        "record_max_size" => max_size: Size = "0", in RTMP_ALL | RECORDER;
        /// Closes the file after this number of video frames; the next file requires a unique name.
        ///
        /// Example: `record_max_frames 90000;`
        "record_max_frames" => max_frames: Count = "0", in RTMP_ALL | RECORDER;
        /// Starts a new file after this time, at a key frame.
        ///
        /// Example: `record_interval 1h;`
        "record_interval" => interval: Option<Msec>, in RTMP_ALL | RECORDER;
        /// Removes recordings in `record_path` that are older than age=, and the oldest ones while all of them
        /// together exceed size=; files being written or read stay. This is checked every few seconds; files in
        /// subdirectories stay. Recordings are the files that end as `record_suffix` does. Of several recorders with
        /// the same directory and suffix the most generous one counts. While an upgrade runs, files modified within
        /// the last hour stay.
        ///
        /// Not in PingOS.
        ///
        /// Example: `record_keep age=7d size=50g;`
        "record_keep" => keep: Keep = "off", in RTMP_ALL | RECORDER;
        /// Sends the status messages NetStream.Record.Start, Stop and Failed to the publisher. FFmpeg ends its publish after Failed.
        ///
        /// Example: `record_notify on;`
        "record_notify" => notify: Flag = "off", in RTMP_ALL | RECORDER;
    }
    made { Recorders; }
    checks {
        finds_recordings, in APPLICATION;
        can_append, in APPLICATION;
    }
}

/// Reports `record_append` for files that cannot be continued.
fn can_append(values: &dyn ValueLookup) -> Option<Problem> {
    let recorders = values.find::<Recorders>()?;
    let refused =
        recorders.0.iter().find(|recorder| recorder.conf.append && !recorder.conf.format.appends())?;
    Some(Problem::new(format!(
        "\"record_append\" works with \"record_format flv\" only, not with {}",
        &refused.conf.format.suffix()[1..]
    )))
}

/// Reports a suffix by which recordings are not recognised.
fn finds_recordings(values: &dyn ValueLookup) -> Option<Problem> {
    let recorders = values.find::<Recorders>()?;
    let all = recorders.0.iter().all(|recorder| recorder.conf.keeps_what_it_finds());
    (!all).then(|| {
        Problem::warning("\"record_keep\" has no effect: \"record_suffix\" ends with a time, so recordings are not recognised")
    })
}

/// The active recorders: named ones, then the application's own if it has one.
#[derive(Debug, Default)]
pub struct Recorders(pub Vec<Arc<RecorderSettings>>);

/// `recorder NAME { }`, or the recorder of an application itself.
#[derive(Debug)]
pub struct RecorderSettings {
    /// Its name; empty for the application's own.
    pub name: BString,
    /// Media and files.
    pub conf: Arc<Current>,
    /// All of its values, for example the commands for completed files.
    pub values: Values<RECORDER>,
}

impl RecorderSettings {
    fn new(name: BString, values: Values<RECORDER>) -> RecorderSettings {
        RecorderSettings { name, conf: values.share(), values }
    }

    fn writes(&self) -> bool {
        self.conf.parts.0.is_some_and(|parts| !parts.is_empty() && !parts.contains(RecordParts::OFF))
    }
}

/// Every application has recorders of its own: what other modules set in it applies to them too.
impl Slot for Recorders {
    const HOLDERS: Contexts = APPLICATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Recorders {
        let blocks = level.blocks;
        let named = || blocks.first().into_iter().flat_map(|application| application.inner(RECORDER));
        if named().next().is_none() && level.scopes::<Scope>().iter().all(Option::is_none) {
            return Recorders::default();
        }
        let mut recorders = Vec::new();
        for block in named() {
            let name = block.head::<Text>().map(|name| name.0.clone()).unwrap_or_default();
            let chain: Vec<&Block> = std::iter::once(block).chain(blocks.iter().copied()).collect();
            recorders.push(RecorderSettings::new(name, level.values(&chain, evaluation)));
        }
        recorders.push(RecorderSettings::new(BString::default(), level.values(blocks, evaluation)));
        Recorders(recorders.into_iter().filter(RecorderSettings::writes).map(Arc::new).collect())
    }
}
