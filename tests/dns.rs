//! Host names: how long answers count, and what happens while there are none.

mod support;

use std::net::{IpAddr, SocketAddr};

use support::dns::SERVER_FAILURE;
use support::frame::Tracks;
use support::http::get;
use support::server::{Signal, free_port};
use support::wait::until_true;
use support::{Conf, DnsServer, NotifyServer, Player, Publisher, Records, RtmpClient, Server};

/// Delays that a test can wait for.
const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 1s;";
/// The background looks at names this often.
const OFTEN: &str = "dynamic_refresh_interval 100ms;";

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn at(texts: &[&str], ttl: u32) -> Records {
    Records::Addresses(ips(texts), ttl)
}

/// A server of the application `live` on this address.
fn listening(address: &str) -> Server {
    Server::start(&Conf::new(&format!("listen {address}; application live {{ live on; }}")))
}

/// A server that pulls from `origin.test:PORT`, with these directives in `events`.
fn edge(port: u16, events: &str) -> Server {
    Server::start(&edge_conf(port, events))
}

fn edge_conf(port: u16, events: &str) -> Conf {
    Conf::live(&format!("{QUICK} pull rtmp://origin.test:{port};")).events(events)
}

fn publisher_at(address: &str, name: &str) -> Publisher {
    Publisher::with(RtmpClient::publish_at(address, "live", name), Tracks::Both)
}

/// Plays `name` at the edge until a key frame of the origin at `address` comes.
fn plays(edge: &Server, address: &str, name: &str) {
    let publisher = publisher_at(address, name).keep_sending();
    Player::start(edge.rtmp, name).wait_key();
    publisher.stop().leave();
}

