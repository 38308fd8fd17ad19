//! What guards etcd: TLS with certificates of both sides, and users.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::BOTH;
use crate::support::certificates::Certificates;
use crate::support::etcd::{Etcd, conf_at};
use crate::support::server::{Prefix, free_port};
use crate::support::wait::until_true;
use crate::support::{Player, Server};
use crate::{publish, shown};

/// Certificates of etcd and its clients.
fn certificates(prefix: &Prefix) -> Certificates {
    let dir = prefix.path().join("tls");
    let all = Certificates::write(&dir);
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
    all.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "etcd.ec"]);
    all.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "etcd.ec", "-out", "etcd.key"]);
    all.openssl(&["req", "-new", "-key", "etcd.key", "-subj", "/CN=etcd", "-out", "etcd.csr"]);
    let sign = "x509 -req -in etcd.csr -CA ca.crt -CAkey ca.key -set_serial 5 -days 3650 -extfile names -out etcd.crt";
    all.openssl(&sign.split(' ').collect::<Vec<_>>());
    all
}

#[test]
fn etcd_over_tls_is_verified_and_gets_a_certificate() {
    let prefix = Prefix::new();
    let all = certificates(&prefix);
    let [ca, cert, key] = ["ca.crt", "etcd.crt", "etcd.key"].map(|name| all.path(name));
    let [own, own_key, stranger, stranger_key, other] =
        ["client.crt", "client.key", "stranger.crt", "stranger.key", "other-ca.crt"]
            .map(|name| all.path(name));
    let arguments =
        ["--cert-file", &cert, "--key-file", &key, "--trusted-ca-file", &ca, "--client-cert-auth=true"];
    let [cacert, own_cert, own_key_of_ctl] =
        [format!("--cacert={ca}"), format!("--cert={own}"), format!("--key={own_key}")];
    let etcd = Etcd::start_tls(&arguments, &[&cacert, &own_cert, &own_key_of_ctl]);
    let tls = format!("etcd_tls ca={ca} cert={own} key={own_key};");
    let a = etcd.server("a", BOTH, &tls);
    let edge = etcd.server("edge", "cluster_pull on;", &tls);
    let feed = publish(&a, "s").keep_sending();
    Player::start(edge.rtmp, "s").wait_key();
    feed.stop().leave();
    // Without a certificate, with one of another CA, and with another CA of etcd's.
    for tls in [
        format!("etcd_tls ca={ca};"),
        format!("etcd_tls ca={ca} cert={stranger} key={stranger_key};"),
        format!("etcd_tls ca={other} cert={own} key={own_key};"),
        String::new(),
    ] {
        let refused = Server::start(&etcd.conf("b", BOTH, &tls));
        refused.wait_log("etcd cannot be reached");
        assert!(refused.log_lines("joined as").is_empty(), "{tls}");
    }
}

#[test]
fn etcd_gets_a_certificate_over_tls_1_3() {
    let prefix = Prefix::new();
    let all = certificates(&prefix);
    let port = free_port();
    let seen = prefix.path().join("seen");
    // It reads what comes, and answers nothing.
    let mut reader = Command::new("openssl")
        .args(["s_server", "-tls1_3", "-quiet", "-verify_return_error", "-Verify", "1"])
        .args(["-accept", &format!("127.0.0.1:{port}"), "-CAfile", &all.path("ca.crt")])
        .args(["-cert", &all.path("etcd.crt"), "-key", &all.path("etcd.key")])
        .stdin(Stdio::piped())
        .stdout(File::create(&seen).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let [ca, own, own_key] = ["ca.crt", "client.crt", "client.key"].map(|name| all.path(name));
    let tls = format!("etcd_tls ca={ca} cert={own} key={own_key};");
    let _server = Server::start(&conf_at(&format!("https://127.0.0.1:{port}"), "a", BOTH, &tls));
    until_true("a request has come", || {
        std::fs::read_to_string(&seen).is_ok_and(|text| text.contains("POST /v3/"))
    });
    reader.kill().unwrap();
    reader.wait().unwrap();
}

#[test]
fn a_user_of_etcd_logs_in_and_again_when_its_token_is_gone() {
    let mut etcd = Etcd::start();
    for words in [
        "user add root:secret",
        "role add root",
        "user grant-role root root",
        "role add pingosd",
        "role grant-permission --prefix=true pingosd readwrite /pingosd/c/",
        "user add media:word",
        "user grant-role media pingosd",
        "auth enable",
    ] {
        let words: Vec<_> = words.split(' ').collect();
        // The role may be there already.
        assert!(etcd.ctl(&words).is_some() || words == ["role", "add", "root"], "{words:?}");
    }
    etcd.ctl_with(&["--user=root:secret"]);
    let prefix = Prefix::new();
    let password = prefix.write("password", "word\n");
    let wrong = prefix.write("wrong", "other\n");
    let user = format!("etcd_user media {};", password.display());
    let a = etcd.server("a", BOTH, &user);
    let edge = etcd.server("edge", "cluster_pull on;", &user);
    let feed = publish(&a, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    // Tokens end with the process of etcd.
    etcd.kill();
    a.wait_log("etcd cannot be reached");
    etcd.start_again();
    until_true("a is back", || shown(&a, "status").contains("etcd up"));
    let new = publish(&a, "new").keep_sending();
    until_true("the new name is known", || shown(&edge, "streams").contains("/live/new a "));
    assert!(player.got().end.is_none());
    for user in [format!("etcd_user media {};", wrong.display()), String::new()] {
        let refused = Server::start(&conf_at(&etcd.address(), "b", BOTH, &user));
        refused.wait_log("etcd cannot be reached: etcd: ");
        assert!(refused.log_lines("joined as").is_empty());
    }
    feed.stop().leave();
    new.stop().leave();
}
