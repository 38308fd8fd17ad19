//! The other side: servers that are connected to.

use std::os::unix::fs::PermissionsExt;

use crate::support::server::free_port;
use crate::support::tool::run;
use crate::support::wait::until_true;
use crate::support::{Conf, Server};
use crate::{Made, curl};

#[test]
fn an_rtmp_server_that_verifies_is_not_reached_by_the_name_of_another() {
    let made = Made::new();
    let port = free_port();
    let server = |name: &str, more: &str| {
        format!(
            "server {{ listen {port} ssl; server_name {name}; {} {more} application live {{ live on; }} }}",
            made.shows("server")
        )
    };
    let verifies = format!("ssl_verify_client on; ssl_client_certificate {};", made.path("ca.crt"));
    let server =
        Server::start(&Conf::live("").rtmp(&(server("localhost", "") + &server("b.test", &verifies))));
    let publish = |host: &str| {
        let url = format!("rtmps://127.0.0.1:{port}/live/s");
        let tc_url = format!("rtmps://{host}/live");
        let args = [
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc=s=64x64:d=2",
            "-c:v",
            "flv1",
            "-f",
            "flv",
            "-rtmp_tcurl",
            &tc_url,
            &url,
        ];
        run("ffmpeg", &args).status.success()
    };
    assert!(publish("localhost"));
    assert!(!publish("b.test"));
    server.wait_log("client attempted to request the server name different from the one that was negotiated");
}

