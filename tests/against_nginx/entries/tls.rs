//! TLS: certificates of clients, variables, the choice of a server by name, resumption.

use crate::entry::{Entry, TlsClient, entry};

/// What is known of a client's certificate.
const CLIENT: &str = "return 200 '$ssl_client_verify|$ssl_client_s_dn|$ssl_client_i_dn|$ssl_client_s_dn_legacy|$ssl_client_i_dn_legacy|\
                      $ssl_client_serial|$ssl_client_fingerprint|$ssl_client_v_start|$ssl_client_v_end|$ssl_client_v_remain';";

/// All clients that [`crate::support::certificates::Certificates`] knows.
const CLIENTS: [&str; 13] = [
    "client",
    "stranger",
    "odd",
    "expired",
    "future",
    "revoked",
    "for-servers",
    "far",
    "far-alone",
    "self",
    "old",
    "ca",
    "between",
];

/// The days that are left of one certificate: they change with the second in which it was made.
const DAYS: &str = r"GMT\|36(49|50)";

fn c() -> TlsClient {
    TlsClient::new()
}

/// A request by each client, and one without a certificate.
fn by_all(mut entry: Entry) -> Entry {
    for name in CLIENTS {
        entry = entry.ask(format!("/{name}")).tls(c().identity(name));
    }
    entry
        .ask("/none")
        .ask("/tls12")
        .tls(c().identity("client").tls12())
        .ask("/old12")
        .tls(c().identity("old").tls12())
}

