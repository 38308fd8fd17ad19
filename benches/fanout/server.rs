//! The servers under test and their configuration.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::args::{Args, BackEnd};
use crate::running::{Scratch, Server, free_ports};
use crate::session::{APP, TS};
use crate::tls::Certificate;

/// Discarding players answer no ping requests, so none may fall due while they are measured.
pub const PING: &str = "10m";

/// Every output beside RTMP and HTTP-FLV; MPEG-TS over HTTP has a location. `{dir}` is a scratch directory.
pub const OUTPUTS: &str = "hls on; hls_path {dir}/hls; hls2 on; dash on; dash_path {dir}/dash; \
                           recorder all { record all; record_path {dir}; } ";

/// Locations of HLS from memory, and of the files of `hls_path {dir}/hls`.
pub const HLS2: &str = "hls2";
pub const FILES: &str = "files";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Pingosd {
        program: PathBuf,
        /// Its `delivery`, if it is asked for by name.
        delivery: Option<BackEnd>,
    },
    /// Debian's nginx with libnginx-mod-rtmp.
    Nginx(PathBuf),
    /// A command line with `{rtmp}`, `{http}` and `{dir}`.
    Other(String),
}

impl Target {
    pub fn all(args: &Args) -> Vec<Target> {
        let pingosd = args.server.iter().flat_map(|program| {
            args.back_ends
                .iter()
                .map(|delivery| Target::Pingosd { program: program.clone(), delivery: *delivery })
        });
        let nginx = args.nginx.clone().map(Target::Nginx);
        let other = args.server_cmd.clone().map(Target::Other);
        pingosd.chain(nginx).chain(other).collect()
    }

    pub fn name(&self) -> &str {
        match self {
            Target::Pingosd { delivery, .. } => match delivery {
                None => "pingosd",
                Some(BackEnd::Uring) => "pingosd, uring",
                Some(BackEnd::Writev) => "pingosd, writev",
            },
            Target::Nginx(_) => "nginx-rtmp",
            Target::Other(_) => "other",
        }
    }

    pub fn is_pingosd(&self) -> bool {
        matches!(self, Target::Pingosd { .. })
    }

    /// Whether new players start from a cached key frame.
    pub fn caches(&self) -> bool {
        !matches!(self, Target::Nginx(_))
    }

    pub fn speaks_flv(&self) -> bool {
        !matches!(self, Target::Nginx(_))
    }
}

/// Starts it; `app_conf` stands in pingosd's application. With a certificate players are served over TLS: on the HTTP port, and on an
/// RTMP port beside that of the publisher.
pub fn start(
    target: &Target,
    args: &Args,
    app_conf: &str,
    certificate: Option<&Certificate>,
) -> Result<Server> {
    let scratch = Scratch::new("fanout")?;
    let ports = free_ports()?;
    let rtmps = certificate.map(|_| free_ports()).transpose()?.map(|(port, _)| port);
    let tls = certificate.zip(rtmps);
    let command = command_line(target, args.workers, app_conf, scratch.path(), ports, tls)?;
    let mut server = Server::start(scratch, &command, ports, args.server_cores(), target.speaks_flv())?;
    server.rtmps_port = rtmps;
    Ok(server)
}

fn command_line(
    target: &Target,
    workers: usize,
    app_conf: &str,
    dir: &Path,
    (rtmp, http): (u16, u16),
    tls: Option<(&Certificate, u16)>,
) -> Result<Vec<String>> {
    let conf = dir.join("server.conf");
    let conf_path = conf.display().to_string();
    let dir_path = dir.display().to_string();
    match target {
        Target::Pingosd { program, delivery } => {
            let events = delivery.map_or("", |delivery| delivery.conf());
            std::fs::write(&conf, pingosd_conf(workers, events, app_conf, &dir_path, (rtmp, http), tls))?;
            let program =
                program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
            let prefix = format!("{dir_path}/");
            Ok(vec![program.display().to_string(), "-p".into(), prefix, "-c".into(), conf_path])
        }
        Target::Nginx(program) => {
            std::fs::write(&conf, nginx_conf(&dir_path, rtmp))?;
            let log = format!("{dir_path}/error.log");
            Ok(vec![program.display().to_string(), "-e".into(), log, "-c".into(), conf_path])
        }
        Target::Other(command) => {
            let fill = |word: &str| {
                let word = word.replace("{rtmp}", &rtmp.to_string()).replace("{http}", &http.to_string());
                word.replace("{dir}", &dir_path)
            };
            Ok(command.split_whitespace().map(fill).collect())
        }
    }
}

fn pingosd_conf(
    workers: usize,
    events: &str,
    app_conf: &str,
    dir: &str,
    (rtmp, http): (u16, u16),
    tls: Option<(&Certificate, u16)>,
) -> String {
    let (ssl, certificate, rtmps) = match tls {
        None => ("", String::new(), String::new()),
        Some((files, port)) => (
            " ssl",
            format!(
                "ssl_certificate {}; ssl_certificate_key {};",
                files.certificate.display(),
                files.key.display()
            ),
            format!("listen 127.0.0.1:{port} ssl;"),
        ),
    };
    let app_conf = app_conf.replace("{dir}", dir);
    format!(
        "daemon off;
worker_processes {workers};
pid {dir}/server.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 8192; {events}}}
rtmp {{
    ping {PING};
    server {{
        listen 127.0.0.1:{rtmp};
        {rtmps}
        {certificate}
        application {APP} {{ live on; {app_conf} }}
    }}
}}
http {{
    server {{
        listen 127.0.0.1:{http}{ssl};
        {certificate}
        location /{APP} {{ flv_live 127.0.0.1:{rtmp} app={APP}; }}
        location /{TS} {{ ts_live 127.0.0.1:{rtmp} app={APP}; }}
        location /{HLS2} {{ hls2_live 127.0.0.1:{rtmp} app={APP}; access_log off; }}
        location /{FILES}/ {{ alias {dir}/hls/; access_log off; }}
    }}
}}
"
    )
}

/// One worker: the RTMP module keeps streams within a worker. The chunk size is the one of the floor.
fn nginx_conf(dir: &str, rtmp: u16) -> String {
    format!(
        "load_module modules/ngx_rtmp_module.so;
daemon off;
worker_processes 1;
pid {dir}/server.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 8192; }}
rtmp {{
    access_log off;
    chunk_size 4096;
    ping {PING};
    server {{
        listen 127.0.0.1:{rtmp};
        application {APP} {{ live on; }}
    }}
}}
"
    )
}
