//! The programs in conf/callbacks.md, run as they stand there: the verifier accepts what the server signs and nothing
//! else, the backend answers as the page says.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use support::{Conf, NotifyServer, Publisher, RtmpClient, Server};

/// The manual's first block of Python.
fn verifier() -> &'static str {
    let (_, rest) = include_str!("../conf/callbacks.md").split_once("```python\n").expect("a verifier");
    rest.split_once("```").expect("the end of the verifier").0
}

/// Whether the verifier takes this request for ours.
fn is_genuine(secret: &str, target: &str, headers: &BTreeMap<String, String>) -> bool {
    let call = format!("{}\nprint(is_genuine({secret:?}.encode(), {target:?}, {headers:?}))", verifier());
    let output = Command::new("python3").args(["-c", &call]).output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    match output.stdout.trim_ascii() {
        b"True" => true,
        b"False" => false,
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}

#[test]
fn the_manual_s_verifier_takes_our_requests_and_no_others() {
    let notify = NotifyServer::start();
    let secret = tempfile::NamedTempFile::new().unwrap();
    secret.as_file().write_all(b"not to be told\n").unwrap();
    let conf =
        Conf::live("on_publish {callback}/cb?k=1 args=name=$name&$pargs;").var("callback", notify.url(""));
    let server = Server::start(&conf.rtmp(&format!("notify_secret {};", secret.path().display())));
    let _publisher = Publisher::start(server.rtmp, "s?token=a%20b");
    let request = notify.wait("call=publish act=start");
    let target = request.line.split(' ').nth(1).expect("a request line").to_owned();
    let headers: BTreeMap<String, String> = request
        .headers
        .iter()
        .filter_map(|line| line.split_once(": "))
        // Header names have no case; the verifier's caller has a mapping that knows that.
        .map(|(name, value)| {
            (name.to_ascii_lowercase().replace("x-pingosd-", "X-Pingosd-"), value.to_owned())
        })
        .map(|(name, value)| (name.replace("-time", "-Time").replace("-signature", "-Signature"), value))
        .collect();
    assert!(is_genuine("not to be told", &target, &headers), "{request:?}");
    assert!(!is_genuine("another", &target, &headers));
    assert!(!is_genuine("not to be told", &format!("{target}&admin=1"), &headers));
    let mut old = headers.clone();
    old.insert("X-Pingosd-Time".to_owned(), "1700000000".to_owned());
    assert!(!is_genuine("not to be told", &target, &old));
    assert!(!is_genuine("not to be told", &target, &BTreeMap::new()));
}

/// The manual's last block of Python.
fn backend() -> &'static str {
    let (_, rest) = include_str!("../conf/callbacks.md").rsplit_once("```python\n").expect("a backend");
    rest.split_once("```").expect("the end of the backend").0
}

#[test]
fn the_manual_s_backend_answers_as_the_page_says() {
    let (program, _) = backend().split_once("if __name__").expect("a main part");
    assert!(backend().lines().count() <= 45, "short enough to be read");
    let main = "server = http.server.ThreadingHTTPServer((\"127.0.0.1\", 0), Handler)\n\
                print(server.server_port, flush=True)\nserver.serve_forever()";
    let mut child = Command::new("python3")
        .args(["-c", &format!("{program}\n{main}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 is installed");
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let lines = "on_publish {callback}/ stage=done args=$pargs; on_play {callback}/ stage=done;";
    let conf = Conf::live(lines).var("callback", format!("http://127.0.0.1:{}", port.trim()));
    let server = Server::start(&conf.rtmp("notify_request_id on;"));
    let refused = RtmpClient::publish(server.rtmp, "live", "room1?token=wrong");
    { refused }.wait_status("NetStream.Publish.Forbidden");
    let publisher = Publisher::start(server.rtmp, "room1?token=abc");
    RtmpClient::play(server.rtmp, "live", "room1").wait_started().leave();
    publisher.leave();
    child.kill().unwrap();
    child.wait().unwrap();
}
