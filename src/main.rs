//! The program: parses the command line and runs the command.

mod allocator;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use pingosd::cli::command::{self, Streams, Task};
use pingosd::cli::{self, Command, Signal};
use pingosd::config::{Config, LoadOptions, load};
use pingosd::log::{FileError, os_text};
use pingosd::modules::LANGUAGE;
use pingosd::server::control::socket;
use pingosd::server::pid_file::PidFile;
use pingosd::server::{self, helper, process};

fn main() -> ExitCode {
    // Processes that a server starts for itself.
    match std::env::args_os().nth(1) {
        Some(word) if word == helper::HELPER => return helper::run(),
        Some(word) if word == helper::READER => return helper::read_configuration(&LANGUAGE),
        _ => {}
    }
    match run() {
        Ok(code) => code,
        // The program that reads the output has closed it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("nginx: [emerg] {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let command = match Command::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            writeln!(err, "nginx: {error}")?;
            cli::hints::of_command_line(&error, &mut err)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    match command {
        Command::Directives(name) => cli::directives(name.as_deref(), &mut out, &mut err),
        Command::Help { to_output } => {
            let to: &mut dyn Write = if to_output { &mut out } else { &mut err };
            write!(to, "{}{}", cli::version::line(), cli::help::text())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::HelpOf(entry) => {
            out.write_all(entry.help().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(options) => serve(options, &mut err),
        Command::Signal(Signal::Reload { wait: true }, options) if reachable(&options) => {
            let load = options;
            let task = Task { name: command::Name::Reload, words: Vec::new(), load };
            let (input, style) = (&mut io::stdin(), cli::style());
            task.run(&mut Streams { input, out: &mut out, err: &mut err, style })
        }
        Command::Signal(signal, options) => tell(signal, &options, &mut err),
        Command::Test(test) => {
            let code = test.run(cli::style(), &mut out, &mut err)?;
            Ok(code)
        }
        Command::Version { to_output } => {
            let to: &mut dyn Write = if to_output { &mut out } else { &mut err };
            write!(to, "{}", cli::version::line())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::VersionVerbose => {
            write!(err, "{}", cli::version::details(&LANGUAGE, load::DEFAULT_PREFIX))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Word(task) => {
            let (input, style) = (&mut io::stdin(), cli::style());
            task.run(&mut Streams { input, out: &mut out, err: &mut err, style })
        }
    }
}

/// Loads the configuration and runs the server until a signal ends it.
fn serve(options: LoadOptions, err: &mut dyn Write) -> io::Result<ExitCode> {
    let Some(config) = load_or_say_why(&options, err)? else { return Ok(ExitCode::FAILURE) };
    err.write_all(&config.render_warnings(cli::style()))?;
    let embedded = options.conf_file.is_none();
    let daemon = config.get::<server::core::conf::Conf>().daemon;
    let prepared = match server::prepare(config, options) {
        Ok(prepared) => prepared,
        Err(error) => {
            writeln!(err, "nginx: [emerg] {error}")?;
            cli::hints::of_start(&error, err)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    if embedded {
        write!(err, "{}", welcome())?;
    }
    // A process that replaces a running one has no terminal, and the running one waits for its end.
    if daemon && !prepared.replaces() && !process::is_supervised() {
        process::daemonize()?;
    }
    allocator::start_thread();
    match prepared.run() {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            writeln!(err, "nginx: [emerg] {error}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn load_or_say_why(options: &LoadOptions, err: &mut dyn Write) -> io::Result<Option<Config>> {
    match load(options) {
        Ok(config) => Ok(Some(config)),
        Err(report) => {
            err.write_all(&report.render(cli::style()))?;
            cli::hints::of_missing_file(options, err)?;
            Ok(None)
        }
    }
}

/// First steps, printed by a server with the embedded configuration.
fn welcome() -> &'static str {
    "pingosd runs on its built-in configuration: RTMP on port 1935, HTTP on port 8080.

  publish   ffmpeg -re -i FILE -c copy -f flv rtmp://localhost/live/demo
            (OBS: server rtmp://localhost/live, stream key demo)
  watch     ffplay rtmp://localhost/live/demo
            ffplay http://localhost:8080/live/demo.flv
            ffplay http://localhost:8080/hls/demo.m3u8
            or http://localhost:8080/ in a browser: streams, clients and a player
  status    curl http://localhost:8080/stat

Stop it with Ctrl-C. Give it a configuration of yours with -c FILE.
"
}

/// Whether a server answers on its control socket, so that no signal is needed.
fn reachable(options: &LoadOptions) -> bool {
    socket::find_alive(options.control_paths()).is_some()
}

/// `-s`: finds the running server by its pid file and sends a signal.
fn tell(signal: Signal, options: &LoadOptions, err: &mut dyn Write) -> io::Result<ExitCode> {
    let Some(config) = load_or_say_why(options, err)? else { return Ok(ExitCode::FAILURE) };
    let Some(path) = config.pid_path() else {
        writeln!(err, "nginx: [error] the built-in configuration has no pid file")?;
        cli::hints::of_no_pid_file(err)?;
        return Ok(ExitCode::FAILURE);
    };
    match send(signal, &path) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            writeln!(err, "nginx: [error] {error}")?;
            match error {
                SignalError::PidFile(FileError { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    cli::hints::of_signal(&path, false, err)?;
                }
                SignalError::Kill { source: Errno::ESRCH, .. } | SignalError::Stranger { .. } => {
                    cli::hints::of_signal(&path, true, err)?;
                }
                SignalError::Kill { source: Errno::EPERM, .. } => cli::hints::of_foreign_server(err)?,
                SignalError::PidFile(_) | SignalError::Kill { .. } => {}
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Reason why a server cannot be signalled. The text is nginx's message.
#[derive(Debug, thiserror::Error)]
enum SignalError {
    /// The pid file contains no process id.
    #[error(transparent)]
    PidFile(#[from] FileError),
    /// The process id belongs to another program by now.
    #[error("\"{}\" names process {pid} ({name}), which is no server and gets no signal", .path.display())]
    Stranger { path: PathBuf, pid: i32, name: String },
    /// A system call failed.
    #[error("kill({pid}, {number}) failed ({})", os_text(&io::Error::from(*.source)))]
    Kill { pid: i32, number: i32, source: Errno },
}

fn send(signal: Signal, pid_file: &Path) -> Result<(), SignalError> {
    use nix::sys::signal::Signal as Sys;
    let pid = PidFile::read(pid_file).map_err(FileError::of("open", pid_file))?;
    if let Some(name) = PidFile::stranger(pid_file, pid) {
        return Err(SignalError::Stranger { path: pid_file.to_owned(), pid, name });
    }
    let number = match signal {
        Signal::Quit => Sys::SIGQUIT,
        Signal::Reload { .. } => Sys::SIGHUP,
        Signal::Reopen => Sys::SIGUSR1,
        Signal::Stop => Sys::SIGTERM,
    };
    kill(Pid::from_raw(pid), number).map_err(|source| SignalError::Kill {
        pid,
        number: number as i32,
        source,
    })
}
