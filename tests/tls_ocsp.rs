//! OCSP: responses that are stapled, and the status of certificates of clients. The responder is that of openssl.

mod support;

use std::sync::atomic::Ordering;

use support::ocsp::{Authority, OddResponder};
use support::server::free_port;
use support::tool::{run, tool};
use support::wait::until;
use support::{Conf, DnsServer, Records, Server};

/// What a client is told of the server's certificate.
fn stapled(port: u16) -> String {
    let target = format!("127.0.0.1:{port}");
    let output = tool("openssl", ["s_client", "-connect", &target, "-status"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const NONE: &str = "OCSP response: no response sent";

/// Waits until a response is stapled; earlier handshakes begin the request.
fn wait_staple(port: u16) -> String {
    until("a stapled response", || Some(stapled(port)).filter(|said| !said.contains(NONE)))
}

/// An encrypted server that shows this certificate.
fn server(port: u16, authority: &Authority, certificate: &str, more: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; {more} \
         location / {{ return 200 '<$ssl_client_verify>'; }} }}",
        authority.path(&format!("{certificate}.crt")),
        authority.path(&format!("{}.key", if certificate == "chain" { "server" } else { certificate })),
    )
}

#[test]
fn what_a_responder_says_is_stapled_after_the_first_handshake() {
    let authority = Authority::new();
    let responder = authority.responder("ca", &["-nmin", "60"]);
    authority.issue(
        "named",
        0x10,
        &format!("authorityInfoAccess=caIssuers;URI:http://a.test/,OCSP;URI:{}/", responder.url()),
    );
    let (named, configured, trusted) = (free_port(), free_port(), free_port());
    let ca = authority.path("ca.crt");
    let stapling = "ssl_stapling on;";
    let configures = format!("{stapling} ssl_stapling_responder {};", responder.url());
    let _server = Server::start(&Conf::live("").http(&format!(
        "{} {} {}",
        server(named, &authority, "named", &format!("{stapling} ssl_trusted_certificate {ca};")),
        server(configured, &authority, "chain", &configures),
        server(
            trusted,
            &authority,
            "server",
            &format!("{configures} ssl_trusted_certificate {ca}; ssl_stapling_verify on;")
        ),
    )));
    for port in [named, configured, trusted] {
        assert!(stapled(port).contains(NONE), "the handshake does not wait");
        let said = wait_staple(port);
        assert!(said.contains("Cert Status: good") && said.contains("Serial Number: 10"), "{said}");
    }
}

