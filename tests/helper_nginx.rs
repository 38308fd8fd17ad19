//! What nginx's users do to a server that was started as root with `user nobody`, done to nginx and to pingosd with the same
//! configuration. Needs root, and Debian's nginx.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::geteuid;
use support::server::{PROGRAM, Prefix, Signal, free_port};
use support::wait::{until, until_true};
use support::{http, process, tls};

const NGINX: &str = "/usr/sbin/nginx";

/// A server with its prefix in `/run`, where root alone may change the directories.
struct Rooted {
    prefix: Prefix,
    child: Option<Child>,
    http: u16,
    https: u16,
}

impl Rooted {
    fn start(program: &str) -> Rooted {
        Rooted::start_with(program, "")
    }

    /// As [`Rooted::start`], with more in `http { }`.
    fn start_with(program: &str, http_block: &str) -> Rooted {
        let prefix = Prefix::below(Path::new("/run"));
        for name in ["", "conf", "logs", "html"] {
            fs::set_permissions(prefix.path().join(name), Permissions::from_mode(0o755)).unwrap();
        }
        let (http, https) = (free_port(), free_port());
        let mut server = Rooted { prefix, child: None, http, https };
        server.renew_key("origin");
        server.write_conf("one", "", http_block);
        let mut command = Command::new(program);
        command.arg("-p").arg(server.prefix.path()).arg("-c").arg(server.conf());
        server.child = Some(command.stderr(Stdio::null()).spawn().unwrap());
        server.answers("one");
        server
    }

    fn conf(&self) -> PathBuf {
        self.prefix.path().join("conf/nginx.conf")
    }

    /// Writes a configuration that answers with `text`, readable by root alone.
    fn write_conf(&self, text: &str, main: &str, http: &str) {
        let (plain, encrypted) = (self.http, self.https);
        let conf = format!(
            "user nobody nogroup;\ndaemon off;\nworker_processes 1;\npid logs/server.pid;\n\
             error_log logs/error.log info;\n{main}\nevents {{ }}\nhttp {{\naccess_log off;\n{http}\n\
             server {{ listen 127.0.0.1:{plain}; location / {{ return 200 {text}; }} }}\n\
             server {{ listen 127.0.0.1:{encrypted} ssl; ssl_certificate origin.crt;\n\
             ssl_certificate_key origin.key; location / {{ return 200 {text}; }} }}\n}}\n"
        );
        write_private(&self.conf(), conf);
    }

    /// Replaces certificate and key as certbot does.
    fn renew_key(&self, pair: &str) {
        for kind in ["crt", "key"] {
            let new = self.prefix.path().join("conf/new");
            write_private(&new, fs::read(tls::file(&format!("{pair}.{kind}"))).unwrap());
            fs::rename(new, self.prefix.path().join(format!("conf/origin.{kind}"))).unwrap();
        }
    }

    fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    fn pid(&self) -> i32 {
        self.child.as_ref().unwrap().id().cast_signed()
    }

    fn wait(&mut self) {
        self.child.as_mut().unwrap().wait().unwrap();
    }

    #[track_caller]
    fn answers(&self, text: &str) {
        until_true(&format!("the answer {text}"), || answer(self.http).as_deref() == Some(text));
    }

    /// Reloads a configuration with this answer.
    #[track_caller]
    fn reload(&self, text: &str, main: &str, http: &str) {
        self.write_conf(text, main, http);
        self.signal(Signal::SIGHUP);
        self.answers(text);
    }

    /// The subject of the certificate.
    fn certificate(&self) -> Option<String> {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &format!("127.0.0.1:{}", self.https)])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let begin = text.find("-----BEGIN")?;
        Some(text[begin..text.find("-----END")?].to_owned())
    }

    /// Whether a process of the server has this file open.
    fn has_open(&self, path: &Path) -> bool {
        let Ok(file) = fs::metadata(path) else { return false };
        processes(self.pid()).into_iter().any(|pid| {
            fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().any(|descriptor| {
                fs::metadata(descriptor.path())
                    .is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
            })
        })
    }
}

