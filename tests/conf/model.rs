//! What becomes of a configuration: inheritance, servers by name, locations by path.

use std::path::Path;

use pingosd::config::load::EMBEDDED;
use pingosd::config::{Config, LoadOptions, load};
use pingosd::directive::ListenAddr;
use pingosd::http;
use pingosd::http::conf::Files;
use pingosd::http::directory::Directory;
use pingosd::http::routes::Location;
use pingosd::log::level::LogLevel;
use pingosd::log::sink::spec::SinkTarget;
use pingosd::media::access::rule::AccessAction;
use pingosd::media::server_conf::ServerConf;
use pingosd::media::{self, access, gop, live};
use pingosd::module::rewrite::conf::{Statement, Statements};
use pingosd::module::stat::conf::{StatDocument, StatFormat, StatParts};
use pingosd::module::{control, flv, hls, hls2, proxy, stat};
use pingosd::modules::LANGUAGE;
use pingosd::notify::hook::Enforce;
use pingosd::notify::url::Scheme;
use pingosd::notify::{self, main_conf::MainCurrent};
use pingosd::server::core;
use pingosd::syntax::render::Style;

use crate::support::Prefix;

fn load_text(text: &str) -> Config {
    let prefix = Prefix::new(text, &[]);
    match prefix.load() {
        Ok(config) => config,
        Err(report) => panic!("{}", String::from_utf8_lossy(&report.render(Default::default()))),
    }
}

#[test]
fn the_embedded_configuration_serves_live_without_privileges() {
    let config = Config::embedded_default(&LANGUAGE);
    assert!(config.warnings.is_empty());
    assert!(!config.get::<core::conf::Conf>().daemon && config.get::<core::conf::Conf>().user.is_none());
    assert_eq!(config.get::<core::conf::Current>().error_log[0].target, SinkTarget::Stderr);
    let rtmp = config.rtmp.unwrap();
    assert_eq!(rtmp.listeners[0].addr.to_string(), "0.0.0.0:1935");
    let app = rtmp.listeners[0].servers.find(b"any").unwrap().application(b"live").unwrap();
    assert!(app.get::<live::conf::Conf>().live);
    assert_eq!(app.get::<gop::conf::Conf>().cache_time.0, 3_000);
    let http = config.http.unwrap();
    let server = http.listeners[0].servers.find(b"").unwrap();
    let flv = &server.routes().location_for(b"/live/a.flv").unwrap().get::<flv::conf::Current>().flv_live;
    assert!(flv.0.as_ref().is_some_and(|flv| flv.audio && flv.video));
    assert_eq!(
        EMBEDDED,
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/pingosd.conf")).unwrap()
    );
}

#[test]
fn every_example_is_accepted_without_a_warning() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let config = load(&LoadOptions::choose(&LANGUAGE, None, Some(path.clone()), Vec::new(), None));
        let config = config.unwrap_or_else(|_| panic!("{} is refused", path.display()));
        // The directories of the examples need not exist on this machine.
        let warnings =
            String::from_utf8(config.render_warnings(Style { brief: true, ..Style::default() })).unwrap();
        let others =
            warnings.lines().find(|line| line.contains("[warn]") && !line.contains("[unwritable-path]"));
        assert_eq!(others, None, "{}", path.display());
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn the_nearest_level_decides() {
    let config = load_text(
        "events {} rtmp {
            cache_time 1s; live on; ping 10s; merge_frame 8;
            server { cache_time 2s; application a { cache_time 3s; } application b { } }
            server { listen 1936; ping 20s; application c { live off; meta copy; } }
        }",
    );
    let rtmp = config.rtmp.unwrap();
    let app = |server: usize, name: &str| rtmp.servers[server].application(name.as_bytes()).unwrap();
    assert_eq!(app(0, "a").get::<gop::conf::Conf>().cache_time.0, 3_000);
    assert_eq!(app(0, "b").get::<gop::conf::Conf>().cache_time.0, 2_000);
    assert_eq!(app(1, "c").get::<gop::conf::Conf>().cache_time.0, 1_000);
    assert!(app(0, "b").get::<live::conf::Conf>().live && !app(1, "c").get::<live::conf::Conf>().live);
    assert_eq!(rtmp.servers[0].get::<ServerConf>().ping.0, 10_000);
    assert_eq!(rtmp.servers[1].get::<ServerConf>().ping.0, 20_000);
    assert_eq!(app(0, "a").get::<media::conf::Conf>().merge_frame.0, 8);
    assert_eq!(rtmp.servers[0].get::<ServerConf>().serverid.0, "default");
}