#[test]
fn responses_that_nginx_refuses_are_not_stapled_and_the_log_says_why() {
    let authority = Authority::new();
    let ca = authority.path("ca.crt");
    let stapling = |url: &str, verify: &str| {
        format!(
            "ssl_stapling on; ssl_trusted_certificate {ca}; ssl_stapling_responder {url}; ssl_stapling_verify {verify};"
        )
    };
    let of_ca = authority.responder("ca", &["-nmin", "60"]);
    let of_delegate = authority.responder("responder", &["-nmin", "60"]);
    let of_clerk = authority.responder("clerk", &["-nmin", "60"]);
    let of_other = authority.responder("other", &["-nmin", "60"]);
    let without = authority.responder("ca", &["-nmin", "60", "-resp_no_certs"]);
    let http = |more: &str| OddResponder::start(format!("HTTP/1.0 200 OK\r\n{more}"));
    let ocsp = "Content-Type: application/ocsp-response\r\n\r\n";
    let (html, broken, refusing, garbage, headless) = (
        http("Content-Type: text/html\r\n\r\nx"),
        http(&format!("{ocsp}\x30\x05nonsense")),
        http(&format!("{ocsp}\x30\x03\x0a\x01\x06")),
        OddResponder::start("nonsense\r\n\r\n"),
        OddResponder::start("HTTP/1.0 200 OK\r\n"),
    );
    let endless = OddResponder::start([b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), vec![b'0'; 100_000]].concat());
    // Whom, whether signers are verified, our certificate, and what the log says; `None` for a response that is stapled.
    let cases: Vec<(String, &str, &str, Option<&str>)> = vec![
        (of_delegate.url(), "on", "server", None),
        (of_other.url(), "off", "server", None),
        (without.url(), "on", "chain", None),
        (
            of_other.url(),
            "on",
            "server",
            Some(
                "OCSP_basic_verify() failed (SSL: error:13800065:OCSP routines::certificate verify error:Verify error: self-signed certificate)",
            ),
        ),
        (
            of_clerk.url(),
            "on",
            "server",
            Some(
                "OCSP_basic_verify() failed (SSL: error:13800067:OCSP routines::missing ocspsigning usage error:13800070:OCSP routines::root ca not trusted)",
            ),
        ),
        (
            without.url(),
            "off",
            "server",
            Some(
                "OCSP_basic_verify() failed (SSL: error:13800076:OCSP routines::signer certificate not found)",
            ),
        ),
        (of_ca.url(), "on", "revoked", Some("certificate status \"revoked\" in the OCSP response")),
        (of_ca.url(), "on", "unknown", Some("certificate status \"unknown\" in the OCSP response")),
        (
            html.url(),
            "off",
            "server",
            Some("OCSP responder sent invalid \"Content-Type\" header: \"text/html\""),
        ),
        (broken.url(), "off", "server", Some("d2i_OCSP_RESPONSE() failed")),
        (refusing.url(), "off", "server", Some("OCSP response not successful (6: unauthorized)")),
        (garbage.url(), "off", "server", Some("OCSP responder sent invalid response")),
        (headless.url(), "off", "server", Some("OCSP responder prematurely closed connection")),
        (endless.url(), "off", "server", Some("d2i_OCSP_RESPONSE() failed")),
    ];
    let ports: Vec<u16> = cases.iter().map(|_| free_port()).collect();
    let servers: String = cases
        .iter()
        .zip(&ports)
        .map(|((url, verify, certificate, _), port)| {
            server(*port, &authority, certificate, &stapling(url, verify))
        })
        .collect();
    let server = Server::start(&Conf::live("").http(&servers));
    for ((url, _, certificate, why), port) in cases.iter().zip(&ports) {
        let Some(why) = why else {
            assert!(wait_staple(*port).contains("Cert Status: good"), "{url}");
            continue;
        };
        stapled(*port);
        let peer = url.strip_prefix("http://").unwrap();
        let file = authority.path(&format!("{certificate}.crt"));
        server.wait_log(&format!(
            "{why} while requesting certificate status, responder: 127.0.0.1, peer: {peer}, certificate: \"{file}\""
        ));
        assert!(stapled(*port).contains(NONE), "{why}");
    }
    // A responder that failed is not asked again at once.
    assert_eq!(html.requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_response_about_another_certificate_or_out_of_date_is_not_stapled() {
    let authority = Authority::new();
    // A response that every request gets.
    let made = |name: &str, more: &[&str]| OddResponder::with_response(&authority.response(name, "ca", more));
    let of_client = made("client", &["-nmin", "60"]);
    let endless = made("server", &[]);
    let (other, for_ever) = (free_port(), free_port());
    let stapling =
        |url: String| format!("ssl_stapling on; ssl_stapling_verify on; ssl_stapling_responder {url};");
    let server = Server::start(&Conf::live("").http(&format!(
        "{} {}",
        server(other, &authority, "chain", &stapling(of_client.url())),
        server(for_ever, &authority, "chain", &stapling(endless.url())),
    )));
    stapled(other);
    server.wait_log("certificate status not found in the OCSP response while requesting certificate status");
    assert!(stapled(other).contains(NONE));
    // Without nextUpdate, a response counts until the next one.
    assert!(wait_staple(for_ever).contains("Cert Status: good"));
}

/// An element of DER.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, length[0], length[1]][..], contents].concat()
}

/// Contents of an element, and what follows it.
fn inside(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, head) = match der[1] {
        0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
        0x81 => (usize::from(der[2]), 3),
        short => (usize::from(short), 2),
    };
    (&der[head..head + length], &der[head + length..])
}

/// A response without certificates, with these: they are not signed.
fn with_certificates(response: &[u8], certificates: &[u8]) -> Vec<u8> {
    let whole = inside(response).0;
    let (status, rest) = whole.split_at(3);
    let typed = inside(inside(rest).0).0;
    let kind = &typed[..typed.len() - inside(typed).1.len()];
    let basic = inside(inside(inside(typed).1).0).0;
    let more = element(0xA0, &element(0x30, certificates));
    let basic = element(0x30, &[basic, &more].concat());
    let typed = element(0x30, &[kind, &element(0x04, &basic)].concat());
    element(0x30, &[status, &element(0xA0, &typed)].concat())
}

#[test]
fn a_response_with_a_malformed_certificate_is_malformed_as_for_openssl() {
    let authority = Authority::new();
    let path = |name: &str| authority.path(name);
    let genuine = authority.response("server", "ca", &["-nmin", "60", "-resp_no_certs"]);
    let der = run("openssl", &["x509", "-in", &path("ca.crt"), "-outform", "DER"]).stdout;
    let good = with_certificates(&genuine, &der);
    let bad = with_certificates(&genuine, &[&der[..], b"\x30\x02\x05\x00"].concat());
    for (response, is_taken) in [(&good, true), (&bad, false)] {
        std::fs::write(path("odd.resp"), response).unwrap();
        let judged = run("openssl", &["ocsp", "-respin", &path("odd.resp"), "-noverify", "-text"]);
        assert_eq!(judged.status.success(), is_taken, "{}", String::from_utf8_lossy(&judged.stderr));
    }
    let [good, bad] = [good, bad].map(|response| OddResponder::with_response(&response));
    let (with_good, with_bad) = (free_port(), free_port());
    let stapling = |url: String| format!("ssl_stapling on; ssl_stapling_responder {url};");
    let server = Server::start(&Conf::live("").http(&format!(
        "{} {}",
        server(with_good, &authority, "chain", &stapling(good.url())),
        server(with_bad, &authority, "chain", &stapling(bad.url())),
    )));
    stapled(with_bad);
    server.wait_log("OCSP_response_get1_basic() failed while requesting certificate status");
    assert!(stapled(with_bad).contains(NONE));
    assert!(wait_staple(with_good).contains("Cert Status: good"));
}

