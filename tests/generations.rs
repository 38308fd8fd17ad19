//! Generations of the configuration on disk: rollback after a restart, and what may happen to the files.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::server::{Prefix, Signal};
use support::wait::until_true;
use support::{Conf, Publisher, RtmpClient, Server, process};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A configuration that a value identifies.
fn conf(seconds: u32) -> Conf {
    Conf::live(&format!("cache_time {seconds}s;"))
}

fn directory(prefix: &Prefix) -> PathBuf {
    prefix.path().join("generations")
}

/// The files of generations, the oldest first.
fn files(prefix: &Prefix) -> Vec<PathBuf> {
    let Ok(listed) = fs::read_dir(directory(prefix)) else { return Vec::new() };
    let mut files: Vec<(u64, PathBuf)> = listed
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().rsplit('.').next().unwrap().to_owned();
            Some((name.split_once('-')?.0.parse().ok()?, path))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

/// Numbers of the generations that `status` lists, the newest first.
fn kept(server: &Server) -> Vec<u64> {
    let status = server.status();
    let kept = status["configuration"]["kept"].as_array().unwrap();
    kept.iter().map(|kept| kept["generation"].as_u64().unwrap()).collect()
}

/// Whether the one in force and all before it are on disk.
fn wait_kept(server: &Server, count: usize) {
    until_true(&format!("{count} generations are on disk"), || files(server.prefix()).len() == count);
}

/// Restarts a server with another configuration.
fn restart(server: Server, conf: &Conf) -> Server {
    server.rewrite(conf);
    server.again()
}

#[test]
fn a_rollback_works_after_a_restart() {
    let prefix = Prefix::new();
    prefix.write("conf/apps/a.conf", "application kept { live on; }");
    let server = Server::start_in(prefix, &conf(1));
    server.reload(&Conf::new("include apps/*.conf;"));
    server.reload(&conf(3));
    assert_eq!(kept(&server), [3, 2, 1]);
    wait_kept(&server, 3);
    fs::remove_dir_all(server.prefix().path().join("conf/apps")).unwrap();
    let server = server.again();
    assert_eq!(server.status()["configuration"]["generation"], 3, "the same texts have the same number");
    assert_eq!(kept(&server), [3, 2, 1]);
    let page = text(&server.run(&["status"]).stdout);
    let place = format!("kept in        {}", directory(server.prefix()).display());
    assert!(page.contains("kept           3 ") && page.contains(&place), "{page}");
    let output = server.run(&["rollback"]);
    assert!(output.status.success(), "{output:?}");
    RtmpClient::publish(server.rtmp, "kept", "s").wait_started();
    assert_eq!(server.status()["configuration"]["generation"], 4);
    assert_eq!(kept(&server), [4, 1]);
    until_true("the forgotten are gone from the disk", || files(server.prefix()).len() == 2);
}

#[test]
fn numbers_go_on_over_restarts() {
    let server = Server::start(&conf(1));
    server.reload(&conf(2));
    wait_kept(&server, 2);
    let server = restart(server, &conf(3));
    assert_eq!(server.status()["configuration"]["generation"], 3);
    server.reload(&conf(4));
    server.wait_log(" reloaded, generation 4");
    let hash = server.status()["configuration"]["hash"].as_str().unwrap()[..12].to_owned();
    assert_eq!(server.log_lines(&format!(" reloaded, generation 4, {hash}")).len(), 1);
    assert_eq!(server.log_lines(" in force, generation 3, ").len(), 1);
    assert_eq!(kept(&server), [4, 3, 2, 1]);
}

#[test]
fn no_more_than_ten_are_kept() {
    let server = Server::start(&conf(1));
    for seconds in 2..=13 {
        server.reload(&conf(seconds));
    }
    assert_eq!(kept(&server), (4..=13).rev().collect::<Vec<_>>());
    until_true("ten are on disk", || {
        let files = files(server.prefix());
        files.len() == 10 && files.last().unwrap().to_str().unwrap().contains(".13-")
    });
    let server = restart(server, &conf(14));
    assert_eq!(kept(&server), (5..=14).rev().collect::<Vec<_>>());
}

#[test]
fn only_the_owner_may_read_them() {
    let server = Server::start(&Conf::live("on_play http://127.0.0.1:1/?token=secret;"));
    wait_kept(&server, 1);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(directory(server.prefix())), 0o700);
    assert_eq!(mode(files(server.prefix()).remove(0)), 0o600);
}

#[test]
fn damaged_files_are_left_out_and_told_of() {
    let server = Server::start(&conf(1));
    server.reload(&conf(2));
    server.reload(&conf(3));
    wait_kept(&server, 3);
    let [first, second, _] = &files(server.prefix())[..] else { panic!() };
    let mut bytes = fs::read(second).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(second, bytes).unwrap();
    let outside = server.prefix().path().join("outside");
    fs::rename(first, &outside).unwrap();
    symlink(&outside, first).unwrap();
    let server = restart(server, &conf(4));
    assert_eq!(kept(&server), [4, 3]);
    let said = server.log_lines("it is skipped");
    assert!(
        said.iter().any(|line| line.contains("is damaged: its content does not match its hash")),
        "{said:?}"
    );
    assert!(said.iter().any(|line| line.contains("open()") && line.contains("symbolic links")), "{said:?}");
    assert!(server.run(&["rollback"]).status.success());
}

