//! Which certificates are shown, and which files are refused.

use std::process::Stdio;

use crate::support::server::{Prefix, free_port};
use crate::support::tool::run;
use crate::support::{Conf, Server};
use crate::{GET, Made, curl, s_client};

#[test]
fn a_certificate_is_chosen_by_what_a_client_can_verify_and_by_its_name() {
    let made = Made::new();
    made.all.openssl(&[
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.crt", "-days",
        "3650", "-subj", "/CN=rsa",
    ]);
    for name in ["a.test", "b.test"] {
        let (certificate, key) = if name == "a.test" { ("server", "server") } else { ("server2", "server2") };
        std::fs::copy(made.path(&format!("{certificate}.crt")), made.path(&format!("{name}.crt"))).unwrap();
        std::fs::copy(made.path(&format!("{key}.key")), made.path(&format!("{name}.key"))).unwrap();
    }
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let (both, named, inline) = (free_port(), free_port(), free_port());
    let variable = made.path("$ssl_server_name");
    let text = |name: &str| std::fs::read_to_string(made.path(name)).unwrap();
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{both} ssl; {} {} return 200 $ssl_cipher; }}
         server {{ listen 127.0.0.1:{named} ssl; ssl_certificate {variable}.crt; ssl_certificate_key {variable}.key; return 200 x; }}
         server {{ listen 127.0.0.1:{inline} ssl; ssl_certificate 'data:{}'; ssl_certificate_key 'data:{}'; return 200 x; }}",
        made.shows("server"),
        made.shows("rsa"),
        text("server.crt"),
        text("server.key"),
    )));
    let subject = |port: u16, more: &[&str]| {
        let said = s_client(port, more, GET);
        let line = said.lines().find(|line| line.starts_with("subject=")).unwrap_or("none").to_owned();
        line.rsplit("CN = ").next().unwrap().to_owned()
    };
    assert_eq!(subject(both, &["-sigalgs", "RSA-PSS+SHA256"]), "rsa");
    assert_eq!(subject(both, &["-sigalgs", "ECDSA+SHA256"]), "server");
    assert_eq!(subject(both, &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]), "rsa");
    assert_eq!(subject(named, &["-servername", "a.test"]), "server");
    assert_eq!(subject(named, &["-servername", "b.test"]), "server2");
    assert_eq!(subject(named, &["-servername", "missing.test"]), "none");
    server.wait_log("missing.test.crt\": 2: No such file or directory");
    assert_eq!(subject(inline, &[]), "server");
}

/// As in nginx, the variable has it as the client writes it.
#[test]
fn the_name_of_a_server_is_asked_for_in_any_case() {
    let made = Made::new();
    let port = free_port();
    let shows = made.shows("server");
    let _server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; {shows} return 200 '<other>'; }}
         server {{ listen 127.0.0.1:{port} ssl; server_name a.test; {shows} return 200 '<$ssl_server_name $server_name>'; }}"
    )));
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(
            port,
            &[version, "-servername", "A.Test"],
            "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
        );
        assert!(said.contains("\n<A.Test a.test>"), "{said}");
    }
}

#[test]
fn the_schemes_of_signatures_are_known() {
    let made = Made::new();
    made.all.openssl(&[
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.crt", "-subj",
        "/CN=rsa",
    ]);
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let port = free_port();
    let conf = |says: &str| {
        Conf::live("").http(&format!(
            "server {{ listen 127.0.0.1:{port} ssl; {} {} ssl_verify_client optional_no_ca; return 200 '<{says}>'; }}",
            made.shows("server"),
            made.shows("rsa"),
        ))
    };
    // What is noted of handshakes is what the configuration in force uses.
    let server = Server::start(&conf("nothing"));
    assert!(s_client(port, &[], GET).contains("\n<nothing>"));
    server.reload(&conf("${ssl_server_name}_${SSL_SigAlg}"));
    let said = s_client(port, &["-servername", "A.Test", "-sigalgs", "RSA+SHA512", "-tls1_2"], GET);
    assert!(said.contains("\n<A.Test_rsa_pkcs1_sha512>"), "{said}");
    server.reload(&conf("$ssl_sigalg|$ssl_client_sigalg|$ssl_sigalgs"));
    let says = |more: &[&str]| {
        let said = s_client(port, more, GET);
        let (_, after) = said.split_once("\n<").unwrap_or_else(|| panic!("{more:?}: {said}"));
        after.split_once('>').expect("it is complete").0.to_owned()
    };
    let both = "ECDSA+SHA384:rsa_pss_rsae_sha384:RSA+SHA256";
    let names = "ecdsa_secp384r1_sha384:rsa_pss_rsae_sha384:rsa_pkcs1_sha256";
    assert_eq!(says(&["-sigalgs", both]), format!("rsa_pss_rsae_sha384||{names}"));
    assert_eq!(says(&["-sigalgs", "RSA+SHA256", "-tls1_2"]), "rsa_pkcs1_sha256||rsa_pkcs1_sha256".to_owned());
    let (certificate, key) = (made.path("rsa.crt"), made.path("rsa.key"));
    for version in ["-tls1_3", "-tls1_2"] {
        let sigalgs = "ECDSA+SHA256:rsa_pss_rsae_sha512";
        let shows = [version, "-cert", &certificate, "-key", &key, "-sigalgs", sigalgs];
        let [server, client] = ["ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha512"];
        assert_eq!(says(&shows), format!("{server}|{client}|{server}:{client}"));
    }
}

