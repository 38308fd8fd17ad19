//! Callback servers that are asked by https://.

mod support;

use support::tls::{callback_server, file};
use support::{Conf, Publisher, RtmpClient, Server};

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