#[test]
fn a_place_that_cannot_be_written_refuses_no_reload() {
    let prefix = Prefix::new();
    // Also for root: it is no directory.
    prefix.write("generations", "mine");
    let server = Server::start_in(prefix, &conf(1));
    server.wait_log("a rollback is not possible after a restart");
    let output = {
        server.rewrite(&conf(2));
        server.run(&["-s", "reload"])
    };
    assert!(output.status.success(), "{output:?}");
    until_true("status tells why", || {
        server.status()["configuration"]["not_kept"]
            .as_str()
            .is_some_and(|why| why.contains("Not a directory"))
    });
    assert!(text(&server.run(&["status"]).stdout).contains("memory only: "));
    assert!(server.run(&["rollback"]).status.success(), "the memory still has it");
    assert_eq!(server.prefix().read("generations"), "mine");
}

#[test]
fn a_full_disk_refuses_no_reload() {
    let prefix = Prefix::new();
    let place = prefix.path().join("small");
    fs::create_dir(&place).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=8k,mode=700", "tmpfs"]).arg(&place).stderr(Stdio::null());
    match mount.status() {
        Ok(status) if status.success() => {}
        _ => return eprintln!("skipped: only root may mount a small file system"),
    }
    let _mount = Unmount(place.clone());
    // As much as fits, so that not even one generation does.
    let _ = fs::write(place.join("filler"), [0; 8192]);
    let small = |seconds| Conf::live(&format!("cache_time {seconds}s;")).main("conf_generations small;");
    let server = Server::start_in(prefix, &small(1));
    server.reload(&small(2));
    server.wait_log("No space left on device");
    let left: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["filler"], "nothing half written stays");
    fs::remove_file(place.join("filler")).unwrap();
    server.reload(&small(3));
    until_true("it is kept now", || server.status()["configuration"]["not_kept"].is_null());
}

/// A file system that goes with the test.
struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_rollback_needs_no_files() {
    let server = Server::start(&conf(1));
    server.reload(&conf(2));
    wait_kept(&server, 2);
    fs::remove_dir_all(directory(server.prefix())).unwrap();
    // Just enough for the command to find the server.
    fs::write(server.prefix().conf(), "pid logs/pingosd.pid;").unwrap();
    let output = server.run(&["rollback"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("cache_time 2s -> 1s"), "{output:?}");
    wait_kept(&server, 1);
}

#[test]
fn nothing_is_written_where_that_is_off() {
    let server = Server::start(&conf(1).main("conf_generations off;"));
    server.reload(&conf(2).main("conf_generations off;"));
    assert!(server.run(&["rollback"]).status.success());
    assert!(server.status()["configuration"]["kept_in"].is_null());
    assert!(!directory(server.prefix()).exists());
}

#[test]
fn who_gives_up_root_can_keep_them() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("skipped: only root can give itself up");
    }
    let prefix = Prefix::new();
    let (rtmp, http) = (support::server::free_port(), support::server::free_port());
    let write = |seconds| {
        let text = conf(seconds).text(rtmp, http, prefix.path());
        fs::write(prefix.conf(), text.replacen("user root;", "user nobody nogroup;", 1)).unwrap();
    };
    write(1);
    let mut child = prefix.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_true("it serves", || prefix.read("logs/error.log").contains(" started, "));
    write(2);
    let pid = i32::try_from(child.id()).unwrap();
    process::signal(pid, Signal::SIGHUP);
    until_true("both are on disk", || files(&prefix).len() == 2);
    let owner = |path: PathBuf| fs::metadata(path).unwrap().uid();
    assert_ne!(owner(directory(&prefix)), 0);
    files(&prefix).into_iter().for_each(|file| assert_ne!(owner(file), 0));
    process::signal(pid, Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
}

/// The running server is found although its file is of no use, or says something else by now.
#[test]
fn commands_find_the_server_without_its_file() {
    let prefix = Prefix::new();
    let elsewhere =
        |seconds| Conf::live(&format!("cache_time {seconds}s;")).main("control_socket logs/other.sock;");
    let server = Server::start_in(prefix, &elsewhere(1));
    server.reload(&elsewhere(2));
    wait_kept(&server, 2);
    let place = server.prefix().conf();
    let broken: [(&str, &dyn Fn()); 5] = [
        ("gone", &|| fs::remove_file(&place).unwrap()),
        ("empty", &|| fs::write(&place, "").unwrap()),
        ("garbage", &|| fs::write(&place, "\0{{{\"").unwrap()),
        ("another socket", &|| server.rewrite(&Conf::live("").main("control_socket logs/new.sock;"))),
        ("no socket", &|| server.rewrite(&Conf::live("").main("control_socket off;"))),
    ];
    for (what, apply) in broken {
        apply();
        let output = server.run(&["status", "--json"]);
        assert!(output.status.success(), "{what}: {output:?}");
        assert_eq!(server.status()["pid"], server.pid(), "{what}");
    }
    fs::remove_file(&place).unwrap();
    let refused = server.run(&["-s", "reload"]);
    assert!(!refused.status.success());
    assert!(
        text(&refused.stderr).contains("nothing has changed; the configuration in force is kept"),
        "{refused:?}"
    );
    assert!(server.run(&["rollback"]).status.success());
    Publisher::start(server.rtmp, "s");
}
