//! The parts that run in processes of their own, and how the measuring process talks to them.
//!
//! Lines of text: commands on the role's standard input, answers on its standard output. A role ends when its input
//! is closed, so none outlives the measurement, and in any case after [`MAX_LIFE`].

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use crate::Result;

/// Nothing measured takes longer; a role left alone gives up then.
pub const MAX_LIFE: Duration = Duration::from_secs(300);

/// Time for a role to end, which only has sockets to close.
const ENDING: Duration = Duration::from_secs(3);

/// `key=value` words, of a role's command line and of its answers.
#[derive(Debug, Default)]
pub struct Options(HashMap<String, String>);

impl Options {
    pub fn parse(words: &[String]) -> Result<Options> {
        let pair = |word: &String| {
            let (key, value) = word.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        };
        let pairs: Option<HashMap<_, _>> = words.iter().map(pair).collect();
        Ok(Options(pairs.ok_or("options of a role are key=value")?))
    }

    pub fn text(&self, key: &str) -> Result<&str> {
        Ok(self.0.get(key).ok_or(format!("missing {key}="))?)
    }

    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T> {
        let text = self.text(key)?;
        Ok(text.parse().map_err(|_| format!("{key}={text} is no number"))?)
    }
}

/// Which cores a process and what it starts may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    Any,
    First,
    Others,
}

impl Cores {
    fn word(self) -> &'static str {
        match self {
            Cores::Any => "any",
            Cores::First => "first",
            Cores::Others => "others",
        }
    }

    /// Keeps the calling process on the cores that `word` names.
    fn apply(word: &str) -> Result<()> {
        let here = Pid::from_raw(0);
        let allowed = sched_getaffinity(here)?;
        let cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let mut wanted = CpuSet::new();
        for core in
            cores.enumerate().filter(|(index, _)| (*index == 0) == (word == "first")).map(|(_, core)| core)
        {
            wanted.set(core)?;
        }
        match word {
            "any" => Ok(()),
            _ => Ok(sched_setaffinity(here, &wanted).map_err(|error| format!("pinning: {error}"))?),
        }
    }
}

/// A command that runs this program in a role, on some of the cores.
pub fn command(name: &str, cores: Cores) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["role", name, cores.word()]);
    Ok(command)
}

/// Takes the words that [`command`] put in front of a role's own.
pub fn enter(words: &[String]) -> Result<(&str, &[String])> {
    let [name, cores, rest @ ..] = words else {
        return Err("a role has a name and cores".into());
    };
    Cores::apply(cores)?;
    Ok((name, rest))
}

/// A running role, seen from the measuring process.
pub struct Role {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Role {
    pub fn start(name: &'static str, cores: Cores, options: &[(&str, String)]) -> Result<Role> {
        let mut command = command(name, cores)?;
        command.args(options.iter().map(|(key, value)| format!("{key}={value}")));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("it was asked for");
        let (sender, answers) = channel();
        // Ends with the role, whose end closes the pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Ok(Role { name, child, input, answers })
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Waits for an answer that begins with `word`, and gives its options.
    pub fn answer(&mut self, word: &str, limit: Duration) -> Result<Options> {
        let line = self.answers.recv_timeout(limit).map_err(|_| format!("no {word} from {}", self.name))?;
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match words.split_first() {
            Some((first, rest)) if first == word => Options::parse(rest),
            _ => Err(format!("{}: {line}", self.name).into()),
        }
    }

    pub fn ask(&mut self, command: &str, answer: &str, limit: Duration) -> Result<Options> {
        let input = self.input.as_mut().expect("taken only when dropped");
        // In one write, for the role takes one read as one command.
        input.write_all(format!("{command}\n").as_bytes())?;
        self.answer(answer, limit)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        drop(self.input.take());
        let limit = Instant::now() + ENDING;
        while Instant::now() < limit {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Nothing more can be done about a process that cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands on a role's input, which epoll found readable. `None` at its end.
pub fn read_command() -> Result<Option<String>> {
    let mut bytes = [0; 256];
    let size = std::io::stdin().lock().read(&mut bytes)?;
    if size == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&bytes[..size]).trim().to_owned()))
}

/// Answers from inside a role.
pub fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()?;
    Ok(())
}

/// Thousands of sockets need more than the usual soft limit; children inherit it.
pub fn raise_file_limit() -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