pub fn entries() -> Vec<Entry> {
    let verify = |name, rows: &str| {
        by_all(
            entry(name).over_tls().mask(DAYS, "GMT|DAYS").server(format!("{rows} location / {{ {CLIENT} }}")),
        )
    };
    let mut all = vec![
        verify("verify-on", "ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt;"),
        verify("verify-optional", "ssl_verify_client optional; ssl_client_certificate {TLS}/ca.crt;"),
        verify("verify-no-ca", "ssl_verify_client optional_no_ca; ssl_client_certificate {TLS}/ca.crt;"),
        verify("verify-no-ca-at-all", "ssl_verify_client optional_no_ca;"),
        verify("verify-off", "ssl_verify_client off; ssl_client_certificate {TLS}/ca.crt;"),
        verify(
            "verify-depth-0",
            "ssl_verify_client optional; ssl_client_certificate {TLS}/ca.crt; ssl_verify_depth 0;",
        ),
        verify(
            "verify-depth-2",
            "ssl_verify_client optional; ssl_client_certificate {TLS}/ca.crt; ssl_verify_depth 2;",
        ),
        verify(
            "verify-crl",
            "ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt; ssl_crl {TLS}/ca.crl;",
        ),
        verify(
            "verify-crl-empty",
            "ssl_verify_client on; ssl_client_certificate {TLS}/both-cas.crt; ssl_crl {TLS}/empty.crl;",
        ),
        verify(
            "verify-crl-late",
            "ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt; ssl_crl {TLS}/late.crl;",
        ),
        verify("verify-self", "ssl_verify_client on; ssl_client_certificate {TLS}/self.crt;"),
        verify(
            "verify-two-cas",
            "ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt; ssl_trusted_certificate {TLS}/other-ca.crt;",
        ),
        verify("verify-between", "ssl_verify_client on; ssl_client_certificate {TLS}/ca-and-between.crt;"),
        verify(
            "verify-partial",
            "ssl_verify_client on; ssl_client_certificate {TLS}/between.crt; ssl_verify_depth 3;",
        ),
    ];
    all.extend([
        entry("client-pem")
            .over_tls()
            .server("ssl_verify_client optional; ssl_client_certificate {TLS}/ca.crt;")
            .server("location /raw { return 200 '$ssl_client_raw_cert'; }")
            .server("location /escaped { return 200 '$ssl_client_escaped_cert'; }")
            .server("location /tabs { return 200 '$ssl_client_cert'; }")
            .server("location /header { add_header X-Cert $ssl_client_escaped_cert; return 200 '$ssl_client_verify'; }")
            .asks(["/raw", "/escaped", "/tabs", "/header"])
            .ask("/raw").tls(c().identity("client"))
            .ask("/escaped").tls(c().identity("client"))
            .ask("/tabs").tls(c().identity("client"))
            .ask("/header").tls(c().identity("odd")),
        entry("connection-variables")
            .over_tls()
            .server("location / { return 200 '$ssl_protocol|$ssl_cipher|$ssl_ciphers|$ssl_curve|$ssl_curves|$ssl_session_reused|$ssl_server_name|$ssl_early_data|$ssl_alpn_protocol|$https|$scheme|$server_port'; }")
            .ask("/").ask("/").tls(c().tls12()).ask("/").tls(c().name("a.test"))
            .ask("/").tls(c().alpn(&["http/1.1"])).ask("/").tls(c().alpn(&["x", "http/1.0"]))
            .ask("/").tls(c().alpn(&["h2"])).ask("/").tls(c().alpn(&["h2", "http/1.1"]).tls12()),
        entry("variables-without-tls")
            .server("location / { return 200 '<$ssl_protocol|$ssl_cipher|$ssl_client_verify|$ssl_session_reused|$ssl_server_name|$ssl_client_cert>'; }")
            .ask("/"),
        // TLS 1.2 with tickets has identifiers here, and none in nginx.
        entry("session-ids")
            .over_tls()
            .http("map $ssl_session_id $NAME_has { '' none; '~^[0-9a-f]{64}$' whole; default odd; }".replace("NAME", "tls_sid"))
            .server("location / { access_log off; return 200 '$tls_sid_has|$ssl_session_reused'; }")
            .ask("/").ask("/").tls(c().tls12()).ask("/").tls(c().tls12().resumes()).ask("/").tls(c().resumes()),
        entry("plain-to-tls")
            .over_tls()
            .server("location / { return 200 text; }")
            .ask("/").without_tls().ask("HEAD /").without_tls().raw("GET / HTTP/1.0\r\n\r\n").without_tls(),
        entry("plain-page")
            .over_tls()
            .server("error_page 497 =200 /page; location / { return 200 text; } location = /page { return 200 'page of $request_uri'; }")
            .ask("/x").without_tls(),
        entry("certificate-pages")
            .over_tls()
            .server("ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt;")
            .server("error_page 495 /wrong; error_page 496 =403 /missing; location / { return 200 text; }")
            .server("location = /wrong { return 200 'wrong $ssl_client_verify $status'; } location = /missing { return 200 'missing $uri'; }")
            .ask("/a").ask("/b").tls(c().identity("stranger")).ask("/c").tls(c().identity("client"))
            .keep(["/d", "/e"]).keep(["/d", "/e"]).tls(c().identity("client"))
            .ask("POST /f\n\nbody").ask("HEAD /g"),
        entry("certificate-redirect")
            .over_tls()
            .server("ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt;")
            .server("error_page 495 496 http://other.test/$request_uri; location / { return 200 text; }")
            .ask("/a").ask("/b").tls(c().identity("self")),
        entry("verify-in-log")
            .over_tls()
            .http("log_format {NAME} '$uri $status $ssl_client_verify $ssl_client_serial $ssl_protocol $ssl_server_name';")
            .server("access_log logs/{NAME}_x.log {NAME}; ssl_verify_client optional_no_ca; location / { return 204; }")
            .ask("/a").ask("/b").tls(c().identity("client").name("b.test")).ask("/c").tls(c().identity("expired")),
        entry("choice")
            .over_tls()
            .http("server { listen {ADDR}:{PORT} ssl; server_name d.test; location / { return 200 'default $server_name'; } }")
            .server("server_name a.test; location / { return 200 'first $server_name $ssl_server_name'; }")
            .http("server { listen {ADDR}:{PORT} ssl; server_name b.test *.wild.test; location / { return 200 'second $server_name $ssl_server_name'; } }")
            .http(r"server { listen {ADDR}:{PORT} ssl; server_name ~^(?<tls_part>[a-z]+)\.re\.test$; location / { return 200 'third $tls_part $ssl_server_name'; } }")
            .ask("/\nHost: b.test")
            .ask("/\nHost: b.test").tls(c().name("b.test"))
            .ask("/\nHost: a.test").tls(c().name("b.test"))
            .ask("/\nHost: none.test").tls(c().name("b.test"))
            .raw("GET / HTTP/1.0\r\n\r\n").tls(c().name("b.test"))
            .raw("GET / HTTP/1.0\r\n\r\n").tls(c().name("x.wild.test"))
            .raw("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n").tls(c().name("b.test"))
            .ask("/\nHost: x.re.test").tls(c().name("x.re.test"))
            .ask("/\nHost: X.re.test").tls(c().name("x.re.test"))
            .ask("/\nHost: y.re.test").tls(c().name("x.re.test"))
            .raw("GET / HTTP/1.0\r\n\r\n").tls(c().name("x.re.test"))
            .ask("/\nHost: b.test").tls(c().name("none.test")),
        entry("misdirected")
            .over_tls()
            // nginx refuses before the end of the head.
            .mask(r"length=[0-9]+", "length=N")
            .server("server_name a.test; ssl_client_certificate {TLS}/ca.crt; location / { return 200 'first $ssl_client_verify'; }")
            .http("server { listen {ADDR}:{PORT} ssl; server_name b.test; ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt; error_page 421 /page; location / { return 200 'second $ssl_client_verify'; } location = /page { return 200 page; } }")
            .http("server { listen {ADDR}:{PORT} ssl; server_name c.test; ssl_verify_client optional; ssl_client_certificate {TLS}/other-ca.crt; location / { return 200 'third $ssl_client_verify'; } }")
            .ask("/\nHost: b.test").tls(c().name("a.test").identity("client"))
            .ask("/\nHost: b.test").tls(c().identity("client"))
            .ask("/\nHost: b.test").tls(c().name("b.test").identity("client"))
            .ask("/\nHost: b.test").tls(c().name("b.test").identity("stranger"))
            .ask("/\nHost: b.test").tls(c().name("b.test"))
            .ask("/\nHost: a.test").tls(c().name("b.test").identity("client"))
            .ask("/\nHost: a.test").tls(c().name("b.test"))
            .ask("/\nHost: c.test").tls(c().name("b.test").identity("client"))
            .ask("/\nHost: c.test").tls(c().name("c.test").identity("client"))
            .ask("/\nHost: c.test").tls(c().name("c.test").identity("stranger"))
            .ask("/\nHost: c.test").tls(c().name("c.test"))
            .ask("/\nHost: c.test").tls(c().name("none.test").identity("client"))
            .ask("/\nHost: none.test").tls(c().name("c.test").identity("stranger"))
            .keep(["/\nHost: a.test", "/\nHost: b.test", "/\nHost: a.test"]).tls(c().name("a.test")),
        entry("misdirected-alone")
            .over_tls()
            .server("server_name a.test; ssl_verify_client on; ssl_client_certificate {TLS}/ca.crt; location / { return 200 '$ssl_client_verify'; }")
            .ask("/\nHost: other.test").tls(c().name("a.test").identity("client"))
            .ask("/\nHost: a.test").tls(c().name("a.test").identity("client"))
            .ask("/\nHost: a.test").tls(c().name("other.test")),
        entry("rejects")
            .over_tls()
            .server("server_name a.test; ssl_reject_handshake on; location / { return 200 'never'; }")
            .http("server { listen {ADDR}:{PORT} ssl; server_name b.test; location / { return 200 'second'; } }")
            .ask("/\nHost: b.test").ask("/\nHost: b.test").tls(c().name("b.test")).ask("/\nHost: a.test").tls(c().name("b.test"))
            .ask("/").tls(c().name("a.test")).ask("/").tls(c().name("none.test").tls12()).ask("/").without_tls(),
        entry("rejects-one")
            .over_tls()
            .server("server_name a.test; location / { return 200 'first'; }")
            .http("server { listen {ADDR}:{PORT} ssl; server_name b.test; ssl_reject_handshake on; location / { return 200 'second'; } }")
            .ask("/").ask("/\nHost: b.test").ask("/").tls(c().name("b.test")).ask("/").tls(c().name("a.test")),
    ]);
    for (name, rows) in [
        ("resumes-tickets", ""),
        ("resumes-off", "ssl_session_cache off;"),
        ("resumes-none", "ssl_session_cache none; ssl_session_tickets off;"),
        ("resumes-shared", "ssl_session_cache shared:against:1m;"),
        ("resumes-shared-only", "ssl_session_cache shared:against:1m; ssl_session_tickets off;"),
        ("resumes-builtin", "ssl_session_cache builtin; ssl_session_tickets off;"),
        ("resumes-builtin-some", "ssl_session_cache builtin:1000; ssl_session_tickets off;"),
        (
            "resumes-old-words",
            "ssl_session_cache builtin:10 shared:against:1m; ssl_session_tickets off; ssl_session_timeout 1h;",
        ),
    ] {
        all.push(
            entry(name)
                .over_tls()
                .server(format!("{rows} ssl_verify_client optional; ssl_client_certificate {{TLS}}/ca.crt;"))
                .server("server_name a.test b.test; location / { return 200 '$ssl_session_reused $ssl_client_verify $ssl_server_name $ssl_client_serial'; }")
                .ask("/").tls(c().name("a.test").resumes())
                .ask("/").tls(c().name("a.test").resumes().tls12())
                .ask("/").tls(c().name("a.test").resumes().identity("client"))
                .ask("/").tls(c().name("a.test").resumes().identity("client").tls12())
                .ask("/").tls(c().name("a.test").resumes().identity("stranger")),
        );
    }
    for (name, rows) in [
        ("ocsp", "ssl_ocsp on; ssl_ocsp_responder http://{ADDR}:{PORT2}/client;"),
        (
            "ocsp-leaf",
            "ssl_ocsp leaf; ssl_ocsp_responder http://{ADDR}:{PORT2}/client/; ssl_ocsp_cache shared:against-ocsp:1m;",
        ),
        ("ocsp-revoked", "ssl_ocsp on; ssl_ocsp_responder http://{ADDR}:{PORT2}/revoked;"),
        ("ocsp-wrong-type", "ssl_ocsp on; ssl_ocsp_responder http://{ADDR}:{PORT2}/text;"),
        ("ocsp-nothing", "ssl_ocsp on; ssl_ocsp_responder http://{ADDR}:{PORT2}/none;"),
        ("ocsp-unnamed", "ssl_ocsp on;"),
        ("ocsp-off", "ssl_ocsp off;"),
    ] {
        let answers = |what: &str| {
            format!(
                "location /{what}/ {{ root {{TLS}}; types {{ }} default_type application/ocsp-response; try_files /{what}.ocsp =404; }}"
            )
        };
        all.push(
            entry(name)
                .over_tls()
                .unlike_errors("responses of OCSP have lines of their own", "OCSP")
                .http(format!(
                    "server {{ listen {{ADDR}}:{{PORT2}}; access_log off; {} {} location /text/ {{ return 200 text; }} }}",
                    answers("client"),
                    answers("revoked")
                ))
                .server(format!("ssl_verify_client optional; ssl_client_certificate {{TLS}}/ca.crt; {rows}"))
                .server("error_page 495 /page; location / { return 200 '$ssl_client_verify'; } location = /page { return 200 'page $ssl_client_verify'; }")
                .ask("/")
                .ask("/").tls(c().identity("client"))
                .ask("/").tls(c().identity("client").tls12())
                .ask("/").tls(c().identity("revoked"))
                .ask("/").tls(c().identity("stranger"))
                .ask("/").tls(c().identity("client").resumes())
                .keep(["/a", "/b"]).tls(c().identity("revoked")),
        );
    }
    all.push(
        entry("curve-of-resumed-sessions")
            .over_tls()
            .server("ssl_ecdh_curve X25519; location / { return 200 '$ssl_session_reused $ssl_curve'; }")
            .ask("/")
            .tls(c().resumes().tls12())
            .ask("/")
            .tls(c().resumes().tls12())
            .ask("/")
            .tls(c().resumes()),
    );
    all.push(
        entry("old-protocol")
            .over_tls()
            .server("ssl_protocols TLSv1.2; location / { return 200 '$ssl_protocol'; }")
            .ask("/")
            .ask("/")
            .tls(c().tls12())
            .ask("/")
            .tls(TlsClient { versions: &[2, 3], ..c() }),
    );
    all.push(
        entry("protocols-of-the-default-server")
            .over_tls()
            .server("server_name a.test; ssl_protocols TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256; location / { return 200 'first $ssl_protocol $ssl_cipher'; }")
            .http("server { listen {ADDR}:{PORT} ssl; server_name b.test; ssl_protocols TLSv1.2 TLSv1.3; location / { return 200 'second $ssl_protocol $ssl_cipher'; } }")
            .ask("/\nHost: b.test").tls(TlsClient { versions: &[2, 3], ..c() }.name("b.test"))
            .ask("/\nHost: a.test").tls(TlsClient { versions: &[2, 3], ..c() }.name("a.test")),
    );
    all.push(
        entry("ciphers-of-the-named-server")
            .over_tls()
            .server("server_name a.test; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256; location / { return 200 'first $ssl_protocol $ssl_cipher'; }")
            .http("server { listen {ADDR}:{PORT} ssl; server_name b.test; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; location / { return 200 'second $ssl_protocol $ssl_cipher'; } }")
            .ask("/\nHost: b.test").tls(c().tls12().name("b.test")).ask("/\nHost: a.test").tls(c().tls12().name("a.test")),
    );
    all.push(
        entry("commands")
            .over_tls()
            .server("ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256; ssl_conf_command Options -SessionTicket; ssl_conf_command Groups P-384; location / { return 200 '$ssl_cipher $ssl_curve'; }")
            .ask("/").ask("/").tls(c().tls12()),
    );
    all.push(
        entry("small-records")
            .over_tls()
            .server("ssl_buffer_size 1k; location / { root {ROOT}/html; }")
            .ask("/big.txt")
            .keep(["/digits.txt", "/a.txt"]),
    );
    all.push(
        entry("locked-key")
            .over_tls()
            .file("passwords", "wrong\nsecret\n")
            .server("ssl_certificate {TLS}/server.crt; ssl_certificate_key {TLS}/locked.key; ssl_password_file {DIR}/passwords; location / { return 200 text; }")
            .ask("/"),
    );
    all.push(backends());
    all
}

