//! Certificates that are ordered from a real issuer: pebble, the test server of Let's Encrypt, with its name server.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::acme_front::Front;
use support::ocsp::OcspResponder;
use support::pebble::{Pebble, connect, patiently, shown};
use support::server::{Prefix, Signal, free_port};
use support::tool::{run, tool};
use support::upgrade::{self, Successor};
use support::{Conf, Server, http, tls};

/// A server that orders a certificate from pebble, in an issuer block with `more`.
fn conf(pebble: &Pebble, https: u16, more: &str, certificate: &str) -> Conf {
    conf_at(pebble.port, https, more, certificate)
}

/// As [`conf`], from an issuer at this port.
fn conf_at(issuer: u16, https: u16, more: &str, certificate: &str) -> Conf {
    conf_beside("", issuer, https, more, certificate)
}

/// As [`conf_at`], behind other directives of `http`.
fn conf_beside(http: &str, issuer: u16, https: u16, more: &str, certificate: &str) -> Conf {
    let own = "acme_issuer pebble { uri https://localhost:{pebble}/dir; ssl_trusted_certificate {ca}; \
         accept_terms_of_service; contact admin@example.test; state_path {dir}/state; {more} } \
         server { listen 127.0.0.1:{https} ssl; server_name a.example; acme_certificate {certificate}; \
         ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key; return 200 served; }";
    Conf::live("")
        .http(&format!("{http} {own}"))
        .http_server("return 301 https://elsewhere.example/;")
        .var("pebble", issuer)
        .var("ca", tls::file("ca.crt"))
        .var("https", https)
        .var("more", more)
        .var("certificate", certificate)
}

#[track_caller]
fn issued(port: u16) -> (String, Vec<String>) {
    patiently("a certificate is shown", || shown(port).ok())
}

#[test]
fn a_certificate_is_ordered_over_http_and_kept_over_restart_and_reload() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let conf = conf(&pebble, secure, "", "pebble");
    let prefix = Prefix::new();
    let text = conf.text(free_port(), web, prefix.path());
    let server = Server::start_text(prefix, 0, web, &text);
    let (serial, names) = issued(secure);
    assert_eq!(names, ["DNSName(a.example)"]);
    server.wait_log("acme certificate \"pebble/a.example-");

    let state = server.prefix().path().join("state");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let files =
        || -> Vec<_> { std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()).collect() };
    let kept =
        |ending: &str| files().iter().any(|file| file.extension().is_some_and(|found| found == ending));
    patiently("it is kept", || (kept("crt") && kept("key")).then_some(()));
    for file in files() {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let account = std::fs::read(state.join("account.key")).unwrap();

    // Neither a reload nor a start orders anew.
    server.signal(Signal::SIGHUP);
    server.wait_log(" reloaded");
    assert_eq!(shown(secure).unwrap().0, serial);
    let server = server.again();
    assert_eq!(shown(secure).unwrap().0, serial, "it is there from the first connection on");
    assert_eq!(pebble.orders(), 1);

    // Other identifiers are another order, with the same account.
    let other = text.replace("acme_certificate pebble;", "acme_certificate pebble A.example b.example;");
    std::fs::write(server.prefix().conf(), other).unwrap();
    server.signal(Signal::SIGHUP);
    let names = patiently("the other certificate is shown", || {
        shown(secure).ok().map(|(_, names)| names).filter(|names| names.len() == 2)
    });
    assert_eq!(names, ["DNSName(a.example)", "DNSName(b.example)"]);
    assert_eq!(pebble.orders(), 2);
    assert_eq!(std::fs::read(state.join("account.key")).unwrap(), account);
    assert_eq!(http::get(web, "/.well-known/acme-challenge/other").status(), 301, "others are not answered");
}

#[test]
fn a_certificate_is_ordered_over_tls() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let more = "challenge tls-alpn-01; account_key ecdsa:384;";
    let _server = Server::start(&conf(&pebble, secure, more, "pebble key=ecdsa:384"));
    assert_eq!(issued(secure).1, ["DNSName(a.example)"]);
}

#[test]
fn a_certificate_is_renewed_while_connections_stay() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, r#","certificateValidityPeriod":20"#).started();
    let more = "challenge tls-alpn-01;";
    let server = Server::start(&conf(&pebble, secure, more, "pebble"));
    let (serial, _) = issued(secure);
    let mut open = connect(secure).unwrap();
    patiently("another certificate is shown", || shown(secure).ok().filter(|(now, _)| *now != serial));
    open.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = open.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("served"), "{answer}");
    assert!(!server.log().contains(" reloaded"));
}