#[test]
fn of_equal_certificates_the_later_one_is_shown_and_an_issuer_is_named_once() {
    let made = Made::new();
    let issuer = std::fs::read_to_string(made.path("ca.crt")).unwrap();
    std::fs::write(made.path("twice.crt"), issuer.repeat(2)).unwrap();
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let port = free_port();
    let _server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; {} {} ssl_verify_client optional; ssl_client_certificate {}; return 200 x; }}",
        made.shows("server2"),
        made.shows("server"),
        made.path("twice.crt"),
    )));
    let said = s_client(port, &[], GET);
    let subject = said.lines().find(|line| line.starts_with("subject=")).unwrap_or("none");
    assert!(subject.ends_with("CN = server"), "{subject}");
    let names = said.lines().skip_while(|line| !line.starts_with("Acceptable client")).skip(1);
    let names: Vec<_> = names.take_while(|line| line.contains("CN = ")).collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn certificates_are_chosen_by_maps_and_kept() {
    let made = Made::new();
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let (port, kept) = (free_port(), free_port());
    for suffix in ["crt", "key"] {
        std::fs::copy(made.path(&format!("server.{suffix}")), made.path(&format!("kept.{suffix}"))).unwrap();
    }
    let server = Server::start(&Conf::live("").http(&format!(
        "geo $near {{ default far; 127.0.0.0/8 near; }}
         map $ssl_server_name:$near $name {{ default none; a.test:near {}; ~^(?:.+\\.)?b\\.test:near$ {}; }}
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate $name.crt; ssl_certificate_key $name.key; return 200 x; }}
         server {{ listen 127.0.0.1:{kept} ssl; ssl_certificate_cache max=10 inactive=1h valid=1h;
             ssl_certificate {}/$ssl_server_name.crt; ssl_certificate_key {}/$ssl_server_name.key; return 200 x; }}",
        made.path("server"),
        made.path("server2"),
        made.path(""),
        made.path(""),
    )));
    let subject = |port: u16, name: &str| {
        let said = s_client(port, &["-servername", name], GET);
        let line = said.lines().find(|line| line.starts_with("subject=")).unwrap_or("none").to_owned();
        line.rsplit("CN = ").next().unwrap().to_owned()
    };
    assert_eq!(subject(port, "a.test"), "server");
    assert_eq!(subject(port, "x.b.test"), "server2");
    assert_eq!(subject(port, "c.test"), "none");
    server.wait_log("none.crt\": 2: No such file or directory");
    assert_eq!(subject(kept, "kept"), "server");
    for suffix in ["crt", "key"] {
        std::fs::copy(made.path(&format!("server2.{suffix}")), made.path(&format!("kept.{suffix}"))).unwrap();
    }
    assert_eq!(subject(kept, "kept"), "server", "it is not read again");
    assert_eq!(subject(kept, "server2"), "server2");
}