#[test]
fn the_certificate_for_a_backend_may_depend_on_the_request() {
    let made = Made::new();
    let (front, backend) = (free_port(), free_port());
    let dir = made.all.0.to_str().unwrap();
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{front}; location / {{ proxy_pass https://127.0.0.1:{backend}; \
         proxy_ssl_certificate {dir}/$arg_cert.crt; proxy_ssl_certificate_key {dir}/$arg_cert.key; \
         location /kept {{ proxy_pass https://127.0.0.1:{backend}; proxy_ssl_certificate_cache max=3 inactive=1h valid=1h; }} }} \
         location /none {{ proxy_pass https://127.0.0.1:{backend}; proxy_ssl_certificate $arg_none; proxy_ssl_certificate_key $arg_none; }} }}
         server {{ listen 127.0.0.1:{backend} ssl; {} ssl_verify_client optional; ssl_client_certificate {}; return 200 $ssl_client_s_dn; }}",
        made.shows("server"),
        made.path("both-cas.crt")
    )));
    let ask = |path: &str| curl(&format!("http://127.0.0.1:{front}{path}"), &[]);
    assert_eq!(ask("/?cert=client"), "CN=client,O=Tests\\, Inc.,C=XX 200");
    assert_eq!(ask("/?cert=stranger"), "CN=stranger,O=Tests\\, Inc.,C=XX 200");
    assert_eq!(ask("/none"), " 200");
    assert!(ask("/?cert=missing").ends_with(" 500"));
    server.wait_log("missing.crt\": 2: No such file or directory");
    // It is read for each connection, unless it is kept.
    let show = |name: &str| {
        for suffix in ["crt", "key"] {
            std::fs::copy(format!("{dir}/{name}.{suffix}"), format!("{dir}/changing.{suffix}")).unwrap();
        }
    };
    show("client");
    assert_eq!(ask("/?cert=changing"), "CN=client,O=Tests\\, Inc.,C=XX 200");
    assert_eq!(ask("/kept?cert=changing"), "CN=client,O=Tests\\, Inc.,C=XX 200");
    show("stranger");
    assert_eq!(ask("/?cert=changing"), "CN=stranger,O=Tests\\, Inc.,C=XX 200");
    assert_eq!(ask("/kept?cert=changing"), "CN=client,O=Tests\\, Inc.,C=XX 200");
    // There is room for one certificate with its key.
    assert_eq!(ask("/kept?cert=client"), "CN=client,O=Tests\\, Inc.,C=XX 200");
    assert_eq!(ask("/kept?cert=changing"), "CN=stranger,O=Tests\\, Inc.,C=XX 200");
}

#[test]
fn backends_are_verified_as_nginx_does_it() {
    let made = Made::new();
    // The usual ones that are made by hand: of a CA, without other names, and of version 1.
    for (name, subject) in [("hand", "/CN=hand.test"), ("other-hand", "/CN=127.0.0.1")] {
        made.all.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.crt"),
            "-days",
            "3650",
            "-subj",
            subject,
        ]);
    }
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let (front, backend) = (free_port(), free_port());
    let server_of = |name: &str| {
        format!(
            "server {{ listen 127.0.0.1:{backend} ssl; server_name {name}; {} return 200 x; }}",
            made.shows(name)
        )
    };
    let all =
        ["hand", "other-hand", "client", "expired", "far", "far-alone", "old", "revoked", "self", "server"];
    let location = |number: usize, name: &str, wanted: &str, more: &str| {
        format!(
            "location /{number} {{ proxy_pass https://127.0.0.1:{backend}; proxy_ssl_server_name on; proxy_ssl_verify on; \
             proxy_ssl_name {name}; set $wanted {wanted}; {more} }}"
        )
    };
    let ca = format!("proxy_ssl_trusted_certificate {};", made.path("ca.crt"));
    let own = |name: &str| format!("proxy_ssl_trusted_certificate {};", made.path(&format!("{name}.crt")));
    // SNI selects the certificate by the server's name, which is also the name that is verified.
    let cases: Vec<(&str, String, Result<(), &str>)> = vec![
        ("client.test", ca.clone(), Ok(())),
        ("hand.test", own("hand"), Ok(())),
        ("hand.test", ca.clone(), Err("upstream SSL certificate verify error: (18:self-signed certificate)")),
        ("wrong.test", own("hand"), Err("upstream SSL certificate does not match \"wrong.test\"")),
        ("old", ca.clone(), Ok(())),
        ("far", ca.clone(), Ok(())),
        (
            "far",
            format!("{ca} proxy_ssl_verify_depth 0;"),
            Err("upstream SSL certificate verify error: (22:certificate chain too long)"),
        ),
        ("expired", ca.clone(), Err("upstream SSL certificate verify error: (10:certificate has expired)")),
        (
            "revoked",
            format!("{ca} proxy_ssl_crl {};", made.path("ca.crl")),
            Err("upstream SSL certificate verify error: (23:certificate revoked)"),
        ),
        ("revoked", format!("{ca} proxy_ssl_crl {};", made.path("empty.crl")), Ok(())),
    ];
    let alias = |name: &str| match name {
        "hand" => "hand.test wrong.test".to_owned(),
        "client" => "client.test".to_owned(),
        name => name.to_owned(),
    };
    let servers: String = all
        .iter()
        .map(|name| {
            server_of(name).replace(&format!("server_name {name};"), &format!("server_name {};", alias(name)))
        })
        .collect();
    let locations: String =
        cases.iter().enumerate().map(|(number, (name, more, _))| location(number, name, "x", more)).collect();
    let server = Server::start(
        &Conf::live("").http(&format!("server {{ listen 127.0.0.1:{front}; {locations} }} {servers}")),
    );
    for (number, (name, more, wanted)) in cases.iter().enumerate() {
        let said = curl(&format!("http://127.0.0.1:{front}/{number}"), &[]);
        match wanted {
            Ok(()) => assert!(said.ends_with(" 200"), "{name} {more}: {said}\n{}", server.log()),
            Err(why) => {
                assert!(said.ends_with(" 502"), "{name} {more}: {said}");
                until_true(why, || {
                    server.log().contains(&format!("{why} while SSL handshaking to upstream"))
                });
            }
        }
    }
}

#[test]
fn keys_of_connections_to_backends_are_logged() {
    let made = Made::new();
    let (front, backend) = (free_port(), free_port());
    let conf = |more: &str| {
        Conf::live("").http(&format!(
            "server {{ listen 127.0.0.1:{front}; location / {{ proxy_pass https://127.0.0.1:{backend}; {more}
             location /old {{ proxy_pass https://127.0.0.1:{backend}; proxy_ssl_protocols TLSv1.2; }} }} }}
             server {{ listen 127.0.0.1:{backend} ssl; ssl_protocols TLSv1.2 TLSv1.3; {} return 200 x; }}",
            made.shows("server")
        ))
    };
    // Relative to the directory of the configuration.
    let server = Server::start(&conf("proxy_ssl_key_log keys; proxy_ssl_protocols TLSv1.3;"));
    let ask = |path: &str| assert_eq!(curl(&format!("http://127.0.0.1:{front}{path}"), &[]), "x 200");
    let lines = |name: &str| {
        let text = server.prefix().read(&format!("conf/{name}"));
        let lines = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        lines.collect::<Vec<_>>()
    };
    let has = |name: &str, label: &str| {
        let is_hex = |text: &str, length| text.len() >= length && text.bytes().all(|b| b.is_ascii_hexdigit());
        lines(name).iter().any(|line| {
            line.len() == 3
                && line[0] == label
                && line[1].len() == 64
                && is_hex(&line[1], 64)
                && is_hex(&line[2], 64)
        })
    };
    ask("/");
    until_true("keys of TLS 1.3", || has("keys", "CLIENT_TRAFFIC_SECRET_0"));
    assert!(has("keys", "CLIENT_HANDSHAKE_TRAFFIC_SECRET") && has("keys", "SERVER_TRAFFIC_SECRET_0"));
    ask("/old");
    until_true("keys of TLS 1.2", || has("keys", "CLIENT_RANDOM"));
    let mode = server.prefix().path().join("conf/keys").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // After the reload, keys go to the other file.
    let before = lines("keys");
    server.reload(&conf("proxy_ssl_key_log other; proxy_ssl_protocols TLSv1.3;"));
    ask("/");
    until_true("keys after the reload", || has("other", "CLIENT_TRAFFIC_SECRET_0"));
    assert_eq!(lines("keys"), before);
    // A file that cannot be opened is refused.
    server.rewrite(&conf("proxy_ssl_key_log none/keys;"));
    let tested = server.run(&["-t"]);
    assert!(!tested.status.success());
    assert!(
        String::from_utf8_lossy(&tested.stderr).contains("none/keys\" failed (2: No such file or directory)")
    );
}
