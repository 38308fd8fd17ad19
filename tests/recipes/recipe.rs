//! Starting a recipe's server and programs with the test's ports and directories.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::support::Server;
use crate::support::server::{Prefix, free_port};
use crate::support::tool::Background;
use crate::support::wait::until_true;

pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of a recipe.
pub fn file(name: &str) -> String {
    let path = project().join("docs/recipes").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A recipe's configuration, and what replaces its ports and directories.
pub struct Recipe {
    text: String,
    pub prefix: Prefix,
    pub rtmp: u16,
    http: u16,
    replaced: Vec<(String, String)>,
}

impl Recipe {
    /// `file` is RECIPE/FILE.
    pub fn new(name: &str) -> Self {
        Recipe::of_text(file(name))
    }

    pub fn of_text(text: String) -> Self {
        let prefix = Prefix::new();
        let (rtmp, http) = (free_port(), free_port());
        let dir = prefix.path().display().to_string();
        for name in ["cache", "flv", "hls", "keys", "media"] {
            fs::create_dir(prefix.path().join(name)).unwrap();
        }
        let replaced = [
            ("8080", http.to_string()),
            ("/var/log/pingosd", format!("{dir}/logs")),
            ("/run/pingosd", format!("{dir}/logs")),
            ("/var/lib/pingosd", dir.clone()),
            ("/srv/media", format!("{dir}/media")),
        ];
        let replaced = replaced.map(|(from, to)| (from.to_owned(), to)).to_vec();
        Recipe { text, prefix, rtmp, http, replaced }
    }

    /// Replaces a text of the file.
    pub fn with(mut self, from: &str, to: impl ToString) -> Self {
        assert!(self.text.contains(from), "the recipe has {from}");
        self.replaced.push((from.to_owned(), to.to_string()));
        self
    }

    pub fn start(self) -> Server {
        let rtmp = self.rtmp;
        self.start_on("1935", rtmp)
    }

    /// As [`Recipe::start`]; the RTMP port of the file is `port`.
    pub fn start_on(self, port: &str, rtmp: u16) -> Server {
        self.with(port, rtmp).launch(rtmp)
    }

    /// Starts a server whose RTMP port, if it has one, has been replaced.
    pub fn launch(self, rtmp: u16) -> Server {
        let recipe = self;
        let mut text = String::new();
        // Started as root, the server would otherwise switch to a user without access to the test's files.
        for (begin, line) in [
            ("user ", "user root;"),
            ("daemon ", "daemon off;"),
            ("pid ", "pid logs/pingosd.pid;"),
            ("error_log /", "error_log logs/error.log info;"),
        ] {
            let is_there = recipe.text.lines().any(|own| own.starts_with(begin));
            if !is_there && (begin != "user " || nix::unistd::geteuid().is_root()) {
                text += line;
                text.push('\n');
            }
        }
        text += &replace(&recipe.text, &recipe.replaced);
        Server::start_text(recipe.prefix, rtmp, recipe.http, &text)
    }
}

/// Replaces texts in one pass, so that what was put in is not replaced again.
pub fn replace(text: &str, by: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let found = by.iter().find(|(from, _)| rest.starts_with(from.as_str()));
        match found {
            Some((from, to)) => {
                out += to;
                rest = &rest[from.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// Writes a recipe's program with ports replaced.
pub fn program(prefix: &Prefix, name: &str, by: &[(&str, String)]) -> String {
    let by: Vec<_> = by.iter().map(|(from, to)| ((*from).to_owned(), to.clone())).collect();
    let path = prefix.write(&name.replace('/', "-"), replace(&file(name), &by));
    path.display().to_string()
}

/// Starts a program, and waits until it listens on `port`.
pub fn serve(command: &str, args: &[&str], port: u16) -> Background {
    let background = Background::start(command, args);
    until_true("the program listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    background
}

/// Whether a program is there; otherwise a line says that a check is left out.
pub fn is_installed(name: &str, args: &[&str]) -> bool {
    let found = Command::new(name).args(args).output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("left out: {name} is missing");
    }
    found
}

/// Path and query of a URL of this host.
pub fn target(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    &rest[rest.find('/').expect("a path")..]
}
