//! The two servers: a prefix with the same files for each, the configuration, the process.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::backend;
use crate::entry::{Entry, Listener};
use crate::fixture;
use crate::render::Names;
use crate::support::process;
use crate::support::server::{PROGRAM, Signal, free_port};
use crate::support::wait::{PATIENCE, until, until_true};
use crate::talk::Target;

/// Debian's nginx.
pub const NGINX: &str = "/usr/sbin/nginx";

/// Owner of what belongs to neither server.
const FOREIGN: u32 = 65_534;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    Nginx,
    Ours,
}

/// The ports of an entry: `{PORT}`, `{PORT2}` and `{PORT3}` of both servers, and `{PORT6}` of each.
pub struct Ports {
    tcp: [u16; 3],
    v6: [u16; 2],
}

impl Ports {
    /// Free ones for what the entry mentions.
    pub fn for_entry(entry: &Entry) -> Ports {
        let mentions = |word: &str| entry.http.contains(word) || entry.server.contains(word);
        let port = |is_needed: bool| if is_needed { free_port() } else { 0 };
        let has_v6 = mentions("{PORT6}");
        Ports {
            tcp: [free_port(), port(mentions("{PORT2}")), port(mentions("{PORT3}"))],
            v6: [port(has_v6), port(has_v6)],
        }
    }
}

/// A server and its prefix.
pub struct Side {
    pub which: Which,
    program: &'static str,
    root: PathBuf,
    child: Option<Child>,
}

impl Side {
    /// Prepares the prefix. Both have names of the same length, so that what holds them has the same length.
    pub fn new(base: &Path, which: Which, is_self: bool) -> Side {
        let root = base.join(if which == Which::Nginx { "a" } else { "b" });
        for name in ["conf", "logs", "html", "temp", "e"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fixture::write(&root.join("html"));
        fs::copy(fixture::MIME_TYPES, root.join("conf/mime.types")).unwrap_or_default();
        let program = if which == Which::Nginx || is_self { NGINX } else { PROGRAM };
        Side { which, program, root, child: None }
    }

    /// The words that only this server says.
    pub fn names(&self, ports: &Ports) -> Names {
        let (product, name) = if self.program == NGINX {
            (nginx_version(), "nginx".to_owned())
        } else {
            (pingosd::VERSION.to_owned(), "pingosd".to_owned())
        };
        let own = vec![
            (self.root.to_str().unwrap().to_owned(), "{ROOT}".to_owned()),
            (self.address().to_owned(), "{ADDR}".to_owned()),
            (ports.v6[self.number()].to_string(), "{PORT6}".to_owned()),
            (backend::address().to_string(), "{BACKEND}".to_owned()),
            (backend::address().port().to_string(), "{BPORT}".to_owned()),
            (ports.tcp[0].to_string(), "{PORT}".to_owned()),
            (ports.tcp[1].to_string(), "{PORT2}".to_owned()),
            (ports.tcp[2].to_string(), "{PORT3}".to_owned()),
        ];
        let used = |(word, _): &(String, String)| word != "0";
        Names { product, name, own: own.into_iter().filter(used).collect() }
    }

    /// The directory of certificates, which both servers read.
    pub fn tls(&self) -> PathBuf {
        self.root.parent().expect("the prefix is in a directory").join("tls")
    }

    /// Its address: the ports of both servers have the same numbers.
    pub fn address(&self) -> &'static str {
        if self.which == Which::Nginx { "127.99.77.11" } else { "127.99.77.12" }
    }

    fn number(&self) -> usize {
        usize::from(self.which == Which::Ours)
    }

    /// Where a listener of an entry is reached.
    pub fn target(&self, entry: &Entry, ports: &Ports, listener: Listener) -> Target {
        match listener {
            Listener::Port(number) => {
                let ip = self.address().parse().unwrap();
                Target::Tcp(SocketAddr::new(ip, ports.tcp[number]))
            }
            Listener::V6 => {
                Target::Tcp(SocketAddr::new([0, 0, 0, 0, 0, 0, 0, 1].into(), ports.v6[self.number()]))
            }
            Listener::Unix => Target::Unix(self.root.join(socket_name(entry))),
        }
    }

