//! What a reload leaves behind: sessions of applications that are gone, and files that cannot be read.

mod support;

use std::fs;
use std::process::Command;

use support::frame::{GOP, Tracks};
use support::server::Signal;
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, Server};

fn status(server: &Server) -> String {
    let mut command = Command::new(support::server::PROGRAM);
    command.arg("status").arg("-p").arg(server.prefix().path()).arg("-c").arg(server.prefix().conf());
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

#[test]
fn sessions_of_a_removed_application_go_on_or_end_as_configured() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.reload(&Conf::new("application other { live on; }"));
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    let mut other = Publisher::with(support::RtmpClient::publish(server.rtmp, "other", "s"), Tracks::Both);
    // The application has come back in time, so no session ends.
    server.reload(&Conf::new("application other { live on; } # 1").rtmp("reload_orphans close 1h;"));
    server.reload(&Conf::new("application other { live on; }").rtmp("reload_orphans close 10ms;"));
    player.wait_end();
    server.wait_log("reload_orphans ends 2 sessions");
    other.send(GOP);
    assert!(status(&server).contains("publishers     1"), "{}", status(&server));
}

#[test]
fn who_waits_for_the_end_follows_the_next_reload() {
    let told = NotifyServer::start();
    let without = |orphans: &str| {
        let update = format!("on_master {} stage=update update=5s;", told.url("/"));
        Conf::new("application other { live on; }").rtmp(&format!("{update} reload_orphans {orphans};"))
    };
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.reload(&without("close 5s"));
    server.reload(&without("keep"));
    // More than that time has passed on the server's clock since the first reload.
    told.wait("act=update");
    player.assert_whole(Tracks::Both, publisher.send(2 * GOP));
    // And shorter than before.
    server.reload(&without("close 1h"));
    server.reload(&without("close 10ms"));
    player.wait_end();
    assert_eq!(server.log_lines("reload_orphans ends").len(), 1);
}

#[test]
fn fast_reload_ends_everybody_when_something_changes() {
    let conf = Conf::live("").rtmp("fast_reload on;");
    let server = Server::start(&conf);
    let output = server.prefix().command().arg("-t").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("ends every publisher"), "{output:?}");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.reload(&conf);
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    server.reload(&Conf::live("cache_time 1s;").rtmp("fast_reload on;"));
    player.wait_end();
}

#[test]
fn whatever_stands_in_the_place_of_the_file_the_old_generation_serves_and_says_why() {
    let prefix = support::server::Prefix::new();
    prefix.write("conf/app.conf", "application live { live on; }");
    let server = Server::start_in(prefix, &Conf::new("include app.conf;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let file = server.prefix().conf();
    let whole = fs::read(&file).unwrap();
    let included = server.prefix().path().join("conf/app.conf");
    let spoil: [(&str, &dyn Fn(), &str); 6] = [
        ("deleted", &|| fs::remove_file(&file).unwrap(), "No such file"),
        ("a directory", &|| fs::create_dir(&file).unwrap(), "directory"),
        (
            "a FIFO",
            &|| {
                fs::remove_dir(&file).unwrap();
                nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
            },
            "Illegal seek",
        ),
        (
            "empty",
            &|| {
                fs::remove_file(&file).unwrap();
                fs::write(&file, "").unwrap();
            },
            "no \"events\" section",
        ),
        ("half written", &|| fs::write(&file, &whole[..whole.len() / 2]).unwrap(), "unexpected end of file"),
        (
            "without its include",
            &|| {
                fs::write(&file, &whole).unwrap();
                fs::remove_file(&included).unwrap();
            },
            "app.conf",
        ),
    ];
    for (count, (what, spoil, reason)) in spoil.iter().enumerate() {
        spoil();
        server.signal(Signal::SIGHUP);
        let refused = || server.log_lines("reload refused").len();
        until_true(&format!("{what}: the reload is refused"), || refused() == count + 1);
        let said = server.log_lines("[emerg]");
        assert!(said.last().unwrap().contains(reason), "{what}: {said:?}");
        let last = publisher.send(GOP);
        player.assert_whole(Tracks::Both, last);
        // Elsewhere the file no longer tells where the control socket is.
        if matches!(*what, "half written" | "without its include") {
            let status = status(&server);
            assert!(status.contains(reason) && status.contains("generation     1"), "{what}: {status}");
        }
    }
    fs::write(&included, "application live { live on; cache_time 1s; }").unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_log("reloaded, generation 2");
    let last = publisher.send(GOP);
    player.assert_whole(Tracks::Both, last);
}