#[test]
fn what_cannot_be_stapled_is_said_at_the_start_and_by_the_test() {
    let authority = Authority::new();
    let ca = authority.path("ca.crt");
    let file = authority.path("server.crt");
    let trusts = format!("ssl_trusted_certificate {ca};");
    let cases = [
        (String::new(), format!("issuer certificate not found for certificate \"{file}\"")),
        (trusts.clone(), format!("no OCSP responder URL in the certificate \"{file}\"")),
        (
            format!("{trusts} ssl_stapling_responder https://x;"),
            format!("invalid URL prefix in OCSP responder \"https://x\" in the certificate \"{file}\""),
        ),
        (
            format!("{trusts} ssl_stapling_responder http:///x;"),
            format!("no host in OCSP responder \"/x\" in the certificate \"{file}\""),
        ),
    ];
    let servers: String = cases
        .iter()
        .map(|(more, _)| server(free_port(), &authority, "server", &format!("ssl_stapling on; {more}")))
        .collect();
    let server = Server::start(&Conf::live("").http(&servers));
    let tested = server.run(&["-t"]);
    let said = String::from_utf8_lossy(&tested.stderr).into_owned();
    for (_, why) in &cases {
        server.wait_log(&format!("\"ssl_stapling\" ignored, {why}"));
        assert!(said.contains(&format!("[warn] \"ssl_stapling\" ignored, {why}\n")), "{said}");
    }
}

#[test]
fn names_of_responders_are_resolved_by_the_resolver_of_http() {
    let authority = Authority::new();
    let responder = authority.responder("ca", &["-nmin", "60"]);
    let dns = DnsServer::start();
    dns.set("ocsp.test", Records::Addresses(vec!["127.0.0.1".parse().unwrap()], 60));
    let (port, missing, by_system) = (free_port(), free_port(), free_port());
    let stapling =
        |host: &str| format!("ssl_stapling on; ssl_stapling_responder http://{host}:{};", responder.port);
    let resolver = format!("resolver 127.0.0.1:{} ipv6=off;", dns.port);
    let server = Server::start(&Conf::live("").http(&format!(
        "{} {} {}",
        server(port, &authority, "chain", &(stapling("ocsp.test") + &resolver)),
        server(missing, &authority, "chain", &(stapling("none.test") + &resolver)),
        server(by_system, &authority, "chain", &stapling("localhost")),
    )));
    assert!(wait_staple(port).contains("Cert Status: good"));
    assert!(wait_staple(by_system).contains("Cert Status: good"));
    server.wait_log("no resolver defined to resolve localhost while requesting certificate status");
    stapled(missing);
    server.wait_log("none.test could not be resolved (3: Host not found)");
    assert!(stapled(missing).contains(NONE));
}

