//! A server with every output, a browser, and pages that play.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::burnt::{BurntFeed, READER};
use crate::support::chromium::{Chromium, Page};
use crate::support::scripts::{DASH_JS, SHAKA};
use crate::support::server::Prefix;
use crate::support::wait::until_true;
use crate::support::{Conf, Server, http};

/// Applications whose outputs are MPEG-TS, fragmented MP4, and Low-Latency HLS.
const APPLICATIONS: &str = "
    application ts {
        live on; cache_time 2s;
        hls on; hls_path {dir}/html/hls; hls_fragment 1s; hls_playlist_length 6s;
        hls2 on; hls2_fragment 1s; hls2_playlist_length 6s;
    }
    application mp4 {
        live on;
        hls on; hls_type fmp4; hls_path {dir}/html/hls4; hls_fragment 1s; hls_playlist_length 6s;
        hls2 on; hls2_format fmp4; hls2_fragment 1s; hls2_playlist_length 6s;
        dash on; dash_path {dir}/html/dash; dash_fragment 1s; dash_playlist_length 20s;
    }
    application low {
        live on;
        hls2 on; hls2_low_latency on; hls2_fragment 2s; hls2_part 200ms; hls2_playlist_length 20s;
    }";

/// Where they are played from. Files have what the manual says about types and other origins.
pub const LOCATIONS: &str = "
    location /players/ { root html; }
    location /flv/ { flv_live {rtmp_port} app=ts; }
    location /ts/ { ts_live {rtmp_port} app=ts; }
    location /hls2/ { hls2_live {rtmp_port} app=ts; }
    location ~ ^/(hls|hls4|dash)/ {
        root html;
        types {
            application/vnd.apple.mpegurl m3u8;
            application/dash+xml mpd;
            video/mp2t ts;
            video/mp4 m4s m4v;
            audio/mp4 m4a;
        }
        expires -1;
        add_header Access-Control-Allow-Origin *;
    }";

const FILES: [(&str, &str); 4] = [
    ("player.html", include_str!("player.html")),
    ("player.js", include_str!("player.js")),
    ("mpegts.js", include_str!("../../src/module/console/assets/mpegts.js")),
    ("hls.js", include_str!("../../src/module/console/assets/hls.js")),
];

/// A player of another project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// mpegts.js.
    Mpegts,
    /// hls.js.
    Hls,
    /// dash.js.
    Dash,
    /// Shaka Player.
    Shaka,
}

/// A browser, a server with streams in each application, and pages of another origin.
pub struct Stage {
    // Dropped first: the browser would complain about the end of the server.
    chromium: Chromium,
    feeds: Vec<BurntFeed>,
    pub server: Server,
    /// Address of the pages.
    pub pages: String,
}

impl Stage {
    /// With these applications as publishers' targets; `None`, with the reason printed, without a browser.
    #[track_caller]
    pub fn new(applications: &[&str]) -> Option<Stage> {
        Stage::with(&Conf::new(APPLICATIONS).http_server(LOCATIONS), applications)
    }

    /// With a configuration of the test's own.
    #[track_caller]
    pub fn with(conf: &Conf, applications: &[&str]) -> Option<Stage> {
        let chromium = Chromium::start()?;
        let prefix = Prefix::new();
        for (name, text) in FILES {
            prefix.write(&format!("html/players/{name}"), text);
        }
        let server = Server::start_in(prefix, conf);
        let feeds = applications.iter().map(|app| BurntFeed::start(server.rtmp, app, "s")).collect();
        let pages = format!("http://page.test:{}", server.http);
        Some(Stage { chromium, feeds, server, pages })
    }

    /// The applications of [`Stage::new`], with other locations.
    pub fn conf(more: &str) -> Conf {
        Conf::new(APPLICATIONS).http_server(&format!("{LOCATIONS} {more}"))
    }

    /// The publisher of an application.
    pub fn feed(&self) -> &BurntFeed {
        &self.feeds[0]
    }

    /// The address of something on the server.
    pub fn url(&self, target: &str) -> String {
        format!("http://127.0.0.1:{}{target}", self.server.http)
    }

    /// Waits until this can be fetched and has all these words.
    #[track_caller]
    pub fn wait_for(&self, target: &str, words: &[&str]) {
        until_true(&format!("{words:?} in {target}"), || {
            let response = http::get(self.server.http, target);
            response.status() == 200 && words.iter().all(|word| response.text().contains(word))
        });
    }

    /// A page that plays this address; `None`, with the reason printed, where the player cannot be had.
    #[track_caller]
    pub fn play(&self, engine: Engine, url: &str, config: Value) -> Option<Page<'_>> {
        self.play_with_clock(engine, url, config, 0)
    }

    /// As [`Stage::play`], in a browser whose clock is wrong by this many milliseconds.
    #[track_caller]
    pub fn play_with_clock(
        &self,
        engine: Engine,
        url: &str,
        config: Value,
        wrong_ms: i64,
    ) -> Option<Page<'_>> {
        let (word, script) = match engine {
            Engine::Mpegts => ("mpegts", "mpegts.js"),
            Engine::Hls => ("hls", "hls.js"),
            Engine::Dash => ("dash", self.add(&DASH_JS.get()?, "dash.js")),
            Engine::Shaka => ("shaka", self.add(&SHAKA.get()?, "shaka.js")),
        };
        let page = self.chromium.page(800, 500);
        page.open(&format!("{}/players/player.html?script={script}&clock={wrong_ms}", self.pages));
        page.value(READER);
        page.value(&format!("play({}, {}, {config})", json!(word), json!(url)));
        Some(page)
    }

    /// An empty page with this script.
    #[track_caller]
    pub fn script(&self, script: &Path) -> Page<'_> {
        let name = self.add(script, "script.js");
        let page = self.chromium.page(800, 500);
        page.open(&format!("{}/players/player.html", self.pages));
        page.value(&format!("load({})", json!(name)));
        page
    }

    fn add(&self, script: &Path, name: &'static str) -> &'static str {
        fs::copy(script, self.server.prefix().path().join("html/players").join(name)).unwrap();
        name
    }

    /// Plays until the picture has moved for two seconds; nothing that the page asked for was refused or missing.
    #[track_caller]
    pub fn plays(&self, engine: Engine, url: &str, config: Value) {
        if let Some(page) = self.play(engine, url, config) {
            moves(&page, url);
        }
    }
}

/// Waits until the picture has moved for two seconds, without a failed request.
#[track_caller]
pub fn moves(page: &Page<'_>, url: &str) {
    let said = page.wait("moves()");
    assert_eq!(said, "moves", "{url}: {}\n{:#?}", page.value("describe()"), page.report());
    let failures = page.report().failures;
    assert!(failures.is_empty(), "{url}: {failures:#?}");
    assert!(page.report().requests.iter().any(|request| request.starts_with(url)), "{url} was not asked for");
    // Players go on until their page does.
    page.value("video.pause()");
    page.open("about:blank");
}