#[test]
fn derived_defaults_are_those_of_the_server() {
    let config = load_text(
        "events {} rtmp { server {
            application a { hls_fragment 2s; hls2_fragment 2s; }
            application b { hls_fragment 2s; hls_max_fragment 4s; hls2_fragment 20s; hls2_max_fragment 25s; }
            application c { hls2_fragment 60s; }
        } server { listen 1936; hls_fragment 1s; hls2_fragment 1s; hls_variant _low; application d { hls_variant _hi; } } }",
    );
    let rtmp = config.rtmp.unwrap();
    let app = |server: usize, name: &str| rtmp.servers[server].application(name.as_bytes()).unwrap();
    let lengths = |server, name| {
        let (hls, hls2) = (
            app(server, name).get::<hls::conf::Conf>().settings(),
            app(server, name).get::<hls2::conf::Conf>().settings(),
        );
        (hls.cut.max_fragment_ms, hls2.cut.max_fragment_ms, hls2.playlist_length_ms)
    };
    assert_eq!(lengths(0, "a"), (50_000, 50_000, 15_000));
    assert_eq!(lengths(0, "b"), (4_000, 25_000, 60_000));
    assert_eq!(lengths(0, "c"), (50_000, 60_000, 180_000));
    assert_eq!(lengths(1, "d"), (10_000, 10_000, 3_000));
    assert_eq!(app(0, "a").get::<hls2::conf::Conf>().timeout_ms(), 45_000);
    let variants = app(1, "d").get::<hls::conf::Conf>().settings().variants;
    assert_eq!(variants.len(), 1);
    assert_eq!(variants[0].suffix, b"_hi");
}

#[test]
fn access_rules_of_inner_levels_come_first() {
    let config = load_text(
        "events {} rtmp { deny publish all; server { application a { allow publish 10.0.0.0/8; } application b { } } }",
    );
    let rtmp = config.rtmp.unwrap();
    let permits = |name: &str, ip: &str| {
        let app = rtmp.servers[0].application(name.as_bytes()).unwrap();
        app.get::<access::conf::Current>().permits(AccessAction::Publish, Some(ip.parse().unwrap()))
    };
    assert!(permits("a", "10.1.1.1"));
    assert!(!permits("a", "192.0.2.1"));
    assert!(!permits("b", "10.1.1.1"));
}

#[test]
fn applications_are_found_by_name_then_by_star() {
    let config = load_text(
        "events {} rtmp { server { application live { ping_x; } } }".replace("ping_x;", "").as_str(),
    );
    assert!(config.rtmp.unwrap().servers[0].application(b"other").is_none());
    let config = load_text(
        "events {} rtmp { server { application * { live off; } application a { live on; } application a { live off; } } }",
    );
    let rtmp = config.rtmp.unwrap();
    assert!(rtmp.servers[0].application(b"a").unwrap().get::<live::conf::Conf>().live);
    assert_eq!(rtmp.servers[0].application(b"other").unwrap().name, "*");
}

#[test]
fn servers_are_chosen_by_address_and_name() {
    let config = load_text(
        "events {} rtmp {
            server { server_name a.example; serverid one; application x { } }
            server { listen 1935 default_server; server_name *.b.example ~^c\\d+$; serverid two; }
            server { listen 127.0.0.1:1935; serverid three; }
            server { listen unix:/tmp/x.sock; serverid four; }
        }",
    );
    let rtmp = config.rtmp.unwrap();
    assert_eq!(rtmp.listeners.len(), 2);
    let wild = &rtmp.listeners[0];
    assert_eq!(wild.servers.find(b"a.example").unwrap().get::<ServerConf>().serverid.0, "one");
    assert_eq!(wild.servers.find(b"x.B.example").unwrap().get::<ServerConf>().serverid.0, "two");
    assert_eq!(wild.servers.find(b"c12").unwrap().get::<ServerConf>().serverid.0, "two");
    assert_eq!(wild.servers.find(b"nobody").unwrap().get::<ServerConf>().serverid.0, "two");
    let at = |addr: &str| {
        let addr = ListenAddr::Tcp(addr.parse().unwrap());
        rtmp.servers_at(&addr)
            .map(|servers| servers.find(b"a.example").unwrap().get::<ServerConf>().serverid.0.clone())
    };
    assert_eq!(at("127.0.0.1:1935").unwrap(), "three");
    assert_eq!(at("192.0.2.1:1935").unwrap(), "one");
    assert_eq!((at("192.0.2.1:1936"), at("[::1]:1935")), (None, None));
    assert_eq!(rtmp.listeners[1].addr.to_string(), "unix:/tmp/x.sock");
}

