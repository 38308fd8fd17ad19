//! The command line: which servers, which cases, how long, how often.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::protocol::Protocol;
use crate::role::Cores;

pub const HELP: &str = "\
usage: cargo bench --bench fanout -- [options]

  --server PATH      pingosd binary to measure (default: the one built beside this bench)
  --nginx            also measure nginx with its RTMP module (RTMP cases only)
  --nginx-bin PATH   which nginx (default: nginx from PATH)
  --server-cmd CMD   also measure any other server; {rtmp}, {http} and {dir} in CMD become ports and a scratch folder
  --floor-only       measure the floor alone
  --cases LIST       comma-separated, of:
                       rtmp:N:RATE   one stream, N RTMP players
                       flv:N:RATE    one stream, N HTTP-FLV players
                       ts:N:RATE     one stream, N HTTP-TS players
                       rtmps:N:RATE, flvs:N:RATE  the same over TLS, beside a floor that encrypts what it sends
                       outputs:N:RATE  as flv:N:RATE, and once more beside HTTP-TS, HLS, HLS from memory, DASH and a recording
                       hlsplus:N:RATE  one stream, N players of HLS+ (hls2_live), each with its session; then as many of the same
                                     stream's files (hls) from a location of the same server
                       many:N:RATE   N streams, one RTMP player each
                       stalled:N:S:RATE  as rtmp:N:RATE, but S of the players read nothing once they play
                       join:N:RATE   while N RTMP players play: how long a new one takes to its first key frame
                       idle:N        N connections that only connect
                       start:N       N starts, from exec to listening
                     RATE is in bit/s: 500k, 1M, 4M. A case of players may end in a delay (rtmp:500:1M:40ms):
                     pingosd then has that send_delay, and no other server is measured; the floor sends at once
                     (default: rtmp:100:1M,rtmp:500:1M,flv:500:1M,many:200:500k,idle:2000,start:10)
  --bars             every case that has a bar, 5 runs, beside nginx: half an hour
  --seconds S        length of the measured window, 1 to 120 (default 5); that of hlsplus is at least 9.6
  --runs R           runs of each case; medians are shown, with min..max (default 3)
  --workers W        worker_processes of pingosd (default 1)
  --send-delay TIME  write `send_delay TIME;` into pingosd's application
  --app-conf TEXT    write TEXT into the application block of pingosd
  --floor-delay TIME let the floor collect frames this long and send them in one writev (default 0ms)
  --floor-uring      also measure a floor that sends through io_uring
  --back-ends        measure pingosd once with each of its ways to send (`delivery`)
  --pin              server (or floor) on the first core alone, players and publisher on the others
  --media-dir DIR    where the replayed files are kept (made with ffmpeg when missing)
";

/// The cases of the table in README.md.
const BARS: &str = "rtmp:500:1M,rtmp:1000:1M,flv:500:1M,flv:1000:1M,rtmp:500:4M,rtmp:500:1M:40ms,rtmp:500:1M:100ms,\
                    rtmp:500:1M:350ms,rtmp:500:1M:auto,many:200:500k,join:500:1M,stalled:1000:100:1M,ts:500:1M,hlsplus:500:1M";

const DEFAULT_CASES: &str = "rtmp:100:1M,rtmp:500:1M,flv:500:1M,many:200:500k,idle:2000,start:10";

/// Players, publishers and the server's ends share one machine and this process limit.
const MAX_CONNECTIONS: usize = 6_000;

/// Longer windows would meet the servers' own time-outs, see [`crate::server::PING`].
const MAX_SECONDS: u64 = 120;

const MAX_RUNS: usize = 50;

/// A way in which pingosd sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackEnd {
    Writev,
    Uring,
}