#[test]
fn a_chain_is_completed_from_the_trusted_certificates() {
    let made = Made::new();
    let (short, long, alone) = (free_port(), free_port(), free_port());
    let server = |port: u16, name: &str, more: &str| {
        format!("server {{ listen 127.0.0.1:{port} ssl; {} {more} return 200 x; }}", made.shows(name))
    };
    let trusted = format!("ssl_trusted_certificate {};", made.path("ca-and-between.crt"));
    let _server = Server::start(&Conf::live("").http(
        &(server(short, "far-alone", &trusted)
            + &server(long, "far", &trusted)
            + &server(alone, "far-alone", "")),
    ));
    let shown = |port: u16| {
        let said = s_client(port, &["-showcerts"], GET);
        said.lines()
            .filter_map(|line| line.split_once(" s:"))
            .map(|(_, name)| name.to_owned())
            .collect::<Vec<_>>()
    };
    let name = |name: &str| format!("C = XX, O = \"Tests, Inc.\", CN = {name}");
    assert_eq!(shown(short), [name("far"), name("between"), name("ca")]);
    assert_eq!(shown(long), [name("far"), name("between")], "a chain that is given stays as it is");
    assert_eq!(shown(alone), [name("far")]);
}

#[test]
fn what_cannot_be_used_is_refused_with_its_name() {
    let made = Made::new();
    made.all.openssl(&[
        "ec",
        "-in",
        "server.key",
        "-aria128",
        "-passout",
        "pass:secret",
        "-out",
        "legacy.key",
    ]);
    let self_signed = |name: &str, kind: &[&str]| {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let asks =
            ["req", "-x509", "-nodes", "-keyout", &key, "-out", &certificate, "-subj", "/CN=x", "-newkey"];
        made.all.openssl(&[&asks[..], kind].concat());
    };
    self_signed("short", &["rsa:1024"]);
    self_signed("p521", &["ec", "-pkeyopt", "ec_paramgen_curve:P-521"]);
    self_signed("k256", &["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]);
    std::fs::write(made.path("passwords"), "secret\n").unwrap();
    std::fs::write(made.path("wrong"), "no\n").unwrap();
    let good = made.shows("server");
    let ca = format!("ssl_client_certificate {};", made.path("ca.crt"));
    let path = |name: &str| made.path(name);
    let certificate = format!("ssl_certificate {};", path("server.crt"));
    let cases = [
        (
            format!("{good} ssl_verify_client on;"),
            "no ssl_client_certificate for ssl_verify_client".to_owned(),
        ),
        (
            format!("{good} ssl_client_certificate {};", path("missing")),
            format!("SSL_CTX_load_verify_locations(\"{}\") failed", path("missing")),
        ),
        (
            format!("{good} {ca} ssl_crl {};", path("ca.crt")),
            format!(
                "SSL_CTX_load_verify_locations(\"{}\") failed (it holds no revocation list)",
                path("ca.crt")
            ),
        ),
        (
            format!("{good} ssl_session_ticket_key {};", path("ca.crt")),
            format!("\"{}\" must be 48 or 80 bytes", path("ca.crt")),
        ),
        (
            format!("{certificate} ssl_certificate_key {};", path("locked.key")),
            format!(
                "cannot load certificate key \"{}\": it is encrypted, and no password",
                path("locked.key")
            ),
        ),
        (
            format!(
                "{certificate} ssl_certificate_key {}; ssl_password_file {};",
                path("locked.key"),
                path("wrong")
            ),
            "it is encrypted, and no password".to_owned(),
        ),
        (
            format!(
                "{certificate} ssl_certificate_key {}; ssl_password_file {};",
                path("legacy.key"),
                path("passwords")
            ),
            "it is encrypted with a cipher that is not supported".to_owned(),
        ),
        (made.shows("short"), "keys of RSA with 1024 bits are not supported".to_owned()),
        (made.shows("p521"), "keys of the curve P-521 are not supported".to_owned()),
        (made.shows("k256"), "keys of the curve 1.3.132.0.10 are not supported".to_owned()),
        (certificate.clone(), "no \"ssl_certificate_key\" is defined for certificate".to_owned()),
        (
            String::new(),
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in ".to_owned(),
        ),
        (format!("{good} ssl_conf_command Foo bar;"), "SSL_CONF_cmd(\"Foo\", \"bar\") failed".to_owned()),
        (
            format!("{good} ssl_session_cache shared:a:1;"),
            "session cache \"shared:a:1\" is too small".to_owned(),
        ),
        (
            format!("{good} location / {{ proxy_pass https://127.0.0.1:9; proxy_ssl_verify on; }}"),
            "no proxy_ssl_trusted_certificate for proxy_ssl_verify".to_owned(),
        ),
        (
            format!(
                "{good} location / {{ proxy_pass https://127.0.0.1:9; proxy_ssl_certificate {0}; proxy_ssl_certificate_key {0}; }}",
                path("missing")
            ),
            format!("cannot load \"{}\": 2: No such file", path("missing")),
        ),
    ];
    let said = |directives: &str| {
        let conf = format!("events {{ }}\nhttp {{ server {{ listen 127.0.0.1:1 ssl; {directives} }} }}\n");
        let prefix = Prefix::new();
        std::fs::create_dir_all(prefix.path().join("conf")).unwrap();
        std::fs::create_dir_all(prefix.path().join("logs")).unwrap();
        std::fs::write(prefix.path().join("conf/pingosd.conf"), conf).unwrap();
        let output = prefix.command().arg("-t").stdin(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (directives, wanted) in cases {
        let (is_good, text) = said(&directives);
        assert!(!is_good && text.contains(&wanted), "{directives}\nlacks {wanted}\n{text}");
    }
    for directives in [
        format!("{good} {ca} ssl_verify_client on;"),
        format!("{good} ssl_verify_client optional_no_ca;"),
        format!("{good} ssl_trusted_certificate {}; ssl_verify_client on;", path("ca.crt")),
        "ssl_reject_handshake on;".to_owned(),
        format!(
            "{good} location / {{ proxy_pass https://127.0.0.1:9; proxy_ssl_trusted_certificate {0}; proxy_ssl_crl {0}; }}",
            path("missing")
        ),
        format!(
            "{good} location / {{ proxy_pass http://127.0.0.1:9; proxy_ssl_certificate {0}; proxy_ssl_certificate_key {0}; }}",
            path("missing")
        ),
    ] {
        let (is_good, text) = said(&directives);
        assert!(is_good, "{directives}\n{text}");
    }
}

/// What was read from a FIFO is gone: it is read once for all servers that inherit it.
#[test]
fn passwords_may_come_from_a_fifo() {
    let made = Made::new();
    made.all.openssl(&[
        "ec",
        "-in",
        "server.key",
        "-out",
        "locked.key",
        "-aes128",
        "-passout",
        "pass:secret",
    ]);
    let fifo = made.path("fifo");
    run("mkfifo", &[&fifo]);
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let ports = [free_port(), free_port()];
    let shown = format!(
        "ssl_certificate {}; ssl_certificate_key {};",
        made.path("server.crt"),
        made.path("locked.key")
    );
    let mut conf = format!("ssl_password_file {fifo};\n");
    for port in ports {
        conf.push_str(&format!("server {{ listen 127.0.0.1:{port} ssl; {shown} return 200 {port}; }}\n"));
    }
    let writer = std::thread::spawn(move || std::fs::write(fifo, "wrong\nsecret\n"));
    let _server = Server::start(&Conf::live("").http(&conf));
    writer.join().unwrap().unwrap();
    for port in ports {
        assert_eq!(curl(&format!("https://127.0.0.1:{port}/"), &[]), format!("{port} 200"));
    }
}

#[test]
fn encrypted_keys_of_all_usual_forms_are_decrypted() {
    let made = Made::new();
    let rsa = [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.crt", "-days",
        "3650", "-subj", "/CN=rsa",
    ];
    made.all.openssl(&rsa);
    std::fs::write(made.path("passwords"), "wrong\n\nsecret\r\n").unwrap();
    let (mut servers, mut ports) = (String::new(), Vec::new());
    for (kind, form) in [
        ("server", ["ec", "-aes128"]),
        ("server", ["ec", "-des3"]),
        ("rsa", ["rsa", "-aes192"]),
        ("rsa", ["rsa", "-aes256"]),
        ("rsa", ["pkcs8", "-v2=aes-256-cbc"]),
        ("server", ["pkcs8", "-v2=des3"]),
    ] {
        let [command, cipher] = form;
        let (source, target) = (format!("{kind}.key"), format!("{kind}{cipher}.key"));
        let mut args = vec![command, "-in", &source, "-out", &target, "-passout", "pass:secret"];
        match cipher.split_once('=') {
            Some((option, value)) => args.extend(["-topk8", option, value]),
            None if command == "rsa" => args.extend([cipher, "-traditional"]),
            None => args.push(cipher),
        }
        made.all.openssl(&args);
        let port = free_port();
        servers.push_str(&format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; \
             ssl_password_file {}; return 200 '{kind} {cipher}'; }}\n",
            made.path(&format!("{kind}.crt")),
            made.path(&target),
            made.path("passwords")
        ));
        ports.push((port, format!("{kind} {cipher} 200")));
    }
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let _server = Server::start(&Conf::live("").http(&servers));
    for (port, wanted) in ports {
        assert_eq!(curl(&format!("https://127.0.0.1:{port}/"), &[]), wanted);
    }
}
