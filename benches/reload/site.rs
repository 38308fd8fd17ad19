//! A server with the configuration of the `conf` measurement, one live stream, and its reload.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::Result;
use crate::args::Args;
use crate::client;
use crate::conf::{self, Dialect, Ports, Shape};
use crate::media::{self, Media};
use crate::role::{Cores, Role};
use crate::running::{Scratch, Server};
use crate::session::APP;

/// Of the published stream.
const BITS_PER_SECOND: u64 = 1_000_000;

/// Between two looks at whether a reload shows: each look costs the server a connection.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A reload that does not show after so long never will.
const PATIENCE: Duration = Duration::from_secs(30);

const ANSWER: Duration = Duration::from_secs(10);
const JOINING: Duration = Duration::from_secs(60);

/// From the publisher's start until players come: longer than a GOP.
const PUBLISHING: Duration = Duration::from_secs(2);

/// From the last player's join until anything is measured.
const SETTLING: Duration = Duration::from_millis(1500);

/// Discarding players answer no ping requests, so none may fall due while they are measured.
const PING: &str = "10m";

#[derive(Clone, Debug)]
pub enum Target {
    Pingosd(PathBuf),
    /// Debian's nginx with libnginx-mod-rtmp.
    Nginx(PathBuf),
}

impl Target {
    pub fn name(&self) -> &'static str {
        match self {
            Target::Pingosd(_) => "pingosd",
            Target::Nginx(_) => "nginx-rtmp",
        }
    }
}

/// The server, its publisher and its players.
pub struct Site {
    target: Target,
    shape: Shape,
    ports: Ports,
    conf: PathBuf,
    reloads: usize,
    // Ended in this order.
    pub players: Role,
    _publisher: Role,
    pub server: Server,
}

impl Site {
    /// Starts everything and waits until the players play.
    pub fn open(target: &Target, applications: usize, players: usize, args: &Args) -> Result<Site> {
        let scratch = Scratch::new("reload")?;
        let ports = Ports::free();
        let conf = scratch.path().join("server.conf");
        let locations = applications * conf::LOCATIONS / conf::APPLICATIONS;
        // Players, publisher, guests and newcomers; nginx counts its listening sockets too.
        let connections = players + 128;
        let shape = Shape { applications, locations, connections, master: true, server: String::new() };
        write(&conf, target, &shape, &ports, 0)?;
        let prefix = format!("{}/", scratch.path().display());
        let program = match target {
            Target::Pingosd(program) => program
                .canonicalize()
                .map_err(|error| format!("{}: {error}", program.display()))?
                .display()
                .to_string(),
            Target::Nginx(program) => program.display().to_string(),
        };
        let command = [program, "-p".into(), prefix, "-c".into(), conf.display().to_string()];
        let server = Server::start(scratch, &command, (ports.rtmp, ports.http), Cores::Any, true)?;
        let path = media::file(&args.media_dir, BITS_PER_SECOND)?;
        let rate = Media::read(&path)?.bytes_per_second();
        let (publisher, crowd) =
            crowd(ports.rtmp, &path, rate, players).map_err(|error| server.explain(&error))?;
        Ok(Site {
            target: target.clone(),
            shape,
            ports,
            conf,
            reloads: 0,
            players: crowd,
            _publisher: publisher,
            server,
        })
    }

    pub fn port(&self) -> u16 {
        self.ports.rtmp
    }

    /// Prefix and configuration, as commands to the server name them.
    pub fn place(&self) -> (&Path, &Path) {
        (self.conf.parent().unwrap_or(Path::new("/")), &self.conf)
    }

    /// The application that came with the last reload.
    pub fn newest(&self) -> String {
        newest(self.reloads)
    }

    /// Edits the configuration and gives the signal. Returns how long it took until a player of the application that
    /// is new in it was accepted.
    pub fn reload(&mut self) -> Result<Duration> {
        self.reloads += 1;
        write(&self.conf, &self.target, &self.shape, &self.ports, self.reloads)?;
        let app = self.newest();
        let began = Instant::now();
        kill(self.server.pid(), Signal::SIGHUP)?;
        while began.elapsed() < PATIENCE {
            if client::is_served(self.port(), &app)? {
                return Ok(began.elapsed());
            }
            sleep(LOOK_EVERY);
        }
        Err(self.server.explain(&format!("reload {} never shows", self.reloads)).into())
    }
}

fn newest(reloads: usize) -> String {
    format!("new{reloads}")
}

/// A publisher, and players that have all got a picture.
fn crowd(port: u16, media: &Path, rate: f64, players: usize) -> Result<(Role, Role)> {
    let options =
        [("port", port.to_string()), ("streams", "1".into()), ("media", media.display().to_string())];
    let mut publisher = Role::start("publisher", Cores::Any, &options)?;
    publisher.answer("publishing", ANSWER)?;
    sleep(PUBLISHING);
    let options = [
        ("protocol", "rtmp".into()),
        ("tls", "0".into()),
        ("goal", "play".into()),
        ("port", port.to_string()),
        ("streams", "1".into()),
        ("players", players.to_string()),
        ("stalled", "0".into()),
        ("rate", rate.to_string()),
    ];
    let mut crowd = Role::start("players", Cores::Any, &options)?;
    crowd.answer("ready", JOINING)?;
    sleep(SETTLING);
    Ok((publisher, crowd))
}

/// Writes the configuration beside its place and renames it, as careful editors do.
///
/// Each one differs from the one before in a *live* directive of the application that is playing, and in an
/// application that is gone and one that is new.
fn write(path: &Path, target: &Target, shape: &Shape, ports: &Ports, reloads: usize) -> Result<()> {
    let (dialect, log) = match target {
        Target::Pingosd(_) => (Dialect::Pingos, ""),
        Target::Nginx(_) => (Dialect::NginxRtmp, "access_log off; "),
    };
    let (new, address) = (newest(reloads), reloads % 250 + 1);
    let server = format!(
        "        ping {PING}; {log}\n        application {APP} {{ live on; deny play 10.0.0.{address}; }}\n        \
         application {new} {{ live on; }}\n\n"
    );
    let text = conf::text(dialect, ports, &Shape { server, ..*shape });
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, path)?;
    Ok(())
}
