//! The server process: sockets, threads, timers, files, signals.
//!
//! There is one process. The control thread accepts connections, unless all go to one worker, sends callbacks and handles signals;
//! each worker thread runs sessions and one delivery loop ([`crate::media::delivery`]) for its players' sockets.

mod acceptor;
mod console;
pub mod control;
pub mod core;
mod counterpart;
mod error;
pub mod events;
mod generations;
mod group_conf;
pub mod helper;
mod http_modules;
mod inherited;
mod life;
pub mod log;
mod orphans;
mod own_file;
mod parts;
pub mod pid_file;
pub mod process;
mod reload;
pub mod reload_conf;
mod reloads;
mod service;
mod serving;
mod settings;
mod signals;
mod sockets;
mod upgrade;
mod watchdog;
pub mod watching;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Builder;
use tokio::sync::mpsc;

use self::control::socket::{ControlSocket, ControlSocketError};
use self::counterpart::CounterpartService;
pub use self::error::StartError;
use self::generations::{GenerationWriter, StartGeneration};
use self::group_conf::GroupOrders;
use self::helper::{HelperClient, Setup, User};
use self::http_modules::tls_of_http;
use self::inherited::Inherited;
use self::life::Life;
use self::parts::{Foundation, Parts};
use self::pid_file::PidFile;
use self::reloads::{Reloader, Reloads};
use self::service::Service;
use self::serving::RunningServer;
use self::signals::{BlockedSignals, Signals};
use self::upgrade::Launch;
use self::watchdog::Watchdog;
use crate::config::LoadOptions;
use crate::config::model::Config;
use crate::config::store::Store;
use crate::directive::{ListenAddr, ListenOptions};
use crate::http::temp_directory;
use crate::hub::pace::Grid;
use crate::limits;
use crate::log::level::LogLevel;
use crate::log::sink::{OpenedSinks, SinkSpec, Sinks};
use crate::log::{self as error_log, ErrorLog, FlushAtEnd};
use crate::media::relay_conf;
use crate::media::trails::Secrets;
use crate::media::workers::Workers;
use crate::module::acme;
use crate::module::live_record;
use crate::module::multiport;
use crate::module::proxy;
use crate::module::proxy::cache::keeper as cache;
use crate::module::{dash, hls};
use crate::net::dns::Dns;
use crate::net::listener::{self, Bound, Listeners};
use crate::net::speaks::ListenProtocol;
use crate::net::tls::Tls;
use crate::notify::transport::Transport;
use crate::task::loader::Loader;
use crate::task::rights;
use crate::task::user::UserGroup;

/// A server with bound sockets and open logs. No thread runs yet, so the process may still fork.
pub struct Prepared {
    config: Config,
    load: LoadOptions,
    bound: Sockets,
    logs: OpenedSinks,
    log_files: Vec<PathBuf>,
    dns: Dns,
    transport: Transport,
    pid_file: Option<PidFile>,
    control: Option<Result<ControlSocket, ControlSocketError>>,
    inherited: Inherited,
    launch: Launch,
    tls: Tls,
    secrets: Secrets,
    signals: BlockedSignals,
}

/// Binds sockets and opens logs.
///
/// # Errors
///
/// Something that the configuration needs is not available. As in nginx, the reason is in the error log, too.
pub fn prepare(config: Config, load: LoadOptions) -> Result<Prepared, StartError> {
    let (specs, error_logs) = (config.sink_specs(), config.log_specs());
    let mut logs = OpenedSinks::open(&specs)?;
    prepare_with(&mut logs, config, load, &specs).inspect_err(|error| {
        let error_logs = error_logs.iter().map(|spec| (&spec.sink, spec.form));
        logs.append(error_logs, LogLevel::Emerg, &error.to_string());
    })
}

/// Takes the logs only where everything else is there.
fn prepare_with(
    logs: &mut OpenedSinks,
    config: Config,
    load: LoadOptions,
    specs: &[SinkSpec],
) -> Result<Prepared, StartError> {
    let dns = Dns::new(&config);
    let transport = Transport::load(&config, &dns, None)?;
    let mut inherited = Inherited::from_env();
    let mut tls = Tls::load(&config, relay_conf::trust(&config), tls_of_http(), None)?;
    // Clients of the process to be replaced would find the address closed.
    if inherited.replaces()
        && let Some(error) = tls.server.why_closed(|addr| inherited.has(addr))
    {
        return Err(error.into());
    }
    proxy::check_files(&config)?;
    acme::check_files(&config)?;
    acme::load_kept(&config, tls.server.issued());
    let workers = config.workers();
    sockets::check(&config, workers)?;
    let mut addresses = sockets::wanted(&config, &tls.server, workers).into_keys();
    // Otherwise an upgrade whose configuration file is missing would open other addresses.
    if inherited.replaces() && load.conf_file.is_none() && !addresses.all(|(_, addr)| inherited.has(&addr)) {
        return Err(StartError::NoConfiguration);
    }
    let pid_file = config.pid_path().map(|path| PidFile::claim(&path)).transpose()?;
    let control = control::open(&config)?;
    let launch = Launch::current(inherited.replaces()).map_err(StartError::WorkingDirectory)?;
    let secrets = Secrets::load(&config)?;
    let wanted = sockets::wanted(&config, &tls.server, workers).into_iter().map(|(key, options)| {
        let count = listener::sockets_of(&key.1, &options, workers);
        Wanted { key, options, count }
    });
    let signals = BlockedSignals::block().map_err(StartError::runtime("signals"))?;
    let bound = bind_all(wanted, &mut inherited)?;
    let log_files = specs.iter().filter_map(SinkSpec::path).map(ToOwned::to_owned).collect();
    Ok(Prepared {
        config,
        load,
        bound,
        logs: std::mem::take(logs),
        log_files,
        dns,
        transport,
        tls,
        secrets,
        pid_file,
        control,
        inherited,
        launch,
        signals,
    })
}

