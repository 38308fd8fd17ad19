//! Reloads of files that are missing, invalid or unreadable: the configuration in force stays, and the reason is
//! reported.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use support::frame::{GOP, Tracks};
use support::server::{Prefix, Signal};
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server, http};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A configuration that answers requests with a word.
fn conf(answer: &str) -> Conf {
    Conf::live("").http_server(&format!("return 200 {answer};"))
}

/// A server with a publisher and a player, which go on whatever is done to the files.
struct Scene {
    server: Server,
    publisher: Publisher,
    player: Player,
}

impl Scene {
    fn start(conf: &Conf) -> Scene {
        Scene::on(Server::start(conf))
    }

    fn on(server: Server) -> Scene {
        let publisher = Publisher::start(server.rtmp, "s");
        let player = Player::start(server.rtmp, "s");
        // Commands find the server by its generations where they cannot read its file.
        until_true("the first generation is on disk", || {
            fs::read_dir(server.prefix().path().join("generations")).is_ok_and(|mut files| {
                files.any(|file| !file.unwrap().file_name().to_str().unwrap().contains(".new-"))
            })
        });
        Scene { server, publisher, player }
    }

    /// Reloads in every way, and checks that nothing has changed and that the reason is reported everywhere.
    #[track_caller]
    fn refuses(&mut self, why: &str) {
        let server = &self.server;
        let before = server.status()["configuration"]["generation"].clone();
        let output: Output = server.run(&["-s", "reload"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(why), "{why}: {said}");
        assert!(said.contains("nothing has changed; the configuration in force is kept"), "{said}");
        let refusals = server.log_lines("reload refused").len();
        server.signal(Signal::SIGHUP);
        until_true("the signal is refused, too", || server.log_lines("reload refused").len() > refusals);
        assert!(server.log_lines("[emerg]").iter().any(|line| line.contains(why)), "{why}: {}", server.log());
        let configuration = &server.status()["configuration"];
        assert_eq!(configuration["generation"], before);
        assert_ne!(configuration["on_disk"], "same");
        let reasons = configuration["refused"]["reasons"].as_array().unwrap();
        assert!(reasons.iter().any(|reason| reason.as_str().unwrap().contains(why)), "{configuration}");
        let page = text(&server.run(&["status"]).stdout);
        assert!(page.contains("refused") && page.contains(why), "{page}");
        self.serves("old");
    }

    /// Checks that sessions continue, new ones begin, and requests get this answer.
    #[track_caller]
    fn serves(&mut self, answer: &str) {
        let last = self.publisher.send(2 * GOP);
        self.player.assert_whole(Tracks::Both, last);
        Player::start(self.server.rtmp, "s").wait_status("NetStream.Play.Start");
        assert_eq!(http::get(self.server.http, "/").text(), answer);
    }

    /// A good file is taken again.
    #[track_caller]
    fn recovers(mut self) {
        self.server.reload(&conf("new"));
        self.serves("new");
        assert!(self.server.status()["configuration"]["refused"].is_null());
    }
}

#[test]
fn a_file_that_is_gone() {
    let mut scene = Scene::start(&conf("old"));
    fs::remove_file(scene.server.prefix().conf()).unwrap();
    scene.refuses("No such file or directory");
    scene.recovers();
}

#[test]
fn a_directory_in_its_place() {
    let mut scene = Scene::start(&conf("old"));
    let place = scene.server.prefix().conf();
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    scene.refuses("Is a directory");
    fs::remove_dir(&place).unwrap();
    scene.recovers();
}

#[test]
fn a_fifo_in_its_place() {
    let mut scene = Scene::start(&conf("old"));
    let place = scene.server.prefix().conf();
    fs::remove_file(&place).unwrap();
    nix::unistd::mkfifo(&place, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // The FIFO has no writer: waiting for one would take forever.
    scene.refuses("Illegal seek");
    fs::remove_file(&place).unwrap();
    scene.recovers();
}

#[test]
fn a_device_without_end_in_its_place() {
    let mut scene = Scene::start(&conf("old"));
    let place = scene.server.prefix().conf();
    fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &place).unwrap();
    scene.refuses("is larger than");
    fs::remove_file(&place).unwrap();
    scene.recovers();
}

#[test]
fn a_link_to_itself_in_its_place() {
    let mut scene = Scene::start(&conf("old"));
    let place = scene.server.prefix().conf();
    fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink("pingosd.conf", &place).unwrap();
    scene.refuses("symbolic link");
    fs::remove_file(&place).unwrap();
    scene.recovers();
}

#[test]
fn an_empty_file() {
    let mut scene = Scene::start(&conf("old"));
    fs::write(scene.server.prefix().conf(), "").unwrap();
    scene.refuses("no \"events\" section in configuration");
    scene.recovers();
}

#[test]
fn a_file_that_ends_in_the_middle() {
    let mut scene = Scene::start(&conf("old"));
    let place = scene.server.prefix().conf();
    let whole = fs::read(&place).unwrap();
    let at = text(&whole).find("live on").unwrap();
    fs::write(&place, &whole[..at]).unwrap();
    scene.refuses("unexpected end of file");
    scene.recovers();
}

#[test]
fn a_file_whose_permissions_are_gone() {
    let root = nix::unistd::geteuid().is_root();
    let prefix = Prefix::new();
    let place = prefix.conf();
    let server = Server::start_with(prefix, &conf("old"), |_, _, _| {
        // Permissions do not restrict root, so the server switches to another user.
        let text = fs::read_to_string(&place).unwrap();
        fs::write(&place, text.replacen("user root;", "user nobody nogroup;", 1)).unwrap();
    });
    let mut scene = Scene::on(server);
    fs::set_permissions(&place, fs::Permissions::from_mode(0o000)).unwrap();
    if root {
        let owner = support::process::status(scene.server.pid(), "Uid:");
        assert!(!owner.starts_with('0'), "it gave up root: {owner}");
    }
    scene.refuses("Permission denied");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o644)).unwrap();
    scene.recovers();
}