#[test]
fn hooks_know_their_address_stages_and_rights() {
    let config = load_text(
        "events {} rtmp { on_proc http://m/p; server { application a {
            on_publish http://h:6080/v1?x=1 stage=start,done timeout=8s args=n=$name;
            oclp_play https://s stage=update update=30;
            on_stream http://h enforce=start,update;
            on_push http://h groupid=g1; on_push http://h groupid=g2;
        } } }",
    );
    let rtmp = config.rtmp.unwrap();
    assert!(rtmp.get::<MainCurrent>().on_proc.is_some() && rtmp.get::<MainCurrent>().on_master.is_none());
    let notify = rtmp.servers[0].applications[0].get::<notify::conf::Current>();
    let publish = notify.on_publish.as_ref().unwrap();
    assert_eq!((publish.url.host.to_string(), publish.url.port), ("h".into(), 6080));
    assert_eq!(publish.url.path_and_query, "/v1?x=1");
    assert!(publish.stages.done && !publish.stages.update && !publish.legacy);
    assert_eq!((publish.timeout.0, publish.update.0), (8_000, 60_000));
    assert_eq!(publish.enforce, Enforce { start: true, update: false });
    assert_eq!(publish.pos.line, 2);
    let play = notify.on_play.as_ref().unwrap();
    assert_eq!((play.url.scheme, play.url.port), (Scheme::Https, 443));
    assert_eq!(play.url.path_and_query, "/");
    assert_eq!(play.enforce, Enforce { start: true, update: true });
    assert!(play.legacy && play.stages.update);
    assert!(notify.on_stream.as_ref().unwrap().enforce.update);
    let groups: Vec<String> = notify.on_push.iter().map(|h| h.groupid.to_string()).collect();
    assert_eq!(groups, ["g1", "g2"]);
}

#[test]
fn locations_are_found_as_in_nginx() {
    let config = load_text(
        "events {} http { server { listen 8080;
            location = / { return 201; }
            location / { return 202; }
            location /files/ { return 203; location /files/deep/ { return 204; } location ~ \\.txt$ { return 205; } }
            location ^~ /raw/ { return 206; }
            location ~* \\.(gif|jpg)$ { return 207; }
            location @named { return 208; }
            location flv { return 209; }
        } }",
    );
    let http = config.http.unwrap();
    let server = http.listeners[0].servers.find(b"x").unwrap();
    let status = |path: &str| match &server
        .routes()
        .location_for(path.as_bytes())
        .unwrap()
        .get::<Statements>()
        .0[..]
    {
        [Statement::Return(answer)] => answer.status,
        steps => panic!("{steps:?}"),
    };
    for (path, want) in [
        ("/", 201),
        ("/a", 202),
        ("/files/a", 203),
        ("/files/deep/a", 204),
        ("/files/a.txt", 205),
        ("/files/a.gif", 207),
        ("/raw/a.gif", 206),
        ("/A.JPG", 207),
    ] {
        assert_eq!(status(path), want, "{path}");
    }
    assert!(server.routes().locations.named(b"@named").is_some());
}

