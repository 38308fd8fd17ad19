//! Runs the cases: starts the roles, and reads the figures of each process.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::Result;
use crate::args::{self, Args, Case};
use crate::hls_case;
use crate::media::{self, Media};
use crate::process;
use crate::protocol::Protocol;
use crate::report::{Idle, Join, Live, Report};
use crate::role::{self, Options, Role};
use crate::running::Server;
use crate::server::{self, Target};
use crate::session::{TS, stream_name};
use crate::tls::Certificate;

/// From the publisher's start until memory is read: longer than a GOP, so that a server's cache is full.
pub const PUBLISHING: Duration = Duration::from_secs(2);

/// From the last player's join until the window: what a join costs is over.
pub const SETTLING: Duration = Duration::from_millis(1500);

pub const ANSWER: Duration = Duration::from_secs(10);
pub const JOINING: Duration = Duration::from_secs(60);

/// Ports, logs and standard streams of one process, on top of its connections.
const SPARE_FILES: u64 = 64;

pub fn run(args: &Args) -> Result<()> {
    let files = role::raise_file_limit()?;
    let targets = Target::all(args);
    let certificate = Certificate::write(&args.media_dir)?;
    let mut report = Report::new(args, &targets);
    for (words, case) in &args.cases {
        if files < 2 * case.connections() + SPARE_FILES {
            return Err(format!("{words}: at most {files} files may be open here").into());
        }
        for run in 1..=args.runs {
            eprintln!("fanout: {words}, run {run} of {}", args.runs);
            run_case(args, &targets, &certificate, (words, case), run, &mut report)?;
        }
    }
    report.print();
    Ok(())
}

impl Case {
    fn connections(&self) -> u64 {
        match self {
            Case::Live(live) | Case::Join(live) | Case::HlsPlus(live) => (live.streams + live.players) as u64,
            Case::Idle { connections } => *connections as u64,
            Case::Start { .. } => 1,
        }
    }
}

fn run_case(
    args: &Args,
    targets: &[Target],
    certificate: &Certificate,
    (words, case): (&str, &Case),
    run: usize,
    report: &mut Report,
) -> Result<()> {
    match case {
        Case::Live(live) => {
            let path = media::file(&args.media_dir, live.bits_per_second)?;
            let media = Media::read(&path)?;
            let crowd = Crowd { live, certificate, path: &path, media: &media };
            let mut subjects = crowd.subjects(args, targets);
            // On a machine that becomes slower during the run, a fixed order would favour the first target.
            if run.is_multiple_of(2) {
                subjects.reverse();
            }
            for subject in subjects {
                let measured = match &subject {
                    Subject::Floor(floor) => crowd.on_floor(args, floor)?,
                    Subject::Server(target) => crowd.on_server(target, args, false)?,
                    Subject::Outputs(target) => crowd.on_server(target, args, true)?,
                };
                report.add_live(words, &subject.name(), measured);
            }
        }
        Case::HlsPlus(live) => {
            let path = media::file(&args.media_dir, live.bits_per_second)?;
            let media = Media::read(&path)?;
            let crowd = Crowd { live, certificate, path: &path, media: &media };
            for target in targets.iter().filter(|target| target.is_pingosd()) {
                for (way, measured) in hls_case::run(&crowd, target, args, run.is_multiple_of(2))? {
                    report.add_hls(words, target.name(), way.name(), measured);
                }
            }
        }
        Case::Join(live) => {
            let path = media::file(&args.media_dir, live.bits_per_second)?;
            let media = Media::read(&path)?;
            let crowd = Crowd { live, certificate, path: &path, media: &media };
            for target in targets.iter().filter(|target| target.caches()) {
                report.add_join(words, target.name(), crowd.join(target, args)?);
            }
        }
        Case::Idle { connections } => {
            for target in targets {
                report.add_idle(words, target.name(), idle(target, args, certificate, *connections)?);
            }
        }
        Case::Start { times } => {
            for target in targets {
                for _ in 0..*times {
                    let server = server::start(target, args, &args.app_conf, None)?;
                    report.add_start(words, target.name(), server.start_time.as_secs_f64() * 1000.0);
                }
            }
        }
    }
    Ok(())
}

/// Server under test in a live case.
enum Subject<'t> {
    Floor(Floor),
    Server(&'t Target),
    /// With every other output of the stream.
    Outputs(&'t Target),
}

/// A bare loop.
struct Floor {
    delay: Duration,
    uring: bool,
    /// Beside that of `--floor-delay`, with the delay of the case.
    delayed: bool,
}

impl Subject<'_> {
    fn name(&self) -> String {
        match self {
            Subject::Floor(floor) => {
                let delay = if floor.delayed { ", same delay" } else { "" };
                format!("floor{delay}{}", if floor.uring { ", uring" } else { "" })
            }
            Subject::Server(target) => target.name().to_owned(),
            Subject::Outputs(target) => format!("{}, all outputs", target.name()),
        }
    }
}

/// The players and streams of one live case.
pub struct Crowd<'a> {
    pub live: &'a args::Live,
    certificate: &'a Certificate,
    path: &'a Path,
    media: &'a Media,
}