#[test]
fn what_an_issuer_rejects_is_not_repeated_until_the_configuration_changes() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, r#","domainBlocklist":["blocked.example"]"#).started();
    let more = "challenge tls-alpn-01;";
    let server = Server::start(&conf(&pebble, secure, more, "pebble blocked.example"));
    patiently("the log says it", || server.log().contains("rejectedIdentifier").then_some(()));
    let lines = server.log_lines("rejectedIdentifier");
    assert!(lines[0].contains("[error]") && lines[0].contains("no further attempt"), "{lines:?}");
    assert!(lines[0].contains("; remove the name from \"acme_certificate\""), "{lines:?}");
    assert!(connect(secure).is_err(), "handshakes are refused");
    server.wait_log("$acme_certificate was not issued yet");
    server.reload(&conf(&pebble, secure, more, "pebble a.example"));
    issued(secure);
}

#[test]
fn an_issuer_that_was_away_is_tried_again() {
    let (web, secure) = (free_port(), free_port());
    let mut pebble = Pebble::new(web, secure, "");
    let server = Server::start(&conf(&pebble, secure, "challenge tls-alpn-01;", "pebble"));
    let refusal = connect(secure).unwrap_err();
    assert!(refusal.to_string().contains("InternalError"), "{refusal}");
    patiently("the log says it", || server.log().contains("cannot be reached").then_some(()));
    let lines = server.log_lines("cannot be reached");
    assert!(lines[0].contains("gives no account") && lines[0].contains("; check \"uri\""), "{lines:?}");
    let row = server.status()["certificates"][0].clone();
    assert_eq!((&row["issuer"], &row["names"][0]), (&"pebble".into(), &"a.example".into()));
    assert!(row["failure"].as_str().unwrap().contains("cannot be reached"), "{row}");
    assert!(row["valid_until"].is_null() && row["next_order"].is_string(), "{row}");
    pebble.start();
    issued(secure);
    patiently("the status tells it", || {
        let row = server.status()["certificates"][0].clone();
        (row["failure"].is_null() && row["valid_until"].is_string()).then_some(())
    });
}

#[test]
fn an_account_is_bound_to_one_elsewhere() {
    let (web, secure) = (free_port(), free_port());
    let binding = r#","externalAccountBindingRequired":true,"externalAccountMACKeys":{"kid-1":"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}"#;
    let pebble = Pebble::new(web, secure, binding).started();
    let server = Server::start(&conf(&pebble, secure, "challenge tls-alpn-01;", "pebble"));
    patiently("the log says it", || server.log().contains("needs \"external_account_key\"").then_some(()));
    let more = "challenge tls-alpn-01; external_account_key kid-1 \
                data:zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W;";
    server.reload(&conf(&pebble, secure, more, "pebble"));
    issued(secure);
}

#[test]
fn a_certificate_is_used_also_where_it_cannot_be_kept() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let prefix = Prefix::new();
    // A directory cannot be made in a file.
    prefix.write("state", "");
    let server = Server::start_in(prefix, &conf(&pebble, secure, "challenge tls-alpn-01;", "pebble"));
    issued(secure);
    patiently("the log says it", || server.log().contains("nothing can be kept").then_some(()));
}

/// An issuer that answers each request with this.
fn answering(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, asked)
}

/// A server with an issuer at this port.
fn with_issuer(port: u16, secure: u16) -> Conf {
    Conf::live("")
        .http(
            "acme_issuer other { uri http://127.0.0.1:{issuer}/dir; state_path off; } \
             server { listen 127.0.0.1:{https} ssl; server_name a.example; acme_certificate other; \
             ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key; return 200 served; }",
        )
        .var("issuer", port)
        .var("https", secure)
}

