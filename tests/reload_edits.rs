//! A hundred edits of the configuration, valid and invalid, while publishers and players run; and a walk through
//! the table of directives.

mod support;

use std::fs;

use pingosd::config::diff::{self, ChangeEffect};
use pingosd::config::{LoadOptions, load};
use pingosd::directive::{ReloadClass, StatementShape, context};
use pingosd::modules::{LANGUAGE, MODULES};
use support::frame::Tracks;
use support::wait::until_true;
use support::{Conf, End, NotifyServer, Player, Publisher, RtmpClient, Server, http};

const PUBLISHERS: usize = 20;
const PLAYERS: usize = 200;

/// Edits of one run: more with PINGOSD_RELOAD_FULL set, as the longer run does.
fn edits() -> usize {
    if std::env::var_os("PINGOSD_RELOAD_FULL").is_some() { 1000 } else { 100 }
}

/// The same numbers on every run (a linear congruential generator, Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// What is added to the application, and how it shows.
type Edit = (&'static str, fn(&Server));

const GOOD: [Edit; 13] = [
    ("cache_time 1s;", newcomer_plays),
    ("cache_time 3s;", newcomer_plays),
    ("deny play 10.1.2.3;", newcomer_plays),
    ("deny publish 10.1.2.3; allow publish all;", newcomer_publishes),
    ("deny play all;", newcomer_may_not_play),
    ("deny publish all;", newcomer_may_not_publish),
    ("on_play http://127.0.0.1:1/ stage=update update=50ms;", newcomer_may_not_play),
    ("send_delay 20ms;", newcomer_plays),
    ("send_delay auto;", newcomer_plays),
    ("zero_start on;", newcomer_plays),
    ("idle_streams off;", newcomer_plays),
    ("push rtmp://127.0.0.1:{rtmp_port}/copy;", running_streams_are_pushed),
    ("} application more { live on;", application_is_there),
];

const BAD: [(&str, &str); 8] = [
    ("no_such_directive 1;", "unknown directive \"no_such_directive\""),
    ("cache_time x;", "invalid value"),
    ("cache_time 1s; cache_time 2s;", "is duplicate"),
    ("cache_time;", "invalid number of arguments"),
    ("include gone.conf;", "gone.conf"),
    ("on_play ;", "on_play"),
    ("listen 1936;", "is not allowed here"),
    ("cache_time 1s", "cache_time"),
];

fn newcomer_plays(server: &Server) {
    Player::start(server.rtmp, "s0").wait_key();
}

fn newcomer_publishes(server: &Server) {
    RtmpClient::publish(server.rtmp, "live", "new").wait_started();
}

fn newcomer_may_not_play(server: &Server) {
    assert_eq!(RtmpClient::play(server.rtmp, "live", "s0").wait_end(), End::Closed);
}

fn newcomer_may_not_publish(server: &Server) {
    assert_eq!(RtmpClient::publish(server.rtmp, "live", "new").wait_end(), End::Closed);
}

fn running_streams_are_pushed(server: &Server) {
    Player::rtmp(RtmpClient::play(server.rtmp, "copy", "s7")).wait_key();
}

fn application_is_there(server: &Server) {
    RtmpClient::publish(server.rtmp, "more", "new").wait_started();
}

#[test]
fn a_hundred_edits_lose_no_session_and_no_frame() {
    let notify = NotifyServer::start();
    // Each edit has its number in what running publishers tell, and in an answer of HTTP.
    let conf = |edit: usize, text: &str| {
        Conf::new(&format!(
            "application copy {{ live on; }}
             application live {{ live on; on_publish {{callback}}/{edit} stage=update update=500ms; {text} }}"
        ))
        .http_server(&format!(
            "location /flv {{ flv_live {{rtmp_port}} app=live; }} location /edit {{ return 200 {edit}; }}"
        ))
        .var("callback", notify.url(""))
    };
    let server = Server::start(&conf(0, ""));
    let feeds: Vec<_> =
        (0..PUBLISHERS).map(|n| Publisher::start(server.rtmp, &format!("s{n}")).keep_sending()).collect();
    let players: Vec<(usize, Player)> = (0..PLAYERS)
        .map(|n| {
            let stream = n % PUBLISHERS;
            let player = match n % 5 {
                0 => Player::http(server.http, &format!("/flv/s{stream}")),
                _ => Player::start(server.rtmp, &format!("s{stream}")),
            };
            (stream, player)
        })
        .collect();
    let mut numbers = Numbers(5);
    let (mut in_force, mut refused) = (0, 0);
    for edit in 1..=edits() {
        let bad = numbers.below(3) == 0;
        if bad {
            let (text, reason) = BAD[numbers.below(BAD.len())];
            server.rewrite(&conf(edit, text));
            let output = server.run(&["-s", "reload"]);
            assert!(!output.status.success(), "edit {edit}, {text}: {output:?}");
            assert!(String::from_utf8_lossy(&output.stderr).contains(reason), "{text}: {output:?}");
            refused += 1;
        } else {
            let (text, shows) = GOOD[numbers.below(GOOD.len())];
            server.rewrite(&conf(edit, text));
            let output = server.run(&["-s", "reload"]);
            assert!(output.status.success(), "edit {edit}, {text}: {output:?}");
            shows(&server);
            notify.wait(&format!("path=/{edit} call=publish act=update"));
            in_force = edit;
        }
        assert_eq!(http::get(server.http, "/edit").text(), in_force.to_string());
    }
    assert!(refused > edits() / 10 && edits() - refused > edits() / 3, "{refused} refused");
    let last: Vec<u64> = feeds.into_iter().map(|feed| feed.stop().next() - 1).collect();
    for (stream, player) in &players {
        player.assert_whole(Tracks::Both, last[*stream]);
    }
    drop(players);
    until_true("all players have left", || server.status()["sessions"]["players"] == 0);
}

/// Every row that takes one value and has a default, put into its block and taken out again: the report names it,
/// its class and its line, and the server, which runs with a stream, takes it.
#[test]
fn every_row_of_the_table_is_reported_with_its_class() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.conf");
    let options =
        LoadOptions::choose(&LANGUAGE, Some(directory.path().into()), Some(file.clone()), Vec::new(), None);
    let conf = |place: context_of::Place, line: &str| {
        let at = |wanted| if place == wanted { line } else { "" };
        use context_of::Place::*;
        format!(
            "{}\nevents {{ {} }}\nrtmp {{ {}\nserver {{ listen 1935; {}\napplication live {{ live on; {} }} }} }}\n\
             http {{ {}\nserver {{ listen 8080; {}\nlocation / {{ {} }} }} }}\n",
            at(Main),
            at(Events),
            at(Rtmp),
            at(RtmpServer),
            at(Application),
            at(Http),
            at(HttpServer),
            at(Location),
        )
    };
    fs::write(&file, conf(context_of::Place::None, "")).unwrap();
    let before = load(&options).unwrap();
    let mut walked = 0;
    for row in MODULES.iter().flat_map(|module| module.rows) {
        let (Some(default), StatementShape::Simple) = (row.default, row.shape) else { continue };
        let Some(place) = context_of::place(row.contexts) else { continue };
        fs::write(&file, conf(place, &format!("{} {default};", row.name()))).unwrap();
        // A default that needs a word beside it, or a file, is not written alone.
        let Ok(after) = load(&options) else { continue };
        let changes = diff::changes(&options, &before, &after, &after.tree, &[]);
        let found: Vec<_> = changes.iter().filter(|change| change.directive == row.name()).collect();
        assert_eq!((found.len(), changes.len()), (1, 1), "{}: {changes:?}", row.name());
        let want = match row.class {
            _ if row.inert => ChangeEffect::None,
            ReloadClass::Live => ChangeEffect::Live,
            ReloadClass::Session | ReloadClass::Block => ChangeEffect::Session,
            ReloadClass::Restart => ChangeEffect::Restart,
            ReloadClass::Later | ReloadClass::Needless => ChangeEffect::None,
        };
        assert_eq!(found[0].effect, want, "{}", row.name());
        assert!(found[0].old.is_none() && found[0].new.is_some(), "{}: {changes:?}", row.name());
        assert!(found[0].place.starts_with(&format!("{}:", file.display())), "{}: {changes:?}", row.name());
        let back = diff::changes(&options, &after, &before, &before.tree, &[]);
        assert!(
            back.len() == 1 && back[0].new.is_none() && back[0].effect == want,
            "{}: {back:?}",
            row.name()
        );
        walked += 1;
    }
    assert!(walked > 150, "only {walked} rows");
}

/// Where a row of the table can stand in the sample.
mod context_of {
    use super::context;
    use pingosd::directive::Contexts;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Place {
        None,
        Main,
        Events,
        Rtmp,
        RtmpServer,
        Application,
        Http,
        HttpServer,
        Location,
    }

    pub fn place(contexts: Contexts) -> Option<Place> {
        let places = [
            (context::APPLICATION, Place::Application),
            (context::LOCATION, Place::Location),
            (context::RTMP_SERVER, Place::RtmpServer),
            (context::HTTP_SERVER, Place::HttpServer),
            (context::RTMP, Place::Rtmp),
            (context::HTTP, Place::Http),
            (context::EVENTS, Place::Events),
            (context::MAIN, Place::Main),
        ];
        places.into_iter().find(|(bit, _)| contexts & bit != 0).map(|(_, place)| place)
    }
}
