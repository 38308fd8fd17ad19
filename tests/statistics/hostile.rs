//! Names that peers choose.

use crate::support::{Publisher, RtmpClient, http};
use crate::xml::Elements;
use crate::{json, start};

/// Markup, quotes, control bytes, line ends, bytes that are no UTF-8, and length.
fn names() -> Vec<String> {
    vec![
        "</name><name>x".into(),
        "a\"b'c&amp;<>".into(),
        "a\u{1}\u{1b}[31m\r\n\u{7f}\u{fffe}".into(),
        "]]> <!-- --> <x/>".into(),
        "\\u0000\",\"x\":\"".into(),
        "ü\u{2028}\u{feff}".into(),
        "n".repeat(10_000),
        "<".repeat(10_000),
    ]
}

#[test]
fn no_name_changes_a_document() {
    let server = start("");
    let publishers: Vec<Publisher> = names()
        .iter()
        .map(|name| {
            let purpose =
                pingosd::wire::rtmp::client_session::ClientPurpose::Publish { name: name.clone().into() };
            let mut settings = crate::support::rtmp::settings(server.rtmp, "live", purpose);
            settings.flash_ver = name.clone().into();
            settings.page_url = name.clone().into();
            settings.swf_url = name.clone().into();
            Publisher::with(RtmpClient::open(server.rtmp, settings), crate::support::frame::Tracks::Both)
        })
        .collect();
    for (target, stream) in
        [("/stat", "/rtmp/server/live/stream"), ("/rtmp", "/rtmp/server/application/live/stream")]
    {
        let document = Elements::get(&server, target);
        let names = document.all(&format!("{stream}/name"));
        assert_eq!(names.len(), publishers.len(), "{names:?}");
        assert!(names.contains(&"</name><name>x") && names.contains(&"a\"b'c&amp;<>"), "{names:?}");
        assert!(names.contains(&"<".repeat(10_000).as_str()));
        for field in ["flashver", "pageurl", "swfurl"] {
            assert_eq!(document.all(&format!("{stream}/client/{field}")).len(), publishers.len(), "{field}");
        }
        let text = http::get(server.http, target).text();
        assert!(!text.contains(|c: char| c < ' ' && c != '\r' && c != '\n'), "{text:?}");
    }
    let document = json(&server, "/json");
    let streams = document["rtmp"]["servers"][0]["applications"][0]["streams"].as_array().unwrap();
    let shown: Vec<&str> = streams.iter().map(|stream| stream["name"].as_str().unwrap()).collect();
    for name in names() {
        assert!(shown.contains(&name.as_str()), "{name:?} in {shown:?}");
    }
    let document = json(&server, "/sys");
    let streams = document["live_stream"]["server_array"][0]["stream_array"].as_array().unwrap();
    assert_eq!(streams.len(), publishers.len());
    assert!(streams.iter().any(|stream| stream["client_array"][0]["flashver"] == "</name><name>x"));
}
