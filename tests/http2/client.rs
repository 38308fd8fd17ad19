//! A client of HTTP/2 without TLS.

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::{Method, Request, Response};
use tokio::runtime::Runtime;

use crate::support::wait::PATIENCE;

/// A connection.
pub struct Client {
    pub runtime: Runtime,
    pub send: SendRequest<Bytes>,
    driver: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub fn open(port: u16) -> Client {
        Client::with(port, &h2::client::Builder::new())
    }

    pub fn with(port: u16, builder: &h2::client::Builder) -> Client {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (send, driver) = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (send, connection) = builder.handshake(socket).await.unwrap();
            (send, tokio::spawn(connection))
        });
        Client { runtime, send, driver }
    }

    /// Sends a request; its body is ended only if there is one.
    pub fn ask(&self, method: Method, target: &str, body: Option<Bytes>) -> h2::client::ResponseFuture {
        let request = Request::builder().method(method).uri(format!("http://localhost{target}"));
        let mut send = self.runtime.block_on(self.send.clone().ready()).unwrap();
        let (response, mut stream) = send.send_request(request.body(()).unwrap(), body.is_none()).unwrap();
        if let Some(body) = body {
            stream.send_data(body, true).unwrap();
        }
        response
    }

    pub fn head(&self, response: h2::client::ResponseFuture) -> Result<Response<RecvStream>, h2::Error> {
        let waits = async { tokio::time::timeout(PATIENCE, response).await };
        self.runtime.block_on(waits).expect("there is a response in time")
    }

    pub fn body(&self, body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
        self.runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(data) = tokio::time::timeout(PATIENCE, body.data()).await.expect("it goes on") {
                let data = data?;
                let _ = body.flow_control().release_capacity(data.len());
                all.extend_from_slice(&data);
            }
            Ok(all)
        })
    }

    pub fn get(&self, target: &str) -> (u16, String) {
        let (parts, mut body) = self.head(self.ask(Method::GET, target, None)).unwrap().into_parts();
        (parts.status.as_u16(), String::from_utf8_lossy(&self.body(&mut body).unwrap()).into_owned())
    }

    pub fn ended(self) -> Result<(), h2::Error> {
        let Client { runtime, send, driver } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, driver).await });
        drop(send);
        ended.expect("the connection ends").unwrap()
    }
}