impl Drop for Rooted {
    fn drop(&mut self) {
        for pid in processes(self.pid()) {
            if process::is_running(pid) {
                process::signal(pid, Signal::SIGKILL);
            }
        }
        self.wait();
    }
}

fn write_private(path: &Path, contents: impl AsRef<[u8]>) {
    fs::write(path, contents).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// The body of `/`, if the server answers.
fn answer(port: u16) -> Option<String> {
    std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    Some(http::get(port, "/").text())
}

/// A process and those that it has started.
fn processes(pid: i32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut all = vec![pid];
    all.extend(children.split_whitespace().flat_map(|child| processes(child.parse().unwrap())));
    all
}

#[test]
fn the_seven_habits_of_nginx_s_users_work() {
    let has_openssl = Command::new("openssl").arg("version").output().is_ok();
    if !geteuid().is_root() || !Path::new(NGINX).exists() || !has_openssl {
        eprintln!("not tried: this needs root, Debian's nginx, and openssl");
        return;
    }
    for program in [NGINX, PROGRAM] {
        let mut server = Rooted::start(program);
        let logs = server.prefix.path().join("logs");
        let pid_file = logs.join("server.pid");
        // The pid file is root's to write.
        assert_eq!(fs::read_to_string(&pid_file).unwrap().trim(), server.pid().to_string(), "{program}");
        // A renewed key that root alone may read.
        let before = until("a certificate", || server.certificate());
        server.renew_key("other");
        server.signal(Signal::SIGHUP);
        until_true("the other certificate", || server.certificate().is_some_and(|now| now != before));
        // A configuration that root alone may read.
        server.reload("two", "", "");
        // A port that root alone may bind.
        let low = (900..1000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
        let listens = format!("server {{ listen 127.0.0.1:{low}; location / {{ return 200 low; }} }}");
        server.reload("three", "", &listens);
        until_true("the low port", || answer(low).as_deref() == Some("low"));
        // A log in a directory that root alone may write.
        server.reload("four", "error_log logs/added.log info;", &listens);
        until_true("the added log", || server.has_open(&logs.join("added.log")));
        // logrotate with `create 0640 root`, and without.
        for created in [true, false] {
            let log = logs.join("added.log");
            fs::rename(&log, logs.join("added.log.1")).unwrap();
            if created {
                fs::write(&log, "").unwrap();
                fs::set_permissions(&log, Permissions::from_mode(0o640)).unwrap();
            }
            server.signal(Signal::SIGUSR1);
            until_true("the new log", || server.has_open(&log));
            until_true("the old log is closed", || !server.has_open(&logs.join("added.log.1")));
        }
        // The pid file goes with the server.
        server.signal(Signal::SIGTERM);
        server.wait();
        assert!(!pid_file.exists(), "{program}");
    }
}

#[test]
fn directories_of_temporary_files_and_caches_are_made_for_the_user() {
    if !geteuid().is_root() || !Path::new(NGINX).exists() {
        eprintln!("not tried: this needs root and Debian's nginx");
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw();
    for program in [NGINX, PROGRAM] {
        let server = Rooted::start_with(
            program,
            &format!(
                "client_body_temp_path bodies; proxy_temp_path responses 1 2; proxy_cache_path cache keys_zone=kept:1m; \
             server {{ listen 127.0.0.1:{}; location /other {{ proxy_pass http://127.0.0.1:1; proxy_temp_path others; }} }}",
                free_port()
            ),
        );
        for name in ["bodies", "responses", "cache", "others"] {
            let found = fs::metadata(server.prefix.path().join(name));
            let found = found.unwrap_or_else(|error| panic!("{program} has not made {name}: {error}"));
            assert_eq!((found.uid(), found.mode() & 0o777), (nobody, 0o700), "{program} {name}");
        }
    }
}
