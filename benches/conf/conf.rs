//! A large configuration, in two dialects of the same size; shared with the measurement of reloads.

use std::fmt::Write;
use std::net::TcpListener;

/// Applications, each with four callbacks.
pub const APPLICATIONS: usize = 2_000;
/// HTTP locations.
pub const LOCATIONS: usize = 500;

/// Dialect of the directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx with libnginx-mod-rtmp.
    NginxRtmp,
    /// PingOS, and so pingosd.
    Pingos,
}

/// Where the server listens.
pub struct Ports {
    /// RTMP.
    pub rtmp: u16,
    /// HTTP.
    pub http: u16,
}

impl Ports {
    /// Ports that were free a moment ago.
    pub fn free() -> Ports {
        let bind = || TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
        let (rtmp, http) = (bind(), bind());
        Ports { rtmp: port(&rtmp), http: port(&http) }
    }
}

/// How large it is, and what else it says.
pub struct Shape {
    /// Applications, each with four callbacks.
    pub applications: usize,
    /// HTTP locations.
    pub locations: usize,
    /// `worker_connections`.
    pub connections: usize,
    /// Whether nginx has a master process: it is what can reload.
    pub master: bool,
    /// Lines of the RTMP server.
    pub server: String,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            applications: APPLICATIONS,
            locations: LOCATIONS,
            connections: 1024,
            master: false,
            server: String::new(),
        }
    }
}

/// The text.
pub fn text(dialect: Dialect, ports: &Ports, shape: &Shape) -> String {
    let mut out = String::new();
    if dialect == Dialect::NginxRtmp {
        out.push_str("load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n");
    }
    let Ports { rtmp, http } = ports;
    let Shape { applications, locations, connections, master, server } = shape;
    let master = if *master { "on" } else { "off" };
    let _ = write!(
        out,
        "daemon off;\nmaster_process {master};\nworker_processes 1;\nerror_log logs/error.log error;\npid logs/nginx.pid;\n\
         events {{\n    worker_connections {connections};\n}}\n\nrtmp {{\n    server {{\n        listen {rtmp};\n        \
         chunk_size 4096;\n\n{server}"
    );
    (0..*applications).for_each(|number| application(dialect, number, &mut out));
    let _ = write!(
        out,
        "    }}\n}}\n\nhttp {{\n    access_log off;\n    server {{\n        listen {http};\n        server_name _;\n\n"
    );
    for number in 0..*locations {
        let _ = write!(
            out,
            "        location /live{number:04}/ {{\n            root /var/www/live{number:04};\n            \
             add_header Access-Control-Allow-Origin *;\n            allow 10.0.0.0/8;\n            deny all;\n        }}\n"
        );
    }
    out.push_str("    }\n}\n");
    out
}

fn application(dialect: Dialect, number: usize, out: &mut String) {
    let _ = write!(
        out,
        "        # Customer number {number}\n        application app{number:04} {{\n            live on;\n            \
         sync 300ms;\n            allow publish 10.0.0.0/8;\n            deny publish all;\n"
    );
    let events = match dialect {
        Dialect::NginxRtmp => ["on_publish", "on_play", "on_publish_done", "on_play_done"],
        Dialect::Pingos => ["on_publish", "on_play", "on_stream", "on_meta"],
    };
    for event in events {
        let url = format!("http://127.0.0.1:6080/v1/customers/{number:04}/{event}");
        let _ = match dialect {
            Dialect::NginxRtmp => writeln!(out, "            {event} {url}?domain=example.com&node=edge-1;"),
            Dialect::Pingos => writeln!(
                out,
                "            {event} {url} stage=start,update,done args=ip=$remote_addr&$pargs;"
            ),
        };
    }
    out.push_str("        }\n\n");
}
