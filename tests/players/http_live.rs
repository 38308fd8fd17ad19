//! FLV and MPEG-TS over HTTP in mpegts.js.

use serde_json::json;

use crate::stage::{Engine, Stage};

#[test]
fn mpegts_js_plays_flv_and_mpegts_over_http() {
    let Some(stage) = Stage::new(&["ts"]) else { return };
    for (target, kind) in [("/flv/s.flv", "flv"), ("/ts/s.ts", "mpegts")] {
        stage.plays(Engine::Mpegts, &stage.url(target), json!({ "type": kind }));
    }
}
