//! Data messages that cannot be read whole: what can be read of metadata is used, everything else is passed on as it came.

mod support;

use std::fs;
use std::io::Write;

use bytes::{Bytes, BytesMut};
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::{self, AmfValue};
use pingosd::wire::flv::FlvReader;
use pingosd::wire::rtmp::chunk;
use pingosd::wire::rtmp::message::type_id;
use support::frame::{Frame, GOP, STEP, Tracks};
use support::server::Prefix;
use support::wait::until_true;
use support::{Conf, Player, Publisher, RtmpClient, Server};

/// A chunk stream that nothing else of the client uses.
const CSID: u32 = 20;
/// Default chunk size; the messages here are shorter.
const CHUNK_SIZE: usize = 128;

/// Sends a data message of this type on message stream 1.
fn send(client: &mut RtmpClient, type_id: u8, payload: &[u8]) {
    client.flush();
    assert!(payload.len() <= CHUNK_SIZE);
    let mut out = BytesMut::new();
    chunk::write_absolute(&mut out, CSID, 0, type_id, 1, payload, CHUNK_SIZE);
    client.socket.write_all(&out).unwrap();
}

/// A byte array of AMF3 behind the marker that switches to it, as ActionScript sends it.
fn byte_array(n: u8) -> Bytes {
    Bytes::from([&b"\x02\x00\x0AonTextData\x11\x0C\x09"[..], &[n; 4]].concat())
}

const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 200ms;";

/// An origin, a server that it pushes to, and one that pulls from it.
struct Relayed {
    origin: Server,
    pushed: Server,
    edge: Server,
}

impl Relayed {
    fn start() -> Relayed {
        let pushed = Server::start(&Conf::live(""));
        let conf = Conf::live(&format!("{QUICK} push rtmp://127.0.0.1:{};", pushed.rtmp));
        let origin = Server::start(&conf.http_server("location /flv { flv_live {rtmp_port} app=live; }"));
        let edge = Server::start(&Conf::live(&format!("{QUICK} pull rtmp://127.0.0.1:{};", origin.rtmp)));
        Relayed { origin, pushed, edge }
    }

    /// Players of `s` at each of them.
    fn players(&self) -> Vec<(&'static str, Player)> {
        vec![
            ("RTMP", Player::start(self.origin.rtmp, "s")),
            ("HTTP-FLV", Player::http(self.origin.http, "/flv/s")),
            ("pushed", Player::start(self.pushed.rtmp, "s")),
            ("pulled", Player::start(self.edge.rtmp, "s")),
        ]
    }
}

#[test]
fn what_cannot_be_read_reaches_players_at_once_and_through_relays() {
    let relayed = Relayed::start();
    let http_edge =
        Server::start(&Conf::live(&format!("{QUICK} pull http://127.0.0.1:{}/flv;", relayed.origin.http)));

    let feed = Publisher::start(relayed.origin.rtmp, "s").keep_sending();
    let mut players = relayed.players();
    players.push(("pulled over HTTP", Player::start(http_edge.rtmp, "s")));
    players.iter().for_each(|(_, player)| player.wait_key());
    let mut publisher = feed.stop();
    let mut wanted = Vec::new();
    for n in 0..51 {
        let body = byte_array(n);
        if n % 2 == 0 {
            send(&mut publisher.client, type_id::DATA, &body);
        } else {
            send(&mut publisher.client, type_id::DATA_AMF3, &[b"\0", &body[..]].concat());
        }
        wanted.push(body);
    }
    // Neither a name nor anything else that is AMF0.
    let nameless = Bytes::from_static(b"\x11\x0C\x05ab");
    send(&mut publisher.client, type_id::DATA, &nameless);
    wanted.push(nameless);
    publisher.send(GOP);
    for (what, player) in &players {
        player.wait(what, |got| {
            let data = got.media.iter().filter(|media| media.kind == MediaKind::Data);
            let came: Vec<_> = data.map(|m| &m.payload).filter(|payload| wanted.contains(payload)).collect();
            (came.len() == wanted.len() && came.iter().zip(&wanted).all(|(a, b)| *a == b)).then_some(())
        });
    }
    publisher.leave();
}

/// `onFI` with this time, as encoders send it with each picture or second.
fn time_code(n: u32) -> Bytes {
    let mut out = BytesMut::new();
    let fields = [("sd", "29-11-2026".into()), ("st", format!("10:00:{n:02}.000").into())];
    amf0::encode_all(&["onFI".into(), AmfValue::object(fields)], &mut out);
    out.freeze()
}