    /// Writes the entry's files.
    pub fn prepare(&self, entry: &Entry) {
        let directory = self.root.join("e").join(entry.name);
        fs::create_dir_all(&directory).unwrap();
        for (path, contents) in &entry.files {
            fixture::file(&directory.join(path), contents);
        }
        for (path, target) in &entry.links {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(self.fill(target, entry, None), path).unwrap();
        }
        fixture::settle(&directory);
        for path in &entry.foreign {
            // Only root may; without it, it belongs to the same user for both servers.
            let _ = std::os::unix::fs::lchown(directory.join(path), Some(FOREIGN), Some(FOREIGN));
        }
    }

    /// Replaces the words in braces.
    fn fill(&self, text: &str, entry: &Entry, ports: Option<&Ports>) -> String {
        let root = self.root.to_str().unwrap();
        let text = text.replace("{TLS}", self.tls().to_str().unwrap());
        let mut text = text.replace("{ROOT}", root).replace("{DIR}", &format!("{root}/e/{}", entry.name));
        text = text.replace("{ADDR}", self.address()).replace("{NAME}", entry.name);
        if text.contains("{BACKEND}") {
            text = text.replace("{BACKEND}", &backend::address().to_string());
        }
        if text.contains("{BPORT}") {
            text = text.replace("{BPORT}", &backend::address().port().to_string());
        }
        text = text.replace("{SOCK}", &format!("{root}/{}", socket_name(entry)));
        if let Some(ports) = ports {
            for (word, port) in [
                ("{PORT}", ports.tcp[0]),
                ("{PORT2}", ports.tcp[1]),
                ("{PORT3}", ports.tcp[2]),
                ("{PORT6}", ports.v6[self.number()]),
            ] {
                text = text.replace(word, &port.to_string());
            }
        }
        text
    }

    /// The configuration with these entries.
    pub fn conf(&self, entries: &[(&Entry, &Ports)]) -> String {
        let root = self.root.to_str().unwrap();
        // Without root's rights the directive is no use, and nginx says so.
        let user = if nix::unistd::geteuid().is_root() { "user root;\n" } else { "" };
        let mut out = format!(
            "{user}daemon off;\nworker_processes 1;\npid logs/server.pid;\nerror_log logs/error.log info;\n\
             events {{ worker_connections 1024; }}\nhttp {{\n\
             log_format against '{FORMAT}';\n\
             access_log off;\nroot {root}/html;\ninclude mime.types;\ndefault_type text/plain;\n\
             server_names_hash_bucket_size 128;\nmap_hash_bucket_size 128;\n\
             variables_hash_max_size 4096;\n"
        );
        if entries.iter().any(|(entry, _)| entry.uses_tls()) {
            // Before 1.23.4, nginx has no TLS 1.3 by default.
            out.push_str(
                "ssl_protocols TLSv1.2 TLSv1.3;\nssl_certificate {TLS}/server.crt;\n\
                 ssl_certificate_key {TLS}/server.key;\n"
                    .replace("{TLS}", self.tls().to_str().unwrap())
                    .as_str(),
            );
        }
        // Ours has no fastcgi, uwsgi and scgi.
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        for kind in &kinds[..if self.program == NGINX { kinds.len() } else { 2 }] {
            out.push_str(&format!("{kind}_temp_path {root}/temp/{kind};\n"));
        }
        for (entry, ports) in entries {
            let mut text = format!("# {}\n{}", entry.name, entry.http);
            if !entry.is_bare {
                let http2 = if entry.is_http2 { " http2" } else { "" };
                let ssl = if entry.is_tls { " ssl" } else { "" };
                text.push_str(&format!("server {{\nlisten {{ADDR}}:{{PORT}}{ssl}{http2};\n"));
                text.push_str("access_log logs/{NAME}.log against;\n");
                if !entry.server.contains("error_log") {
                    text.push_str("error_log logs/{NAME}.errors warn;\n");
                }
                text.push_str(&entry.server);
                text.push_str("}\n");
            }
            out.push_str(&self.fill(&text, entry, Some(ports)));
        }
        out.push_str("}\n");
        out
    }

