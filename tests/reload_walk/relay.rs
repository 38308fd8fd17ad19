//! Relays of streams that are published and played all the time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pingosd::media::trail;
use pingosd::media::trail_proof::{self, ProofKeys};
use pingosd::net::secret::Secret;
use pingosd::wire::rtmp::client_session::{ClientPurpose, ClientSettings};
use pingosd::wire::rtmp::server_session::{ServerEvent, ServerSession, ServerSessionSettings};

use crate::support::frame::Tracks;
use crate::support::wait::until_true;
use crate::support::{Player, Publisher, RtmpClient};
use crate::walk::{After, Around, Case, Place, Walk, walk_each, walk_in, walk_with};

/// A server with a certificate, and one that pushes to it.
macro_rules! encrypted {
    () => {
        "server { listen 127.0.0.1:{port} ssl; ssl_certificate {tls}/origin.crt; \
         ssl_certificate_key {tls}/origin.key; application live { live on; } } \
         server { listen 127.0.0.1:{web}; serverid pushing; application live { live on; failed_reconnect 20ms; \
         relay_reconnect 200ms; push rtmps://127.0.0.1:{port}; } }"
    };
}

/// A server that says of which relays it does not believe where they have come through.
macro_rules! believing {
    () => {
        "server { listen 127.0.0.1:{port}; serverid {app}; application live { live on; } }"
    };
}

pub const CASES: &[Case] = &[
    Case {
        row: "relay/push",
        place: Place::Application,
        before: "",
        after: "push rtmp://127.0.0.1:{rtmp_port} app=live name={app};",
        look: |walk| {
            let (target, mut publisher) = (play_live(walk), walk.publish("s"));
            Box::new(move || {
                until_true("frames at the new target", || {
                    publisher.send(1);
                    !target.frames().is_empty()
                });
            })
        },
    },
    Case {
        row: "relay/pull",
        place: Place::Application,
        before: "",
        after: "pull rtmp://127.0.0.1:{rtmp_port} app=live name={app};",
        look: |walk| {
            let (player, origin) = (walk.play("s"), publish_live(walk));
            let feed = origin.keep_sending();
            Box::new(move || {
                player.wait_key();
                feed.stop().leave();
            })
        },
    },
    Case {
        row: "relay/failed_reconnect",
        place: Place::Application,
        before: "failed_reconnect 3s; push_reconnect 20ms; push rtmp://127.0.0.1:1;",
        after: "failed_reconnect 10ms; push_reconnect 20ms; push rtmp://127.0.0.1:1;",
        look: |walk| tries_more_often(walk, walk.publish("s"), "push"),
    },
    Case {
        row: "relay/push_reconnect",
        place: Place::Application,
        before: "failed_reconnect 10ms; push_reconnect 3s; push rtmp://127.0.0.1:1;",
        after: "failed_reconnect 10ms; push_reconnect 20ms; push rtmp://127.0.0.1:1;",
        look: |walk| tries_more_often(walk, walk.publish("s"), "push"),
    },
    Case {
        row: "relay/relay_reconnect",
        place: Place::Application,
        before: "failed_reconnect 10ms; relay_reconnect 3s; push rtmp://127.0.0.1:1;",
        after: "failed_reconnect 10ms; relay_reconnect 20ms; push rtmp://127.0.0.1:1;",
        look: |walk| tries_more_often(walk, walk.publish("s"), "push"),
    },
    Case {
        row: "relay/pull_reconnect",
        place: Place::Application,
        before: "failed_reconnect 10ms; pull_reconnect 3s; pull rtmp://127.0.0.1:1;",
        after: "failed_reconnect 10ms; pull_reconnect 20ms; pull rtmp://127.0.0.1:1;",
        look: |walk| tries_more_often(walk, walk.play("s"), "pull"),
    },
];

/// Rows of the whole server, each in a run of its own.
pub const ALONE: &[Case] = &[
    Case {
        row: "relay/relay_buffer",
        place: Place::Application,
        before: "failed_reconnect 20ms; relay_reconnect 20ms; relay_buffer 5s; pull rtmp://127.0.0.1:{port};",
        after: "failed_reconnect 20ms; relay_reconnect 20ms; relay_buffer 7s; pull rtmp://127.0.0.1:{port};",
        look: |walk| {
            let (origin, player) = (Origin::start(walk.own_port), walk.play("s"));
            until_true("a buffer of 5 s", || origin.newest() == 5_000);
            Box::new(move || {
                until_true("a buffer of 7 s", || origin.newest() == 7_000);
                origin.stop();
                drop(player);
            })
        },
    },
    Case {
        row: "relay main/relay_ssl_verify",
        place: Place::Rtmp,
        before: concat!("relay_ssl_verify on; ", encrypted!()),
        after: concat!("relay_ssl_verify off; ", encrypted!()),
        look: reaches_an_encrypted_server,
    },
    Case {
        row: "relay main/relay_ssl_trusted_certificate",
        place: Place::Rtmp,
        before: concat!("relay_ssl_trusted_certificate {tls}/other.crt; ", encrypted!()),
        after: concat!("relay_ssl_trusted_certificate {tls}/origin.crt; ", encrypted!()),
        look: reaches_an_encrypted_server,
    },
];

