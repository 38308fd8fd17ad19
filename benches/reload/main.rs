//! What a reload costs: how soon it counts, what players notice, and what it leaves behind.
//!
//! The program looks from outside only, so pingosd and nginx with its RTMP module are measured alike. The players, the
//! publisher and the launch of servers are those of `fanout`, the configuration is that of `conf`. `benches/README.md`
//! tells the method.
//!
//! - [`timing`]: a live stream with its players, a series of reloads, each timed from the signal until it shows.
//! - [`residue`]: memory, descriptors, threads and tasks over a long series.
//! - [`site`]: a server with the large configuration, and its reload.
//! - [`client`]: what a newcomer meets.

#![forbid(unsafe_code)]

mod args;
mod client;
#[path = "../conf/conf.rs"]
mod conf;
#[path = "../fanout/flv.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod flv;
#[path = "../fanout/launch.rs"]
mod launch;
#[path = "../fanout/media.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod media;
#[path = "../fanout/pacer.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod pacer;
#[path = "../fanout/players.rs"]
mod players;
#[path = "../fanout/process.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod process;
#[path = "../fanout/protocol.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod protocol;
#[path = "../fanout/publisher.rs"]
mod publisher;
mod residue;
#[path = "../fanout/role.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod role;
#[path = "../fanout/rtmp.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod rtmp;
#[path = "../fanout/running.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod running;
#[path = "../fanout/session.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod session;
mod site;
#[path = "../fanout/stamp.rs"]
mod stamp;
mod timing;
#[path = "../fanout/tls.rs"]
#[allow(dead_code, reason = "shared with fanout, which uses all of it")]
mod tls;
#[path = "../fanout/ts.rs"]
mod ts;

use std::process::ExitCode;

use args::Args;

/// Errors end the role or the measurement and are read by a person only.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((first, rest)) if first == "role" => run_role(rest).map(|()| true),
        // `cargo test --all-targets` also runs benches, without a word: measuring then would only take time.
        None => {
            println!("reload: nothing asked; use `cargo bench --bench reload -- --help`");
            Ok(true)
        }
        Some(_) => measure(&words),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("reload: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every bar was met.
fn measure(words: &[String]) -> Result<bool> {
    let Some(args) = Args::parse(words)? else {
        print!("{}", args::HELP);
        return Ok(true);
    };
    role::raise_file_limit()?;
    let mut missed = timing::run(&args)?;
    missed.extend(residue::run(&args)?);
    missed.iter().for_each(|text| println!("missed: {text}"));
    Ok(missed.is_empty())
}

fn run_role(words: &[String]) -> Result<()> {
    let (name, rest) = role::enter(words)?;
    if name == "launch" {
        return launch::run(rest);
    }
    let options = role::Options::parse(rest)?;
    match name {
        "players" => players::run(&options),
        "publisher" => publisher::run(&options),
        other => Err(format!("unknown role {other}").into()),
    }
}
