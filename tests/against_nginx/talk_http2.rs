//! A client of HTTP/2: sends the requests of an exchange, which are written as those of HTTP/1, one after the other on one
//! connection.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use pingosd::net::http2::PREFACE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::entry::Step;
use crate::talk::{Answer, Talk, Target, find};

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(6);

/// Headers that HTTP/2 does not have.
const DROPPED: [&str; 6] = ["host", "connection", "transfer-encoding", "keep-alive", "upgrade", "te"];

/// The request that these bytes are over HTTP/1, with its body. `None` if HTTP/2 cannot say it.
pub fn request(bytes: &[u8]) -> Option<(Request<()>, Bytes)> {
    let end = find(bytes, b"\r\n\r\n")?;
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = std::str::from_utf8(lines.next()?).ok()?;
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
    // What the crate's client does not send as it is.
    if !target.starts_with('/') || target.contains('#') || matches!(method, "CONNECT") {
        return None;
    }
    let (mut host, mut fields) = (None, Vec::new());
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (std::str::from_utf8(&line[..colon]).ok()?, line[colon + 1..].trim_ascii());
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "host" if host.is_some() => return None,
            "host" => host = Some(std::str::from_utf8(value).ok()?.to_owned()),
            "transfer-encoding" | "upgrade" | "te" | "expect" => return None,
            "connection" if value != b"close" && value != b"keep-alive" => return None,
            name if DROPPED.contains(&name) => {}
            "content-length" if value != body.len().to_string().as_bytes() => return None,
            _ => fields.push((name, value.to_vec())),
        }
    }
    let mut request = Request::builder().method(method).uri(format!("http://{}{target}", host?));
    for (name, value) in fields {
        request = request.header(
            header::HeaderName::from_bytes(name.as_bytes()).ok()?,
            header::HeaderValue::from_bytes(&value).ok()?,
        );
    }
    let request = request.body(()).ok()?;
    // The same target must arrive.
    (request.uri().path_and_query()?.as_str() == target).then(|| (request, Bytes::copy_from_slice(body)))
}

/// Carries out the steps.
pub fn talk(target: &Target, steps: &[Step]) -> Talk {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(talk_to(target, steps))
}

async fn talk_to(target: &Target, steps: &[Step]) -> Talk {
    let mut talk = Talk::default();
    let Target::Tcp(address) = target else { panic!("entries over HTTP/2 have ports") };
    let failed = |why| Answer { fault: Some(why), ..Answer::default() };
    let Ok(socket) = TcpStream::connect(address).await else {
        talk.answers.push(failed("cannot connect"));
        return talk;
    };
    let _ = socket.set_nodelay(true);
    if let [Step::Send(bytes)] = steps {
        // What is no HTTP/2.
        assert!(!bytes.starts_with(PREFACE));
        let mut socket = socket;
        let _ = socket.write_all(bytes).await;
        let mut came = Vec::new();
        talk.is_silent = timeout(SILENCE, socket.read_to_end(&mut came)).await.is_err();
        return talk;
    }
    let Ok((mut send, connection)) = h2::client::handshake(socket).await else {
        talk.answers.push(failed("no HTTP/2"));
        return talk;
    };
    let driver = tokio::spawn(connection);
    for step in steps {
        let Step::Send(bytes) = step else { continue };
        let (request, body) = request(bytes).expect("the entry was chosen for it");
        let line = format!("{} {} HTTP/2.0", request.method(), request.uri().path_and_query().unwrap());
        let is_head = request.method() == "HEAD";
        match timeout(SILENCE, one(&mut send, request, body)).await {
            Err(_) => {
                talk.is_silent = true;
                break;
            }
            Ok((mut answer, is_open)) => {
                (answer.asked, answer.is_head) = (line.into_bytes(), is_head);
                talk.answers.push(answer);
                if !is_open {
                    break;
                }
            }
        }
    }
    drop(send);
    let _ = timeout(SILENCE, driver).await;
    talk
}

/// Sends a request and takes its response; whether the connection can be used on.
async fn one(send: &mut h2::client::SendRequest<Bytes>, request: Request<()>, body: Bytes) -> (Answer, bool) {
    let mut answer = Answer::default();
    let Ok(mut ready) = send.clone().ready().await else {
        answer.fault = Some("the connection was closed");
        return (answer, false);
    };
    let Ok((response, mut stream)) = ready.send_request(request, body.is_empty()) else {
        answer.fault = Some("the request cannot be sent");
        return (answer, false);
    };
    if !body.is_empty() {
        let _ = stream.send_data(body, true);
    }
    let response = match response.await {
        Ok(response) => response,
        Err(error) => {
            answer.fault = Some(fault(&error));
            return (answer, error.is_reset());
        }
    };
    let (parts, mut body) = response.into_parts();
    answer.line = format!("HTTP/2 {}", parts.status.as_u16()).into_bytes();
    for (name, value) in &parts.headers {
        answer.headers.push((name.as_str().into(), value.as_bytes().to_vec()));
    }
    while let Some(data) = body.data().await {
        match data {
            Ok(data) => {
                let _ = body.flow_control().release_capacity(data.len());
                answer.body.extend_from_slice(&data);
            }
            Err(error) => {
                answer.fault = Some(fault(&error));
                break;
            }
        }
    }
    if let Ok(Some(trailers)) = body.trailers().await {
        for (name, value) in &trailers {
            answer.trailers.push([name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
        }
    }
    answer.wire = (0, answer.body.len());
    (answer, true)
}

/// What a server did instead of answering.
fn fault(error: &h2::Error) -> &'static str {
    match error.reason() {
        _ if error.is_go_away() => "the connection was given up",
        Some(_) if error.is_reset() => "the stream was reset",
        _ => "the connection was closed",
    }
}
