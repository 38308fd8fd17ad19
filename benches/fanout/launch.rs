//! The role `launch`: notes the time and becomes the server under test.
//!
//! The kernel is asked to end the server when the measuring process dies, which a server cannot be expected to ask
//! for itself; the request survives `exec`. TERM rather than KILL, so that a server with child processes ends them.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::Result;
use crate::stamp;

/// `words`: the file for the time, then the server's command line.
pub fn run(words: &[String]) -> Result<()> {
    let [note, program, arguments @ ..] = words else {
        return Err("launch needs a file and a command".into());
    };
    set_pdeathsig(Signal::SIGTERM)?;
    std::fs::write(note, stamp::now_ns().to_string())?;
    Err(format!("{program}: {}", Command::new(program).args(arguments).exec()).into())
}
