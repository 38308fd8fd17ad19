//! Each answer to each event, under both names, does what the tables of conf/callbacks.md say.

mod support;

use std::collections::HashMap;

use pingosd::notify::conf::EVENTS;
use pingosd::notify::effect::{ANSWER_KINDS, AnswerEffect, AnswerKind, NameFamily};
use pingosd::notify::event_row::EventRow;
use pingosd::notify::process::PROCESS_EVENTS;
use pingosd::notify::request::Stage;
use pingosd::wire::rtmp::client_session::ClientPurpose;
use support::frame::Tracks;
use support::rtmp::settings;
use support::server::Prefix;
use support::wait::until_true;
use support::{Answer, Conf, End, Feed, NotifyServer, Player, Publisher, RtmpClient, Server};

const FAMILIES: [NameFamily; 2] = [NameFamily::On, NameFamily::Oclp];

/// Name of the stream that is answered so.
fn name(kind: AnswerKind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn answer(kind: AnswerKind, location: &str) -> Answer {
    match kind {
        AnswerKind::Ok => Answer::Status(200),
        AnswerKind::Success => Answer::Status(204),
        AnswerKind::Redirect => Answer::Raw(
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into(),
        ),
        AnswerKind::ClientError => Answer::Status(403),
        AnswerKind::ServerError => Answer::Status(503),
        AnswerKind::None => Answer::Drop,
    }
}

fn row(event: &str) -> &'static EventRow {
    EVENTS.iter().find(|row| row.word() == event).expect("an event")
}

fn cells(stage: Stage, event: &str, family: NameFamily) -> impl Iterator<Item = (String, AnswerEffect)> {
    let effects = row(event).effects(stage).of(family);
    ANSWER_KINDS.into_iter().zip(effects).map(|((kind, _), effect)| (name(kind), effect))
}

/// A callback server, a server that relays go to and come from, and the server that is asked.
struct Scene {
    notify: NotifyServer,
    origin: Server,
    server: Server,
    event: &'static EventRow,
    word: &'static str,
}

impl Scene {
    /// One line of the event, with these parameters; `fits` are requests whose answers depend on the stream's name.
    fn new(event: &str, family: NameFamily, parameters: &str, fits: &str, more: &str) -> Scene {
        let event = row(event);
        let word = event.word();
        let origin = Server::start(&Conf::live(""));
        let notify = NotifyServer::start();
        for (kind, _) in ANSWER_KINDS {
            let location = format!("rtmp://127.0.0.1:{}/live/{}", origin.rtmp, name(kind));
            // Of a connection the arguments tell which it is.
            let key = if word == "connect" { "kind" } else { "name" };
            notify.answer(&format!("{fits} {key}={}", name(kind)), answer(kind, &location));
        }
        let line =
            format!("{}{word} {} {parameters} groupid=g args=$args;", family.prefix(), notify.url("/cb"));
        let quick = "failed_reconnect 20ms; relay_reconnect 200ms;";
        let conf = if event.block() == "server" {
            Conf::new(&format!("{line} application live {{ live on; {more} }}"))
        } else {
            Conf::live(&format!("{quick} {line} {more}"))
        };
        let server = Server::start_in(Prefix::new(), &conf);
        Scene { notify, origin, server, event, word }
    }

    fn client(&self, name: &str, plays: bool) -> RtmpClient {
        let app = if self.word == "connect" { format!("live?kind={name}") } else { "live".into() };
        let bytes = name.to_owned().into();
        let purpose =
            if plays { ClientPurpose::Play { name: bytes } } else { ClientPurpose::Publish { name: bytes } };
        RtmpClient::open(self.server.rtmp, settings(self.server.rtmp, &app, purpose))
    }

    fn play(&self, name: &str) -> Player {
        Player::rtmp(self.client(name, true))
    }

    fn publish(&self, name: &str) -> Feed {
        Publisher::with(self.client(name, false), Tracks::Both).keep_sending()
    }

    fn fits(&self, stage: Stage, name: &str) -> String {
        let key = if self.word == "connect" { "kind" } else { "name" };
        format!("call={} act={} {key}={name}", self.event.call, stage.name())
    }

    fn count(&self, stage: Stage, name: &str) -> usize {
        self.notify.requests_of(&self.fits(stage, name)).len()
    }

    #[track_caller]
    fn wait(&self, stage: Stage, name: &str, count: usize) {
        self.notify.wait_count(&self.fits(stage, name), count);
    }

    /// Each request has the fields that the table says.
    fn assert_fields(&self) {
        for request in self.notify.requests() {
            let later: &[&str] = if request.value("act") == "start" { &[] } else { self.event.later };
            let mut fields = [self.event.fields, later, &["groupid"][..]].concat();
            // A recording that was not begun has no file.
            if !later.is_empty() && !request.names().contains(&later[0]) {
                fields.retain(|field| !later.contains(field));
            }
            assert_eq!(request.names()[..fields.len()], fields, "{}", request.line);
        }
    }
}

