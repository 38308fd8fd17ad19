//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;

pub const HELP: &str = "\
usage: cargo bench --bench reload -- [options]

  --bars             everything that has a bar, beside nginx: three minutes
  --server PATH      pingosd binary to measure (default: the one built beside this bench)
  --nginx            also measure nginx with its RTMP module
  --nginx-bin PATH   which nginx (default: nginx from PATH)
  --players N        players of the one stream while reloads are timed (default 1000)
  --reloads N        reloads that are timed; 0 times none (default 20)
  --pause MS         from one signal to the next at least this long (default 400)
  --seconds S        length of the window without a reload, for comparison (default 8)
  --small N          reloads of a configuration of 20 applications, one after the other (default 1000)
  --large N          reloads of the large configuration, one after the other (default 100)
  --media-dir DIR    where the replayed file is kept (made with ffmpeg when missing)
";

/// Players, publisher and the server's ends share one machine and this process limit.
const MAX_PLAYERS: u64 = 4_000;
const MAX_RELOADS: u64 = 10_000;

pub struct Args {
    pub server: PathBuf,
    pub nginx: Option<PathBuf>,
    pub players: usize,
    pub reloads: usize,
    pub pause: Duration,
    pub window: Duration,
    pub small: usize,
    pub large: usize,
    pub media_dir: PathBuf,
}

impl Args {
    /// `None` when help was asked for.
    pub fn parse(words: &[String]) -> Result<Option<Args>> {
        let mut args = Args {
            server: env!("CARGO_BIN_EXE_pingosd").into(),
            nginx: None,
            players: 1_000,
            reloads: 20,
            pause: Duration::from_millis(400),
            window: Duration::from_secs(8),
            small: 1_000,
            large: 100,
            media_dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fanout"),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                // Cargo says so to every bench.
                "--bench" => {}
                "--help" | "-h" => return Ok(None),
                "--server" => args.server = value()?.into(),
                "--bars" | "--nginx" => args.nginx = Some(args.nginx.unwrap_or_else(|| "nginx".into())),
                "--nginx-bin" => args.nginx = Some(value()?.into()),
                "--players" => args.players = in_range(value()?, 20, MAX_PLAYERS)? as usize,
                "--reloads" => args.reloads = in_range(value()?, 0, MAX_RELOADS)? as usize,
                "--pause" => args.pause = Duration::from_millis(in_range(value()?, 0, 10_000)?),
                "--seconds" => args.window = Duration::from_secs(in_range(value()?, 1, 120)?),
                "--small" => args.small = in_range(value()?, 0, MAX_RELOADS)? as usize,
                "--large" => args.large = in_range(value()?, 0, MAX_RELOADS)? as usize,
                "--media-dir" => args.media_dir = value()?.into(),
                other => return Err(format!("unknown option {other}, see --help").into()),
            }
        }
        Ok(Some(args))
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
