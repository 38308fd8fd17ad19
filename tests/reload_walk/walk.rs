//! How a row is walked: a server with the value before, a reload to the one after and one back, sessions, a reload, and
//! what is seen then.
//!
//! Before, after, before, after: what is remembered from the first time a value was in force would be seen, be it in the
//! running server or by what goes on in it.

use std::io::Read;
use std::process::Output;

use pingosd::directive::{ReloadClass, Row};
use pingosd::modules::MODULES;

use crate::media::Source;
use crate::support::frame::Tracks;
use crate::support::server::{Prefix, free_port};
use crate::support::wait::until_true;
use crate::support::{Conf, DnsServer, NotifyServer, Player, Publisher, RtmpClient, Server};

/// What is looked at once the reload is through.
pub type After<'w> = Box<dyn FnOnce() + 'w>;

/// One row of the table, and the proof of its class.
pub struct Case {
    /// Module and directive, as [`name`] has them.
    pub row: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What stands there before the reload. `{app}` is the case's own application, `{port}` its own RTMP port, `{web}`
    /// its own HTTP port, `{old}` and `{new}` are callback servers, `{dns}` is a name server, `{tls}` is the directory of
    /// certificates.
    pub before: &'static str,
    /// What stands there afterwards.
    pub after: &'static str,
    /// Starts sessions and checks the effect of the old value; the returned function checks that of the new one after the reload.
    pub look: for<'w> fn(&'w Walk<'w>) -> After<'w>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Outside of every block. One case of a walk should have it for one directive.
    Main,
    /// In `events`.
    Events,
    /// In `rtmp`.
    Rtmp,
    /// In a `server` of `rtmp` of its own, which has an application `live`.
    Server,
    /// As [`Place::Server`], without `listen` and application.
    BareServer,
    /// In an application of its own, with `live on`.
    Application,
    /// As [`Place::Application`], without `live on`.
    BareApplication,
    /// In `http`.
    Http,
    /// In a `server` of `http` of its own, which says where it listens.
    HttpServer,
    /// In the `server` of `http` that all share: locations named like the case's application.
    Locations,
}

/// What a case has at hand.
pub struct Walk<'w> {
    /// The server that is reloaded.
    pub server: &'w Server,
    /// The application that the case publishes to and plays from.
    pub app: String,
    /// What `{app}` stands for.
    pub own_app: String,
    /// What `{port}` stands for.
    pub own_port: u16,
    /// RTMP port: the case's own with [`Place::Server`], else that of all.
    pub port: u16,
    /// The case's own HTTP port with [`Place::HttpServer`], else that of all.
    pub web: u16,
    /// What `{web}` stands for.
    pub own_web: u16,
    /// The callback server `{old}`.
    pub old: &'w NotifyServer,
    /// The callback server `{new}`.
    pub new: &'w NotifyServer,
    /// The name server `{dns}`.
    pub dns: &'w DnsServer,
}

/// What stands around the cases, the same before and afterwards.
#[derive(Clone, Copy, Default)]
pub struct Around<'a> {
    /// Outside of every block.
    pub main: &'a str,
    /// In `events`.
    pub events: &'a str,
    /// In the `server` of `rtmp` that all share.
    pub server: &'a str,
    /// What further names in the texts stand for.
    pub vars: &'a [(&'a str, String)],
}

/// Callback server of the server that is reloaded.
struct Asked {
    old: NotifyServer,
    new: NotifyServer,
    dns: DnsServer,
}

/// `module/directive` of a row.
pub fn name(module: &str, row: &Row) -> String {
    format!("{module}/{}", row.name())
}

/// The row that a case is about.
fn row(name: &str) -> &'static Row {
    let mut rows = MODULES.iter().flat_map(|module| module.rows.iter().map(|row| (module.name, row)));
    let found = rows.find(|(module, row)| self::name(module, row) == name);
    found.unwrap_or_else(|| panic!("{name} is no row of the table")).1
}

/// Walks these rows in one run of a server.
#[track_caller]
pub fn walk(cases: &[Case]) {
    walk_with(cases, |_| {});
}

/// As [`walk`]; `prepare` fills the prefix.
#[track_caller]
pub fn walk_with(cases: &[Case], prepare: impl FnOnce(&Prefix)) {
    walk_in(cases, Around::default(), prepare);
}

/// Walks each of these rows in a run of its own: they are about the whole server.
#[track_caller]
pub fn walk_each(cases: &[Case], around: Around<'_>) {
    for case in cases {
        walk_in(std::slice::from_ref(case), around, |_| {});
    }
}

