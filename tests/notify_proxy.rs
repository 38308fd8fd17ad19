//! `http_proxy`: callbacks go through an HTTP proxy, `https://` ones in a tunnel.

mod support;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use support::tls::{callback_server, file};
use support::wait::until_true;
use support::{Conf, NotifyServer, Publisher, RtmpClient, Server};

/// A proxy that forwards everything to a host of its own machine, and keeps the heads of requests.
struct HttpProxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl HttpProxy {
    fn start() -> HttpProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let kept = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                thread::spawn(move || forward(stream, &kept));
            }
        });
        HttpProxy { port, heads }
    }

    /// First lines of the requests.
    fn asked(&self) -> Vec<String> {
        let heads = self.heads.lock();
        heads.iter().map(|head| head.lines().next().unwrap_or_default().to_owned()).collect()
    }
}

fn head_of(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head).unwrap())
}

fn forward(mut client: TcpStream, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    loop {
        let head = head_of(&mut client)?;
        heads.lock().push(head.clone());
        if !head.to_lowercase().contains("\r\nproxy-authorization: basic dxnlcjpwqdp3\r\n") {
            client.write_all(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        let target = head.split(' ').nth(1).unwrap();
        if head.starts_with("CONNECT ") {
            // Whatever the name is, it is this machine.
            let port = target.rsplit(':').next().unwrap().parse::<u16>().unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", port))?;
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
            let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
            thread::spawn(move || io::copy(&mut from, &mut to));
            io::copy(&mut server, &mut client)?;
            return Ok(());
        }
        let rest = target.strip_prefix("http://").expect("the whole URL");
        let (authority, path) = rest.split_once('/').unwrap();
        let port = authority.rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        let lines = head.split_once("\r\n").unwrap().1;
        server.write_all(format!("GET /{path} HTTP/1.1\r\n{lines}").as_bytes())?;
        let answer = head_of(&mut server)?;
        client.write_all(answer.as_bytes())?;
    }
}

/// `user` and the password `p@:w`.
fn proxied(proxy: &HttpProxy) -> String {
    format!("http_proxy http://user:p%40%3Aw@127.0.0.1:{};", proxy.port)
}

#[test]
fn callbacks_go_through_the_proxy_and_around_it() {
    let (proxy, callbacks) = (HttpProxy::start(), NotifyServer::start());
    let line = |host: &str| format!("on_publish http://{host}:{}/cb stage=done;", callbacks.port);
    let (inside, process) =
        (line("callbacks.test"), format!("on_proc http://server.test:{}/proc;", callbacks.port));
    let conf = |more: &str, inside: &str| Conf::live(&format!("{more} {inside}"));
    let server = Server::start(&conf("", &inside).rtmp(&format!("{} {process}", proxied(&proxy))));
    let port = callbacks.port;
    Publisher::start(server.rtmp, "s").leave();
    callbacks.wait("path=/cb act=done");
    until_true("callbacks through the proxy", || {
        let asked = proxy.asked();
        let has = |start: &str| asked.iter().any(|line| line.starts_with(start));
        // Names are looked up by the proxy.
        has(&format!("GET http://callbacks.test:{port}/cb?"))
            && has(&format!("GET http://server.test:{port}/proc?"))
    });
    // An application may do without, and hosts may.
    let before = proxy.asked().len();
    server.reload(&conf("http_proxy off;", &line("127.0.0.1")).rtmp(&proxied(&proxy)));
    Publisher::start(server.rtmp, "off").leave();
    callbacks.wait("act=done name=off");
    let except = proxied(&proxy).replace(';', " except=other.test,127.0.0.0/8;");
    server.reload(&conf("", &line("127.0.0.1")).rtmp(&except));
    Publisher::start(server.rtmp, "except").leave();
    callbacks.wait("act=done name=except");
    assert_eq!(proxy.asked().len(), before);
    // What the file says is not what the log says.
    assert!(!server.log().contains("p%40"), "{}", server.log());
}

#[test]
fn https_goes_through_a_tunnel() {
    let (proxy, port) = (HttpProxy::start(), callback_server("callback"));
    let conf = Conf::live(&format!("on_publish https://localhost:{port}/cb stage=done;"));
    let trusted = format!("notify_ssl_trusted_certificate {};", file("ca.crt"));
    let server = Server::start(&conf.clone().rtmp(&format!("{trusted} {}", proxied(&proxy))));
    Publisher::start(server.rtmp, "s").leave();
    assert!(proxy.asked().contains(&format!("CONNECT localhost:{port} HTTP/1.1")), "{:?}", proxy.asked());
    let heads = proxy.heads.lock().clone();
    assert!(heads.iter().all(|head| !head.contains("/cb")), "the proxy sees no request: {heads:?}");
}

#[test]
fn a_proxy_that_refuses_or_is_not_there_refuses_publishers() {
    let (proxy, callbacks) = (HttpProxy::start(), NotifyServer::start());
    let conf = Conf::live(&format!("on_publish http://127.0.0.1:{}/cb;", callbacks.port));
    let wrong = format!("http_proxy http://user:wrong@127.0.0.1:{};", proxy.port);
    let server = Server::start(&conf.clone().rtmp(&wrong));
    let mut refused = RtmpClient::publish(server.rtmp, "live", "s");
    refused.wait_status("NetStream.Publish.Forbidden");
    server.wait_log("status 407");
    let secure = Conf::live(&format!("on_publish https://127.0.0.1:{}/cb;", callbacks.port));
    server.reload(&secure.rtmp(&wrong));
    let mut refused = RtmpClient::publish(server.rtmp, "live", "t");
    refused.wait_status("NetStream.Publish.Forbidden");
    server.wait_log("notify publish start: no answer (");
    let nobody = support::server::free_port();
    server.reload(&conf.rtmp(&format!("http_proxy http://127.0.0.1:{nobody};")));
    let mut refused = RtmpClient::publish(server.rtmp, "live", "u");
    refused.wait_status("NetStream.Publish.Forbidden");
    server.wait_log("Connection refused");
    assert_eq!(callbacks.requests_of("path=/cb").len(), 0);
    assert!(!server.log().contains("wrong"), "{}", server.log());
}