#[test]
fn time_codes_keep_their_times_for_players_and_relays() {
    let relayed = Relayed::start();
    let feed = Publisher::start(relayed.origin.rtmp, "s").keep_sending();
    let players = relayed.players();
    players.iter().for_each(|(_, player)| player.wait_key());
    let mut publisher = feed.stop();
    // Between the frames around them, and a little ahead and behind.
    let now = u32::try_from(publisher.next()).unwrap() * STEP;
    let sent: Vec<_> = (0..6).map(|n| (now + [3, 7, 11, 250, 2, 0][n as usize], time_code(n))).collect();
    for (timestamp, payload) in &sent {
        publisher.send_frame(&Frame {
            kind: MediaKind::Data,
            timestamp: *timestamp,
            payload: payload.clone(),
        });
        publisher.send(1);
    }
    let last = publisher.send(GOP);
    let found = |media: &mut dyn Iterator<Item = (u32, &Bytes)>| -> Vec<(u32, Bytes)> {
        let ours = media.filter(|(_, payload)| sent.iter().any(|(_, is)| is == *payload));
        ours.map(|(timestamp, payload)| (timestamp, payload.clone())).collect()
    };
    for (what, player) in &players {
        player.wait_frame(last);
        let got = player.got();
        let came = found(&mut got.media.iter().map(|media| (media.timestamp, &media.payload)));
        assert_eq!(came, sent, "{what}");
    }
    publisher.leave();
}

/// The size of the picture, by what a metadata message says.
fn size(payload: &Bytes) -> Option<(f64, f64)> {
    let values = amf0::decode_prefix(payload);
    let number = |name: &[u8]| values.get(1)?.get(name)?.as_number();
    (values.first()?.as_str()? == b"onMetaData").then_some(())?;
    Some((number(b"width")?, number(b"height")?))
}

#[test]
fn metadata_is_used_as_far_as_it_can_be_read() {
    let encoded = |values: &[AmfValue]| {
        let mut out = BytesMut::new();
        amf0::encode_all(values, &mut out);
        out.freeze()
    };
    let object = encoded(&[AmfValue::object([("width", 640.0.into()), ("height", 360.0.into())])]);
    let name = encoded(&["onMetaData".into()]);
    let named = [&name[..], &object].concat();
    // In place of the end of the object: a member in AMF3, and another one behind it.
    let cut = &named[..named.len() - 3];
    let set = encoded(&["@setDataFrame".into()]);
    let messages: [(&str, u8, Vec<u8>); 7] = [
        ("stray", type_id::DATA, [&named[..], b"\xDE\xAD\xBE"].concat()),
        ("amf3", type_id::DATA, [cut, b"\x00\x01x\x11\x04\x05\x00\x01y\x05\x00\x00\x09"].concat()),
        ("behind", type_id::DATA, [&set[..], &named, b"\x11\x0C\x05ab"].concat()),
        ("nameless", type_id::DATA, [&set[..], &object].concat()),
        ("bare", type_id::DATA, object.to_vec()),
        ("plain", type_id::DATA, [&encoded(&["setDataFrame".into()])[..], &named].concat()),
        ("type15", type_id::DATA_AMF3, [b"\0", &set[..], &named].concat()),
    ];
    for meta in ["on", "copy"] {
        let prefix = Prefix::new();
        fs::create_dir_all(prefix.path().join("rec")).unwrap();
        let conf = format!("meta {meta}; record all; record_path {{dir}}/rec;");
        let server = Server::start_in(prefix, &Conf::live(&conf));
        let edge =
            Server::start(&Conf::live(&format!("meta {meta}; pull rtmp://127.0.0.1:{};", server.rtmp)));
        for (name, type_id, payload) in &messages {
            let mut client = RtmpClient::publish(server.rtmp, "live", name).wait_started();
            send(&mut client, *type_id, payload);
            let frames = Tracks::Both.headers().into_iter().filter(|frame| frame.kind != MediaKind::Data);
            for frame in frames.chain((0..2 * GOP).map(|n| Tracks::Both.frame(n, 60))) {
                client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
            }
            client.flush();
            let players = [Player::start(server.rtmp, name), Player::start(edge.rtmp, name)];
            let found = |player: &Player| player.got().media.iter().find_map(|media| size(&media.payload));
            // The relay begins with a key frame that comes once it is there.
            let mut next = 2 * GOP;
            until_true(&format!("metadata of {name}, meta {meta}"), || {
                let frame = Tracks::Both.frame(next, 60);
                next += 1;
                client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
                client.flush();
                players.iter().all(|player| found(player).is_some())
            });
            for player in &players {
                assert_eq!(found(player), Some((640.0, 360.0)), "{name}");
            }
            client.leave();
            let path = server.prefix().path().join(format!("rec/{name}.flv"));
            server.wait_log(&format!("record: recorded '{name}'"));
            let bytes = fs::read(&path).unwrap();
            let first = FlvReader::new(1 << 20).read(&mut &bytes[..]).unwrap().unwrap();
            assert_eq!(size(&first.payload), Some((640.0, 360.0)), "{name} recorded");
        }
    }
}
