//! ffmpeg publishes, ffprobe watches everything at once.

use crate::support::tool::{codecs, publish_clip};
use crate::support::wait::until_true;
use crate::support::{Conf, Server};

#[test]
fn ffprobe_finds_both_tracks_in_every_output() {
    let conf = Conf::live(
        "mpegts_cache_time 5s; hls2 on; hls2_fragment 1s; hls2_playlist_length 4s; hls2_minfrags 2;
         hls on; hls_path {dir}/html/hls; hls_fragment 1s; hls_playlist_length 4s;
         hls_keys on; hls_fragments_per_key 2;",
    );
    let server = Server::start(&conf.http_server(
        "location /ts { ts_live {rtmp_port} app=live; }
         location /hls2 { hls2_live {rtmp_port} app=live; }",
    ));
    let _publisher = publish_clip(&format!("rtmp://127.0.0.1:{}/live/clip", server.rtmp));
    until_true("three segments", || server.prefix().read("html/hls/clip.m3u8").contains("clip-2.ts"));
    let text = server.prefix().read("html/hls/clip.m3u8");
    assert_eq!(text.matches("#EXT-X-KEY:METHOD=AES-128,URI=\"clip-").count(), 2, "{text}");
    for path in ["ts/clip.ts", "hls2/clip.m3u8", "hls/clip.m3u8"] {
        let url = format!("http://127.0.0.1:{}/{path}", server.http);
        let mut found = codecs(&url);
        // ffprobe names the tracks of a transport stream with their program and once more without.
        found.dedup();
        assert_eq!(found, ["aac", "h264"], "{path}");
    }
}