#[test]
fn an_included_file_that_has_vanished() {
    let prefix = Prefix::new();
    prefix.write("conf/answer.conf", "return 200 old;");
    let mut scene = Scene::on(Server::start_in(prefix, &Conf::live("").http_server("include answer.conf;")));
    fs::remove_file(scene.server.prefix().path().join("conf/answer.conf")).unwrap();
    scene.refuses("answer.conf\" failed (2: No such file or directory)");
    scene.recovers();
}

#[test]
fn a_log_that_cannot_be_opened() {
    let mut scene = Scene::start(&conf("old"));
    scene.server.rewrite(&conf("new").main("error_log {dir}/none/error.log info;"));
    scene.refuses("none/error.log\" failed (2: No such file or directory)");
    scene.recovers();
}

#[test]
fn a_fifo_for_a_log() {
    let mut scene = Scene::start(&conf("old"));
    let fifo = scene.server.prefix().path().join("logs/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let logged = |answer| conf(answer).main("error_log logs/fifo info; error_log {dir}/logs/error.log info;");
    scene.server.rewrite(&logged("new"));
    scene.refuses("logs/fifo\" failed (it is a FIFO that no program reads)");
    let tested = scene.server.run(&["-t"]);
    assert!(!tested.status.success() && text(&tested.stderr).contains("it is a FIFO"), "{tested:?}");
    // With a reader it is a log.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    scene.server.reload(&logged("new"));
    scene.serves("new");
    drop(reader);
}

#[test]
fn a_fifo_for_a_secret_or_a_certificate() {
    let mut scene = Scene::start(&conf("old"));
    let fifo = scene.server.prefix().path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for row in
        ["notify_secret", "notify_ssl_trusted_certificate", "relay_secret", "relay_ssl_trusted_certificate"]
    {
        scene.server.rewrite(&conf("new").rtmp(&format!("{row} {{dir}}/fifo;")));
        scene.refuses("it is not a regular file");
        let tested = scene.server.run(&["-t"]);
        assert!(!tested.status.success(), "{row}: {tested:?}");
    }
    let tls = "ssl_certificate {dir}/fifo; ssl_certificate_key {dir}/fifo; return 200 new;";
    let listen = format!("listen 127.0.0.1:{} ssl; {tls}", support::server::free_port());
    scene.server.rewrite(&Conf::live("").http_server(&listen));
    scene.refuses("it is not a regular file");
    scene.recovers();
}

#[test]
fn a_log_on_a_full_disk_stops_nobody() {
    let full = |answer| conf(answer).main("error_log /dev/full info;");
    let mut scene = Scene::start(&full("old"));
    scene.serves("old");
    scene.server.reload(&full("new"));
    scene.serves("new");
    let status = scene.server.status();
    assert!(status["queues"]["log_lines_lost_total"].as_u64().unwrap() > 0, "{status}");
    assert!(text(&scene.server.run(&["status"]).stdout).contains("lines could not be written"));
}

#[test]
fn name_servers_that_are_dead() {
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = dead.local_addr().unwrap().port();
    let mut scene = Scene::start(&conf("old"));
    let lines = "push rtmp://nowhere.test/live; pull rtmp://nowhere.test/live; on_play http://nowhere.test/;";
    let resolver = format!("resolver 127.0.0.1:{port}; resolver_timeout 1s;");
    scene.server.reload(
        &Conf::new(&format!("application live {{ live on; }} application far {{ live on; {lines} }}"))
            .events(&resolver)
            .http_server("return 200 new;"),
    );
    scene.serves("new");
    // And away again, while it asks in vain.
    scene.server.reload(&conf("newer"));
    scene.serves("newer");
}

/// Writers that rename good and broken files over each other while reloads run: what is in force is always one of the
/// good ones.
#[test]
fn files_that_change_while_they_are_read() {
    let mut scene = Scene::start(&conf("old"));
    let server = &scene.server;
    let place = server.prefix().conf();
    let whole = |answer: &str| conf(answer).text(server.rtmp, server.http, server.prefix().path());
    let versions: Vec<String> = vec![
        whole("old"),
        whole("old")[..200].to_owned(),
        whole("other"),
        String::new(),
        whole("broken").replace("live on", "live maybe"),
    ];
    let stop = AtomicBool::new(false);
    let (mut taken, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                let text = &versions[turn % versions.len()];
                // In turn renamed over it, and written in place, where it can be met half written.
                if turn % 2 == 0 {
                    let new = server.prefix().write("conf/.new", text);
                    fs::rename(new, &place).unwrap();
                } else {
                    fs::write(&place, text).unwrap();
                }
                turn += 1;
                std::thread::yield_now();
            }
        });
        until_true("some are taken and some are refused", || {
            match server.run(&["-s", "reload"]).status.success() {
                true => taken += 1,
                false => refused += 1,
            }
            let answer = http::get(server.http, "/").text();
            if !["old", "other"].contains(&answer.as_str()) {
                stop.store(true, Ordering::Relaxed);
                panic!("{answer}");
            }
            let enough = taken >= 5 && refused >= 5;
            stop.store(enough, Ordering::Relaxed);
            enough
        });
    });
    let answer = http::get(scene.server.http, "/").text();
    scene.serves(&answer);
    scene.recovers();
}