impl Crowd<'_> {
    fn is_for(&self, target: &Target) -> bool {
        let live = self.live;
        let ours = live.protocol == Protocol::Ts || live.send_delay.is_some() || live.tls;
        target.is_pingosd() || !ours && (live.protocol == Protocol::Rtmp || target.speaks_flv())
    }

    fn subjects<'t>(&self, args: &Args, targets: &'t [Target]) -> Vec<Subject<'t>> {
        let same = self.live.send_delay.as_deref().and_then(|delay| args::millis(delay).ok());
        let delays = [Some((args.floor_delay, false)), same.map(|delay| (delay, true))];
        let floors = delays.into_iter().flatten().flat_map(|(delay, delayed)| {
            let backs: &[bool] = if args.floor_uring && !self.live.tls { &[false, true] } else { &[false] };
            backs.iter().map(move |&uring| Subject::Floor(Floor { delay, uring, delayed }))
        });
        let servers = targets.iter().filter(|target| self.is_for(target)).map(Subject::Server);
        let full = targets.iter().filter(|target| self.live.outputs && target.is_pingosd());
        floors.chain(servers).chain(full.map(Subject::Outputs)).collect()
    }

    /// pingosd's configuration of the application in this case.
    fn app_conf(&self, args: &Args) -> String {
        let delay = self.live.send_delay.as_ref().map(|delay| format!("send_delay {delay}; "));
        args.app_conf.clone() + &delay.unwrap_or_default()
    }

    fn on_floor(&self, args: &Args, how: &Floor) -> Result<Live> {
        let mut floor = Role::start(
            "floor",
            args.server_cores(),
            &[
                ("protocol", self.live.protocol.word().to_owned()),
                ("tls", u8::from(self.live.tls).to_string()),
                ("certificate", self.certificate.certificate.display().to_string()),
                ("key", self.certificate.key.display().to_string()),
                ("streams", self.live.streams.to_string()),
                ("uring", u8::from(how.uring).to_string()),
                ("delay_ms", how.delay.as_millis().to_string()),
                ("media", self.path.display().to_string()),
            ],
        )?;
        let port = floor.answer("listening", ANSWER)?.number("port")?;
        self.measure(port, &[floor.pid()], args)
    }

    fn on_server(&self, target: &Target, args: &Args, outputs: bool) -> Result<Live> {
        let mut conf = self.app_conf(args);
        if outputs {
            conf.push_str(server::OUTPUTS);
        }
        let server = server::start(target, args, &conf, self.live.tls.then_some(self.certificate))?;
        let measured = self.publish_and_measure(&server, args, outputs);
        measured.map_err(|error| format!("{}: {}", target.name(), server.explain(&error)).into())
    }

    /// New players, one at a time for the length of a window, while the others play.
    fn join(&self, target: &Target, args: &Args) -> Result<Join> {
        let conf = format!("{}cache_time 1s; ", self.app_conf(args));
        let server = server::start(target, args, &conf, None)?;
        let _publisher = self.publish(&server, args)?;
        let mut players = self.start_players("play", server.rtmp_port, args)?;
        players.answer("ready", JOINING)?;
        sleep(SETTLING);
        let options =
            [("port", server.rtmp_port.to_string()), ("millis", args.window.as_millis().to_string())];
        let mut joiner = Role::start("joiner", args.client_cores(), &options)?;
        let result = joiner.answer("result", args.window + JOINING)?;
        let ms = |key: &str| result.number::<f64>(key).map(|us| us / 1000.0);
        Ok(Join {
            joins: result.number("joins")?,
            connect_p50_ms: ms("connect_p50_us")?,
            connect_p99_ms: ms("connect_p99_us")?,
            play_p50_ms: ms("play_p50_us")?,
            play_p99_ms: ms("play_p99_us")?,
        })
    }

    pub fn publish(&self, server: &Server, args: &Args) -> Result<Role> {
        let mut publisher = Role::start(
            "publisher",
            args.client_cores(),
            &[
                ("port", server.rtmp_port.to_string()),
                ("streams", self.live.streams.to_string()),
                ("media", self.path.display().to_string()),
            ],
        )?;
        publisher.answer("publishing", ANSWER)?;
        sleep(PUBLISHING);
        Ok(publisher)
    }

    fn publish_and_measure(&self, server: &Server, args: &Args, outputs: bool) -> Result<Live> {
        let _publisher = self.publish(server, args)?;
        let _ts_player = outputs.then(|| TsPlayer::start(server.http_port)).transpose()?;
        let port = match (self.live.protocol, server.rtmps_port) {
            (Protocol::Rtmp, Some(rtmps)) => rtmps,
            (Protocol::Rtmp, None) => server.rtmp_port,
            (Protocol::Flv | Protocol::Ts, _) => server.http_port,
        };
        self.measure(port, &server.tree()?, args)
    }

    fn measure(&self, port: u16, server: &[Pid], args: &Args) -> Result<Live> {
        let resident_before = process::resident_kib(server)?;
        let mut players = self.start_players("play", port, args)?;
        players.answer("ready", JOINING)?;
        sleep(SETTLING);
        players.ask("begin", "begun", ANSWER)?;
        let player = [players.pid()];
        let ours = process::tree(Pid::this())?;
        let (machine_before, ours_before) = (process::machine_cpu()?, process::cpu(&ours)?);
        let (server_before, players_before) = (process::cpu(server)?, process::cpu(&player)?);
        let began = Instant::now();
        sleep(args.window);
        let server_cpu = process::cpu(server)? - server_before;
        let players_cpu = process::cpu(&player)? - players_before;
        let elapsed = began.elapsed();
        let others =
            (process::machine_cpu()? - machine_before).saturating_sub(process::cpu(&ours)? - ours_before);
        let result = players.ask("end", "result", ANSWER)?;
        let resident = process::resident_kib(server)?;
        let grown = resident as f64 - resident_before as f64;
        let kib_per_player = grown / self.live.players as f64;
        self.live(&result, Cost { server: server_cpu, players: players_cpu, others, elapsed, kib_per_player })
    }

    fn start_players(&self, goal: &str, port: u16, args: &Args) -> Result<Role> {
        Role::start(
            "players",
            args.client_cores(),
            &[
                ("protocol", self.live.protocol.word().to_owned()),
                ("tls", u8::from(self.live.tls).to_string()),
                ("certificate", self.certificate.certificate.display().to_string()),
                ("goal", goal.to_owned()),
                ("port", port.to_string()),
                ("streams", self.live.streams.to_string()),
                ("players", self.live.players.to_string()),
                ("stalled", self.live.stalled.to_string()),
                ("rate", self.media.bytes_per_second().to_string()),
            ],
        )
    }

    fn live(&self, result: &Options, cost: Cost) -> Result<Live> {
        let gigabytes = result.number::<f64>("bytes")? / 1e9;
        let sampled: f64 = result.number("sampled")?;
        let samples: f64 = result.number("samples")?;
        let expected = self.media.pictures_per_second() * result.number::<f64>("seconds")? * sampled;
        if gigabytes <= 0.0 {
            return Err("nothing was delivered".into());
        }
        Ok(Live {
            server_per_gb: cost.server.as_secs_f64() / gigabytes,
            players_per_gb: cost.players.as_secs_f64() / gigabytes,
            server_percent: cost.percent(cost.server),
            others_percent: cost.percent(cost.others),
            p50_ms: result.number::<f64>("p50_us")? / 1000.0,
            p99_ms: result.number::<f64>("p99_us")? / 1000.0,
            gaps: result.number("gaps")?,
            short: result.number("short")?,
            closed: result.number("closed")?,
            seen_percent: 100.0 * samples / expected,
            kib_per_player: cost.kib_per_player,
        })
    }
}

