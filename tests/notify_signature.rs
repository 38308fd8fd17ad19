//! The verifier in conf/callbacks.md, run as it stands there, accepts what the server signs and nothing else.

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;

use support::{Conf, NotifyServer, Publisher, Server};

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