#[test]
fn handlers_are_told_apart() {
    let config = load_text(
        "events {} rtmp { server { listen 1935; } }
         http { rtmp_stat live; auth_basic off; server { listen 8080; root /srv;
            location /flv { flv_live 1935 app=live audio=0; }
            location /stat { rtmp_stat global; rtmp_stat clients; rtmp_stat_stylesheet /s.xsl; rtmp_stat_format json; }
            location /system { sys_stat; }
            location /control { rtmp_control drop; }
            location /files { root html; }
            location /alias { alias /data/; }
            location /proxy { proxy_pass http://127.0.0.1:1; }
            location /secret { auth_basic on; location /secret/in { } }
            location /inner { internal; flv_live 1935; }
            location /vars { root /srv/$host; }
            location /go { return http://$host/; }
        } }",
    );
    let prefix = config.paths.prefix.clone();
    let http = config.http.unwrap();
    let server = http.listeners[0].servers.find(b"").unwrap();
    let at = |path: &str| -> &Location { server.routes().location_for(path.as_bytes()).unwrap() };
    let refused = |path: &str| at(path).refusal.map(|refusal| refusal.directive);
    let flv = at("/flv/a").get::<flv::conf::Current>().flv_live.0.as_ref().unwrap();
    assert!(!flv.audio && flv.video && flv.app.as_ref().unwrap() == "live");
    let parts = StatParts::GLOBAL | StatParts::CLIENTS;
    let (format, stylesheet) = (StatFormat::Json, "/s.xsl".into());
    let document = StatDocument::Statistics { parts, format, stylesheet, cluster: false };
    assert_eq!(at("/stat").get::<stat::conf::ServedDocument>().0, Some(document));
    assert_eq!(at("/system").get::<stat::conf::ServedDocument>().0, Some(StatDocument::System));
    // Values of the levels around locations only choose what is shown.
    assert_eq!(at("/files/a").get::<stat::conf::ServedDocument>().0, None);
    assert_eq!(at("/else").get::<stat::conf::ServedDocument>().0, None);
    assert!(at("/control").get::<control::conf::ServedSections>().0.is_some());
    assert_eq!(at("/files/a").get::<Files>(), &Files::Root(Directory::Fixed(prefix.join("html"))));
    let alias = Files::Alias { target: Directory::Fixed("/data/".into()), replaces: Some(6) };
    assert_eq!(at("/alias/a").get::<Files>(), &alias);
    assert!(at("/proxy/a").get::<proxy::conf::Current>().pass.0.is_some());
    assert_eq!((refused("/secret"), refused("/secret/in")), (None, None));
    assert!(at("/inner").get::<http::conf::Conf>().internal.is_some());
    assert!(matches!(at("/vars").get::<Files>(), Files::Root(Directory::Variable(..))));
    assert!(
        matches!(&at("/go").get::<Statements>().0[..], [Statement::Return(answer)] if answer.is_redirect() && answer.status == 302)
    );
    assert_eq!(at("/else").get::<Files>(), &Files::Root(Directory::Fixed("/srv".into())));
    assert_eq!(refused("/else"), None);
}

#[test]
fn lists_of_headers_and_types_are_replaced_by_inner_ones() {
    let config = load_text(
        "events {} http { add_header A 1; types { a/a a; } server { listen 8080;
            location /one { add_header B 2 always; types { b/b b C; } }
            location /two { }
        } }",
    );
    let http = config.http.unwrap();
    let server = http.listeners[0].servers.find(b"").unwrap();
    let one = server.routes().location_for(b"/one").unwrap().get::<http::conf::Conf>();
    assert_eq!(one.add_header.len(), 1);
    assert!(one.add_header[0].name == "B" && one.add_header[0].applies_to(500));
    assert_eq!(one.types.as_ref().unwrap().of_path(b"/x/y.c"), Some("b/b".into()));
    assert_eq!(one.types.as_ref().unwrap().of_path(b"/x/y.a"), None);
    let two = server.routes().location_for(b"/two").unwrap().get::<http::conf::Conf>();
    assert!(two.add_header[0].name == "A" && !two.add_header[0].applies_to(500));
}

#[test]
fn named_groups_and_blocks_define_variables() {
    load_text(
        "events {} http { map $uri $m { ~^/(?<inmap>a) $inmap; } geo $g { default 0; } server { listen 8080;
            server_name ~^(?<sub>.+)\\.example$;
            set $mine 1;
            location ~ ^/(?<path>.*)$ { return 200 \"$m$g$sub$mine$path$1${http_host}$arg_x\"; }
        } }",
    );
}

#[test]
fn paths_start_at_the_prefix() {
    let prefix = Prefix::new("pid run/p; error_log logs/e.log debug; events {} ", &[]);
    let config = prefix.load().unwrap();
    assert_eq!(config.get::<core::conf::Conf>().pid.0, prefix.path().join("run/p"));
    let log = &config.get::<core::conf::Current>().error_log[0];
    assert_eq!(log.target, SinkTarget::File(prefix.path().join("logs/e.log")));
    assert_eq!(log.level, LogLevel::Debug);
    assert_eq!(config.paths.error_log, prefix.path().join("logs/error.log"));
}

#[test]
fn the_model_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Config>();
}