/// The secrets are files.
pub const SECRETS: &[Case] = &[Case {
    row: "relay main/relay_secret",
    place: Place::Rtmp,
    before: concat!("relay_secret {dir}/one; ", believing!()),
    after: concat!("relay_secret {dir}/two; ", believing!()),
    look: |walk| {
        assert!(believes(walk, "one") && !believes(walk, "two"));
        Box::new(move || assert!(believes(walk, "two") && !believes(walk, "one")))
    },
}];

/// Whether the server believes a relay that has this secret.
fn believes(walk: &Walk<'_>, secret: &str) -> bool {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let name = format!("s{}", NAMES.fetch_add(1, Ordering::Relaxed));
    let (hop, keys) =
        ("0123456789abcdef", ProofKeys::new([0; 32], Secret::new(secret.into()).into_iter().collect()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let asked = trail_proof::ProofPurpose { verb: "play", app: b"live", name: name.as_bytes() };
    let member = |name: &'static str, value: Bytes| (Bytes::from_static(name.as_bytes()), value.into());
    let extra = vec![
        member(trail::CONNECT_MEMBER, Bytes::from_static(hop.as_bytes())),
        member(trail_proof::CONNECT_MEMBER, keys.proof(hop.as_bytes(), asked, now)),
    ];
    let tc_url = format!("rtmp://127.0.0.1:{}/live", walk.own_port);
    let purpose = ClientPurpose::Play { name: Bytes::from(name.clone()) };
    let settings = ClientSettings { extra, ..ClientSettings::new("live", tc_url, purpose) };
    let player = RtmpClient::open(walk.own_port, settings).wait_started();
    walk.server.wait_log(&format!("playing '{name}'"));
    drop(player);
    walk.server.log_lines(&format!("relay trail of '{name}' is not accepted")).is_empty()
}

fn play_live(walk: &Walk<'_>) -> Player {
    let player = Player::rtmp(RtmpClient::play(walk.server.rtmp, "live", &walk.app));
    player.wait("play was accepted", |got| got.started.then_some(()));
    player
}

fn publish_live(walk: &Walk<'_>) -> Publisher {
    Publisher::start(walk.server.rtmp, &walk.app)
}

/// Each attempt of a relay that fails is logged at debug.
const AROUND: Around<'_> =
    Around { main: "error_log logs/debug.log debug;", events: "", server: "", vars: &[] };

/// Attempts that fail come so quickly after the reload as they could not before.
fn tries_more_often<'w, S: 'w>(walk: &'w Walk<'w>, session: S, what: &'static str) -> After<'w> {
    let attempts = {
        let starting = format!("relay {what}: ");
        let app = format!("app='{}'", walk.app);
        let log = || walk.server.prefix().read("logs/debug.log");
        move || log().lines().filter(|line| line.contains(&starting) && line.contains(&app)).count()
    };
    until_true("a first attempt", || attempts() > 0);
    Box::new(move || {
        // Within the patience of 20 s there is room for six of them every 3 s.
        let before = attempts();
        until_true("many attempts", || attempts() > before + 20);
        drop(session);
    })
}

/// The publisher was there when the certificate was not trusted yet.
fn reaches_an_encrypted_server<'w>(walk: &'w Walk<'w>) -> After<'w> {
    let mut publisher = Publisher::with(RtmpClient::publish(walk.own_web, "live", "s"), Tracks::Both);
    let target = Player::start(walk.server.rtmp, "s");
    walk.server.wait_log("relay push failed");
    Box::new(move || {
        until_true("frames at the target", || {
            publisher.send(1);
            !target.frames().is_empty()
        });
    })
}

/// Another server, which closes the connection as soon as it knows the buffer's length.
struct Origin {
    port: u16,
    newest: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
}

impl Origin {
    fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (newest, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (heard, stopped) = (newest.clone(), stop.clone());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                if let Some(length) = buffer_length(socket) {
                    heard.store(length, Ordering::Relaxed);
                }
            }
        });
        Origin { port, newest, stop }
    }

    fn newest(&self) -> u32 {
        self.newest.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// What the peer of this connection says of its buffer.
fn buffer_length(mut socket: TcpStream) -> Option<u32> {
    let mut core = ServerSession::new(ServerSessionSettings::default(), Instant::now(), [7; 32]);
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).ok().filter(|count| *count > 0)?;
        core.handle_input(&buffer[..count], Instant::now()).ok()?;
        while let Some(event) = core.poll_event() {
            match event {
                ServerEvent::Connect { request, .. } => {
                    let _ = core.accept_connect(request, ServerSessionSettings::default());
                }
                ServerEvent::Play { request, .. } => drop(core.accept_play(request)),
                ServerEvent::BufferLength { millis, .. } => return Some(millis),
                _ => {}
            }
        }
        if let Some(bytes) = core.poll_transmit() {
            socket.write_all(&bytes).ok()?;
        }
    }
}

#[test]
fn relays() {
    walk_in(CASES, AROUND, |_| {});
}

#[test]
fn secrets_of_relays() {
    walk_with(SECRETS, |prefix| {
        for name in ["one", "two"] {
            prefix.write(name, name);
        }
    });
}

#[test]
fn relays_of_the_whole_server() {
    walk_each(ALONE, AROUND);
}
