//! The servers being measured, and the origin behind them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Result, process};

/// Longest time until a server listens.
const START: Duration = Duration::from_secs(20);

/// A server being measured; it ends when this is dropped.
pub struct Server {
    /// Name in the tables.
    pub name: &'static str,
    /// Where it speaks what.
    pub ports: Ports,
    child: Child,
}

/// Ports of a server on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// HTTP/1.1.
    pub http: u16,
    /// HTTP/1.1 over TLS.
    pub https: u16,
    /// HTTP/2 without TLS.
    pub http2: u16,
    /// HTTP/2 over TLS.
    pub https2: u16,
}

impl Server {
    /// Starts a server with the configuration that all of them get, with `origin` behind it, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It does not listen in time.
    pub fn start(name: &'static str, program: &str, dir: &Path, origin: u16) -> Result<Server> {
        let [http, https, http2, https2] = free_ports()?;
        let ports = Ports { http, https, http2, https2 };
        let own = dir.display();
        let conf = format!(
            "worker_processes 1; daemon off; pid {own}/{name}.pid; error_log {own}/{name}.log;
             events {{ worker_connections 8192; }}
             http {{
                 access_log off; sendfile on; keepalive_requests 100000000; keepalive_timeout 300s;
                 proxy_cache_path {own}/{name}-cache keys_zone=segments:1m use_temp_path=off;
                 ssl_certificate {own}/cert.pem; ssl_certificate_key {own}/key.pem; ssl_session_cache shared:tls:10m;
                 # Debian's nginx has TLS 1.3 only where the configuration says so.
                 ssl_protocols TLSv1.2 TLSv1.3;
                 upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
                 server {{
                     listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl;
                     listen 127.0.0.1:{http2} http2; listen 127.0.0.1:{https2} ssl http2;
                     root {own}/files; proxy_http_version 1.1; proxy_set_header Connection '';
                     location = /return {{ return 200 hello; }}
                     location = /logged {{ access_log {own}/{name}.access; return 200 hello; }}
                     location = /proxied {{ proxy_pass http://origin/1k; }}
                     location = /cached {{
                         proxy_pass http://origin/1m; proxy_cache segments; proxy_cache_valid 200 1h;
                         add_header X-Cache $upstream_cache_status;
                     }}
                 }}
             }}\n"
        );
        Server::launch(name, program, dir, ports, &conf)
    }

    /// Starts the server that the proxied answers come from. It is always nginx, and not measured.
    ///
    /// # Errors
    ///
    /// It does not listen in time.
    pub fn origin(dir: &Path) -> Result<Server> {
        let [http, ..] = free_ports()?;
        let ports = Ports { http, https: 0, http2: 0, https2: 0 };
        let own = dir.display();
        let conf = format!(
            "worker_processes 1; daemon off; pid {own}/origin.pid; error_log {own}/origin.log;
             events {{ worker_connections 8192; }}
             http {{ access_log off; sendfile on; keepalive_requests 100000000;
                 server {{ listen 127.0.0.1:{http}; root {own}/files; }} }}\n"
        );
        Server::launch("origin", "nginx", dir, ports, &conf)
    }

    fn launch(name: &'static str, program: &str, dir: &Path, ports: Ports, conf: &str) -> Result<Server> {
        let file = dir.join(format!("{name}.conf"));
        fs::write(&file, conf)?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let mut server = Server { name, ports, child };
        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, ports.http)).is_err() {
            if Instant::now() > deadline || server.child.try_wait()?.is_some() {
                let log = fs::read_to_string(dir.join(format!("{name}.log"))).unwrap_or_default();
                return Err(format!("{name} does not listen: {log}").into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Checks that `/cached` is answered from the cache from now on.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn fill_cache(&self) -> Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.http))?;
            stream.write_all(b"GET /cached HTTP/1.0\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            if answer.windows(12).any(|bytes| bytes == b"X-Cache: HIT") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("{} caches nothing", self.name).into())
    }

    /// Processor time of the server so far.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn cpu(&self) -> Result<Duration> {
        process::cpu(&process::tree(self.pid())?)
    }

    /// Resident memory of the server in bytes.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn resident(&self) -> Result<u64> {
        Ok(process::resident_kib(&process::tree(self.pid())?)? * 1024)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Ports that nothing listens on now.
fn free_ports() -> Result<[u16; 4]> {
    let listeners = [(); 4].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut ports = [0; 4];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        let listener = listener.as_ref().map_err(ToString::to_string)?;
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
