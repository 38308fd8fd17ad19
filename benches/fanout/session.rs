//! The clients' side of a connection, without I/O: bytes in, bytes out, events.
//!
//! ```text
//! RTMP   handshake -> connect -> createStream -> play/publish -> live
//!                            \-> idle
//! HTTP   request ------------------------------------------> live
//! ```

use crate::Result;
use crate::flv::{self, HttpBody};
use crate::protocol::Protocol;
use crate::rtmp::{self, Amf, ChunkReader, HANDSHAKE, Message, Received};
use crate::ts::{self, Picture};

pub const APP: &str = "live";

/// Location of HTTP-TS; that of HTTP-FLV has the name of the application.
pub const TS: &str = "ts";

/// Name of one of the measured streams.
pub fn stream_name(stream: usize) -> String {
    format!("s{stream}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    Idle,
    Play,
    Publish,
}

pub enum Event {
    /// The goal is reached: connected, publishing, or the server has begun to send.
    Live,
    Media(Message),
    /// A whole picture, in a container that has no messages.
    Picture(Picture),
}

pub enum Session {
    Rtmp(RtmpClient),
    Http(HttpClient),
}

impl Session {
    pub fn new(protocol: Protocol, goal: Goal, port: u16, stream: usize) -> Session {
        match protocol {
            Protocol::Rtmp => Session::rtmp(goal, port, APP, stream_name(stream)),
            Protocol::Flv => {
                Session::Http(HttpClient::new(port, APP, stream, Container::Flv(flv::Reader::default())))
            }
            Protocol::Ts => {
                Session::Http(HttpClient::new(port, TS, stream, Container::Ts(ts::Reader::default())))
            }
        }
    }

    /// For a stream of any name in any application.
    pub fn rtmp(goal: Goal, port: u16, app: &str, name: String) -> Session {
        Session::Rtmp(RtmpClient::new(goal, port, app, name))
    }

    pub fn push(&mut self, data: &[u8]) -> Result<()> {
        match self {
            Session::Rtmp(client) => client.push(data),
            Session::Http(client) => client.push(data),
        }
    }

    pub fn poll_event(&mut self) -> Result<Option<Event>> {
        match self {
            Session::Rtmp(client) => client.poll_event(),
            Session::Http(client) => client.poll_event(),
        }
    }

    /// What is to be written now.
    pub fn take_output(&mut self) -> Vec<u8> {
        match self {
            Session::Rtmp(client) => std::mem::take(&mut client.output),
            Session::Http(client) => std::mem::take(&mut client.output),
        }
    }

    /// How many bytes the server lets pass before it wants an acknowledgement.
    pub fn ack_window(&self) -> Option<u64> {
        match self {
            Session::Rtmp(client) => client.ack_window,
            Session::Http(_) => None,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Stage {
    Handshake,
    Connect,
    CreateStream,
    Start,
    Live,
}

pub struct RtmpClient {
    goal: Goal,
    stage: Stage,
    app: String,
    name: String,
    tc_url: String,
    /// S0, S1 and S2 while they are incomplete.
    handshake: Vec<u8>,
    reader: ChunkReader,
    output: Vec<u8>,
    ack_window: Option<u64>,
}

impl RtmpClient {
    fn new(goal: Goal, port: u16, app: &str, name: String) -> RtmpClient {
        // Version 3, then C1: a zero time and zero version select the plain handshake.
        let mut output = vec![3];
        output.resize(1 + HANDSHAKE, 0);
        RtmpClient {
            goal,
            stage: Stage::Handshake,
            app: app.to_owned(),
            name,
            tc_url: format!("rtmp://127.0.0.1:{port}/{app}"),
            handshake: Vec::new(),
            reader: ChunkReader::new(),
            output,
            ack_window: None,
        }
    }

    fn push(&mut self, data: &[u8]) -> Result<()> {
        if self.stage != Stage::Handshake {
            self.reader.push(data);
            return Ok(());
        }
        self.handshake.extend_from_slice(data);
        let whole = 1 + 2 * HANDSHAKE;
        if self.handshake.len() < whole {
            return Ok(());
        }
        self.reader.push(&self.handshake[whole..]);
        // C2 repeats S1.
        self.output.extend_from_slice(&self.handshake[1..1 + HANDSHAKE]);
        self.handshake = Vec::new();
        self.output.extend(rtmp::control(rtmp::SET_CHUNK_SIZE, &(rtmp::CHUNK_SIZE as u32).to_be_bytes()));
        let object = [
            ("app", Amf::String(&self.app)),
            ("flashVer", Amf::String("LNX 9,0,124,2")),
            ("tcUrl", Amf::String(&self.tc_url)),
        ];
        let connect = [Amf::String("connect"), Amf::Number(1.0), Amf::Object(&object)];
        self.output.extend(rtmp::command(0, &connect));
        self.stage = Stage::Connect;
        Ok(())
    }

    fn poll_event(&mut self) -> Result<Option<Event>> {
        while self.stage != Stage::Handshake {
            let Some(message) = self.reader.poll_message()? else { return Ok(None) };
            match message.kind {
                rtmp::COMMAND => {
                    if let Some(event) = self.handle_command(&message)? {
                        return Ok(Some(event));
                    }
                }
                rtmp::AUDIO | rtmp::VIDEO => return Ok(Some(Event::Media(message))),
                rtmp::WINDOW_ACK_SIZE => {
                    let size = message
                        .payload
                        .get(..4)
                        .and_then(|bytes| bytes.try_into().ok())
                        .map(u32::from_be_bytes);
                    self.ack_window = size.map(u64::from).filter(|size| *size > 0);
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn handle_command(&mut self, message: &Message) -> Result<Option<Event>> {
        let received = Received::parse(&message.payload);
        match (received.name(), &self.stage) {
            ("_result", Stage::Connect) if self.goal == Goal::Idle => {
                self.stage = Stage::Live;
                Ok(Some(Event::Live))
            }
            ("_result", Stage::Connect) => {
                self.output
                    .extend(rtmp::command(0, &[Amf::String("createStream"), Amf::Number(2.0), Amf::Null]));
                self.stage = Stage::CreateStream;
                Ok(None)
            }
            ("_result", Stage::CreateStream) => {
                let stream_id = received.numbers.get(1).copied().ok_or("createStream without a stream id")?;
                let command = if self.goal == Goal::Publish { "publish" } else { "play" };
                let mut values =
                    vec![Amf::String(command), Amf::Number(3.0), Amf::Null, Amf::String(&self.name)];
                if self.goal == Goal::Publish {
                    values.push(Amf::String("live"));
                }
                self.output.extend(rtmp::command(stream_id as u32, &values));
                self.stage = Stage::Start;
                Ok(None)
            }
            ("onStatus", _) => {
                // The code is inside an object whose order of keys differs between servers, so a text search suffices.
                let text = String::from_utf8_lossy(&message.payload);
                if text.contains("NetStream.Play.Start") || text.contains("NetStream.Publish.Start") {
                    self.stage = Stage::Live;
                    return Ok(Some(Event::Live));
                }
                match text.contains("error") {
                    true => Err(format!("refused: {}", text.escape_default()).into()),
                    false => Ok(None),
                }
            }
            ("_error", _) => Err("the server answered _error".into()),
            _ => Ok(None),
        }
    }
}

pub struct HttpClient {
    output: Vec<u8>,
    body: HttpBody,
    container: Container,
    scratch: Vec<u8>,
}

enum Container {
    Flv(flv::Reader),
    Ts(ts::Reader),
}

impl HttpClient {
    fn new(port: u16, location: &str, stream: usize, container: Container) -> HttpClient {
        let name = stream_name(stream);
        let request = format!(
            "GET /{location}/{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: fanout\r\n\r\n"
        );
        HttpClient { output: request.into_bytes(), body: HttpBody::default(), container, scratch: Vec::new() }
    }

    fn push(&mut self, data: &[u8]) -> Result<()> {
        self.scratch.clear();
        self.body.push(data, &mut self.scratch)?;
        match &mut self.container {
            Container::Flv(reader) => reader.push(&self.scratch),
            Container::Ts(reader) => reader.push(&self.scratch)?,
        }
        Ok(())
    }

    fn poll_event(&mut self) -> Result<Option<Event>> {
        match &mut self.container {
            Container::Flv(reader) => Ok(reader.poll_message()?.map(Event::Media)),
            Container::Ts(reader) => Ok(reader.poll_picture().map(Event::Picture)),
        }
    }
}
