//! Callback servers that are asked by https://.

mod support;

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use support::{Conf, Publisher, RtmpClient, Server};

/// A file of `tests/tls`. `callback` is signed by `ca` and names `localhost` and 127.0.0.1, `expired` too, but ended in
/// 2021; `elsewhere` names another host.
fn file(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A callback server that shows this certificate and says 200.
fn callback_server(certificate: &str) -> u16 {
    let chain = CertificateDer::pem_file_iter(file(&format!("{certificate}.crt"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(file(&format!("{certificate}.key"))).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || answer(StreamOwned::new(session, stream)));
        }
    });
    port
}

fn answer(mut stream: impl Read + Write) -> io::Result<()> {
    let mut held = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        held.extend_from_slice(&buffer[..n]);
        if held.ends_with(b"\r\n\r\n") {
            held.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}

fn start(port: u16, settings: &str) -> Server {
    let conf = Conf::live(&format!("on_publish https://localhost:{port}/cb stage=done;"));
    Server::start(&conf.rtmp(settings))
}

#[track_caller]
fn assert_lets_in(server: &Server) {
    Publisher::start(server.rtmp, "s").leave();
}

#[track_caller]
fn assert_refuses(server: &Server, why: &str) {
    let mut publisher = RtmpClient::publish(server.rtmp, "live", "s");
    publisher.wait_status("NetStream.Publish.Forbidden");
    server.wait_log("notify publish start: no answer (TLS: ");
    let lines = server.log_lines("notify publish start: no answer (TLS: ");
    assert!(
        lines.iter().all(|line| line.to_lowercase().contains(why) && line.contains("pingosd.conf:")),
        "{lines:?}"
    );
}

fn trusted(name: &str) -> String {
    format!("notify_ssl_trusted_certificate {};", file(name))
}

#[test]
fn a_server_of_a_trusted_authority_is_asked() {
    assert_lets_in(&start(callback_server("callback"), &trusted("ca.crt")));
}

#[test]
fn an_authority_that_nobody_named_is_not_trusted() {
    assert_refuses(&start(callback_server("callback"), ""), "unknownissuer");
    assert_refuses(&start(callback_server("callback"), &trusted("other.crt")), "unknownissuer");
}

#[test]
fn a_certificate_that_has_ended_is_not_accepted() {
    assert_refuses(&start(callback_server("expired"), &trusted("ca.crt")), "expired");
}

#[test]
fn a_certificate_of_another_host_is_not_accepted() {
    assert_refuses(&start(callback_server("elsewhere"), &trusted("ca.crt")), "not valid for name");
}

#[test]
fn without_verification_every_certificate_will_do() {
    for certificate in ["expired", "elsewhere", "callback"] {
        assert_lets_in(&start(callback_server(certificate), "notify_ssl_verify off;"));
    }
}
