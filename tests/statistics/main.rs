//! Statistics: `rtmp_stat` in its formats and `sys_stat`, with what others read in them.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod document;
mod hostile;
mod xml;

use serde_json::Value;

use support::{Conf, Server, http};

/// A server with all formats at `/stat`, `/rtmp`, `/json` and `/sys`.
fn start(application: &str) -> Server {
    Server::start(&conf(application))
}

fn conf(application: &str) -> Conf {
    Conf::live(application).http_server(
        "location /stat { rtmp_stat all; rtmp_stat_stylesheet stat.xsl; }
         location /rtmp { rtmp_stat all; rtmp_stat_format nginx_rtmp; }
         location /json { rtmp_stat all; rtmp_stat_format json; }
         location /live { rtmp_stat live; }
         location /global { rtmp_stat global; }
         location /sys { sys_stat; }
         location /denied { deny all; rtmp_stat all; }
         location /denied_sys { deny all; sys_stat; }
         location /flv { flv_live {rtmp_port} app=live; }",
    )
}

fn json(server: &Server, target: &str) -> Value {
    let response = http::get(server.http, target);
    let text = response.text();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
