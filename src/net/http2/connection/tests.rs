use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Duration;

use super::super::PREFACE;
use super::super::framing::{
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, number,
};
use super::super::hpack::{Decoder, HeadBounds};
use super::super::intake::Terms;
use super::super::memory_socket::MemorySocket;
use super::super::parked::Account;
use super::*;

const BOUNDS: HeadBounds = HeadBounds { field: 1000, head: 2000, fields: 50 };

/// A frame of the server: kind, flags, stream and payload.
type Frame = (u8, u8, u32, Vec<u8>);

/// A connection, and what its client knows.
struct Talk {
    socket: Arc<MemorySocket>,
    traffic: Arc<Traffic>,
    connection: Http2Connection,
    decoder: Decoder,
    /// Responses that are not complete: the streams, and bytes that are still to be sent.
    open: Vec<(u32, h2::SendStream<Bytes>, usize)>,
    /// Whether the connection is parked whenever it can be.
    parks: bool,
    parked: usize,
    /// How the connection has ended, if it has.
    end: Option<String>,
}

/// Whether the connection is to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn sent(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(kind, flags, stream, &[payload], &mut bytes);
    bytes
}

/// A request for this many bytes, which the head of the response names.
fn request(stream: u32, length: u32) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x84, 0x00, 1, b'n'];
    let text = length.to_string();
    block.push(u8::try_from(text.len()).unwrap());
    block.extend_from_slice(text.as_bytes());
    sent(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

fn update(stream: u32, increment: u32) -> Vec<u8> {
    sent(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

fn setting(name: u8, value: u32) -> Vec<u8> {
    sent(SETTINGS, 0, 0, &[&[0, name][..], &value.to_be_bytes()].concat())
}

impl Talk {
    fn begin(parks: bool) -> Talk {
        let socket = Arc::new(MemorySocket::default());
        let traffic = Arc::new(Traffic::of_client(BOUNDS));
        socket.input.lock().extend(PREFACE.iter().copied().chain(sent(SETTINGS, 0, 0, &[])));
        let offer = Offer { streams: 100, window: 70_000 };
        let begun = Http2Connection::begin(socket.clone(), Bytes::new(), traffic.clone(), offer);
        let Poll::Ready(connection) = pin!(begun).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it begins at once")
        };
        traffic.gather();
        let mut talk = Talk {
            socket,
            traffic,
            connection: connection.unwrap(),
            decoder: Decoder::new(),
            open: Vec::new(),
            parks,
            parked: 0,
            end: None,
        };
        let settings = talk.says(&[]);
        let kinds: Vec<(u8, u8)> = settings.iter().map(|(kind, flags, ..)| (*kind, *flags)).collect();
        assert_eq!(kinds, [(SETTINGS, 0), (SETTINGS, ACK), (WINDOW_UPDATE, 0)]);
        talk
    }

    /// Lets the client send this, and returns what it gets.
    fn says(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.socket.input.lock().extend(bytes);
        self.turn();
        self.frames()
    }

    /// Does all that can be done now.
    fn turn(&mut self) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        while self.end.is_none() {
            match self.connection.poll_accept(&mut cx) {
                Poll::Ready(Some(Ok((_, respond)))) => self.answer(respond),
                Poll::Ready(Some(Err(error))) => {
                    self.end = Some(format!("{:?} {:?}", self.traffic.fault(), error.reason()));
                }
                Poll::Ready(None) => self.end = Some("ended".to_owned()),
                Poll::Pending if self.send() || woken.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => break,
            }
        }
        assert!(self.traffic.poll_output(&*self.socket, &mut cx).is_ready());
        if self.parks && self.end.is_none() && !self.connection.is_parked() {
            let now = Instant::now();
            let soon = now + limits::HTTP2_PARKED_AFTER;
            // One that has reset a stream has to wait for longer, during which the crate would go on.
            if self.connection.rest(self.open.is_empty(), now) == Some(soon) {
                assert!(!self.connection.is_parked());
                assert_eq!(self.connection.rest(true, soon), None);
                assert!(self.connection.is_parked());
                self.parked += 1;
            }
        }
    }

    fn answer(&mut self, mut respond: SendResponse<Bytes>) {
        let stream = respond.stream_id().as_u32();
        let head = self.traffic.take_head(stream).expect("it has come");
        let length = head.fields.iter().find(|(name, _)| *name == b"n");
        let length = length.map_or("0", |(_, value)| std::str::from_utf8(value).unwrap());
        let response = Response::builder().header("x-length", length).header("x-same", "value of all");
        let length = length.parse().unwrap();
        if let Ok(sending) = respond.send_response(response.body(()).unwrap(), length == 0)
            && length > 0
        {
            self.open.push((stream, sending, length));
        }
    }

    /// Sends as much as the windows allow; whether that is anything.
    fn send(&mut self) -> bool {
        let mut progress = false;
        self.open.retain_mut(|(_, sending, left)| {
            sending.reserve_capacity(*left);
            let part = sending.capacity().min(*left);
            if part > 0 {
                progress = true;
                *left -= part;
                return sending.send_data(vec![7; part].into(), *left == 0).is_ok() && *left > 0;
            }
            sending.poll_reset(&mut Context::from_waker(Waker::noop())).is_pending()
        });
        progress
    }

    /// What the server has sent since, with heads decoded as the client does.
    fn frames(&mut self) -> Vec<Frame> {
        let output = self.socket.take_output();
        let mut rest = &output[..];
        let mut frames = Vec::new();
        while let [a, b, c, kind, flags, after @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let (stream, mut payload) = (number(after), after[4..4 + length].to_vec());
            rest = &after[4 + length..];
            if *kind == HEADERS {
                let fields = self.decoder.decode(&payload, &BOUNDS).expect("the tables are the same");
                let field = |(name, value): (&[u8], &[u8])| [name, b"=", value, b";"].concat();
                payload = fields.iter().flat_map(field).collect();
            }
            frames.push((*kind, *flags, stream, payload));
        }
        frames
    }

    /// Bytes of a stream's response, and whether it is complete.
    fn body(frames: &[Frame], of: u32) -> (usize, bool) {
        let of_stream = || frames.iter().filter(|(_, _, stream, _)| *stream == of);
        let data = of_stream().filter(|(kind, ..)| *kind == DATA).map(|(.., payload)| payload.len()).sum();
        (data, of_stream().any(|(_, flags, ..)| flags & END_STREAM != 0))
    }
}

#[test]
fn a_client_notices_nothing_of_being_parked() {
    let mut talk = Talk::begin(true);
    for number in 0..500 {
        let stream = 2 * number + 1;
        let frames = talk.says(&request(stream, 100));
        let head = b":status=200;x-length=100;x-same=value of all;".to_vec();
        assert_eq!(frames[0], (HEADERS, END_HEADERS, stream, head));
        assert_eq!(frames[1..], [(DATA, END_STREAM, stream, vec![7; 100])]);
        talk.says(&update(0, 100));
    }
    // Before the first one, behind each, and for nothing but the update.
    assert_eq!(talk.parked, 1 + 2 * 500);
    assert_eq!(talk.says(&sent(PING, 0, 0, b"12345678")), [(PING, ACK, 0, b"12345678".to_vec())]);
}

#[test]
fn resets_are_counted_beyond_rests() {
    let mut talk = Talk::begin(false);
    let mut resets = 0;
    for number in 0.. {
        let stream = 2 * number + 1;
        // Its window becomes larger than the largest one.
        let frames = talk.says(&[request(stream, 1_000_000), update(stream, 0x7fff_ffff)].concat());
        if talk.end.is_some() {
            break;
        }
        let reset = (RST_STREAM, 0, stream, u32::from(Reason::FLOW_CONTROL_ERROR).to_be_bytes().to_vec());
        assert!(frames.contains(&reset), "{frames:?}");
        resets += 1;
        talk.open.clear();
        talk.says(&[]);
        let at = talk.connection.rest(true, Instant::now()).expect("nothing is under way");
        assert_eq!(talk.connection.rest(true, at), None);
        assert!(talk.connection.is_parked());
    }
    assert_eq!(resets, limits::HTTP2_ERROR_RESETS);
    assert_eq!(talk.end.as_deref(), Some("None Some(ENHANCE_YOUR_CALM)"));
}

#[test]
fn the_window_of_the_client_is_kept() {
    let mut talk = Talk::begin(true);
    // What is left of the first 65,535 bytes.
    assert_eq!(Talk::body(&talk.says(&request(1, 50_000)), 1), (50_000, true));
    assert_eq!(Talk::body(&talk.says(&request(3, 15_000)), 3), (15_000, true));
    assert_eq!(Talk::body(&talk.says(&request(5, 1000)), 5), (535, false));
    assert_eq!(Talk::body(&talk.says(&update(0, 1465)), 5), (465, true));
    assert_eq!(Talk::body(&talk.says(&request(7, 2000)), 7), (1000, false));
    assert_eq!(Talk::body(&talk.says(&update(0, 1000)), 7), (1000, true));
    // None at all is left.
    assert_eq!(Talk::body(&talk.says(&request(9, 2000)), 9), (0, false));
    assert_eq!(Talk::body(&talk.says(&update(0, 200_000)), 9), (2000, true));
    // More than a new connection has, and larger streams.
    talk.says(&setting(4, 300_000));
    assert_eq!(Talk::body(&talk.says(&request(11, 250_000)), 11), (198_000, false));
    talk.says(&update(0, 60_000));
    talk.says(&setting(4, 1000));
    assert_eq!(Talk::body(&talk.says(&request(13, 5000)), 13), (1000, false));
    assert_eq!(Talk::body(&talk.says(&update(13, 4000)), 13), (4000, true));
    assert!(talk.parked >= 10, "{}", talk.parked);
}

#[test]
fn frames_are_as_large_as_the_client_allows() {
    let mut talk = Talk::begin(true);
    talk.says(&[setting(5, 60_000), setting(4, 1 << 20), update(0, 1 << 20)].concat());
    assert!(talk.connection.is_parked());
    let lengths: Vec<usize> = talk.says(&request(1, 100_000)).iter().map(|(.., data)| data.len()).collect();
    assert_eq!(lengths[1..].iter().sum::<usize>(), 100_000);
    assert_eq!(lengths[1], 60_000);
}

#[test]
fn the_window_of_the_server_is_kept() {
    let mut talk = Talk::begin(true);
    let window = |talk: &Talk| talk.traffic.account(|account| account.receive_window()).unwrap();
    let all = u32::try_from(limits::HTTP2_WINDOW).unwrap();
    assert_eq!(window(&talk), all);
    // Bodies count, with their padding.
    let open = sent(HEADERS, END_HEADERS, 1, &[0x82, 0x86, 0x84]);
    let body = sent(DATA, PADDED | END_STREAM, 1, &[3, 1, 1, 1, 1, 1, 0, 0, 0]);
    assert_eq!(talk.says(&[open, body].concat()).len(), 1);
    let pong = (PING, ACK, 0, vec![0; 8]);
    for _ in 0..3 {
        assert!(talk.connection.is_parked());
        assert_eq!(talk.says(&sent(PING, 0, 0, &[0; 8])), std::slice::from_ref(&pong));
        assert_eq!(window(&talk), all - 9);
    }
    // What has come is made up for once that is more than half of the window.
    let largest = limits::HTTP2_LARGEST_FRAME;
    let frames = all / 2 / largest + 1;
    let [_, a, b, c] = largest.to_be_bytes();
    let payload = vec![0; largest as usize];
    for _ in 0..frames {
        let received = |account: &mut Account| {
            account.received(&[a, b, c, DATA, 0, 0, 0, 0, 1]);
            account.received(&payload);
        };
        talk.traffic.account(received).unwrap();
    }
    let opened = (WINDOW_UPDATE, 0, 0, (frames * largest + 9).to_be_bytes().to_vec());
    assert_eq!(talk.says(&sent(PING, 0, 0, &[0; 8])), [opened, pong]);
    assert_eq!(window(&talk), all);
    // Late DATA is nothing for the crate.
    assert_eq!(talk.says(&sent(DATA, 0, 1, b"late")), []);
    assert_eq!(window(&talk), all);
}

#[test]
fn a_smaller_table_is_told_again() {
    for sizes in [&[0][..], &[100], &[4096], &[0, 4096], &[60, 1 << 20], &[1 << 20]] {
        let mut talk = Talk::begin(true);
        for stream in [1, 3] {
            talk.says(&request(stream, 10));
        }
        talk.says(&sizes.iter().flat_map(|size| setting(1, *size)).collect::<Vec<_>>());
        assert!(talk.connection.is_parked());
        talk.says(&request(5, 0));
        assert!(talk.connection.is_parked());
        let smallest = sizes.iter().copied().min().unwrap();
        if smallest < 4096 {
            // As a client that has set this may expect it.
            talk.socket.input.lock().extend(request(7, 0));
            talk.turn();
            let output = talk.socket.take_output();
            assert_eq!(output[3], HEADERS);
            assert_eq!(output[9] & 0xe0, 0x20, "{sizes:?}");
        }
    }
}

#[test]
fn the_end_names_the_last_stream() {
    let ended = |end: fn(&mut Talk)| {
        let mut talk = Talk::begin(true);
        for stream in [1, 3, 5] {
            talk.says(&request(stream, 10));
        }
        assert!(talk.connection.is_parked());
        end(&mut talk);
        let frames = talk.says(&request(7, 10));
        let goaways = frames.iter().filter(|(kind, ..)| *kind == GOAWAY);
        let ends: Vec<(u32, u32)> =
            goaways.map(|(.., payload)| (number(payload), number(&payload[4..]))).collect();
        let answers = frames.iter().filter(|(kind, ..)| *kind == HEADERS).count();
        (ends, answers)
    };
    assert_eq!(ended(|talk| talk.connection.abrupt_shutdown(Reason::NO_ERROR)), (vec![(5, 0)], 0));
    // What comes then is not answered.
    assert_eq!(ended(|talk| talk.traffic.leave()), (vec![(5, 0)], 0));
    assert_eq!(ended(|talk| talk.traffic.set_terms(Terms { requests: 4, until: None })), (vec![(7, 0)], 1));
}

#[test]
fn a_client_that_is_gone_ends_a_parked_connection() {
    let mut talk = Talk::begin(true);
    talk.says(&request(1, 10));
    assert!(talk.connection.is_parked());
    *talk.socket.has_ended.lock() = true;
    talk.turn();
    assert_eq!(talk.end.as_deref(), Some("ended"));
}

#[test]
fn only_what_rests_is_parked() {
    let parked = |bytes: &[u8]| {
        let mut talk = Talk::begin(true);
        talk.says(bytes);
        talk.connection.is_parked()
    };
    assert!(parked(&[]) && parked(&request(1, 10)) && parked(&request(1, 10)[..5]));
    let open = sent(HEADERS, END_HEADERS, 1, &[0x82, 0x86, 0x84]);
    for (what, bytes) in [
        ("a request without its body", open.clone()),
        // It may have to be given up.
        ("half of a head", request(1, 10)[..10].to_vec()),
        ("half of a frame that is passed on", sent(PING, 0, 0, &[0; 8])[..12].to_vec()),
        ("a response that waits for the window", request(1, 70_000)),
        ("a body that goes on", [open, sent(DATA, 0, 1, b"body")].concat()),
    ] {
        assert!(!parked(&bytes), "{what}");
    }
    // Late frames of a stream that was reset are ignored for some time.
    let mut talk = Talk::begin(false);
    talk.says(&[request(1, 1_000_000), update(1, 0x7fff_ffff)].concat());
    talk.open.clear();
    talk.says(&[]);
    let now = Instant::now();
    let at = talk.connection.rest(true, now).expect("it rests");
    assert!(at > now + limits::HTTP2_PARKED_AFTER && at <= now + limits::HTTP2_RESET_MEMORY);
    // A request begins the rest anew, also if it is answered at once.
    let mut talk = Talk::begin(false);
    for seconds in 0..5 {
        let now = now + Duration::from_secs(seconds);
        assert_eq!(talk.connection.rest(true, now), Some(now + limits::HTTP2_PARKED_AFTER));
        talk.says(&request(2 * u32::try_from(seconds).unwrap() + 1, 10));
    }
}

#[test]
fn any_frames_have_the_same_effect_on_a_connection_that_is_parked_between_them() {
    let (mut seed, mut parked) = (1u64, 0);
    let mut random = |bound: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u32 % bound
    };
    for _ in 0..2000 {
        let (mut plain, mut parking) = (Talk::begin(false), Talk::begin(true));
        let (mut next, mut all) = (1, Vec::new());
        for _ in 0..random(30) {
            let any = 2 * random(next / 2 + 2) + 1;
            let bytes = match random(15) {
                0..4 => {
                    next += 2;
                    request(next - 2, random(3) * random(40_000))
                }
                4 => {
                    next += 2;
                    sent(HEADERS, END_HEADERS, next - 2, &[0x82, 0x86, 0x84])
                }
                5 => sent(DATA, (random(2) as u8) * END_STREAM, any, &vec![1; random(300) as usize]),
                6 => sent(RST_STREAM, 0, any, &8u32.to_be_bytes()),
                7 => update(any, random(60_000)),
                8 => update(0, random(90_000)),
                9 => setting(4, random(100_000)),
                10 => setting(1, random(5000)),
                11 => sent(PRIORITY, 0, any, &[0, 0, 0, 0, 9]),
                12 => sent(PING, 0, 0, &[random(256) as u8; 8]),
                13 => sent(SETTINGS, ACK, 0, &[]),
                _ if random(8) > 0 => setting(5, 16_384 + random(10_000)),
                _ => {
                    sent(random(10) as u8, random(256) as u8, random(next + 4), &vec![0; random(12) as usize])
                }
            };
            all.push(bytes.clone());
            assert_eq!(plain.says(&bytes), parking.says(&bytes), "{all:x?}");
            assert_eq!(plain.end, parking.end);
        }
        parked += parking.parked;
    }
    assert!(parked > 5000, "{parked}");
}