#[test]
fn an_origin_that_moves_is_found_when_the_answer_ends() {
    let (dns, port) = (DnsServer::start(), free_port());
    let (old, new) = (format!("127.0.0.2:{port}"), format!("127.0.0.3:{port}"));
    let mut first = listening(&old);
    let _second = listening(&new);
    dns.set("origin.test", at(&["127.0.0.2"], 1));
    let edge = edge(port, &dns.line(""));
    let at_old = publisher_at(&old, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    let mut at_new = publisher_at(&new, "s");
    at_new.skip_to(100_000);
    let at_new = at_new.keep_sending();
    dns.set("origin.test", at(&["127.0.0.3"], 1));
    drop(at_old.stop());
    first.signal(Signal::SIGKILL);
    first.wait_exit();
    until_true("frames of the new origin", || player.frames().iter().any(|n| *n >= 100_000));
    at_new.stop().leave();
}

#[test]
fn an_answer_counts_for_its_time_unless_valid_says_otherwise() {
    let (dns, port) = (DnsServer::start(), free_port());
    let address = format!("127.0.0.1:{port}");
    let _origin = listening(&address);
    dns.set("origin.test", at(&["127.0.0.1"], 3600));
    let edge = edge(port, &format!("{} {OFTEN}", dns.line("")));
    for name in ["a", "b", "c"] {
        plays(&edge, &address, name);
    }
    assert_eq!(dns.questions("origin.test"), 1);
    // Both kinds of change are live: how long an answer counts, and whether it counts at all.
    edge.reload(&edge_conf(port, &format!("{} {OFTEN}", dns.line("valid=1s"))));
    plays(&edge, &address, "d");
    dns.wait_questions("origin.test", 3);
    edge.reload(&edge_conf(port, &dns.line("")).main("dynamic_resolver off;"));
    let before = dns.questions("origin.test");
    plays(&edge, &address, "e");
    plays(&edge, &address, "f");
    dns.wait_questions("origin.test", before + 1);
}

#[test]
fn the_last_answer_is_used_while_name_servers_fail() {
    for failure in [Records::Code(SERVER_FAILURE), Records::Silent, Records::Garbage] {
        let (dns, port) = (DnsServer::start(), free_port());
        let address = format!("127.0.0.1:{port}");
        let _origin = listening(&address);
        dns.set("origin.test", at(&["127.0.0.1"], 1));
        let edge = edge(port, &format!("{} {OFTEN}", dns.line("")));
        plays(&edge, &address, "a");
        dns.set("origin.test", failure);
        edge.wait_log("the last known addresses of \"origin.test\" are used");
        plays(&edge, &address, "b");
        dns.set("origin.test", at(&["127.0.0.1"], 1));
        edge.wait_log("host \"origin.test\" is found again");
        assert_eq!(edge.log_lines("the last known addresses").len(), 1, "once per failure");
    }
}

#[test]
fn a_name_without_an_answer_is_tried_until_there_is_one() {
    for failure in [Records::Code(SERVER_FAILURE), Records::Silent, Records::Garbage] {
        let (dns, port) = (DnsServer::start(), free_port());
        let address = format!("127.0.0.1:{port}");
        let _origin = listening(&address);
        dns.set("origin.test", failure);
        let edge = edge(port, &format!("resolver 127.0.0.1:{}; resolver_timeout 300ms;", dns.port));
        let player = Player::start(edge.rtmp, "s");
        edge.wait_log("relay pull failed: 's', connect failed: host \"origin.test\"");
        dns.set("origin.test", at(&["127.0.0.1"], 60));
        let publisher = publisher_at(&address, "s").keep_sending();
        player.wait_key();
        publisher.stop().leave();
    }
}

#[test]
fn all_addresses_are_tried() {
    let (dns, port) = (DnsServer::start(), free_port());
    let address = format!("127.0.0.4:{port}");
    let _origin = listening(&address);
    dns.set("origin.test", at(&["127.0.0.2", "127.0.0.3", "127.0.0.4"], 60));
    let edge = edge(port, &dns.line(""));
    plays(&edge, &address, "s");
    assert!(edge.log_lines("relay pull failed").is_empty(), "it is one attempt");
}

#[test]
fn addresses_of_version_6_are_asked_for_unless_switched_off() {
    let (dns, port) = (DnsServer::start(), free_port());
    let address = format!("[::1]:{port}");
    let _origin = listening(&address);
    dns.set("origin.test", at(&["::1"], 60));
    let edge = edge(port, &dns.line(""));
    plays(&edge, &address, "s");
    edge.reload(&edge_conf(port, &dns.line("ipv6=off")));
    let before = dns.questions("origin.test");
    let other = DnsServer::start();
    other.set("origin.test", at(&["::1"], 60));
    edge.reload(&edge_conf(port, &other.line("ipv6=off")));
    let _player = Player::start(edge.rtmp, "t");
    edge.wait_log("host \"origin.test\" not found");
    assert!(!other.asked_for_v6("origin.test"));
    assert_eq!(dns.questions("origin.test"), before, "the former name server is asked no more");
}

#[test]
fn a_name_server_that_says_nothing_of_one_family_holds_up_nobody() {
    let (dns, port) = (DnsServer::start(), free_port());
    let address = format!("127.0.0.1:{port}");
    let _origin = listening(&address);
    dns.set("origin.test", Records::OneFamily(ips(&["127.0.0.1"]), 60));
    let edge = edge(port, &dns.line(""));
    plays(&edge, &address, "s");
    assert!(dns.asked_for_v6("origin.test"));
    assert!(edge.log_lines("relay pull failed").is_empty(), "it is one attempt");
}

#[test]
fn an_answer_that_is_cut_off_is_asked_for_over_tcp() {
    let (dns, port) = (DnsServer::start(), free_port());
    let address = format!("127.0.0.1:{port}");
    let _origin = listening(&address);
    dns.set("origin.test", Records::OverTcp(ips(&["127.0.0.1"]), 60));
    plays(&edge(port, &dns.line("")), &address, "s");
}

#[test]
fn name_servers_that_say_nothing_leave_time_for_others() {
    let silent = [DnsServer::start(), DnsServer::start()];
    silent.iter().for_each(|dns| dns.set("backend.test", Records::Silent));
    let dns = DnsServer::start();
    dns.set("backend.test", at(&["127.0.0.1"], 60));
    let server = Server::start(&Conf::live("").http_server(&format!(
        "resolver 127.0.0.1:{} 127.0.0.1:{} 127.0.0.1:{} ipv6=off; resolver_timeout 1500ms;
         location / {{ proxy_pass http://backend.test:$server_port/there; }} location /there {{ return 200 there; }}",
        silent[0].port, silent[1].port, dns.port
    )));
    assert_eq!(get(server.http, "/").text(), "there");
}

#[test]
fn the_answers_for_both_families_of_a_backend_are_put_together_as_in_nginx() {
    let (dns, nowhere) = (DnsServer::start(), free_port());
    let (v4, v6) = (at(&["127.0.0.2"], 60), at(&["::1"], 60));
    let (none, failure) = (at(&[], 60), Records::Code(SERVER_FAILURE));
    let alias = |name| Records::Alias(name, Vec::new(), 60);
    dns.set("both.test", at(&["127.0.0.3", "::1"], 60));
    dns.set("v4.test", at(&["127.0.0.4"], 60));
    dns.set("v6.test", v6.clone());
    let server = Server::start(&Conf::live("").http_server(&format!(
        "{} error_page 502 @tried; location / {{ proxy_pass http://$arg_name:{nowhere}; }}
         location @tried {{ return 200 $upstream_addr; }}",
        dns.line("")
    )));
    let cases = [
        (v4.clone(), v6.clone(), &["127.0.0.2", "::1"][..]),
        (v4.clone(), none.clone(), &["127.0.0.2"]),
        (v4.clone(), failure.clone(), &[]),
        (failure, v6, &[]),
        (v4, alias("both.test"), &["127.0.0.2"]),
        (none.clone(), alias("both.test"), &["127.0.0.3", "::1"]),
        (alias("both.test"), none, &[]),
        (alias("v4.test"), alias("v6.test"), &["::1"]),
        (alias("both.test"), alias("nowhere.test"), &[]),
    ];
    for (number, (of_v4, of_v6, wanted)) in cases.into_iter().enumerate() {
        let name = format!("name{number}.test");
        dns.set(&name, Records::ByFamily(of_v4.clone().into(), of_v6.clone().into()));
        let tried = get(server.http, &format!("/?name={name}")).text();
        let mut tried: Vec<IpAddr> =
            tried.split(", ").filter_map(|addr| Some(addr.parse::<SocketAddr>().ok()?.ip())).collect();
        tried.sort();
        assert_eq!(tried, ips(wanted), "{of_v4:?} {of_v6:?}");
    }
}

#[test]
fn addresses_of_version_4_may_be_switched_off() {
    let (dns, nowhere) = (DnsServer::start(), free_port());
    dns.set("backend.test", at(&["127.0.0.2", "::1"], 60));
    let server = Server::start(&Conf::live("").http_server(&format!(
        "{} error_page 502 @tried; location / {{ proxy_pass http://$arg_name:{nowhere}; }}
         location @tried {{ return 200 $upstream_addr; }}",
        dns.line("ipv4=off")
    )));
    assert_eq!(get(server.http, "/?name=backend.test").text(), format!("[::1]:{nowhere}"));
    assert_eq!(dns.questions("backend.test"), 0);
}

#[test]
fn the_answer_of_the_name_server_whose_turn_it_is_stands() {
    let (refusing, dns) = (DnsServer::start(), DnsServer::start());
    refusing.set("backend.test", Records::Code(SERVER_FAILURE));
    dns.set("backend.test", at(&["127.0.0.1"], 60));
    let server = Server::start(&Conf::live("").http_server(&format!(
        "resolver 127.0.0.1:{} 127.0.0.1:{};
         location / {{ proxy_pass http://backend.test:$server_port/there; }} location /there {{ return 200 there; }}",
        refusing.port, dns.port
    )));
    assert_eq!(get(server.http, "/").status(), 502);
    assert_eq!(get(server.http, "/").text(), "there");
    assert_eq!((refusing.questions("backend.test"), dns.questions("backend.test")), (1, 1));
}

#[test]
fn an_alias_is_followed() {
    let (dns, port) = (DnsServer::start(), free_port());
    let address = format!("127.0.0.1:{port}");
    let _origin = listening(&address);
    dns.set("origin.test", Records::Alias("cdn.example.test", ips(&["127.0.0.1"]), 60));
    plays(&edge(port, &dns.line("")), &address, "s");
}

#[test]
fn a_callback_server_without_an_address_is_found_as_soon_as_it_has_one() {
    let (dns, notify) = (DnsServer::start(), NotifyServer::start());
    let server = Server::start(
        &Conf::live(&format!("on_publish http://callback.test:{}/;", notify.port)).events(&dns.line("")),
    );
    let refused = Player::rtmp(RtmpClient::publish(server.rtmp, "live", "s"));
    server.wait_log("[error] ");
    server.wait_log("host \"callback.test\" not found");
    server.wait_log("'s' refused by callback");
    assert!(dns.questions("callback.test") > 0);
    drop(refused);
    dns.set("callback.test", at(&["127.0.0.1"], 60));
    until_true("the publisher is let in", || {
        let client = Player::rtmp(RtmpClient::publish(server.rtmp, "live", "s"));
        client.wait("an answer", |got| (!got.statuses.is_empty() || got.end.is_some()).then_some(()));
        !notify.requests_of("call=publish act=start").is_empty()
    });
    server.wait_log("publishing 's'");
}

#[test]
fn names_stop_neither_start_nor_reload() {
    let nowhere = free_port();
    let conf = Conf::live(
        "push rtmp://nowhere.invalid; pull rtmp://nowhere.invalid; on_publish http://nowhere.invalid/; \
         ignore_invalid_notify on;",
    );
    let server = Server::start(&conf);
    server.reload(&conf.clone().events(&format!("resolver 127.0.0.1:{nowhere}; resolver_timeout 200ms;")));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(3);
    server.wait_log("relay push failed: 's', connect failed: host \"nowhere.invalid\"");
    server.reload(&conf.events("resolver nowhere.invalid;"));
    publisher.send(3);
    server.wait_log("host not found in resolver \"nowhere.invalid\"");
}

#[test]
fn the_hosts_file_goes_before_name_servers() {
    let (dns, port) = (DnsServer::start(), free_port());
    let address = format!("127.0.0.1:{port}");
    let _origin = listening(&address);
    let conf = Conf::live(&format!("{QUICK} pull rtmp://localhost:{port};")).events(&dns.line(""));
    plays(&Server::start(&conf), &address, "s");
    assert_eq!(dns.questions("localhost"), 0);
}