/// What a window took, read from outside the processes.
struct Cost {
    server: Duration,
    players: Duration,
    others: Duration,
    elapsed: Duration,
    kib_per_player: f64,
}

impl Cost {
    /// Of one core.
    fn percent(&self, time: Duration) -> f64 {
        100.0 * time.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

/// A player of MPEG-TS over HTTP that discards what it reads, until it is dropped.
struct TsPlayer(TcpStream);

impl TsPlayer {
    fn start(port: u16) -> Result<TsPlayer> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(stream, "GET /{TS}/{} HTTP/1.0\r\n\r\n", stream_name(0))?;
        let mut reading = stream.try_clone()?;
        std::thread::spawn(move || std::io::copy(&mut reading, &mut std::io::sink()));
        Ok(TsPlayer(stream))
    }
}

impl Drop for TsPlayer {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

fn idle(target: &Target, args: &Args, certificate: &Certificate, connections: usize) -> Result<Idle> {
    let server = server::start(target, args, &args.app_conf, None)?;
    sleep(SETTLING);
    let tree = server.tree()?;
    let resident_before = process::resident_kib(&tree)?;
    let nothing = Media { heads: Vec::new(), body: Vec::new(), body_size: 0 };
    let live = args::Live {
        protocol: Protocol::Rtmp,
        tls: false,
        streams: 1,
        players: connections,
        stalled: 0,
        bits_per_second: 0,
        send_delay: None,
        outputs: false,
    };
    let crowd = Crowd { live: &live, certificate, path: Path::new(""), media: &nothing };
    let mut players = crowd.start_players("idle", server.rtmp_port, args)?;
    players.answer("ready", JOINING).map_err(|error| server.explain(&error))?;
    sleep(SETTLING);
    players.ask("begin", "begun", ANSWER)?;
    let before = process::cpu(&tree)?;
    let began = Instant::now();
    sleep(args.window);
    let cpu = process::cpu(&tree)? - before;
    let elapsed = began.elapsed();
    let grown = process::resident_kib(&tree)? as f64 - resident_before as f64;
    let result = players.ask("end", "result", ANSWER)?;
    Ok(Idle {
        server_percent: 100.0 * cpu.as_secs_f64() / elapsed.as_secs_f64(),
        kib_per_connection: grown / connections as f64,
        closed: result.number("closed")?,
    })
}
