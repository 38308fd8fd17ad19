//! A scripted callback server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::wait::PATIENCE;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status without a body.
    Status(u16),
    /// As [`Answer::Status`], after this long.
    Late(Duration, u16),
    /// These bytes, after which the connection stays open.
    Raw(Vec<u8>),
    /// The connection is closed.
    Drop,
    /// Nothing, as long as the server runs.
    Silent,
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request line without its line end.
    pub line: String,
    /// Path of the target.
    pub path: String,
    /// Query of the target.
    pub query: String,
    /// Header lines.
    pub headers: Vec<String>,
    /// When it was complete.
    pub at: Instant,
}

impl Request {
    /// The first value of a parameter, empty if there is none.
    pub fn value(&self, name: &str) -> &str {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// `call act name`, for comparing sequences.
    pub fn short(&self) -> String {
        format!("{} {} {}", self.value("call"), self.value("act"), self.value("name"))
    }

    /// Names of the parameters, in order.
    pub fn names(&self) -> Vec<&str> {
        self.query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name)).collect()
    }
}

/// Answers 200 by default. It serves until it is dropped.
pub struct NotifyServer {
    pub port: u16,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
    stop: AtomicBool,
}

#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    rules: Vec<Rule>,
    open: Vec<TcpStream>,
}

struct Rule {
    /// Parameters that must have these values; `path` is the path.
    fits: Vec<(String, String)>,
    answer: Answer,
}

impl NotifyServer {
    /// Listens on a port of the system's choice.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let accepting = Mutex::new(Some(shared.accept(listener)));
        NotifyServer { port, shared, accepting }
    }

    /// Stops listening and closes all connections. Received requests are kept.
    pub fn kill(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            accepting.join().unwrap();
        }
        for stream in self.shared.log.lock().unwrap().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Listens again, on the same port, after [`NotifyServer::kill`].
    pub fn restart(&self) {
        self.shared.stop.store(false, Ordering::Relaxed);
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        *self.accepting.lock().unwrap() = Some(self.shared.accept(listener));
    }

    /// Address of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on requests whose parameters fit are answered so. `fits` is written `call=play act=start`; later
    /// rules go before earlier ones.
    pub fn answer(&self, fits: &str, answer: Answer) {
        self.shared.log.lock().unwrap().rules.insert(0, Rule { fits: pairs(fits), answer });
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap().requests.clone()
    }

    /// All requests that fit, as [`NotifyServer::answer`] has it.
    pub fn requests_of(&self, fits: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request_fits(request, &pairs(fits))).collect()
    }

    /// Waits until `count` requests that fit have come, and returns them.
    #[track_caller]
    pub fn wait_count(&self, fits: &str, count: usize) -> Vec<Request> {
        let due = Instant::now() + PATIENCE;
        let wanted = pairs(fits);
        let mut log = self.shared.log.lock().unwrap();
        loop {
            let found: Vec<Request> =
                log.requests.iter().filter(|request| request_fits(request, &wanted)).cloned().collect();
            if found.len() >= count {
                return found;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen: Vec<String> = log.requests.iter().map(|request| request.line.clone()).collect();
                drop(log);
                panic!("waited in vain for {count} requests of `{fits}`, got {seen:#?}");
            }
            log = self.shared.changed.wait_timeout(log, left).unwrap().0;
        }
    }

    /// Waits for one request that fits.
    #[track_caller]
    pub fn wait(&self, fits: &str) -> Request {
        self.wait_count(fits, 1).remove(0)
    }

    /// `call act name` of all requests so far.
    pub fn sequence(&self) -> Vec<String> {
        self.requests().iter().map(Request::short).collect()
    }
}

impl Drop for NotifyServer {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.kill();
        }
    }
}

fn pairs(fits: &str) -> Vec<(String, String)> {
    let pairs = fits.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn request_fits(request: &Request, fits: &[(String, String)]) -> bool {
    fits.iter().all(|(name, value)| match name.as_str() {
        "path" => request.path == *value,
        name => request.value(name) == value,
    })
}

impl Shared {
    /// Serves each connection in a separate thread until stopped.
    fn accept(self: &Arc<Self>, listener: TcpListener) -> JoinHandle<()> {
        let shared = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, shared.clone()) else { continue };
                shared.log.lock().unwrap().open.push(stream.try_clone().unwrap());
                thread::spawn(move || shared.serve(stream));
            }
        })
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut held = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") else {
                match stream.read(&mut buffer) {
                    Ok(n) if n > 0 => held.extend_from_slice(&buffer[..n]),
                    _ => return,
                }
                continue;
            };
            let head: Vec<u8> = held.drain(..end + 4).collect();
            let status = match self.note(&head) {
                Answer::Status(status) => status,
                Answer::Late(delay, status) => {
                    thread::sleep(delay);
                    status
                }
                Answer::Silent => continue,
                Answer::Raw(bytes) => {
                    let _ = stream.write_all(&bytes);
                    continue;
                }
                Answer::Drop => {
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
            };
            let answer = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Records a request and finds its answer.
    fn note(&self, head: &[u8]) -> Answer {
        let head = String::from_utf8_lossy(head).into_owned();
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let line = lines.next().unwrap_or_default().to_owned();
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            path: path.to_owned(),
            query: query.to_owned(),
            headers: lines.map(str::to_owned).collect(),
            at: Instant::now(),
            line,
        };
        let mut log = self.log.lock().unwrap();
        let rule = log.rules.iter().find(|rule| request_fits(&request, &rule.fits));
        let answer = rule.map_or(Answer::Status(200), |rule| rule.answer.clone());
        log.requests.push(request);
        drop(log);
        self.changed.notify_all();
        answer
    }
}
