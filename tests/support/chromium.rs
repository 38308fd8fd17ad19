//! Chromium without a window, driven over its own protocol (DevTools) through a pair of pipes.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};

use super::server::Prefix;

/// How long anything in a browser may take: it needs several processors and gets less than one.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(100);
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Its pages may play without a click, and reach `*.test` at this machine. Nothing is fetched that no page asks for.
const ARGUMENTS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=OptimizationHints,MediaRouter",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--ignore-certificate-errors",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
    "--remote-debugging-pipe",
];

/// A running browser. Dropping it ends it.
pub struct Chromium {
    child: Child,
    wire: Arc<Wire>,
    _profile: Prefix,
}

/// The two pipes.
struct Wire {
    requests: Mutex<(u64, File)>,
    received: Mutex<Received>,
    changed: Condvar,
}

#[derive(Default)]
struct Received {
    answers: HashMap<u64, Value>,
    /// What the pages have reported, by session.
    reports: HashMap<String, Report>,
    /// Addresses of requests, by their number.
    addresses: HashMap<String, String>,
    is_over: bool,
}

/// What a page has done so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Exceptions, errors in the console, violations of its policy.
    pub errors: Vec<String>,
    /// Addresses that it has asked for.
    pub requests: Vec<String>,
    /// Requests that failed, with a status or the browser's reason.
    pub failures: Vec<String>,
    /// Protocols of the answers: `h2`, `http/1.1`.
    pub protocols: HashSet<String>,
}

/// A page of a browser.
pub struct Page<'b> {
    browser: &'b Chromium,
    session: String,
}