/// Status of a request by this client, and what it is told.
fn ask(port: u16, authority: &Authority, client: &str) -> (u16, String) {
    let (certificate, key) =
        (authority.path(&format!("{client}.crt")), authority.path(&format!("{client}.key")));
    let url = format!("https://127.0.0.1:{port}/");
    let output = run("curl", &["-sk", "--cert", &certificate, "--key", &key, "-w", "\n%{http_code}", &url]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn clients_whose_certificates_are_revoked_unknown_or_not_looked_up_are_refused() {
    let authority = Authority::new();
    let (of_ca, of_other) = (authority.responder("ca", &["-nmin", "60"]), authority.responder("other", &[]));
    let nobody = free_port();
    let [good, optional, wrong, down, unnamed, paged] = std::array::from_fn(|_| free_port());
    let ca = authority.path("ca.crt");
    let verifies = |verify: &str, url: &str| {
        format!(
            "ssl_verify_client {verify}; ssl_client_certificate {ca}; ssl_ocsp on; ssl_ocsp_responder {url};"
        )
    };
    let server = Server::start(&Conf::live("").http(&format!(
        "{} {} {} {} {} {}",
        server(good, &authority, "server", &verifies("on", &of_ca.url())),
        server(optional, &authority, "server", &verifies("optional", &of_ca.url())),
        server(wrong, &authority, "server", &verifies("on", &of_other.url())),
        server(down, &authority, "server", &verifies("on", &format!("http://127.0.0.1:{nobody}"))),
        server(
            unnamed,
            &authority,
            "server",
            &format!("ssl_verify_client on; ssl_client_certificate {ca}; ssl_ocsp leaf;")
        ),
        server(
            paged,
            &authority,
            "server",
            &(verifies("on", &of_ca.url())
                + "error_page 495 =200 /page; location /page { return 200 '$ssl_client_verify'; }")
        ),
    )));
    for port in [good, optional] {
        assert_eq!(ask(port, &authority, "client"), (200, "<SUCCESS>".into()));
        for client in ["revoked", "unknown"] {
            let (status, page) = ask(port, &authority, client);
            assert_eq!(status, 400);
            assert!(page.contains("<title>400 The SSL certificate error</title>"), "{page}");
        }
    }
    server.wait_log(
        "client SSL certificate verify error: certificate revoked while reading client request headers",
    );
    server.wait_log("client SSL certificate verify error: certificate status unknown while reading");
    assert_eq!(ask(paged, &authority, "revoked"), (200, "FAILED:certificate revoked".into()));
    assert_eq!(ask(paged, &authority, "unknown"), (200, "FAILED:certificate status unknown".into()));
    for (port, why) in [
        (
            wrong,
            "OCSP_basic_verify() failed (SSL: error:13800065:OCSP routines::certificate verify error:Verify error: self-signed certificate) while requesting certificate status, responder: 127.0.0.1",
        ),
        (down, "failed (111: Connection refused) while requesting certificate status, responder: 127.0.0.1"),
        (unnamed, "no OCSP responder URL in certificate"),
    ] {
        assert_eq!(ask(port, &authority, "client").0, 400, "{why}");
        server.wait_log(why);
        server.wait_log("client SSL certificate verify error: certificate status request failed while");
    }
    let url = format!("https://127.0.0.1:{optional}/");
    let output = run("curl", &["-sk", &url]);
    assert_eq!(output.stdout, b"<NONE>");
}

#[test]
fn statuses_of_clients_are_kept_in_the_cache_also_over_a_reload() {
    let authority = Authority::new();
    let responder = authority.responder("ca", &["-nmin", "60"]);
    let [first, second] = std::array::from_fn(|_| free_port());
    let ca = authority.path("ca.crt");
    let verifies = |more: &str| {
        format!(
            "ssl_verify_client on; ssl_client_certificate {ca}; ssl_ocsp on; ssl_ocsp_cache shared:ocsp:1m; {more}"
        )
    };
    let url = responder.url();
    let conf = |text: &str| {
        Conf::live("").http(&format!(
            "{} {}",
            server(
                first,
                &authority,
                "server",
                &verifies(&format!("ssl_ocsp_responder {url}; add_header X {text};"))
            ),
            server(second, &authority, "server", &verifies(&format!("ssl_ocsp_responder {url};"))),
        ))
    };
    let server = Server::start(&conf("one"));
    assert_eq!(ask(first, &authority, "client").0, 200);
    assert_eq!(ask(first, &authority, "revoked").0, 400);
    drop(responder);
    // No responder can be asked any more.
    for port in [first, second] {
        assert_eq!(ask(port, &authority, "client").0, 200);
        assert_eq!(ask(port, &authority, "revoked").0, 400);
        assert_eq!(ask(port, &authority, "unknown").0, 400);
    }
    server.reload(&conf("two"));
    assert_eq!(ask(second, &authority, "client").0, 200);
    let log = server.log();
    assert!(log.contains("certificate revoked") && !log.contains("certificate status unknown"), "{log}");
}

#[test]
fn a_client_whose_status_is_never_told_is_closed_and_others_are_served() {
    let authority = Authority::new();
    let silent = OddResponder::start("");
    let (waiting, plain) = (free_port(), free_port());
    let ca = authority.path("ca.crt");
    let verifies = format!(
        "ssl_verify_client on; ssl_client_certificate {ca}; ssl_ocsp on; ssl_ocsp_responder {};",
        silent.url()
    );
    let _server = Server::start(&Conf::live("").http(&format!(
        "{} {}",
        server(waiting, &authority, "server", &verifies),
        server(plain, &authority, "server", ""),
    )));
    let (certificate, key, url) =
        (authority.path("client.crt"), authority.path("client.key"), format!("https://127.0.0.1:{waiting}/"));
    let mut client = tool("curl", ["-sk", "--cert", &certificate, "--key", &key, &url]).spawn().unwrap();
    until("the responder is asked", || (silent.requests.load(Ordering::SeqCst) > 0).then_some(()));
    assert_eq!(ask(plain, &authority, "client"), (200, "<NONE>".into()));
    assert!(!client.wait().unwrap().success(), "it is served without its status");
}
