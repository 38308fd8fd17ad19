//! What the documents contain.

use std::collections::BTreeSet;

use crate::support::frame::{GOP, STEP};
use crate::support::wait::until_true;
use crate::support::{Player, Publisher, RtmpClient, http};
use crate::xml::Elements;
use crate::{conf, json, start};

/// Elements of a document of PingOS with a publisher and players.
const RECORDED: &[&str] = &[
    "/rtmp",
    "/rtmp/built",
    "/rtmp/bw_in",
    "/rtmp/bw_out",
    "/rtmp/bytes_in",
    "/rtmp/bytes_out",
    "/rtmp/compiler",
    "/rtmp/naccepted",
    "/rtmp/nginx_rtmp_version",
    "/rtmp/nginx_version",
    "/rtmp/pid",
    "/rtmp/server",
    "/rtmp/server/live",
    "/rtmp/server/live/nclients",
    "/rtmp/server/live/stream",
    "/rtmp/server/live/stream/active",
    "/rtmp/server/live/stream/bw_audio",
    "/rtmp/server/live/stream/bw_in",
    "/rtmp/server/live/stream/bw_out",
    "/rtmp/server/live/stream/bw_video",
    "/rtmp/server/live/stream/bytes_in",
    "/rtmp/server/live/stream/bytes_out",
    "/rtmp/server/live/stream/client",
    "/rtmp/server/live/stream/client/active",
    "/rtmp/server/live/stream/client/address",
    "/rtmp/server/live/stream/client/avsync",
    "/rtmp/server/live/stream/client/dropped",
    "/rtmp/server/live/stream/client/flashver",
    "/rtmp/server/live/stream/client/id",
    "/rtmp/server/live/stream/client/publishing",
    "/rtmp/server/live/stream/client/remote_address",
    "/rtmp/server/live/stream/client/time",
    "/rtmp/server/live/stream/client/timestamp",
    "/rtmp/server/live/stream/meta",
    "/rtmp/server/live/stream/meta/audio",
    "/rtmp/server/live/stream/meta/audio/channels",
    "/rtmp/server/live/stream/meta/audio/codec",
    "/rtmp/server/live/stream/meta/audio/profile",
    "/rtmp/server/live/stream/meta/audio/sample_rate",
    "/rtmp/server/live/stream/meta/video",
    "/rtmp/server/live/stream/meta/video/codec",
    "/rtmp/server/live/stream/meta/video/compat",
    "/rtmp/server/live/stream/meta/video/frame_rate",
    "/rtmp/server/live/stream/meta/video/height",
    "/rtmp/server/live/stream/meta/video/level",
    "/rtmp/server/live/stream/meta/video/profile",
    "/rtmp/server/live/stream/meta/video/width",
    "/rtmp/server/live/stream/name",
    "/rtmp/server/live/stream/nclients",
    "/rtmp/server/live/stream/publishing",
    "/rtmp/server/live/stream/time",
    "/rtmp/server/serverid",
    "/rtmp/uptime",
];

