//! Directives of the console.

use bstr::BString;

use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, NotInherited, Value};
use crate::http::relation::{parameter, unsupported};
use crate::syntax::{Problem, Word, sentence};

/// A location that serves the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsolePage {
    /// Path of a location with live FLV, for the player.
    pub flv: Option<BString>,
    /// Path of a location with HLS from memory, for the player.
    pub hls: Option<BString>,
    /// Path of a location with snapshots.
    pub snapshot: Option<BString>,
    /// Whether every client that the location admits sees everything, not only those of this machine.
    pub is_open: bool,
    /// Whether clients that see everything may also see and reload the configuration, and end sessions.
    pub controls: bool,
}

directives! {
    /// The web console.
    module "console";
    live as Current {
        /// Serves a page with the streams and their clients, relays, callbacks and a player: see docs/console.md.
        /// Clients of this machine see everything, others the player only; with `everything=all` every client that
        /// the location admits sees everything. With `control`, these clients also see the configuration, reload it,
        /// roll it back and end sessions. `flv=`, `hls=` and `snapshot=` are the paths of locations with `flv_live`,
        /// `hls2_live` and `rtmp_snapshot`, for the player and for pictures.
        ///
        /// Not in PingOS.
        ///
        /// Example: `rtmp_console flv=/live hls=/hls;`
        "rtmp_console" => console: NotInherited<ConsolePage>, in LOCATION, selects handler;
    }
}

impl Value for ConsolePage {
    const ARITY: Arity = Arity::between(0, 5);

    fn syntax() -> String {
        "[flv=uri] [hls=uri] [snapshot=uri] [everything=loopback|all] [control]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<ConsolePage, Problem> {
        let mut page = ConsolePage::default();
        for word in args.words {
            match parameter(word) {
                (b"flv", Some(path)) => page.flv = Some(local(word, path)?),
                (b"hls", Some(path)) => page.hls = Some(local(word, path)?),
                (b"snapshot", Some(path)) => page.snapshot = Some(local(word, path)?),
                (b"everything", Some(b"loopback")) => page.is_open = false,
                (b"everything", Some(b"all")) => page.is_open = true,
                (b"control", None) => page.controls = true,
                _ => {
                    let accepted = "flv=, hls=, snapshot=, everything=loopback, everything=all, control";
                    return Err(unsupported(word, accepted));
                }
            }
        }
        Ok(page)
    }
}

/// A path of this server.
fn local(word: &Word, path: &[u8]) -> Result<BString, Problem> {
    if path.starts_with(b"/") && !path.starts_with(b"//") && path.is_ascii() && !path.contains(&b'\\') {
        return Ok(path.strip_suffix(b"/").unwrap_or(path).into());
    }
    let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
    Err(Problem::new(text).at(word.span).help("the path of a location of this server, such as /live"))
}