/// Forwarding over TLS, to servers of the same program that are chosen by name. Without resumption: nginx shares sessions among all
/// locations with the same URL, whatever they verify.
fn backends() -> Entry {
    let mut entry =
        entry("backends").unlike_errors("the first fault that is found is another one", r#"GET /(7|14)/"#);
    for name in [
        "client",
        "expired",
        "far",
        "far-alone",
        "old",
        "revoked",
        "self",
        "server",
        "stranger",
        "for-servers",
        "ca",
    ] {
        entry = entry.http(format!(
            "server {{ listen {{ADDR}}:{{PORT2}} ssl; server_name {name}.back; ssl_protocols TLSv1.2 TLSv1.3; \
             ssl_certificate {{TLS}}/{name}.crt; ssl_certificate_key {{TLS}}/{name}.key; ssl_verify_client optional_no_ca; \
             location / {{ return 200 'from {name} $ssl_server_name $ssl_protocol $ssl_cipher $ssl_client_verify $ssl_client_s_dn'; }} }}"
        ));
    }
    let trusts = "proxy_ssl_verify on; proxy_ssl_trusted_certificate {TLS}/ca.crt;";
    let cases = [
        ("client", "client.back", String::new()),
        ("client", "client.back", trusts.to_owned()),
        ("client", "client.back", trusts.replace("ca.crt", "other-ca.crt")),
        ("self", "self.back", trusts.replace("ca.crt", "self.crt")),
        ("self", "self.back", trusts.to_owned()),
        ("expired", "expired.back", trusts.to_owned()),
        ("far", "far.back", trusts.to_owned()),
        ("far", "far.back", format!("{trusts} proxy_ssl_verify_depth 0;")),
        ("far-alone", "far-alone.back", trusts.to_owned()),
        ("old", "old.back", trusts.to_owned()),
        ("revoked", "revoked.back", format!("{trusts} proxy_ssl_crl {{TLS}}/ca.crl;")),
        ("revoked", "revoked.back", format!("{trusts} proxy_ssl_crl {{TLS}}/empty.crl;")),
        ("for-servers", "for-servers.back", trusts.to_owned()),
        ("server", "server.back", trusts.replace("ca.crt", "server.crt")),
        ("ca", "ca.back", trusts.to_owned()),
        ("client", "client.back", "proxy_ssl_certificate {TLS}/client.crt; proxy_ssl_certificate_key {TLS}/client.key;".to_owned()),
        ("client", "client.back", "proxy_ssl_certificate {TLS}/$arg_c.crt; proxy_ssl_certificate_key {TLS}/$arg_c.key;".to_owned()),
        ("client", "client.back", "proxy_ssl_certificate $arg_none; proxy_ssl_certificate_key $arg_none;".to_owned()),
        ("client", "client.back", "proxy_ssl_protocols TLSv1.3;".to_owned()),
        ("client", "client.back", "proxy_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;".to_owned()),
        ("client", "client.back", "proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; proxy_ssl_protocols TLSv1.3;".to_owned()),
        (
            "server",
            "server.back",
            "proxy_ssl_certificate {TLS}/server.crt; proxy_ssl_certificate_key {TLS}/locked.key; proxy_ssl_password_file {DIR}/passwords;".to_owned(),
        ),
    ];
    // The name that is asked for chooses the server; the name in its certificate is verified.
    let names = [("client", "client.test"), ("server", "a.test")];
    let mut entry = entry.file("passwords", "secret\n");
    for (number, (server, name, rows)) in cases.into_iter().enumerate() {
        let verified = names.iter().find(|(of, _)| *of == server).map_or(server, |(_, name)| name);
        for (path, sni) in [(format!("/{number}/"), name), (format!("/{number}-named/"), verified)] {
            entry = entry
                .server(format!(
                    "location {path} {{ proxy_pass https://{{ADDR}}:{{PORT2}}/; proxy_ssl_server_name on; proxy_ssl_name {sni}; proxy_ssl_session_reuse off; {rows} \
                     proxy_set_header Host {name}; }}"
                ))
                .ask(format!("{path}?c=far"));
        }
    }
    entry
}
