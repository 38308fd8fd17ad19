//! Encrypted connections: relays to rtmps:// and from https://, and sockets of our own.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use pingosd::wire::flv;
use support::frame::{GOP, Tracks};
use support::server::{Prefix, free_port};
use support::tool::{codecs, publish_clip, run};
use support::wait::{PATIENCE, until_true};
use support::{Conf, DnsServer, Player, Publisher, Records, Server};

const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 1s;";

/// A file of `tests/tls`: `origin` and `other` are certificates of `NAME.test`, `localhost` and the loopback addresses,
/// self-signed.
fn file(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Directives that show this certificate.
fn shows(name: &str) -> String {
    format!(
        "ssl_certificate {}; ssl_certificate_key {};",
        file(&format!("{name}.crt")),
        file(&format!("{name}.key"))
    )
}

/// Directives that trust this certificate and no other.
fn trusts(name: &str) -> String {
    format!("relay_ssl_trusted_certificate {};", file(&format!("{name}.crt")))
}

/// A server whose ports `rtmps` and `https` are encrypted with this certificate, beside its plain ones.
struct Encrypted {
    rtmps: u16,
    https: u16,
    server: Server,
}

impl Encrypted {
    fn start(certificate: &str) -> Self {
        let (rtmps, https) = (free_port(), free_port());
        let server = Server::start(&Encrypted::conf(rtmps, https, certificate));
        Encrypted { rtmps, https, server }
    }

    fn conf(rtmps: u16, https: u16, certificate: &str) -> Conf {
        let shows = shows(certificate);
        Conf::new(&format!("listen {rtmps} ssl; {shows} application live {{ live on; cache_time 2s; }}"))
            .http_server(&format!(
                "listen {https} ssl; {shows} location /flv {{ flv_live {{rtmp_port}} app=live; }}"
            ))
    }

    /// Waits until the certificate shown on the HTTP port is this one.
    fn assert_shows(&self, certificate: &str) {
        assert!(self.curl(certificate, "localhost").contains("404 Not Found"));
    }

    /// What curl gets that trusts this certificate.
    fn curl(&self, certificate: &str, host: &str) -> String {
        let url = format!("https://{host}:{}/nothing", self.https);
        let resolve = format!("{host}:{}:127.0.0.1", self.https);
        let trusted = file(&format!("{certificate}.crt"));
        let output = run("curl", &["-sS", "--cacert", &trusted, "--resolve", &resolve, &url]);
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

#[test]
fn a_stream_is_pushed_to_and_pulled_from_an_encrypted_server() {
    let middle = Encrypted::start("origin");
    let first = Server::start(
        &Conf::live(&format!("{QUICK} push rtmps://127.0.0.1:{} name=copy;", middle.rtmps))
            .rtmp(&trusts("origin")),
    );
    let pulling = |url: String| {
        Server::start(&Conf::live(&format!("{QUICK} pull {url} name=copy app=live;")).rtmp(&trusts("origin")))
    };
    let by_rtmps = pulling(format!("rtmps://localhost:{}", middle.rtmps));
    let mut publisher = Publisher::start(first.rtmp, "s");
    first.wait_log("relay push started: 's'");
    let player = Player::start(by_rtmps.rtmp, "any");
    by_rtmps.wait_log("relay pull:");
    // Frames larger than what TLS takes at once, and than a socket holds.
    publisher.set_size(600_000);
    publisher.send(GOP + 1);
    player.wait_key();
    let began = player.frames()[0];
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    let whole: Vec<u64> = (began..=last).collect();
    assert_eq!(player.frames(), whole, "nothing is lost on the way");
    drop(player);
    publisher.leave();
    middle.server.wait_log("stopped publishing 'copy'");
}

#[test]
fn an_encrypted_http_origin_is_pulled_from() {
    let origin = Encrypted::start("origin");
    let edge = Server::start(
        &Conf::live(&format!("{QUICK} pull https://localhost:{}/flv app=flv;", origin.https))
            .rtmp(&trusts("origin")),
    );
    let publisher = Publisher::start(origin.server.rtmp, "s").keep_sending();
    Player::start(edge.rtmp, "s").wait_key();
    publisher.stop().leave();
}

/// Equal lines are written once: the address makes them different.
#[test]
fn targets_that_fail_alike_have_a_line_each() {
    let target = Encrypted::start("origin");
    let urls = ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", target.rtmps));
    let lines = urls.each_ref().map(|url| format!("push rtmps://{url};")).concat();
    let server = Server::start(&Conf::live(&format!("{QUICK} {lines}")));
    let _publisher = Publisher::start(server.rtmp, "s").keep_sending();
    for url in urls {
        server.wait_log(&format!("peer certificate: UnknownIssuer, address: {url}"));
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_unless_told_otherwise() {
    let target = Encrypted::start("origin");
    let dns = DnsServer::start();
    dns.set("wrong.test", Records::Addresses(vec!["127.0.0.1".parse().unwrap()], 60));
    let conf = |host: &str, rtmp: &str| {
        Conf::live(&format!("{QUICK} push rtmps://{host}:{};", target.rtmps)).rtmp(rtmp).events(&dns.line(""))
    };
    let server = Server::start(&conf("127.0.0.1", ""));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    server.wait_log("relay push failed: 's', connect failed: TLS: invalid peer certificate: UnknownIssuer");
    server.reload(&conf("wrong.test", &trusts("origin")));
    server.wait_log("relay push failed: 's', connect failed: TLS: invalid peer certificate: certificate not valid for name");
    server.reload(&conf("wrong.test", "relay_ssl_verify off;"));
    server.wait_log("relay push started: 's'");
    Player::start(target.server.rtmp, "s").wait_key();
    publisher.stop().leave();
}

#[test]
fn a_reload_changes_certificates_and_refuses_unusable_ones() {
    let server = Encrypted::start("origin");
    server.assert_shows("origin");
    let playing = support::tool::Background::start(
        "curl",
        &["-sk", "-o", "/dev/null", &format!("https://127.0.0.1:{}/flv/s", server.https)],
    );
    server.server.wait_log("play: name='s'");
    server.server.reload(&Encrypted::conf(server.rtmps, server.https, "other"));
    server.assert_shows("other");
    assert!(server.curl("origin", "localhost").contains("certificate"), "the former one is gone");
    let unusable = shows("other").replace("other.key", "origin.key");
    let https = server.https;
    for (shows, why) in [
        (unusable.as_str(), "origin.key\": it is not that of the certificate"),
        ("ssl_certificate missing.crt; ssl_certificate_key missing.key;", "missing.crt\": 2: No such file"),
    ] {
        server.server.rewrite(&Conf::live("").http_server(&format!("listen {https} ssl; {shows}")));
        server.server.signal(support::server::Signal::SIGHUP);
        server.server.wait_log(why);
    }
    until_true("both reloads are refused", || server.server.log_lines("reload refused").len() == 2);
    server.assert_shows("other");
    assert!(server.server.log_lines("stopped playing").is_empty());
    drop(playing);
}

#[test]
fn the_name_that_a_client_asks_for_chooses_the_certificate() {
    let https = free_port();
    let named =
        |name: &str| format!("server {{ listen {https} ssl; server_name {name}.test; {} }}", shows(name));
    let server = Server::start(&Conf::live("").http(&format!("{} {}", named("origin"), named("other"))));
    let server = Encrypted { rtmps: 0, https, server };
    for (certificate, host, fits) in [
        ("origin", "origin.test", true),
        ("other", "other.test", true),
        ("origin", "other.test", false),
        ("origin", "localhost", true),
    ] {
        let got = server.curl(certificate, host);
        assert_eq!(got.contains("404 Not Found"), fits, "{certificate} {host}: {got}");
    }
}

#[test]
fn the_old_switch_encrypts_all_sockets_of_a_server() {
    let https = free_port();
    let conf =
        Conf::live("").http(&format!("server {{ listen 127.0.0.1:{https}; ssl on; {} }}", shows("origin")));
    let server = Encrypted { rtmps: 0, https, server: Server::start(&conf) };
    server.assert_shows("origin");
}

#[test]
fn other_programs_publish_and_play_over_tls() {
    let server = Encrypted::start("origin");
    let _publisher = publish_clip(&format!("rtmps://127.0.0.1:{}/live/clip", server.rtmps));
    server.server.wait_log("publishing 'clip'");
    assert_eq!(codecs(&format!("rtmps://127.0.0.1:{}/live/clip", server.rtmps)), ["aac", "h264"]);
    assert_eq!(codecs(&format!("https://127.0.0.1:{}/flv/clip.flv", server.https)), ["aac", "h264"]);
}

#[test]
fn a_slow_player_gets_the_end_of_a_burst_though_nothing_follows() {
    let server = Encrypted::start("origin");
    let mut publisher = Publisher::start(server.server.rtmp, "s");
    publisher.set_size(100_000);
    publisher.send(1);
    let output = server.server.prefix().path().join("out.flv");
    let url = format!("https://127.0.0.1:{}/flv/s", server.https);
    let arguments = ["-sk", "--no-buffer", "--limit-rate", "4M", "-o", output.to_str().unwrap(), &url];
    let _player = support::tool::Background::start("curl", &arguments);
    server.server.wait_log("playing 's'");
    let last = publisher.send(2 * GOP);
    until_true("the last frame", || {
        let file = std::fs::read(&output).unwrap_or_default();
        let (mut reader, mut input) = (flv::FlvReader::new(1 << 24), &file[..]);
        let tags = std::iter::from_fn(|| reader.read(&mut input).expect("nothing is torn"));
        tags.filter_map(|tag| support::frame::number(&tag.payload)).last() == Some(last)
    });
    publisher.leave();
}

#[test]
fn what_is_no_handshake_ends_its_own_connection_only() {
    let server = Encrypted::start("origin");
    let silent = TcpStream::connect(("127.0.0.1", server.https)).unwrap();
    let mut half = TcpStream::connect(("127.0.0.1", server.rtmps)).unwrap();
    // A record that promises more than it brings.
    half.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    for port in [server.rtmps, server.https] {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[3; 1537], &[0; 4096]] {
            let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
            plain.set_read_timeout(Some(PATIENCE)).unwrap();
            plain.write_all(bytes).unwrap();
            let mut answer = Vec::new();
            // Closed or reset; before that RTMP sends an alert at most, and HTTP tells what is wrong.
            let _ = plain.read_to_end(&mut answer);
            if port == server.https {
                assert!(answer.starts_with(b"HTTP/1.1 400 Bad Request\r\n"), "{}", answer.escape_ascii());
            } else {
                assert!(answer.len() < 16, "{answer:?}");
            }
        }
    }
    server.server.wait_log("while SSL handshaking, client: 127.0.0.1, server: ");
    server.assert_shows("origin");
    let mut publisher = Publisher::start(server.server.rtmp, "s");
    let player = Player::start(server.server.rtmp, "s");
    let last = publisher.send(3 * GOP);
    player.wait_frame(last);
    player.assert_whole(Tracks::Both, last);
    drop((silent, half));
}

#[test]
fn a_file_arrives_in_full_over_one_connection_after_another() {
    let prefix = Prefix::new();
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    prefix.write("html/large", &content);
    let https = free_port();
    let conf = Conf::live("").http_server(&format!("listen {https} ssl; {}", shows("origin")));
    let _server = Server::start_in(prefix, &conf);
    let url = format!("https://localhost:{https}/large");
    let output = run("curl", &["-sS", "--limit-rate", "20M", "--cacert", &file("origin.crt"), &url, &url]);
    assert!(output.stdout == [&content[..], &content[..]].concat(), "{} bytes", output.stdout.len());
}

#[test]
fn what_a_start_would_refuse_fails_the_test_of_a_configuration() {
    let prefix = Prefix::new();
    let shared = Conf::live("").http_server("listen {rtmp_port};");
    std::fs::write(prefix.conf(), shared.text(21_001, 21_002, prefix.path())).unwrap();
    let output = prefix.command().arg("-t").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("name the same address 0.0.0.0:21001"), "{said}");
    let test = |rtmp: &str, shows: &str| {
        let conf = Conf::new(&format!("listen 21000 ssl; {shows}")).rtmp(rtmp);
        std::fs::write(prefix.conf(), conf.text(21_001, 21_002, prefix.path())).unwrap();
        let output = prefix.command().arg("-t").output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(test("", &shows("origin")).0);
    let (ok, said) = test("", &shows("origin").replace("origin.key", "other.key"));
    assert!(!ok && said.contains("other.key\": it is not that of the certificate"), "{said}");
    let (ok, said) = test("relay_ssl_trusted_certificate nowhere.pem;", &shows("origin"));
    assert!(!ok && said.contains("nowhere.pem\" failed (2: No such file or directory)"), "{said}");
    for directive in ["notify_secret", "notify_ssl_trusted_certificate", "relay_secret"] {
        let (ok, said) = test(&format!("{directive} {{dir}}/nowhere;"), &shows("origin"));
        assert!(!ok && said.contains("/nowhere\" failed (2: No such file or directory)"), "{said}");
    }
    let (ok, said) = test("", &format!("{} ssl_protocols TLSv1; ssl_ciphers AES128-SHA;", shows("origin")));
    assert!(ok && said.contains("TLSv1.2 is spoken instead"), "{said}");
    assert!(said.contains("cipher suite \"AES128-SHA\" does not exist here"), "{said}");
    let curves = |list: &str| test("", &format!("{} ssl_ecdh_curve {list};", shows("origin")));
    let (ok, said) = curves("secp521r1:P-384");
    assert!(ok && said.contains("curve \"secp521r1\" does not exist here, it is left out"), "{said}");
    let (ok, said) = curves("X25519:nowhere");
    assert!(!ok && said.contains("SSL_CTX_set1_curves_list(\"X25519:nowhere\") failed"), "{said}");
    let (ok, said) = curves("secp521r1");
    assert!(!ok && said.contains("names no curve that exists here"), "{said}");
}

#[test]
fn a_socket_whose_certificate_is_not_there_yet_stays_closed() {
    let https = free_port();
    let conf = |shows: &str| Conf::live("").http_server(&format!("listen {https} ssl; {shows}"));
    let missing = "ssl_certificate missing.crt; ssl_certificate_key missing.key;";
    let server = Server::start(&conf(missing));
    server.wait_log(&format!("nothing listens on 0.0.0.0:{https}"));
    assert!(TcpStream::connect(("127.0.0.1", https)).is_err());
    Publisher::start(server.rtmp, "s").leave();
    server.reload(&conf(missing));
    server.reload(&conf(&shows("origin")));
    until_true("it is opened", || TcpStream::connect(("127.0.0.1", https)).is_ok());
}

#[test]
fn certificates_of_clients_matter_over_tls_only_and_where_they_are_required() {
    let (plain, both, https) = (free_port(), free_port(), free_port());
    let server = |listen: &str, verify: &str| {
        format!(
            "{listen} {} ssl_verify_client {verify}; ssl_client_certificate {}; location / {{ return 200 secret; }}",
            shows("origin"),
            file("clients/ca.crt")
        )
    };
    let conf = |verify: &str| {
        Conf::live("")
            .http_server(&server(&format!("listen {plain};"), "on"))
            .http(&format!("server {{ {} }}", server(&format!("listen {both}; listen {https} ssl;"), verify)))
    };
    let code = |scheme: &str, port: u16| {
        let url = format!("{scheme}://localhost:{port}/");
        let answer = run("curl", &["-sk", "-o", "/dev/null", "-w", "%{http_code}", &url]);
        String::from_utf8_lossy(&answer.stdout).into_owned()
    };
    let server = Server::start(&conf("on"));
    assert_eq!(code("http", plain), "200");
    assert_eq!((code("http", both), code("https", https)), ("200".into(), "400".into()));
    for verify in ["optional", "optional_no_ca", "off"] {
        server.reload(&conf(verify));
        assert_eq!((code("http", both), code("https", https)), ("200".into(), "200".into()), "{verify}");
    }
}

#[test]
fn protocols_and_ciphers_are_chosen() {
    let https = free_port();
    let listen = format!("listen {https} ssl; {}", shows("origin"));
    let connect = |options: &[&str]| {
        let url = format!("https://localhost:{https}/");
        let trusted = file("origin.crt");
        let arguments = [&["-sS", "-o", "/dev/null", "--cacert", &trusted], options, &[&url]].concat();
        run("curl", &arguments).status.success()
    };
    let conf = |more: &str| Conf::live("").http_server(&format!("{listen} {more}"));
    let server = Server::start(&conf(""));
    assert!(connect(&["--tlsv1.3"]) && connect(&["--tls-max", "1.2"]));
    server.reload(&conf("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;"));
    assert!(!connect(&["--tlsv1.3"]));
    assert!(connect(&["--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"]));
    assert!(!connect(&["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"]));
    server.reload(&conf("ssl_protocols TLSv1.3; ssl_session_tickets off;"));
    assert!(connect(&[]) && !connect(&["--tls-max", "1.2"]));
}
