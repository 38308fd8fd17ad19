//! A hundred edits of the configuration, valid and invalid, while publishers and players run; and a walk through
//! the table of directives.

mod support;

use std::fs;
use std::process::Command;

use pingosd::conf::{Class, Shape, context};
use pingosd::config::diff::{self, Effect};
use pingosd::config::{LoadOptions, load};
use pingosd::modules::MODULES;
use support::frame::Tracks;
use support::{Conf, Player, Publisher, Server};

/// Edits of one run, and who is there: more with PINGOSD_RELOAD_FULL set, as the longer run does.
fn sizes() -> (usize, usize, usize) {
    match std::env::var_os("PINGOSD_RELOAD_FULL") {
        Some(_) => (1000, 20, 200),
        None => (100, 4, 20),
    }
}

/// The same numbers on every run (a linear congruential generator, Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

const GOOD: [&str; 11] = [
    "cache_time 1s;",
    "cache_time 3s;",
    "deny play 10.1.2.3;",
    "deny publish 10.1.2.3; allow publish all;",
    "on_play http://127.0.0.1:1/ stage=update update=50ms;",
    "send_delay 20ms;",
    "send_delay auto;",
    "zero_start on;",
    "idle_streams off;",
    "notify_done_retry 0;",
    "} application more { live on;",
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

#[test]
fn a_hundred_edits_lose_no_session_and_no_frame() {
    let (edits, publishers, players) = sizes();
    let server = Server::start(&Conf::live("").with_flv());
    let feeds: Vec<_> =
        (0..publishers).map(|n| Publisher::start(server.rtmp, &format!("s{n}")).keep_sending()).collect();
    let players: Vec<(usize, Player)> = (0..players)
        .map(|n| {
            let stream = n % publishers;
            let player = match n % 5 {
                0 => Player::http(server.http, &format!("/flv/s{stream}")),
                _ => Player::start(server.rtmp, &format!("s{stream}")),
            };
            (stream, player)
        })
        .collect();
    let mut numbers = Numbers(5);
    let (mut taken, mut refused) = (0, 0);
    for edit in 0..edits {
        let bad = numbers.below(3) == 0;
        let (text, reason) =
            if bad { BAD[numbers.below(BAD.len())] } else { (GOOD[numbers.below(GOOD.len())], "") };
        server.rewrite(&Conf::live(text).with_flv());
        let mut command = Command::new(support::server::PROGRAM);
        let place = server.prefix();
        command.args(["-s", "reload"]).arg("-p").arg(place.path()).arg("-c").arg(place.conf());
        let output = command.output().unwrap();
        assert_eq!(output.status.success(), !bad, "edit {edit}, {text}: {output:?}");
        if bad {
            refused += 1;
            assert!(String::from_utf8_lossy(&output.stderr).contains(reason), "{text}: {output:?}");
        } else {
            taken += 1;
        }
    }
    assert!(taken > edits / 3 && refused > edits / 10, "{taken} taken, {refused} refused");
    let last: Vec<u64> = feeds.into_iter().map(|feed| feed.stop().next() - 1).collect();
    for (stream, player) in &players {
        player.assert_whole(Tracks::Both, last[*stream]);
    }
}

/// Every row that takes one value and has a default, put into its block and taken out again: the report names it,
/// its class and its line, and the server, which runs with a stream, takes it.
#[test]
fn every_row_of_the_table_is_reported_with_its_class() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.conf");
    let options = LoadOptions::choose(Some(directory.path().into()), Some(file.clone()), Vec::new(), None);
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
        let (Some(default), Shape::Simple) = (row.default, row.shape) else { continue };
        let Some(place) = context_of::place(row.contexts) else { continue };
        fs::write(&file, conf(place, &format!("{} {default};", row.name()))).unwrap();
        // A default that needs a word beside it, or a file, is not written alone.
        let Ok(after) = load(&options) else { continue };
        let changes = diff::changes(&options, &before, &after, &[]);
        let found: Vec<_> = changes.iter().filter(|change| change.directive == row.name()).collect();
        assert_eq!((found.len(), changes.len()), (1, 1), "{}: {changes:?}", row.name());
        let want = match row.class {
            _ if row.inert => Effect::None,
            Class::Live => Effect::Live,
            Class::Session | Class::Block => Effect::Session,
            Class::Restart => Effect::Restart,
            Class::Later | Class::Needless => Effect::None,
        };
        assert_eq!(found[0].effect, want, "{}", row.name());
        assert!(found[0].old.is_none() && found[0].new.is_some(), "{}: {changes:?}", row.name());
        assert!(found[0].place.starts_with(&format!("{}:", file.display())), "{}: {changes:?}", row.name());
        let back = diff::changes(&options, &after, &before, &[]);
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
    use pingosd::conf::Contexts;

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