#[test]
fn answers_to_the_start_of_sessions() {
    for (event, plays) in [("connect", false), ("publish", false), ("play", true)] {
        for family in FAMILIES {
            let scene = Scene::new(event, family, "stage=start,done", "act=start", "");
            for (name, effect) in cells(Stage::Start, event, family) {
                let mut client = scene.client(&name, plays);
                match effect {
                    AnswerEffect::LetIn => client.wait_started().leave(),
                    AnswerEffect::Refused | AnswerEffect::RefusedUnlessIgnored => match client.wait_end() {
                        End::Protocol(why) if event == "connect" => {
                            assert!(why.contains("Rejected"), "{why}");
                        }
                        End::Closed if event != "connect" => {}
                        other => panic!("{event} {name}: {other:?}"),
                    },
                    other => panic!("{other:?} of {event}"),
                }
                // Refusals need a `done` too.
                scene.wait(Stage::Done, &name, 1);
            }
            scene.assert_fields();
        }
    }
}

#[test]
fn answers_to_the_start_of_a_stream() {
    for family in FAMILIES {
        let scene = Scene::new("stream", family, "stage=update,done update=50ms", "act=start", "");
        let players: HashMap<_, _> =
            ANSWER_KINDS.map(|(kind, _)| (name(kind), scene.play(&name(kind)))).into();
        for (name, effect) in cells(Stage::Start, "stream", family) {
            match effect {
                AnswerEffect::Updates => scene.wait(Stage::Update, &name, 3),
                AnswerEffect::EndsOpener => drop(players[&name].wait_end()),
                AnswerEffect::NoUpdates => scene.wait(Stage::Start, &name, 1),
                other => panic!("{other:?} of a stream"),
            }
        }
        for (name, effect) in cells(Stage::Start, "stream", family) {
            assert_eq!(players[&name].got().end.is_some(), effect == AnswerEffect::EndsOpener, "{name}");
            assert_eq!(scene.count(Stage::Update, &name) > 0, effect == AnswerEffect::Updates, "{name}");
        }
        scene.assert_fields();
    }
}

#[test]
fn answers_to_the_start_of_relays() {
    for event in ["pull", "push", "meta"] {
        for family in FAMILIES {
            let scene = Scene::new(event, family, "stage=update,done update=50ms", "act=start", "");
            let pulls = event == "pull";
            let origin = pulls.then(|| Publisher::start(scene.origin.rtmp, "redirect").keep_sending());
            let mut players = HashMap::new();
            let mut feeds = HashMap::new();
            for (kind, _) in ANSWER_KINDS {
                match pulls {
                    true => drop(players.insert(name(kind), scene.play(&name(kind)))),
                    false => drop(feeds.insert(name(kind), scene.publish(&name(kind)))),
                }
            }
            for (name, effect) in cells(Stage::Start, event, family) {
                match effect {
                    AnswerEffect::Relay => scene.wait(Stage::Update, &name, 2),
                    AnswerEffect::NoRelayGoesOn => scene.wait(Stage::Update, &name, 2),
                    AnswerEffect::Again => scene.wait(Stage::Start, &name, 3),
                    AnswerEffect::EndsPlayers => drop(players[&name].wait_end()),
                    AnswerEffect::EndsPublisher => {
                        scene.server.wait_log(&format!("stopped publishing '{name}'"));
                    }
                    AnswerEffect::NoRelay => scene.wait(Stage::Start, &name, 1),
                    other => panic!("{other:?} of {event}"),
                }
            }
            for (name, effect) in cells(Stage::Start, event, family) {
                let again = scene.count(Stage::Start, &name) > 1;
                assert_eq!(again, effect == AnswerEffect::Again, "{event} {name}");
                let ended = match pulls {
                    true => players[&name].got().end.is_some(),
                    false => !scene.server.log_lines(&format!("stopped publishing '{name}'")).is_empty(),
                };
                let ends = matches!(effect, AnswerEffect::EndsPlayers | AnswerEffect::EndsPublisher);
                assert_eq!(ended, ends, "{event} {name}");
                let relayed = !scene.server.log_lines(&format!(" started: '{name}'")).is_empty();
                assert_eq!(relayed, effect == AnswerEffect::Relay, "{event} {name}");
                if effect == AnswerEffect::NoRelay {
                    assert_eq!(scene.count(Stage::Update, &name) + scene.count(Stage::Done, &name), 0);
                }
            }
            scene.assert_fields();
            drop(origin);
        }
    }
}