#[test]
fn the_pause_that_an_issuer_asks_for_is_kept_over_reloads() {
    let limited = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7200\r\nConnection: close\r\n\r\n\
                   {\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many\"}\n";
    let (port, asked) = answering(limited);
    let conf = with_issuer(port, free_port());
    let server = Server::start(&conf);
    server.wait_log("rateLimited: too many; the issuer asks for a pause; next attempt in 7200 s");
    server.reload(&conf.clone().main("worker_rlimit_nofile 1000;"));
    server.reload(&conf);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(server.log_lines("rateLimited").len(), 1);
}

#[test]
fn an_answer_of_another_form_or_length_is_refused() {
    let (port, _) = answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]");
    let server = Server::start(&with_issuer(port, free_port()));
    server.wait_log("an answer is not as expected: the directory");
    let endless = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let long: &'static str = Box::leak(format!("{endless}{}", " ".repeat(300 * 1024)).into_boxed_str());
    let server = Server::start(&with_issuer(answering(long).0, free_port()));
    server.wait_log("an answer is longer than 262144 bytes");
}

#[test]
fn a_check_finds_what_is_wrong_without_asking_an_issuer() {
    let cases = [
        ("acme_issuer i { }", "", "acme_issuer: \"uri\" is missing"),
        ("acme_issuer i { uri ftp://a; }", "", "\"uri\" directive invalid value"),
        (
            "acme_issuer i { uri https://a; } acme_issuer i { uri https://b; }",
            "",
            "\"acme_issuer\" directive is duplicate",
        ),
        (
            "acme_issuer i { uri https://a; state_path s; } acme_issuer j { uri https://b; state_path s; }",
            "",
            "\"state_path\" is that of issuer \"i\"",
        ),
        ("acme_issuer i { uri https://a; account_key none; }", "", "cannot load account key"),
        (
            "acme_issuer i { uri https://a; ssl_trusted_certificate none; }",
            "",
            "cannot be read (2: No such file",
        ),
        (
            "acme_issuer i { uri https://a; external_account_key k none; }",
            "",
            "cannot be read (2: No such file",
        ),
        ("acme_issuer i { uri https://a; challenge dns-01; }", "", "invalid value \"dns-01\""),
        ("acme_shared_zone ngx:1m;", "", "must have \"zone\" parameter"),
        ("", "acme_certificate i;", "issuer \"i\" is missing"),
        (
            "acme_issuer i { uri https://a; }",
            "acme_certificate i;",
            "no identifiers found in \"server_name\"",
        ),
        ("acme_issuer i { uri https://a; }", "server_name *.a; acme_certificate i;", "has a wildcard"),
        (
            "acme_issuer i { uri https://a; }",
            "acme_certificate i a.example; ssl_certificate $acme_certificate; ssl_certificate_key key;",
            "needs $acme_certificate_key",
        ),
        (
            "",
            "listen 1 ssl; ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key;",
            "$acme_certificate needs \"acme_certificate\" in the server",
        ),
        ("", "return 200 $acme_certificate_key;", "unknown \"acme_certificate_key\" variable"),
    ];
    for (http, server, expected) in cases {
        let prefix = Prefix::new();
        let text = format!("events {{ }} http {{ {http} server {{ {server} }} }}");
        std::fs::write(prefix.conf(), text).unwrap();
        let output = prefix.command().arg("-t").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{http} {server}: {said}");
    }
    let prefix = Prefix::new();
    let text = "events { } http { acme_shared_zone zone=a:1m; acme_issuer i { uri https://a; profile p require; } \
                server { listen 1 ssl; server_name .a.example; acme_certificate i; \
                ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key; } }";
    std::fs::write(prefix.conf(), text).unwrap();
    let output = prefix.command().arg("-t").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!prefix.path().join("acme_i").exists(), "a check makes nothing");
}

/// A further server on this port with another name.
fn further(port: u16, name: &str, issuer: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port} ssl; server_name {name}; acme_certificate {issuer}; \
         ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key; return 200 served; }}"
    )
}

#[test]
fn an_issuer_that_does_not_answer_delays_no_other() {
    let (web, secure) = (free_port(), free_port());
    // Connections are accepted by the system, and never read.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let pebble = Pebble::new(web, secure, "").started();
    let first = format!(
        "acme_issuer silent {{ uri http://127.0.0.1:{port}/dir; state_path off; }} {}",
        further(free_port(), "c.example", "silent")
    );
    let conf = conf_beside(&first, pebble.port, secure, "challenge tls-alpn-01;", "pebble");
    let server = Server::start(&conf);
    assert_eq!(issued(secure).1, ["DNSName(a.example)"]);
    assert!(!server.log().contains("\"silent\" gives no account"), "it was waited for");
}