/// Opens what a start would open except sockets, and refuses what a start would refuse: logs, which are created if
/// missing, as nginx does; certificates and secrets; the paths of the pid file and the control socket, which are not
/// changed.
///
/// Of the sockets only the addresses are checked, because a running server may have bound them. Returns warnings about the
/// contents of files.
///
/// # Errors
///
/// The errors that a start would have.
pub fn check(config: &Config) -> Result<Vec<String>, StartError> {
    let rtmp = config.rtmp.iter().flat_map(|rtmp| &rtmp.listeners).map(|listener| &listener.addr);
    let http = config.http.iter().flat_map(|http| &http.listeners).map(|listener| &listener.addr);
    sockets::check(config, config.workers())?;
    let of_workers = multiport::listen::sockets(config, 1).map(|socket| socket.addr).collect::<Vec<_>>();
    for addr in rtmp.chain(http).chain(&of_workers) {
        match listener::check_address(addr) {
            Err(source) if source.kind() == io::ErrorKind::AddrNotAvailable => {
                return Err(StartError::Bind { address: addr.clone(), source });
            }
            _ => {}
        }
    }
    OpenedSinks::open(&config.sink_specs())?;
    Transport::load(config, &Dns::new(config), None)?;
    let tls = Tls::load(config, relay_conf::trust(config), tls_of_http(), None)?;
    proxy::check_files(config)?;
    acme::check_files(config)?;
    Secrets::load(config)?;
    if let Some(path) = config.pid_path() {
        PidFile::check(&path)?;
    }
    control::check(config)?;
    Ok(tls.server.warnings().to_vec())
}

/// Sockets that are bound but do not accept yet.
type Sockets = Vec<((ListenProtocol, ListenAddr), ListenOptions, Vec<Bound>)>;

/// Sockets to be bound: their address and their number.
struct Wanted {
    key: (ListenProtocol, ListenAddr),
    options: ListenOptions,
    count: usize,
}

/// Starts the privileged helper of a process that becomes another user.
fn start_helper(
    config: &Config,
    load: &LoadOptions,
    launch: &Launch,
    own_files: impl Iterator<Item = PathBuf>,
) -> Option<Arc<HelperClient>> {
    let UserGroup { name, uid, gid } = process::user(config)?;
    let user = User { uid: uid.as_raw(), gid: gid.as_raw(), name };
    let setup = Setup::new(load, user, launch, own_files);
    match HelperClient::start(&setup) {
        Ok(helper) => Some(Arc::new(helper)),
        Err(error) => {
            log::helper_failed(&error);
            None
        }
    }
}

/// Binds all sockets or none: after a failure no socket file is left behind.
fn bind_all(wanted: impl Iterator<Item = Wanted>, inherited: &mut Inherited) -> Result<Sockets, StartError> {
    let (mut bound, mut made) = (Sockets::new(), Vec::new());
    for Wanted { key, options, count } in wanted {
        match bind_address(&key.1, &options, count, inherited, &mut made) {
            Ok(sockets) => bound.push((key, options, sockets)),
            Err(source) => {
                made.iter().for_each(|path| drop(std::fs::remove_file(path)));
                return Err(StartError::Bind { address: key.1, source });
            }
        }
    }
    Ok(bound)
}

/// Takes the inherited sockets of an address and binds those that are missing to `count`. Paths of new socket files are
/// added to `made`.
fn bind_address(
    addr: &ListenAddr,
    options: &ListenOptions,
    count: usize,
    inherited: &mut Inherited,
    made: &mut Vec<PathBuf>,
) -> io::Result<Vec<Bound>> {
    let mut sockets = inherited.take(addr);
    if sockets.len() < count && options.reuseport {
        sockets.iter().try_for_each(Bound::share)?;
    }
    while sockets.len() < count {
        sockets.push(listener::bind(addr, options)?);
        if let ListenAddr::Unix(path) = addr {
            made.push(path.clone());
        }
    }
    Ok(sockets)
}

impl Prepared {
    /// Whether the process that it is to replace has started it.
    pub fn replaces(&self) -> bool {
        self.launch.has_predecessor()
    }

