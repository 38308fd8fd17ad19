//! What callbacks cost: verdicts on starts, what asking adds to the answer's own time, updates of many sessions.
//!
//! `cargo bench --bench notify`; see benches/README.md.

mod bare;
mod server;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::time::{ClockId, clock_gettime};
use pingosd::config::store::Store;
use pingosd::config::{LoadOptions, load};
use pingosd::media::session::{Identity, Protocol, Role, Session, SessionMoments};
use pingosd::media::view::AppView;
use pingosd::modules::LANGUAGE;
use pingosd::net::dns::Dns;
use pingosd::net::socket::Peer;
use pingosd::notify::transport::Transport;
use pingosd::notify::{CallbackAnswer, EventKind, Notifier, SessionEvent};
use server::CallbackServer;
use tokio::runtime::{Builder, Handle};

/// Verdicts per second of processor time that are wanted.
const GOAL_VERDICTS: f64 = 15_000.0;
/// What asking may add at the 99th percentile, at [`PACE`].
const GOAL_OVERHEAD: Duration = Duration::from_millis(2);
/// Share of one core that the updates of [`SESSIONS`] may take.
const GOAL_UPDATES: f64 = 0.05;
/// Starts under way at once where as many as possible are asked for.
const IN_FLIGHT: usize = 64;
/// Starts per second where latency is measured.
const PACE: u32 = 2_000;
/// Sessions with callbacks.
const SESSIONS: u64 = 10_000;
/// Time between two updates of a session.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long each part measures.
const MEASURED: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(server::ROLE) {
        return match server::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("callback server: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let callbacks = CallbackServer::start().expect("a callback server");
    // One thread, as the control thread of the server.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = Arc::new(runtime.block_on(async { Bench::new(callbacks.address) }));
    let good = [
        runtime.block_on(verdicts(&bench)),
        runtime.block_on(latency(&bench, callbacks.address)),
        runtime.block_on(updates(&bench)),
    ];
    if good.iter().all(|good| *good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The sender of callbacks as the server has it, and what its sessions need.
struct Bench {
    notifier: Notifier,
    view: AppView,
    next: AtomicU64,
}

impl Bench {
    fn new(callbacks: SocketAddr) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        write!(
            file,
            "events {{ }}
             rtmp {{ server {{ listen 127.0.0.1:1935; application live {{
                 live on;
                 on_publish http://{callbacks}/publish stage=start,done args=ip=$remote_addr&$pargs;
                 on_play http://{callbacks}/play stage=start,update,done update={}s args=ip=$remote_addr&$pargs;
             }} }} }}",
            INTERVAL.as_secs()
        )
        .expect("written");
        let options = LoadOptions::choose(&LANGUAGE, None, Some(file.path().to_owned()), Vec::new(), None);
        let config = load(&options).expect("a valid configuration");
        let dns = Dns::new(&config);
        let transport = Transport::load(&config, &dns, None).expect("a transport");
        let listen = config.rtmp.as_ref().expect("rtmp").listeners[0].addr.clone();
        let store = Arc::new(Store::new(config));
        let view = AppView::choose(&store, &listen, &Bytes::new(), &Bytes::from_static(b"live"));
        let view = view.expect("the application is there");
        let notifier = Notifier::new(Handle::current(), store, transport);
        Bench { notifier, view, next: AtomicU64::new(1) }
    }

    /// A session that begins.
    fn session(&self, role: Role) -> Arc<Session> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let address = || "127.0.0.1".to_owned();
        let peer = Peer {
            addr: address(),
            ip: None,
            port: 40_000,
            local_addr: address(),
            local_port: 1935,
            declared: None,
        };
        let identity = Identity {
            domain: Bytes::from_static(b"live.example"),
            app: Bytes::from_static(b"live"),
            name: format!("stream{id}").into(),
            pargs: Bytes::from_static(b"token=0123456789abcdef&user=7"),
            serverid: Bytes::from_static(b"default"),
            scheme: "rtmp",
            ..Identity::default()
        };
        Arc::new(Session::new(
            id,
            peer,
            Protocol::Rtmp,
            role,
            identity,
            Instant::now(),
            SessionMoments::default(),
        ))
    }

    async fn verdict(&self) {
        let session = self.session(Role::Publisher);
        let mut event = SessionEvent::begin(&self.notifier, &self.view, EventKind::Publish, &session, None)
            .expect("a callback is configured");
        assert_eq!(event.answer().await, CallbackAnswer::Status(200));
        event.forget();
    }
}

/// As many verdicts as one core gives.
async fn verdicts(bench: &Arc<Bench>) -> bool {
    let until = Instant::now() + MEASURED;
    let (began, cpu) = (Instant::now(), cpu_time());
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move {
                let mut count = 0_u64;
                while Instant::now() < until {
                    bench.verdict().await;
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("no verdict fails");
    }
    let (wall, cpu) = (began.elapsed(), cpu_time() - cpu);
    let count = count as f64;
    let rate = count / cpu.as_secs_f64();
    println!(
        "verdicts: {rate:.0} per second of processor time ({:.1} us each), {:.0} per second by the clock; \
         goal {GOAL_VERDICTS:.0}",
        cpu.as_secs_f64() * 1e6 / count,
        count / wall.as_secs_f64()
    );
    rate >= GOAL_VERDICTS
}

/// What asking adds to what the callback server and the machine take anyway.
async fn latency(bench: &Arc<Bench>, callbacks: SocketAddr) -> bool {
    let bare = Arc::new(bare::Bare::new(callbacks));
    let plain = paced(|| {
        let bare = bare.clone();
        async move { bare.ask().await.expect("an answer") }
    });
    let plain = plain.await;
    let ours = paced(|| {
        let bench = bench.clone();
        async move { bench.verdict().await }
    });
    let ours = ours.await;
    let overhead = ours.p99.saturating_sub(plain.p99);
    println!(
        "latency at {PACE}/s: {ours}; a bare client: {plain}; overhead at p99 {:.3} ms, goal {:.0} ms",
        millis(overhead),
        millis(GOAL_OVERHEAD)
    );
    overhead < GOAL_OVERHEAD
}

/// Updates of many sessions.
async fn updates(bench: &Arc<Bench>) -> bool {
    let mut events = Vec::new();
    for _ in 0..SESSIONS {
        let session = bench.session(Role::Player);
        let mut event = SessionEvent::begin(&bench.notifier, &bench.view, EventKind::Play, &session, None)
            .expect("a callback is configured");
        assert_eq!(event.answer().await, CallbackAnswer::Status(200));
        event.keep();
        events.push(event);
    }
    // Past the first round, which the sessions' starts have spread.
    tokio::time::sleep(INTERVAL * 5 / 4).await;
    let before = answered(bench);
    let (began, cpu) = (Instant::now(), cpu_time());
    tokio::time::sleep(2 * INTERVAL).await;
    let (wall, cpu) = (began.elapsed(), cpu_time() - cpu);
    let told = answered(bench) - before;
    let share = cpu.as_secs_f64() / wall.as_secs_f64();
    println!(
        "updates: {SESSIONS} sessions, update={}s: {:.0} per second, {:.1} % of one core ({:.1} us each), goal {:.0} %",
        INTERVAL.as_secs(),
        told as f64 / wall.as_secs_f64(),
        share * 100.0,
        cpu.as_secs_f64() * 1e6 / told.max(1) as f64,
        GOAL_UPDATES * 100.0
    );
    for event in events {
        event.forget();
    }
    share < GOAL_UPDATES
}

fn answered(bench: &Bench) -> u64 {
    bench.notifier.snapshot().lines.iter().map(|line| line.answered_total).sum()
}

/// Middle and tail of what was measured.
struct Times {
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.3} ms p99 {:.3} ms", millis(self.p50), millis(self.p99))
    }
}

/// Runs `work` at [`PACE`]; each is timed from when it was begun.
async fn paced<F: Future<Output = ()> + Send + 'static>(work: impl Fn() -> F) -> Times {
    let began = Instant::now();
    let count = PACE * MEASURED.as_secs() as u32;
    let mut tasks = Vec::with_capacity(count as usize);
    for n in 0..count {
        tokio::time::sleep_until((began + n * Duration::from_secs(1) / PACE).into()).await;
        let work = work();
        let at = Instant::now();
        tasks.push(tokio::spawn(async move {
            work.await;
            at.elapsed()
        }));
    }
    let mut times = Vec::with_capacity(tasks.len());
    for task in tasks {
        times.push(task.await.expect("nothing fails"));
    }
    times.sort();
    Times { p50: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Processor time of this process: the callback server is another.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the clock is there").into()
}