/// As [`walk_with`], with more around the cases.
#[track_caller]
pub fn walk_in(cases: &[Case], around: Around<'_>, prepare: impl FnOnce(&Prefix)) {
    let asked = Asked { old: NotifyServer::start(), new: NotifyServer::start(), dns: DnsServer::start() };
    let places: Vec<CaseNames> =
        cases.iter().enumerate().map(|(index, case)| CaseNames::new(index, case)).collect();
    let text = |which: fn(&Case) -> &'static str| conf(cases, &places, which, around, &asked);
    let prefix = Prefix::new();
    prepare(&prefix);
    let server = Server::start_in(prefix, &text(|case| case.before));
    let stages: Vec<Walk<'_>> = cases
        .iter()
        .zip(&places)
        .map(|(case, own)| Walk {
            server: &server,
            app: if case.place.has_application() { own.app.clone() } else { "live".into() },
            port: if case.place.has_port() { own.port } else { server.rtmp },
            web: if case.place == Place::HttpServer { own.web } else { server.http },
            own_app: own.app.clone(),
            own_port: own.port,
            own_web: own.web,
            old: &asked.old,
            new: &asked.new,
            dns: &asked.dns,
        })
        .collect();
    // The value of a restart row has not changed, so it does not change back.
    let returns = |case: &Case| !ONCE.contains(&case.row) && row(case.row).class != ReloadClass::Restart;
    let returning: Vec<_> = cases.iter().zip(&places).filter(|(case, _)| returns(case)).collect();
    if !returning.is_empty() {
        let there =
            reload(&server, &text(|case| if ONCE.contains(&case.row) { case.before } else { case.after }));
        let back = reload(&server, &text(|case| case.before));
        for (case, own) in returning {
            assert_reported(&server, &there, case, own);
            assert_reported(&server, &back, case, own);
        }
    }
    let mut looks = Vec::new();
    for (case, stage) in cases.iter().zip(&stages) {
        eprintln!("before the reload: {}", case.row);
        looks.push((case.look)(stage));
    }
    let report = reload(&server, &text(|case| case.after));
    eprintln!("{report}");
    for (case, own) in cases.iter().zip(&places) {
        assert_reported(&server, &report, case, own);
    }
    for (case, look) in cases.iter().zip(looks) {
        eprintln!("after the reload: {}", case.row);
        look();
    }
}

/// Rows that act at each reload: what they do is counted from the first one.
const ONCE: [&str; 4] =
    ["core/conf_watch", "exec/exec_static", "notify main/on_master", "notify main/on_proc"];

/// Names and ports of a case.
struct CaseNames {
    app: String,
    port: u16,
    web: u16,
}

impl CaseNames {
    fn new(index: usize, case: &Case) -> Self {
        let directive = case.row.rsplit('/').next().unwrap_or_default();
        CaseNames { app: format!("{directive}{index}"), port: free_port(), web: free_port() }
    }
}

impl Place {
    fn has_application(self) -> bool {
        matches!(self, Place::Application | Place::BareApplication)
    }

    fn has_port(self) -> bool {
        matches!(self, Place::Server | Place::BareServer)
    }
}

