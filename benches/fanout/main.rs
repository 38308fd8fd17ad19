//! What fan-out costs: one publisher, many players, any server binary.
//!
//! The program measures from outside. It starts the server, a publisher and a process full of players, and reads the
//! processor time of each process over a window. Beside every server it measures a *floor* in the same run: a bare
//! loop that `writev`s the same bytes at the same pace, which is what the kernel asks of any server that sends at once.
//! `benches/README.md` tells the method and how to read the table.
//!
//! Each part runs in a process of its own, started by this program from itself (`fanout role …`), so that processor
//! time has one owner:
//!
//! - [`players`]: all players on one thread; some are sampled for latency and gaps, the rest read and discard.
//! - [`publisher`]: replays the media in real time, with a stamp in every video frame.
//! - [`hls_players`]: players of HLS, with playlists and segments.
//! - [`floor`]: the bare loop.
//! - [`joiner`]: new players, one after the other.
//! - [`launch`]: becomes the server under test, after noting the time.

#![forbid(unsafe_code)]

mod args;
mod cases;
mod floor;
mod flv;
mod framer;
mod hls_case;
mod hls_client;
mod hls_players;
mod joiner;
mod launch;
mod media;
mod pacer;
mod players;
mod process;
mod protocol;
mod publisher;
mod report;
mod role;
mod rtmp;
mod running;
mod server;
mod session;
mod stamp;
mod tls;
mod ts;

use std::process::ExitCode;

/// Errors end the role or the measurement and are read by a person only.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((first, rest)) if first == "role" => run_role(rest),
        // `cargo test --all-targets` also runs benches, without a word: measuring then would only take time.
        None => {
            println!("fanout: nothing asked; use `cargo bench --bench fanout -- --help`");
            Ok(())
        }
        Some(_) => measure(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanout: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(words: &[String]) -> Result<()> {
    match args::Args::parse(words)? {
        Some(args) => cases::run(&args),
        None => {
            print!("{}", args::HELP);
            Ok(())
        }
    }
}

fn run_role(words: &[String]) -> Result<()> {
    let (name, rest) = role::enter(words)?;
    if name == "launch" {
        return launch::run(rest);
    }
    let options = role::Options::parse(rest)?;
    match name {
        "players" => players::run(&options),
        "hls-players" => hls_players::run(&options),
        "publisher" => publisher::run(&options),
        "floor" => floor::run(&options),
        "joiner" => joiner::run(&options),
        other => Err(format!("unknown role {other}").into()),
    }
}