impl Chromium {
    /// Starts it; `None`, with the reason printed, where there is none. Not finding one is an error where the variable
    /// `PINGOSD_BROWSER` is set to `required`.
    pub fn start() -> Option<Chromium> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = NAMES.iter().find(|name| std::env::split_paths(&path).any(|dir| dir.join(name).exists()));
        let Some(program) = found else {
            let is_required = std::env::var_os("PINGOSD_BROWSER").is_some_and(|value| value == "required");
            assert!(!is_required, "chromium is missing");
            eprintln!("skipped: chromium is missing; tests/run installs it");
            return None;
        };
        let profile = Prefix::new();
        let (their_input, requests) = pipe();
        let (answers, their_output) = pipe();
        let mut command = Command::new(program);
        command
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mapping = |parent_fd, child_fd| FdMapping { parent_fd, child_fd };
        command.fd_mappings(vec![mapping(their_input, 3), mapping(their_output, 4)]).unwrap();
        let child = command.spawn().unwrap();
        // It keeps their ends of the pipes.
        drop(command);
        let wire = Arc::new(Wire {
            requests: Mutex::new((0, requests.into())),
            received: Mutex::default(),
            changed: Condvar::new(),
        });
        let reading = wire.clone();
        thread::spawn(move || reading.read(answers.into()));
        Some(Chromium { child, wire, _profile: profile })
    }

    /// Another page, empty, of this size.
    #[track_caller]
    pub fn page(&self, width: u32, height: u32) -> Page<'_> {
        let target = self.wire.call("", "Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session =
            self.wire.call("", "Target.attachToTarget", &attach)["sessionId"].as_str().unwrap().into();
        let page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.size(width, height);
        page
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.wire.send("", "Browser.close", &json!({}));
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < end {
            thread::sleep(LOOK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page<'_> {
    /// Opens an address.
    #[track_caller]
    pub fn open(&self, url: &str) {
        let answer = self.call("Page.navigate", &json!({ "url": url }));
        assert_eq!(answer["errorText"], Value::Null, "{url}");
        let wanted = json!(url.split('#').next());
        let is_there =
            format!("document.readyState === 'complete' && location.href.split('#')[0] === {wanted}");
        self.wait(&is_there);
    }

    /// The value of an expression; a promise is waited for.
    #[track_caller]
    pub fn value(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", &asked);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true, and returns its value.
    #[track_caller]
    pub fn wait(&self, expression: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            // While a page is being replaced there is nothing to ask.
            let whole = format!(
                "(async () => {{ try {{ return await ({expression}); }} catch {{ return null; }} }})()"
            );
            let value = self.value(&whole);
            if !matches!(&value, Value::Null | Value::Bool(false)) && value != json!(0) && value != json!("")
            {
                return value;
            }
            if Instant::now() > end {
                let seen = self.value("document.body?.innerText.slice(0, 2000)");
                panic!("waited in vain for: {expression}\n{:#?}\nthe page says: {seen}", self.report());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Presses a key, with the name that `KeyboardEvent.key` has.
    #[track_caller]
    pub fn key(&self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = if key.chars().count() == 1 {
            key
        } else if key == "Enter" {
            "\r"
        } else {
            ""
        };
        let event = |kind: &str| {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            event
        };
        self.call("Input.dispatchKeyEvent", &event("keyDown"));
        self.call("Input.dispatchKeyEvent", &event("keyUp"));
    }

    /// Sets the size of the page.
    #[track_caller]
    pub fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets whether the system of the reader is dark.
    #[track_caller]
    pub fn dark(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.call("Emulation.setEmulatedMedia", &feature);
    }

    /// Writes a picture of the page into the directory named by `PINGOSD_SCREENSHOTS`, if that is set.
    #[track_caller]
    pub fn picture(&self, name: &str) {
        use base64::Engine;
        let Some(directory) = std::env::var_os("PINGOSD_SCREENSHOTS") else { return };
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::write(PathBuf::from(directory).join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the page has done so far.
    pub fn report(&self) -> Report {
        self.browser.wire.received.lock().reports.get(&self.session).cloned().unwrap_or_default()
    }

    /// It has complained of nothing.
    #[track_caller]
    pub fn assert_content(&self) {
        let report = self.report();
        assert!(report.errors.is_empty(), "{:#?}", report.errors);
    }

    /// It has asked nothing of another host than these (with port).
    #[track_caller]
    pub fn assert_asked_only(&self, hosts: &[&str]) {
        for request in self.report().requests {
            let (scheme, rest) = request.split_once(':').unwrap();
            let host = rest.trim_start_matches('/').split('/').next().unwrap_or_default();
            let is_own = matches!(scheme, "data" | "about" | "blob");
            assert!(is_own || hosts.contains(&host), "{request}");
        }
    }

    #[track_caller]
    fn call(&self, method: &str, parameters: &Value) -> Value {
        self.browser.wire.call(&self.session, method, parameters)
    }
}

impl Wire {
    fn send(&self, session: &str, method: &str, parameters: &Value) -> u64 {
        let mut requests = self.requests.lock();
        let (count, pipe) = &mut *requests;
        *count += 1;
        let mut request = json!({ "id": count, "method": method, "params": parameters });
        if !session.is_empty() {
            request["sessionId"] = json!(session);
        }
        // Where it has ended, the answer is missing, which is reported.
        let _ = pipe.write_all(format!("{request}\0").as_bytes());
        *count
    }

    #[track_caller]
    fn call(&self, session: &str, method: &str, parameters: &Value) -> Value {
        let id = self.send(session, method, parameters);
        let end = Instant::now() + PATIENCE;
        let mut received = self.received.lock();
        loop {
            if let Some(answer) = received.answers.remove(&id) {
                assert_eq!(answer["error"], Value::Null, "{method} {parameters}");
                return answer["result"].clone();
            }
            assert!(!received.is_over, "chromium has ended");
            assert!(!self.changed.wait_until(&mut received, end).timed_out(), "no answer to {method}");
        }
    }

    fn read(&self, pipe: File) {
        let mut pipe = BufReader::new(pipe);
        let mut message = Vec::new();
        while pipe.read_until(0, &mut message).is_ok_and(|length| length > 0) {
            message.pop();
            let value: Value = serde_json::from_slice(&message).unwrap_or_default();
            message.clear();
            let mut received = self.received.lock();
            match value["id"].as_u64() {
                Some(id) => drop(received.answers.insert(id, value)),
                None => received.note(&value),
            }
            self.changed.notify_all();
        }
        self.received.lock().is_over = true;
        self.changed.notify_all();
    }
}

impl Received {
    fn note(&mut self, event: &Value) {
        let report =
            self.reports.entry(event["sessionId"].as_str().unwrap_or_default().to_owned()).or_default();
        let said = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => report.errors.push(said["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" if said["type"] == "error" => {
                report.errors.push(said["args"].to_string());
            }
            "Log.entryAdded" if said["entry"]["level"] == "error" => {
                report.errors.push(said["entry"].to_string());
            }
            "Network.requestWillBeSent" => {
                let url = said["request"]["url"].as_str().unwrap_or_default().to_owned();
                report.requests.push(url.clone());
                self.addresses.insert(said["requestId"].to_string(), url);
            }
            "Network.responseReceived" => {
                let response = &said["response"];
                report.protocols.extend(response["protocol"].as_str().map(str::to_owned));
                if response["status"].as_u64().is_some_and(|status| status >= 400) {
                    report.failures.push(format!("{} {}", response["status"], response["url"]));
                }
            }
            "Network.loadingFailed" if said["canceled"] != true => {
                let url = self.addresses.get(&said["requestId"].to_string());
                report.failures.push(format!("{} {}", said["errorText"], url.map_or("", String::as_str)));
            }
            _ => {}
        }
    }
}

/// The end to read from and the end to write to.
fn pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = std::io::pipe().unwrap();
    (read.into(), write.into())
}