#[test]
fn the_elements_are_those_of_the_original() {
    let server = start("cache_time 1s;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let players = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    let last = publisher.send(2 * GOP);
    players.iter().for_each(|player| player.wait_frame(last));
    let document = Elements::get(&server, "/stat");
    let wanted: BTreeSet<&str> = RECORDED.iter().copied().collect();
    let ours: BTreeSet<&str> = document.paths().into_iter().filter(|path| !path.ends_with("url")).collect();
    assert_eq!(ours, wanted);
    let stream = |name: &str| document.text(&format!("/rtmp/server/live/stream/{name}"));
    assert_eq!((stream("name"), stream("nclients")), ("s", "3"));
    for (name, value) in [
        ("video/width", "320"),
        ("video/height", "240"),
        ("video/frame_rate", "50.000"),
        ("video/codec", "H264"),
        ("video/profile", "Baseline"),
        ("video/level", "1.3"),
        ("audio/codec", "AAC"),
        ("audio/profile", "LC"),
        ("audio/channels", "2"),
        ("audio/sample_rate", "44100"),
    ] {
        assert_eq!(stream(&format!("meta/{name}")), value, "{name}");
    }
    assert_eq!(document.all("/rtmp/server/live/stream/client/publishing").len(), 1);
    assert_eq!(document.all("/rtmp/server/live/stream/client/active").len(), 3);
    let text = http::get(server.http, "/stat").text();
    assert!(text.contains("<?xml-stylesheet type=\"text/xsl\" href=\"stat.xsl\" ?>"), "{text}");
}

#[test]
fn a_location_shows_the_parts_that_it_names() {
    let server = start("");
    let _publisher = Publisher::start(server.rtmp, "s");
    let global = Elements::get(&server, "/global");
    assert!(global.paths().contains("/rtmp/bytes_in") && !global.paths().contains("/rtmp/server"));
    let live = Elements::get(&server, "/live");
    assert!(
        live.paths().contains("/rtmp/bytes_in") && live.paths().contains("/rtmp/server/live/stream/name")
    );
    assert!(!live.paths().contains("/rtmp/server/live/stream/client"));
    assert_eq!(live.text("/rtmp/server/live/stream/nclients"), "1");
    for target in ["/denied", "/denied_sys"] {
        assert_eq!(http::get(server.http, target).status(), 403, "{target}");
    }
}

#[test]
fn rates_appear_while_media_flows_and_vanish_after_it() {
    let server = start("cache_time 1s;");
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_key();
    let rates = || {
        let document = Elements::get(&server, "/stat");
        let of_stream = ["bw_in", "bw_out", "bw_audio", "bw_video"]
            .map(|name| document.number(&format!("/rtmp/server/live/stream/{name}")));
        let whole = ["bw_in", "bw_out"].map(|name| document.number(&format!("/rtmp/{name}")));
        [&of_stream[..], &whole[..]].concat()
    };
    until_true("all rates are known", || rates().iter().all(|rate| *rate > 0));
    let rate = json(&server, "/json");
    let stream = &rate["rtmp"]["servers"][0]["applications"][0]["streams"][0];
    assert!(stream["frame_rate"].as_f64().unwrap() > 0.0, "{stream}");
    assert!(stream["clients"][0]["bw_in"].as_u64().unwrap() > 0, "{stream}");
    assert!(stream["clients"][1]["bw_out"].as_u64().unwrap() > 0, "{stream}");
    until_true("some frames are there", || {
        let root = json(&server, "/json");
        root["rtmp"]["servers"][0]["applications"][0]["streams"][0]["frames_audio"].as_u64() > Some(40)
    });
    let rate = json(&server, "/json");
    let stream = &rate["rtmp"]["servers"][0]["applications"][0]["streams"][0];
    // Video is three of four frames, all of the same size.
    let (audio, video) = (stream["bytes_audio"].as_f64().unwrap(), stream["bytes_video"].as_f64().unwrap());
    assert!((2.0..4.0).contains(&(video / audio)), "{stream}");
    let _publisher = feed.stop();
    until_true("nothing flows any more", || rates().iter().all(|rate| *rate == 0));
}

#[test]
fn timestamps_and_the_distance_of_audio_and_video_are_those_of_the_last_frames() {
    let server = start("cache_time 1s;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let players = [
        Player::start(server.rtmp, "s"),
        Player::start(server.rtmp, "s"),
        Player::http(server.http, "/flv/s"),
    ];
    let last = publisher.send(2 * GOP);
    players.iter().for_each(|player| player.wait_frame(last));
    // The last frame of a GOP is audio, the one before it video.
    let times = |newest: u64, audio_ahead: i64| {
        let document = Elements::get(&server, "/stat");
        let values = |name: &str| -> Vec<i64> {
            let texts = document.all(&format!("/rtmp/server/live/stream/client/{name}"));
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let newest = i64::try_from(newest).unwrap() * i64::from(STEP);
        values("timestamp") == [newest; 4] && values("avsync") == [audio_ahead; 4]
    };
    until_true("all have the last frame", || times(last, i64::from(STEP)));
    // A video frame follows.
    let last = publisher.send(1);
    players.iter().for_each(|player| player.wait_frame(last));
    until_true("all have the frame after it", || times(last, -i64::from(STEP)));
}

#[test]
fn counters_never_fall_whoever_comes_and_goes() {
    let server = start("cache_time 1s;");
    let counters = || {
        let document = Elements::get(&server, "/stat");
        let names = ["/rtmp/bytes_in", "/rtmp/bytes_out", "/rtmp/naccepted"];
        let stream = ["/rtmp/server/live/stream/bytes_in", "/rtmp/server/live/stream/bytes_out"];
        [&names[..], &stream[..]].concat().into_iter().map(|path| document.number(path)).collect::<Vec<_>>()
    };
    let mut publisher = Publisher::start(server.rtmp, "s");
    let mut before = counters();
    for round in 0..6 {
        let players: Vec<Player> = (0..5).map(|_| Player::start(server.rtmp, "s")).collect();
        let last = publisher.send(GOP);
        players.iter().for_each(|player| player.wait_frame(last));
        if round == 3 {
            server.reload(&conf("cache_time 2s;"));
        }
        drop(players);
        until_true("one is left", || {
            let now = counters();
            assert!(before.iter().zip(&now).all(|(before, now)| before <= now), "{before:?} {now:?}");
            before = now;
            Elements::get(&server, "/stat").text("/rtmp/server/live/stream/nclients") == "1"
        });
        assert!(before[4] > (round + 1) * 10_000, "{before:?}");
    }
}

/// What `stat.xsl` of PingOS shows, and that of nginx-rtmp in its own tree.
const COLUMNS: &[&str] = &[
    "name",
    "nclients",
    "meta/video/codec",
    "meta/video/profile",
    "meta/video/level",
    "bw_video",
    "meta/video/width",
    "meta/video/height",
    "meta/video/frame_rate",
    "meta/audio/codec",
    "meta/audio/profile",
    "bw_audio",
    "meta/audio/sample_rate",
    "meta/audio/channels",
    "bytes_in",
    "bytes_out",
    "bw_in",
    "bw_out",
    "time",
    "client/id",
    "client/address",
    "client/flashver",
    "client/pageurl",
    "client/swfurl",
    "client/dropped",
    "client/timestamp",
    "client/avsync",
    "client/time",
];

#[test]
fn every_column_of_the_stylesheets_is_filled() {
    use pingosd::wire::rtmp::client_session::ClientPurpose;
    let server = start("");
    let purpose = ClientPurpose::Publish { name: "s".into() };
    let mut settings = crate::support::rtmp::settings(server.rtmp, "live", purpose);
    settings.flash_ver = "LNX 9,0,124,2".into();
    settings.page_url = "http://page/".into();
    settings.swf_url = "http://swf/".into();
    let client = RtmpClient::open(server.rtmp, settings);
    let mut publisher = Publisher::with(client, crate::support::frame::Tracks::Both);
    publisher.send(GOP);
    for (target, stream) in
        [("/stat", "/rtmp/server/live/stream"), ("/rtmp", "/rtmp/server/application/live/stream")]
    {
        until_true("all columns are filled", || {
            let document = Elements::get(&server, target);
            COLUMNS.iter().all(|column| {
                let texts = document.all(&format!("{stream}/{column}"));
                texts.first().is_some_and(|text| !text.is_empty())
            })
        });
        let document = Elements::get(&server, target);
        for path in ["nginx_rtmp_version", "nginx_version", "pid", "built", "compiler", "naccepted", "uptime"]
        {
            assert!(!document.text(&format!("/rtmp/{path}")).is_empty());
        }
        for path in ["active", "client/publishing"] {
            assert!(document.paths().contains(format!("{stream}/{path}").as_str()), "{path}");
        }
    }
}

#[test]
fn exporters_of_nginx_rtmp_find_what_they_look_for() {
    let server = start("cache_time 1s;");
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_key();
    // Paths that the exporters and scripts in the field read, and the types that they read them as.
    until_true("rates are known", || {
        Elements::get(&server, "/rtmp").number("/rtmp/server/application/live/stream/bw_out") > 0
    });
    let document = Elements::get(&server, "/rtmp");
    assert_eq!(document.text("/rtmp/server/application/name"), "live");
    assert_eq!(document.text("/rtmp/server/application/live/nclients"), "2");
    let stream = "/rtmp/server/application/live/stream";
    assert_eq!(document.text(&format!("{stream}/name")), "s");
    for name in [
        "time",
        "bw_in",
        "bytes_in",
        "bw_out",
        "bytes_out",
        "bw_audio",
        "bw_video",
        "nclients",
        "meta/video/width",
        "meta/video/height",
        "meta/video/frame_rate",
        "meta/video/compat",
        "meta/audio/channels",
        "meta/audio/sample_rate",
        "client/id",
        "client/time",
        "client/dropped",
        "client/avsync",
        "client/timestamp",
    ] {
        document.number(&format!("{stream}/{name}"));
    }
    assert_eq!(
        document.text(&format!("{stream}/meta/video/frame_rate")),
        "50",
        "they read it as a whole number"
    );
    for name in [
        "/rtmp/pid",
        "/rtmp/uptime",
        "/rtmp/naccepted",
        "/rtmp/bw_in",
        "/rtmp/bw_out",
        "/rtmp/bytes_in",
        "/rtmp/bytes_out",
    ] {
        document.number(name);
    }
    let level: f64 = document.text(&format!("{stream}/meta/video/level")).parse().unwrap();
    assert_eq!(level, 1.3);
    feed.stop().leave();
}

#[test]
fn json_says_what_the_xml_says_and_more() {
    let server = start("cache_time 1s;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(GOP);
    let player = Player::http(server.http, "/flv/s");
    player.wait_frame(publisher.send(GOP));
    until_true("the player's bytes are counted", || {
        let document = Elements::get(&server, "/rtmp");
        let bytes = "/rtmp/server/application/live/stream/bytes_out";
        let root = &json(&server, "/json")["rtmp"];
        root["servers"][0]["applications"][0]["streams"][0]["bytes_out"] == document.number(bytes)
    });
    let response = http::get(server.http, "/json");
    assert_eq!(response.header("content-type"), Some("application/json"));
    let root = &json(&server, "/json")["rtmp"];
    assert_eq!((&root["generation"], &root["conf_on_disk"]), (&1.into(), &"same".into()));
    assert_eq!(root["pid"], server.pid());
    let application = &root["servers"][0]["applications"][0];
    assert_eq!((&application["name"], &application["nclients"]), (&"live".into(), &2.into()));
    let stream = &application["streams"][0];
    assert_eq!(stream["meta"]["video"]["width"], 320);
    assert_eq!(stream["meta"]["audio"]["codec"], "AAC");
    assert_eq!((&stream["clients_rtmp"], &stream["clients_flv"]), (&1.into(), &1.into()));
    // Of 40 frames each fourth is audio, and each twentieth a key frame.
    assert_eq!(
        (&stream["frames_audio"], &stream["frames_video"], &stream["key_frames"]),
        (&10.into(), &30.into(), &2.into())
    );
    let clients = stream["clients"].as_array().unwrap();
    assert_eq!((&clients[0]["protocol"], &clients[0]["publishing"]), (&"rtmp".into(), &true.into()));
    assert_eq!((&clients[1]["protocol"], &clients[1]["publishing"]), (&"flv".into(), &false.into()));
    assert!(clients[1]["bytes_out"].as_u64().unwrap() > 1000, "{clients:?}");
}

#[test]
fn sys_stat_is_the_original_s_json() {
    let server = start("cache_time 1s;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let players = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    let last = publisher.send(2 * GOP);
    players.iter().for_each(|player| player.wait_frame(last));
    let response = http::get(server.http, "/sys");
    assert_eq!((response.status(), response.header("content-type")), (200, None));
    let document = json(&server, "/sys");
    assert_eq!((&document["ngx_worker"], &document["ngx_pid"]), (&0.into(), &server.pid().into()));
    let live = &document["live_stream"];
    let server_array = &live["server_array"][0];
    assert_eq!(server_array["serverid"], "default");
    let stream = &server_array["stream_array"][0];
    for clients in [server_array, stream] {
        let counts =
            ["total", "rtmp", "flv", "ts", "hls"].map(|kind| clients[format!("{kind}_clients")].clone());
        assert_eq!(counts, [3, 2, 1, 0, 0].map(serde_json::Value::from), "{clients}");
    }
    assert_eq!((&stream["name"], &stream["active"]), (&"s".into(), &true.into()));
    assert_eq!(stream["meta"]["video"]["frame_rate"], "50.0");
    assert_eq!(stream["meta"]["video"]["compat"], "1.3", "the level stands there in the original");
    let client = &stream["client_array"][0];
    assert_eq!((&client["relay"], &client["interprocess"]), (&false.into(), &false.into()));
    assert!(stream["video_in"]["bytes"].as_u64().unwrap() > stream["audio_in"]["bytes"].as_u64().unwrap());
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let server = start("");
    let _publisher = Publisher::start(server.rtmp, "s");
    let port = server.http;
    let asking: Vec<_> = (0..40)
        .map(|n| {
            std::thread::spawn(move || {
                let target = ["/stat", "/rtmp", "/json", "/sys"][n % 4];
                let response = http::get(port, target);
                assert_eq!(response.status(), 200);
                assert!(response.text().contains("default"), "{}", response.text());
            })
        })
        .collect();
    asking.into_iter().for_each(|asked| asked.join().unwrap());
}