#[test]
fn a_reload_that_orders_more_does_not_begin_again_what_goes_on() {
    let (web, secure, other) = (free_port(), free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let front = Front::new(pebble.port);
    front.hold("/finalize-order");
    let conf = |http: &str| conf_beside(http, front.port, secure, "challenge tls-alpn-01;", "pebble");
    let server = Server::start(&conf(""));
    patiently("the order is nearly done", || (front.requests("/finalize-order") > 0).then_some(()));
    server.reload(&conf(&further(other, "b.example", "pebble")));
    front.release();
    issued(secure);
    issued(other);
    assert_eq!(pebble.orders(), 2);
}

#[test]
fn an_order_goes_on_in_the_process_that_takes_over() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let front = Front::new(pebble.port);
    front.hold("/finalize-order");
    let (mut server, _) = upgrade::start(&conf_at(front.port, secure, "challenge tls-alpn-01;", "pebble"));
    patiently("the order is nearly done", || (front.requests("/finalize-order") > 0).then_some(()));
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    assert_eq!(pebble.orders(), 1, "the new process waits for its turn");
    let before = front.requests("/finalize-order");
    server.signal(Signal::SIGQUIT);
    patiently("the new process orders", || (front.requests("/finalize-order") > before).then_some(()));
    assert!(server.wait_exit().success());
    front.release();
    issued(secure);
    successor.wait_log(&server, " issued, it is renewed after ");
    assert_eq!(pebble.orders(), 2);
}

#[test]
fn a_certificate_is_renewed_when_its_issuer_suggests_it() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let front = Front::new(pebble.port);
    let now = jiff::Timestamp::now().as_second();
    let at = jiff::Timestamp::from_second(now + 30 * 86_400).unwrap().to_string();
    front.suggest(&at, &at);
    let server = Server::start(&conf_at(front.port, secure, "challenge tls-alpn-01;", "pebble"));
    let (serial, _) = issued(secure);
    let line = format!(" is renewed after {at}, as its issuer suggests");
    patiently("the advice is taken", || server.log().contains(&line).then_some(()));
    patiently("the status tells it", || {
        (server.status()["certificates"][0]["next_order"].as_str() == Some(&at)).then_some(())
    });
    let page = String::from_utf8(server.run(&["status"]).stdout).unwrap();
    assert!(page.contains("certificates   a.example from pebble, until "), "{page}");
    assert!(front.replaced().is_empty());
    // The issuer wants it back, for example because it has made a mistake: no lifetime counts then.
    front.suggest("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z");
    let _server = server.again();
    patiently("another certificate is shown", || shown(secure).ok().filter(|(now, _)| *now != serial));
    let replaced = front.replaced();
    assert!(!replaced.is_empty() && replaced.iter().all(|id| *id == replaced[0]), "{replaced:?}");
    let (_, number) = replaced[0].split_once('.').unwrap();
    let hex: Vec<u8> = serial.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    assert_eq!(
        number,
        base64::engine::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hex)
    );
    assert_eq!(pebble.orders(), 2);
}

#[test]
fn responses_about_ordered_certificates_are_stapled() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let own = |http: &str| conf_beside(http, pebble.port, secure, "challenge tls-alpn-01;", "pebble");
    let server = Server::start(&own(""));
    let (serial, _) = issued(secure);
    // A responder of the issuer's, with the key that pebble tells.
    let fetch = |path: &str, name: &str| {
        let url = format!("https://127.0.0.1:{}/{path}/0", pebble.management);
        let fetched = run("curl", &["-sk", &url]);
        server.prefix().write(name, &fetched.stdout).to_str().unwrap().to_owned()
    };
    let (signer, key) = (fetch("intermediates", "signer.crt"), fetch("intermediate-keys", "signer.key"));
    let digits = serial.replace(':', "").to_ascii_uppercase();
    let digits = digits.trim_start_matches("00");
    let list = format!("V\t400101000000Z\t\t{digits}\tunknown\t/CN=a.example\n");
    let list = server.prefix().write("index.txt", list).to_str().unwrap().to_owned();
    let responder = OcspResponder::start(&list, &signer, [signer.clone(), key], &["-nmin", "60"]);
    let stapling = format!("ssl_stapling on; ssl_stapling_responder {};", responder.url());
    server.reload(&own(&stapling));
    let target = format!("127.0.0.1:{secure}");
    patiently("a response is stapled", || {
        let arguments = ["s_client", "-connect", &target, "-servername", "a.example", "-status"];
        let output = tool("openssl", arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("Cert Status: good").then_some(())
    });
    assert_eq!(shown(secure).unwrap().0, serial);
}