    /// The configuration that was prepared.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    ///
    /// A required system call failed, or a worker thread died with `worker_failure exit`.
    pub fn run(self) -> Result<(), StartError> {
        let Prepared {
            config,
            load,
            bound,
            logs,
            log_files: mut owned,
            dns,
            transport,
            mut pid_file,
            control,
            inherited,
            launch,
            tls,
            secrets,
            signals,
        } = self;
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(StartError::runtime("runtime"))?;
        let signals = {
            let _entered = runtime.enter();
            Signals::receive(signals).map_err(StartError::runtime("signals"))?
        };
        let sinks = Sinks::default();
        sinks.apply(logs);
        let log = ErrorLog::install(sinks, &config.log_specs(), config.own_log_level);
        error_log::arguments::show(config.get::<core::conf::Current>().log_args);
        crate::task::supervise::log_panics();
        let _flush = FlushAtEnd(log.clone());
        let control_socket =
            control.and_then(|bound| bound.inspect_err(|error| log::not_listening(error)).ok());
        let carried = inherited.carried();
        inherited.close_rest();
        process::apply_limits(&config);
        if let Some(pid_file) = &mut pid_file {
            pid_file.write().map_err(StartError::PidFileNotWritten)?;
        }
        owned.extend(hls::make_directories(
            &config,
            live_record::directories(&config).chain(dash::directories(&config)),
        ));
        owned.extend(temp_directory::make(&config, proxy::temp_directories(&config)));
        owned.extend(cache::make_directories(&config));
        owned.extend(acme::make_directories(&config));
        owned.extend(control_socket.iter().map(|socket| socket.path().to_owned()));
        let StartGeneration { history, number, archive, is_new } = StartGeneration::look(&config, &load);
        group_conf::prepare(&config, &load);
        let own_files =
            config.pid_path().into_iter().chain(control_socket.iter().map(|socket| socket.path().to_owned()));
        let helper = start_helper(&config, &load, &launch, own_files);
        // The helper keeps its priority, as nginx's master does.
        process::apply_priority(&config);
        process::drop_privileges(&config, &owned)?;
        if let Some(helper) = &helper {
            rights::install(helper.clone());
        }
        let workers = config.workers();
        let back_end = config.events.get::<events::conf::Conf>().delivery;
        let store = Arc::new(Store::beginning(config, number));
        log.start().map_err(StartError::runtime("log thread"))?;
        let loader = Loader::start().map_err(StartError::runtime("loader thread"))?;
        let grid = Grid::new(Instant::now());
        let (workers, deaths) =
            Workers::start(workers, back_end, grid).map_err(StartError::runtime("worker thread"))?;
        let outcome = runtime.block_on(async {
            let (parts, listeners) = Parts::build(Foundation {
                store,
                load: load.clone(),
                loader,
                history,
                carried,
                transport,
                dns,
                tls,
                secrets,
                workers,
                grid,
                log: log.clone(),
            })?;
            let service = Service::from_env();
            let watchdog = Watchdog::from_env(&service);
            if launch.has_predecessor() {
                match &control_socket {
                    Some(socket) => {
                        let service = CounterpartService { parts: parts.clone(), log: log.clone() };
                        let predecessor = launch.clone();
                        service.join(socket.path().to_owned(), move || predecessor.has_predecessor()).await;
                    }
                    None => log::no_counterpart(&io::ErrorKind::NotFound.into()),
                }
            }
            accept(&listeners, bound)?;
            if let Some(helper) = helper.clone() {
                // From then on it knows what the configuration in force names.
                drop(parts.loader.begin(move || helper.begin()));
            }
            let (changed, changes) = mpsc::channel(1);
            let (watched, looked_for) = (parts.clone(), load.clone());
            let watching = move || watching::run(watched.clone(), looked_for.clone(), changed.clone());
            let (ordering, orders) = mpsc::channel(1);
            parts.console.serve(ordering.clone());
            parts.cluster.shared.serve(Arc::new(GroupOrders {
                load: load.clone(),
                store: parts.store.clone(),
                lifetime: parts.lifetime.clone(),
                orders: ordering.clone(),
            }));
            let reloader = Reloader {
                parts: parts.clone(),
                load,
                log: log.clone(),
                listeners: listeners.clone(),
                service: service.clone(),
                generations: GenerationWriter::start(archive, is_new, &parts.history, &parts.lifetime),
                helper: helper.clone(),
            };
            let reloads = Reloads::start(reloader, orders, changes);
            let life = Life {
                pid_file,
                control: control_socket,
                launch,
                service,
                watchdog,
                helper,
                successor: None,
            };
            let server = RunningServer { parts, log, listeners, life, reloads, deaths };
            server.serve(signals, watching, ordering).await
        });
        // Blocked file operations must not delay the exit.
        runtime.shutdown_timeout(limits::STOP_HANGING);
        outcome
    }
}

/// Starts accepting on the sockets.
fn accept(listeners: &Listeners, bound: Sockets) -> Result<(), StartError> {
    for (key, options, bound) in bound {
        let address = key.1.clone();
        let failed = |source| StartError::Listen { address, source };
        listeners.add(key, bound, &options).map_err(failed)?;
    }
    Ok(())
}
