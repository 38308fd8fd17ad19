//! The case `hlsplus`: HLS from memory with a session for each player, beside the same stream as static files.
//!
//! One server makes both, the files through HLS in a directory, so that what it does without players is the same. Its
//! processor time without players is measured first and taken off.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::Result;
use crate::args::Args;
use crate::cases::{ANSWER, Crowd, JOINING, PUBLISHING, SETTLING};
use crate::media;
use crate::process;
use crate::report::Hls;
use crate::role::Role;
use crate::running::Server;
use crate::server::{self, Target};
use crate::session::stream_name;

/// Segments end at the first key frame after a second. The server ends a session without requests after three times the
/// length of a playlist, which is three times that.
const CONF: &str = "hls2 on; hls2_fragment 1s; hls on; hls_path {dir}/hls; hls_fragment 1s; ";

/// Until the sessions of players that are gone have ended.
const SESSIONS_END: Duration = Duration::from_secs(10);

/// How the players get the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Memory,
    Files,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Memory => "HLS+",
            Way::Files => "static files",
        }
    }

    fn path(self) -> String {
        let directory = match self {
            Way::Memory => server::HLS2,
            Way::Files => server::FILES,
        };
        format!("/{directory}/{}.m3u8", stream_name(0))
    }
}

/// Both ways on one server; every other run begins with the files.
pub fn run(crowd: &Crowd<'_>, target: &Target, args: &Args, reverse: bool) -> Result<Vec<(Way, Hls)>> {
    let server = server::start(target, args, &format!("{}{CONF}", args.app_conf), None)?;
    let measured = measure(crowd, &server, args, reverse);
    measured.map_err(|error| format!("{}: {}", target.name(), server.explain(&error)).into())
}

fn measure(crowd: &Crowd<'_>, server: &Server, args: &Args, reverse: bool) -> Result<Vec<(Way, Hls)>> {
    let _publisher = crowd.publish(server, args)?;
    // A first playlist needs three segments.
    sleep(PUBLISHING * 3);
    let tree = server.tree()?;
    let window = window(args);
    let before = process::cpu(&tree)?;
    let began = Instant::now();
    sleep(window);
    let alone = (process::cpu(&tree)? - before).as_secs_f64() / began.elapsed().as_secs_f64();
    let mut ways = [Way::Memory, Way::Files];
    if reverse {
        ways.reverse();
    }
    let mut all = Vec::new();
    for way in ways {
        all.push((way, with_players(crowd, way, server.http_port, &tree, alone, args)?));
        if way == Way::Memory && !reverse {
            sleep(SESSIONS_END);
        }
    }
    Ok(all)
}

/// At least a loop of the media, which has five segments.
fn window(args: &Args) -> Duration {
    args.window.max(Duration::from_millis(u64::from(media::LOOP_MS)))
}

/// `alone` is what the server uses without players, in processors.
fn with_players(
    crowd: &Crowd<'_>,
    way: Way,
    port: u16,
    server: &[Pid],
    alone: f64,
    args: &Args,
) -> Result<Hls> {
    let players = crowd.live.players;
    let resident_before = process::resident_kib(server)?;
    let mut role = Role::start(
        "hls-players",
        args.client_cores(),
        &[
            ("port", port.to_string()),
            ("path", way.path()),
            ("master", u8::from(way == Way::Memory).to_string()),
            ("players", players.to_string()),
            ("segment_seconds", media::GOP_SECONDS.to_string()),
        ],
    )?;
    role.answer("ready", JOINING)?;
    sleep(SETTLING);
    role.ask("begin", "begun", ANSWER)?;
    let ours = process::tree(Pid::this())?;
    let client = [role.pid()];
    let (machine_before, ours_before) = (process::machine_cpu()?, process::cpu(&ours)?);
    let (server_before, client_before) = (process::cpu(server)?, process::cpu(&client)?);
    let began = Instant::now();
    sleep(window(args));
    let server_cpu = (process::cpu(server)? - server_before).as_secs_f64();
    let client_cpu = (process::cpu(&client)? - client_before).as_secs_f64();
    let seconds = began.elapsed().as_secs_f64();
    let others =
        (process::machine_cpu()? - machine_before).saturating_sub(process::cpu(&ours)? - ours_before);
    let result = role.ask("end", "result", ANSWER)?;
    let gigabytes = result.number::<f64>("bytes")? / 1e9;
    let segments: f64 = result.number("segments")?;
    if segments <= 0.0 {
        return Err("no segment was delivered".into());
    }
    Ok(Hls {
        server_per_gb: (server_cpu - alone * seconds) / gigabytes,
        players_per_gb: client_cpu / gigabytes,
        server_percent: 100.0 * server_cpu / seconds,
        alone_percent: 100.0 * alone,
        segments,
        p50_ms: result.number::<f64>("p50_us")? / 1000.0,
        p99_ms: result.number::<f64>("p99_us")? / 1000.0,
        gaps: result.number("gaps")?,
        short: result.number("short")?,
        failed: result.number("failed")?,
        closed: result.number("closed")?,
        kib_per_player: (process::resident_kib(server)? as f64 - resident_before as f64) / players as f64,
        others_percent: 100.0 * others.as_secs_f64() / seconds,
    })
}
