//! Directives of snapshots.

use bstr::BString;

use crate::directive::context::{HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, NotInherited, Text, Value};
use crate::http::relation::{parameter, unsupported};
use crate::syntax::Problem;

/// A location that serves snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotPage {
    /// `serverid` of the rtmp server whose streams are shown; without it the first that has the stream.
    pub serverid: Option<BString>,
}

directives! {
    /// Pictures of streams.
    module "snapshot";
    live as Current {
        /// Answers `/LOCATION/APP/NAME.jpg` and `.webp` with the newest key frame of a stream, which ffmpeg decodes.
        /// A picture is made once per key frame, whatever the number of requests. `srv=` is the `serverid` of the
        /// rtmp server; without it, the first server that has the stream answers. A stream without `cache_time` keeps
        /// its newest key frame while pictures are asked for; the first request waits up to six seconds for one.
        /// Access rules of applications do not apply, only those of the location.
        ///
        /// Not in PingOS.
        ///
        /// Example: `rtmp_snapshot;`
        "rtmp_snapshot" => snapshot: NotInherited<SnapshotPage>, in LOCATION, selects handler;
        /// The ffmpeg that decodes snapshots: a path, or a name that is looked for in `PATH`.
        ///
        /// Not in PingOS.
        ///
        /// Example: `rtmp_snapshot_ffmpeg /usr/bin/ffmpeg;`
        "rtmp_snapshot_ffmpeg" => ffmpeg: Text = "ffmpeg", in HTTP_ALL;
    }
}

impl Value for SnapshotPage {
    const ARITY: Arity = Arity::between(0, 1);

    fn syntax() -> String {
        "[srv=serverid]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<SnapshotPage, Problem> {
        match args.words.first().map(|word| (word, parameter(word))) {
            None => Ok(SnapshotPage::default()),
            Some((_, (b"srv", Some(id)))) => Ok(SnapshotPage { serverid: Some(id.into()) }),
            Some((word, _)) => Err(unsupported(word, "srv=")),
        }
    }
}