fn conf(
    cases: &[Case],
    places: &[CaseNames],
    which: fn(&Case) -> &'static str,
    around: Around<'_>,
    asked: &Asked,
) -> Conf {
    let at = |wanted: &[Place], wrap: fn(&CaseNames, &str, Place) -> String| -> String {
        let cases = cases.iter().zip(places).filter(|(case, _)| wanted.contains(&case.place));
        let texts = cases.map(|(case, own)| {
            let own_words = |text: String| {
                let text = text.replace("{tls}", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls"));
                let text = text.replace("{app}", &own.app).replace("{port}", &own.port.to_string());
                text.replace("{web}", &own.web.to_string())
            };
            own_words(wrap(own, which(case), case.place))
        });
        texts.collect()
    };
    let plain: fn(&CaseNames, &str, Place) -> String = |_, text, _| format!("{text}\n");
    let servers = at(&[Place::Server, Place::BareServer], |_, text, place| match place {
        Place::BareServer => format!("server {{ {text} }}\n"),
        _ => format!(
            "server {{ listen 127.0.0.1:{{port}}; serverid {{app}}; {text} application live {{ live on; }} }}\n"
        ),
    });
    let applications = at(&[Place::Application, Place::BareApplication], |_, text, place| {
        let live = if place == Place::Application { "live on; " } else { "" };
        format!("application {{app}} {{ {live}{text} }}\n")
    });
    let web = at(&[Place::HttpServer], |_, text, _| format!("server {{ {text} }}\n"));
    let Around { main, events, server, vars } = around;
    let conf = Conf::new(&format!("{applications} {server} application live {{ live on; }}"))
        .main(&format!("{main}\n{}", at(&[Place::Main], plain)))
        .events(&format!("{events}\n{}", at(&[Place::Events], plain)))
        .rtmp(&format!("{}{servers}", at(&[Place::Rtmp], plain)))
        .http(&format!("{}{web}", at(&[Place::Http], plain)))
        .http_server(&format!(
            "location /ts {{ ts_live {{rtmp_port}}; }} location /hls2 {{ hls2_live {{rtmp_port}}; }}\n{}",
            at(&[Place::Locations], plain)
        ))
        .var("old", asked.old.url(""))
        .var("new", asked.new.url(""))
        .var("dns", format!("127.0.0.1:{}", asked.dns.port));
    vars.iter().fold(conf, |conf, (name, value)| conf.var(name, value))
}

/// `pingosd -s reload`, which says what has changed.
fn reload(server: &Server, conf: &Conf) -> String {
    server.rewrite(conf);
    let Output { status, stdout, stderr } =
        server.prefix().command().args(["-s", "reload"]).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{said}");
    said
}

/// The report names the row with the class that the table gives it, and a restart row in the log too.
fn assert_reported(server: &Server, report: &str, case: &Case, own: &CaseNames) {
    let row = row(case.row);
    let class = match row.class {
        ReloadClass::Live => "(live, ",
        ReloadClass::Session => "(new sessions; ",
        ReloadClass::Restart => "(after a restart; ",
        ReloadClass::Block | ReloadClass::Later | ReloadClass::Needless => {
            panic!("{}: nothing to see", case.row)
        }
    };
    let written = format!(": {} ", row.name());
    let (app, port, web) = (&own.app, own.port.to_string(), own.web.to_string());
    let is_own = |line: &str| match case.place {
        Place::Application | Place::BareApplication | Place::Locations => line.contains(app.as_str()),
        Place::Server | Place::BareServer => line.contains(&port),
        Place::HttpServer => line.contains(&web),
        _ => true,
    };
    assert!(
        report.lines().any(|line| line.contains(&written) && line.contains(class) && is_own(line)),
        "{}: no line \"{written}\" \"{class}\" of {app} in\n{report}",
        case.row,
    );
    if row.class == ReloadClass::Restart {
        let warning = format!("\"{}\" has changed, the change takes effect after a restart only", row.name());
        assert!(server.log_lines("[warn]").iter().any(|line| line.contains(&warning)), "{}", case.row);
    }
}

/// Bytes of S0, S1 and S2.
const SERVER_HANDSHAKE: usize = 1 + 2 * 1536;

impl Walk<'_> {
    /// Publishes `name` in the case's application.
    #[track_caller]
    pub fn publish(&self, name: &str) -> Publisher {
        Publisher::with(self.publisher(name), Tracks::Both)
    }

    /// As [`Walk::publish`], media that can be packaged.
    #[track_caller]
    pub fn source(&self, name: &str) -> Source {
        Source::over(self.publisher(name), true)
    }

    /// As [`Walk::publish`], not waiting to be let in.
    pub fn publisher(&self, name: &str) -> RtmpClient {
        RtmpClient::publish(self.port, &self.app, name)
    }

    /// As [`Walk::play`], not waiting to be let in.
    pub fn player(&self, name: &str) -> RtmpClient {
        RtmpClient::play(self.port, &self.app, name)
    }

    /// Plays `name` of the case's application; waits until that was accepted.
    #[track_caller]
    pub fn play(&self, name: &str) -> Player {
        let player = Player::rtmp(self.player(name));
        player.wait("play was accepted", |got| got.started.then_some(()));
        player
    }

    /// A client whose session has begun - it has connected to its application - and whose play or publish comes when it
    /// is read from again.
    #[track_caller]
    pub fn connected(&self, mut client: RtmpClient) -> RtmpClient {
        let mut handshake = vec![0; SERVER_HANDSHAKE];
        client.socket.set_read_timeout(Some(crate::support::wait::PATIENCE)).unwrap();
        client.socket.read_exact(&mut handshake).unwrap();
        let port = client.socket.local_addr().unwrap().port();
        client.take(&handshake);
        // The answer to connect is there, so the server has chosen the application.
        until_true(&format!("an answer to connect from port {port}"), || {
            client.socket.peek(&mut [0]).is_ok_and(|count| count > 0)
        });
        client
    }

    /// Starts a player whose session has begun.
    #[track_caller]
    pub fn go_on(&self, client: RtmpClient) -> Player {
        let player = Player::rtmp(client);
        player.wait("play was accepted", |got| got.started.then_some(()));
        player
    }
}