    fn command(&self, conf: &str) -> Command {
        let path = self.root.join("conf/nginx.conf");
        fs::File::create(&path).unwrap().write_all(conf.as_bytes()).unwrap();
        let mut command = Command::new(self.program);
        command.arg("-p").arg(&self.root).arg("-c").arg(path).env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// What is wrong with a configuration.
    pub fn refusal(&self, conf: &str) -> Option<String> {
        let output = self.command(conf).arg("-t").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("[warn]")).collect();
        (!output.status.success()).then(|| lines.join("\n"))
    }

    /// Starts the program and waits until it listens.
    pub fn start(&mut self, conf: &str, addresses: Vec<SocketAddr>) {
        let stderr = fs::File::create(self.root.join("stderr")).unwrap();
        let child = self.command(conf).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        self.child = Some(child);
        until_true(&format!("{} accepts connections", self.program), || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                panic!(
                    "{} ended at once ({status}):\n{}",
                    self.program,
                    self.read("stderr") + &self.read("logs/error.log")
                );
            }
            addresses.iter().all(|address| TcpStream::connect(address).is_ok())
        });
    }

    /// Ends the process after what it is doing, so that its logs are complete.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        process::signal(i32::try_from(child.id()).unwrap(), Signal::SIGQUIT);
        let patience = Instant::now() + PATIENCE / 4;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > patience {
                process::signal(i32::try_from(child.id()).unwrap(), Signal::SIGTERM);
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        until("the server ends", || child.try_wait().unwrap());
    }

    /// A file's text, empty if there is none.
    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.root.join(name)).unwrap_or_default()).into_owned()
    }

    /// An entry's access logs: `{NAME}.log`, and every `{NAME}_*.log` with its name before each line.
    pub fn log(&self, entry: &Entry) -> Vec<u8> {
        let mut all = fs::read(self.root.join(format!("logs/{}.log", entry.name))).unwrap_or_default();
        let start = format!("{}_", entry.name);
        for file in fs::read_dir(self.root.join("logs")).unwrap().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with(&start) {
                for line in fs::read(file.path()).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
                    all.extend_from_slice(format!("{name}: ").as_bytes());
                    all.extend_from_slice(line);
                }
            }
        }
        all
    }

    /// An entry's error log, from `warn` on; empty for entries that log errors elsewhere.
    pub fn errors(&self, entry: &Entry) -> Vec<u8> {
        fs::read(self.root.join(format!("logs/{}.errors", entry.name))).unwrap_or_default()
    }

    /// What it said about panics.
    pub fn panics(&self) -> Option<String> {
        let stderr = self.read("stderr");
        stderr.contains("panicked at").then_some(stderr)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            process::signal(i32::try_from(child.id()).unwrap(), Signal::SIGTERM);
            let _ = child.wait();
        }
    }
}

/// The access log of every entry that has no other one.
const FORMAT: &str = "$remote_addr \"$request\" status=$status body=$body_bytes_sent sent=$bytes_sent length=$request_length \
                      pipe=$pipe on=$connection_requests done=$request_completion user=$remote_user uri=\"$uri\" args=\"$args\" type=\"$sent_http_content_type\"";

fn socket_name(entry: &Entry) -> String {
    format!("{}.sock", &entry.name[..entry.name.len().min(40)])
}

/// `nginx/1.22.1`
pub fn nginx_version() -> String {
    let text = nginx_build();
    let at = text.find("nginx/").expect("nginx -V says its version");
    text[at..].split_whitespace().next().expect("a version").to_owned()
}

/// What `nginx -V` says.
pub fn nginx_build() -> &'static str {
    static BUILD: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    BUILD.get_or_init(|| {
        let output = Command::new(NGINX).arg("-V").output().expect("nginx can be run");
        String::from_utf8_lossy(&output.stderr).into_owned()
    })
}

/// Whether this host has IPv6 addresses.
pub fn has_v6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}