#[test]
fn answers_to_the_start_of_a_recording() {
    for (family, configured) in FAMILIES.into_iter().flat_map(|family| [(family, true), (family, false)]) {
        let more =
            format!("live_record_path {{dir}}/ts; live_record {};", if configured { "on" } else { "off" });
        let scene = Scene::new("record", family, "stage=done", "act=start", &more);
        let feeds: Vec<_> = ANSWER_KINDS.map(|(kind, _)| (name(kind), scene.publish(&name(kind)))).into();
        let recorded =
            |effect| effect == AnswerEffect::Recorded || (effect == AnswerEffect::AsConfigured && configured);
        for (name, effect) in cells(Stage::Start, "record", family) {
            scene.wait(Stage::Start, &name, 1);
            if recorded(effect) {
                scene.server.wait_log(&format!("record: recording '{name}'"));
            }
        }
        feeds.into_iter().for_each(|(_, feed)| feed.stop().leave());
        for (name, effect) in cells(Stage::Start, "record", family) {
            if recorded(effect) {
                scene.wait(Stage::Done, &name, 1);
            } else {
                scene.server.wait_log(&format!("stopped publishing '{name}'"));
                assert_eq!(scene.count(Stage::Done, &name), 0, "{name}");
                assert!(scene.server.log_lines(&format!("recording '{name}'")).is_empty(), "{name}");
            }
        }
        scene.assert_fields();
    }
}

#[test]
fn answers_to_updates() {
    for event in ["connect", "publish", "play", "stream", "pull", "push", "meta", "record"] {
        for family in FAMILIES {
            let more = match event {
                "record" => "live_record_path {dir}/ts; live_record_interval 24h;",
                _ => "",
            };
            let scene = Scene::new(event, family, "stage=update,done update=50ms", "act=update", more);
            let mut origins = Vec::new();
            let mut players = HashMap::new();
            let mut feeds = HashMap::new();
            for (kind, _) in ANSWER_KINDS {
                let name = name(kind);
                if let "pull" | "push" = event {
                    let location = format!("rtmp://127.0.0.1:{}/live/{name}", scene.origin.rtmp);
                    scene
                        .notify
                        .answer(&format!("act=start name={name}"), answer(AnswerKind::Redirect, &location));
                }
                if event == "pull" {
                    origins.push(Publisher::start(scene.origin.rtmp, &name).keep_sending());
                }
                match event {
                    "play" | "pull" => drop(players.insert(name.clone(), scene.play(&name))),
                    _ => drop(feeds.insert(name.clone(), scene.publish(&name))),
                }
            }
            for (name, effect) in cells(Stage::Update, event, family) {
                match effect {
                    AnswerEffect::Nothing => scene.wait(Stage::Update, &name, 3),
                    AnswerEffect::EndsSession | AnswerEffect::EndsRelay | AnswerEffect::EndsRecording => {
                        scene.wait(Stage::Done, &name, 1);
                    }
                    other => panic!("{other:?} of an update"),
                }
            }
            for (name, effect) in cells(Stage::Update, event, family) {
                let ended = match players.get(&name) {
                    Some(player) => player.got().end.is_some(),
                    None => !scene.server.log_lines(&format!("stopped publishing '{name}'")).is_empty(),
                };
                assert_eq!(ended, effect == AnswerEffect::EndsSession, "{event} {name}");
                let done = scene.count(Stage::Done, &name) > 0;
                assert_eq!(done, effect != AnswerEffect::Nothing, "{event} {name}");
            }
            scene.assert_fields();
        }
    }
}

#[test]
fn answers_to_ends() {
    for event in ["publish", "play", "stream", "connect"] {
        for family in FAMILIES {
            let scene = Scene::new(event, family, "stage=done", "act=done", "");
            scene.notify.answer("act=done name=plain", Answer::Status(500));
            scene.notify.answer("act=done kind=plain", Answer::Status(500));
            let names = cells(Stage::Done, event, family).map(|(name, _)| name).chain(["plain".to_owned()]);
            names.for_each(|name| scene.client(&name, event == "play").wait_started().leave());
            for (name, effect) in cells(Stage::Done, event, family) {
                let least = if effect == AnswerEffect::Nothing { 1 } else { 3 };
                scene.wait(Stage::Done, &name, least);
            }
            for (name, effect) in
                cells(Stage::Done, event, family).chain([("plain".into(), AnswerEffect::Nothing)])
            {
                assert_eq!(
                    scene.count(Stage::Done, &name) > 1,
                    effect != AnswerEffect::Nothing,
                    "{event} {name}"
                );
            }
            scene.assert_fields();
        }
    }
}

#[test]
fn answers_about_the_process_do_nothing() {
    for (kind, _) in ANSWER_KINDS {
        let notify = NotifyServer::start();
        notify.answer("path=/cb", answer(kind, "rtmp://127.0.0.1/live/s"));
        let lines = format!("on_proc {0}; on_master {0};", notify.url("/cb"));
        let server = Server::start(&Conf::live("").rtmp(&lines));
        notify.wait("call=init_process");
        notify.wait("call=init_master");
        Publisher::start(server.rtmp, "s").leave();
        until_true("the publisher has left", || !server.log_lines("stopped publishing 's'").is_empty());
        for event in PROCESS_EVENTS {
            let request = notify.wait(&format!("call={}", event.call));
            assert_eq!(request.names(), event.fields);
        }
    }
}