impl BackEnd {
    /// Within `events { }`.
    pub fn conf(self) -> &'static str {
        match self {
            BackEnd::Writev => "delivery writev; ",
            BackEnd::Uring => "delivery uring; ",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Case {
    /// `streams` streams, `players` players spread evenly over them.
    Live(Live),
    /// Players of HLS from memory, beside those of the same stream's files.
    HlsPlus(Live),
    /// New players, one after the other, in addition to the playing ones.
    Join(Live),
    /// Connections that do nothing after `connect`.
    Idle { connections: usize },
    /// Starts of the server.
    Start { times: usize },
}

/// Numbers of streams and players.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub protocol: Protocol,
    /// Whether players use TLS.
    pub tls: bool,
    pub streams: usize,
    pub players: usize,
    /// Players that read nothing.
    pub stalled: usize,
    pub bits_per_second: u64,
    /// Whether pingosd is also measured with every other output of the stream.
    pub outputs: bool,
    /// pingosd's `send_delay` in this case.
    pub send_delay: Option<String>,
}

#[derive(Debug)]
pub struct Args {
    pub server: Option<PathBuf>,
    pub nginx: Option<PathBuf>,
    pub server_cmd: Option<String>,
    /// Each case with the words it was asked by, which name its row in the report.
    pub cases: Vec<(String, Case)>,
    pub window: Duration,
    pub runs: usize,
    pub workers: usize,
    pub app_conf: String,
    pub floor_delay: Duration,
    pub floor_uring: bool,
    /// What pingosd sends with, one measurement each; `None` leaves it to pingosd.
    pub back_ends: Vec<Option<BackEnd>>,
    pub pin: bool,
    pub media_dir: PathBuf,
}

impl Args {
    /// `None` when help was asked for.
    pub fn parse(words: &[String]) -> Result<Option<Args>> {
        let mut args = Args {
            server: option_env!("CARGO_BIN_EXE_pingosd").map(PathBuf::from),
            nginx: None,
            server_cmd: None,
            cases: Vec::new(),
            window: Duration::from_secs(5),
            runs: 3,
            workers: 1,
            app_conf: String::new(),
            floor_delay: Duration::ZERO,
            floor_uring: false,
            back_ends: vec![None],
            pin: false,
            media_dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fanout"),
        };
        let mut cases = DEFAULT_CASES.to_owned();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                // Cargo says so to every bench.
                "--bench" => {}
                "--help" | "-h" => return Ok(None),
                "--server" => args.server = Some(PathBuf::from(value()?)),
                "--nginx" => args.nginx = Some(args.nginx.unwrap_or_else(|| PathBuf::from("nginx"))),
                "--nginx-bin" => args.nginx = Some(PathBuf::from(value()?)),
                "--server-cmd" => args.server_cmd = Some(value()?),
                "--floor-only" => args.server = None,
                "--cases" => cases = value()?,
                "--bars" => {
                    cases = BARS.to_owned();
                    args.runs = 5;
                    args.nginx = Some(args.nginx.unwrap_or_else(|| PathBuf::from("nginx")));
                }
                "--seconds" => args.window = Duration::from_secs(in_range(&value()?, 1, MAX_SECONDS)?),
                "--runs" => args.runs = in_range(&value()?, 1, MAX_RUNS as u64)? as usize,
                "--workers" => args.workers = in_range(&value()?, 1, 256)? as usize,
                "--send-delay" => args.app_conf.push_str(&format!("send_delay {}; ", value()?)),
                "--app-conf" => args.app_conf.push_str(&value()?),
                "--floor-delay" => args.floor_delay = millis(&value()?)?,
                "--floor-uring" => args.floor_uring = true,
                "--back-ends" => args.back_ends = vec![Some(BackEnd::Writev), Some(BackEnd::Uring)],
                "--pin" => args.pin = true,
                "--media-dir" => args.media_dir = PathBuf::from(value()?),
                other => return Err(format!("unknown option {other}, see --help").into()),
            }
        }
        for case in cases.split(',').filter(|case| !case.is_empty()) {
            args.cases.push((case.to_owned(), parse_case(case)?));
        }
        Ok(Some(args))
    }
}

impl Args {
    pub fn server_cores(&self) -> Cores {
        if self.pin { Cores::First } else { Cores::Any }
    }

    pub fn client_cores(&self) -> Cores {
        if self.pin { Cores::Others } else { Cores::Any }
    }
}

fn parse_case(text: &str) -> Result<Case> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |part: &str| in_range(part, 1, MAX_CONNECTIONS as u64).map(|n| n as usize);
    let live = |protocol, streams, players: usize, stalled, rate: &str| -> Result<Live> {
        let bits_per_second = bits(rate)?;
        Ok(Live {
            protocol,
            tls: false,
            streams,
            players,
            stalled,
            bits_per_second,
            outputs: false,
            send_delay: None,
        })
    };
    let (parts, send_delay) = match parts.split_last() {
        Some((last, rest)) if last.ends_with("ms") || *last == "auto" => (rest, Some((*last).to_owned())),
        _ => (&parts[..], None),
    };
    let case = match parts {
        [word @ ("rtmp" | "rtmps" | "flv" | "flvs"), players, rate] => {
            let protocol = if word.starts_with("rtmp") { Protocol::Rtmp } else { Protocol::Flv };
            let live = live(protocol, 1, number(players)?, 0, rate)?;
            Case::Live(Live { tls: word.ends_with('s'), ..live })
        }
        ["ts", players, rate] => Case::Live(live(Protocol::Ts, 1, number(players)?, 0, rate)?),
        ["hlsplus", players, rate] => Case::HlsPlus(live(Protocol::Rtmp, 1, number(players)?, 0, rate)?),
        ["outputs", players, rate] => {
            let live = live(Protocol::Flv, 1, number(players)?, 0, rate)?;
            Case::Live(Live { outputs: true, ..live })
        }
        ["many", players, rate] => {
            let players = number(players)?;
            Case::Live(live(Protocol::Rtmp, players, players, 0, rate)?)
        }
        ["stalled", players, stalled, rate] => {
            let (players, stalled) = (number(players)?, number(stalled)?);
            if 2 * stalled > players {
                return Err("at most half of the players may be stalled".into());
            }
            Case::Live(live(Protocol::Rtmp, 1, players, stalled, rate)?)
        }
        ["join", players, rate] => Case::Join(live(Protocol::Rtmp, 1, number(players)?, 0, rate)?),
        ["idle", connections] => Case::Idle { connections: number(connections)? },
        ["start", times] => Case::Start { times: number(times)? },
        _ => return Err(format!("unknown case {text}, see --help").into()),
    };
    match case {
        Case::Live(live) => Ok(Case::Live(Live { send_delay, ..live })),
        Case::Join(live) => Ok(Case::Join(Live { send_delay, ..live })),
        _ if send_delay.is_some() => Err(format!("{text}: a delay is for players").into()),
        case => Ok(case),
    }
}

fn in_range(text: &str, low: u64, high: u64) -> Result<u64> {
    let number: u64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    if (low..=high).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{number} is not between {low} and {high}").into())
    }
}

fn bits(text: &str) -> Result<u64> {
    let (digits, unit) = match text.strip_suffix('M') {
        Some(digits) => (digits, 1_000_000),
        None => (text.strip_suffix('k').ok_or(format!("{text}: a rate ends in k or M"))?, 1_000),
    };
    let rate = in_range(digits, 1, 100_000)? * unit;
    in_range(&rate.to_string(), 200_000, 20_000_000)
}

pub fn millis(text: &str) -> Result<Duration> {
    let digits = text.strip_suffix("ms").ok_or(format!("{text}: a delay ends in ms"))?;
    Ok(Duration::from_millis(in_range(digits, 0, 1_000)?))
}
