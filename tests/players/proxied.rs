//! Players behind the proxy of a PingOS configuration: a location that rewrites and passes on to the sockets of workers, over TLS
//! and HTTP/2.

use serde_json::json;

use crate::stage::{Engine, Stage, moves};
use crate::support::server::free_port;
use crate::support::tls::file;

/// As PingOS's template has it, with its application's name and the sockets of two workers.
const HTTP: &str = "
    upstream hlsm {
        hash $arg_session consistent;
        server unix:{dir}/http.0;
        server unix:{dir}/http.1;
    }";

const LOCATIONS: &str = "
    listen {https} ssl;
    http2 on;
    ssl_certificate {certificate}.crt;
    ssl_certificate_key {certificate}.key;
    location /hlsm {
        hls2_live {rtmp_port} app=ts;
        add_header 'Access-Control-Allow-Origin' '*';
        add_header Cache-Control no-cache;
        add_header \"Access-Control-Allow-Credentials\" \"true\";
        add_header \"Access-Control-Allow-Methods\" \"*\";
        add_header \"Access-Control-Allow-Headers\" \"Content-Type,Access-Token\";
        add_header \"Access-Control-Expose-Headers\" \"*\";
    }
    location ~ ^/chain(4?)/ {
        proxy_buffering on;
        proxy_buffer_size 4k;
        proxy_buffers 8 1M;
        proxy_busy_buffers_size 2M;
        proxy_max_temp_file_size 0;
        set $app ts;
        if ($1 = 4) { set $app mp4; }
        set $hls_args location=/chain$1&scheme=$scheme&app=$app;
        proxy_set_header Host $host:$server_port;
        rewrite ^/(.*)/(.*)\\.(.*)$ /hlsm/$2.$3?$hls_args break;
        proxy_pass http://hlsm;
    }
    location ~ ^/live/.+\\.flv$ {
        proxy_buffering off;
        rewrite ^/live/(.+)\\.flv$ /flv/$1.flv break;
        proxy_pass http://hlsm;
    }";

#[test]
fn hls_js_and_mpegts_js_play_through_the_proxy_over_http2() {
    let https = free_port();
    let conf = Stage::conf(LOCATIONS)
        .events("multi_listen unix:{dir}/http {http_port};")
        .http(HTTP)
        .var("https", https)
        .var("certificate", file("callback"));
    let Some(mut stage) = Stage::with(&conf, &["ts", "mp4"]) else { return };
    for target in ["/chain/s.m3u8", "/chain4/s.m3u8"] {
        stage.wait_for(target, &["#EXTM3U"]);
    }
    // A secure page, as its streams are.
    stage.pages = format!("https://page.test:{https}");
    let base = format!("https://127.0.0.1:{https}");
    for (target, engine, config) in [
        ("/chain/s.m3u8", Engine::Hls, json!({})),
        ("/chain4/s.m3u8", Engine::Hls, json!({})),
        ("/live/s.flv", Engine::Mpegts, json!({ "type": "flv" })),
    ] {
        let url = format!("{base}{target}");
        let Some(page) = stage.play(engine, &url, config) else { return };
        page.wait("moves()");
        let report = page.report();
        let media = |request: &&String| request.starts_with(&base);
        assert!(
            report.requests.iter().filter(media).all(|request| !request.contains("/hlsm/")),
            "{report:#?}"
        );
        assert!(report.protocols.contains("h2") && !report.protocols.contains("http/1.1"), "{report:#?}");
        moves(&page, &url);
    }
    assert_eq!(stage.server.log_lines("emerg").len(), 0);
}
