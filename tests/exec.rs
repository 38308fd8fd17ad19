//! Commands at events of streams: what they are given, how long they run, what a client cannot do with them.

mod support;

use support::frame::Tracks;
use support::wait::until_true;
use support::{Conf, Player, Publisher, RtmpClient, Server};

/// Lines of a file of the prefix.
fn lines(server: &Server, name: &str) -> Vec<String> {
    server.prefix().read(name).lines().map(str::to_owned).collect()
}

fn wait_lines(server: &Server, name: &str, count: usize) -> Vec<String> {
    until_true(&format!("{count} lines in {name}"), || lines(server, name).len() >= count);
    lines(server, name)
}

fn is_running(pid: &str) -> bool {
    // A zombie is still there, but has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn a_client_adds_neither_words_nor_commands() {
    let server = Server::start(&Conf::live(
        r#"exec_publish sh -c 'printf "%s\n" "$0" "$#" >>{dir}/args' $name $args;
           exec_publish sh -c "echo name=$name >>{dir}/script";
           exec_publish_done sh -c "echo 'done $name' >>{dir}/script";"#,
    ));
    let name = "a b;touch evil $(id) 'x' >f";
    let client = RtmpClient::publish(server.rtmp, "live", &format!("{name}?k=v w"));
    let publisher = Publisher::with(client, Tracks::Both);
    assert_eq!(wait_lines(&server, "args", 2), [name, "1"]);
    let plain = "a%20b%3Btouch%20evil%20%24%28id%29%20%27x%27%20%3Ef";
    assert_eq!(wait_lines(&server, "script", 1), [format!("name={plain}")]);
    publisher.leave();
    assert_eq!(wait_lines(&server, "script", 2)[1], format!("done {plain}"));
}

#[test]
fn commands_have_the_variables_of_env() {
    let conf = Conf::live("exec_publish sh -c 'printenv ONE TWO CARGO CARGO_PKG_NAME >>{dir}/env';");
    // The server is started by cargo, whose variables it has.
    let server = Server::start(&conf.main("env ONE=1; env ONE=a=b; env TWO; env CARGO_PKG_NAME; env =x;"));
    Publisher::start(server.rtmp, "s").leave();
    assert_eq!(wait_lines(&server, "env", 2), ["a=b", "pingosd"]);
}

#[test]
fn players_are_told_of_and_a_pull_command_runs_while_they_are_there() {
    let server = Server::start(&Conf::live(
        r#"exec_options on; exec_kill_signal term;
           exec_play name=other sh -c "echo never >>{dir}/log";
           exec_play name=s sh -c "echo play $name >>{dir}/log";
           exec_play_done sh -c "echo done $name >>{dir}/log";
           exec_pull sh -c 'echo "$$" "$0" >>{dir}/pull; exec sleep 60' $name/$app/$addr;"#,
    ));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    let first = Player::start(server.rtmp, "s");
    let second = Player::start(server.rtmp, "s");
    assert_eq!(wait_lines(&server, "log", 2), ["play s", "play s"]);
    let pull = wait_lines(&server, "pull", 1).remove(0);
    let (pid, told) = pull.split_once(' ').unwrap();
    assert_eq!(told, "s/live/");
    first.reset();
    wait_lines(&server, "log", 3);
    assert!(is_running(pid), "a player is there still");
    second.reset();
    until_true("the command has ended", || !is_running(pid));
    assert_eq!(wait_lines(&server, "log", 4), ["play s", "play s", "done s", "done s"]);
    assert_eq!(lines(&server, "pull").len(), 1);
    publisher.stop().leave();
}

#[test]
fn a_push_command_is_run_again_and_ended_with_its_whole_group() {
    let server = Server::start(
        &Conf::live(
            r#"exec_push sh -c 'sleep 60 & echo "$!" >>{dir}/group; echo "$$" >>{dir}/push; wait' 2>&1;"#,
        )
        .rtmp("respawn_timeout 100ms;"),
    );
    let publisher = Publisher::start(server.rtmp, "s");
    let first = wait_lines(&server, "push", 1).remove(0);
    support::process::signal(first.parse().unwrap(), nix::sys::signal::Signal::SIGKILL);
    let second = wait_lines(&server, "push", 2).remove(1);
    assert_ne!(first, second);
    let inner = wait_lines(&server, "group", 2).remove(1);
    publisher.leave();
    until_true("the command and what it started have ended", || !is_running(&second) && !is_running(&inner));
    server.wait_log("\"sh\" ended");
    // What the first one started was left to itself when that was killed.
    let orphan = lines(&server, "group").remove(0);
    support::process::signal(orphan.parse().unwrap(), nix::sys::signal::Signal::SIGKILL);
}

#[test]
fn static_commands_follow_reloads_and_end_with_the_server() {
    let conf = |word: &str| {
        Conf::live("").rtmp(&format!(
            r#"exec_static sh -c 'echo "$$" >>{{dir}}/{word}; exec sleep 60'; exec_kill_signal int;"#
        ))
    };
    let mut server = Server::start(&conf("one"));
    let one = wait_lines(&server, "one", 1).remove(0);
    server.reload(&conf("two"));
    until_true("the command that is gone has ended", || !is_running(&one));
    let two = wait_lines(&server, "two", 1).remove(0);
    server.reload(&conf("two"));
    assert!(is_running(&two) && lines(&server, "two").len() == 1);
    server.stop();
    assert!(!is_running(&two), "the stop waits for the command");
}

#[test]
fn a_program_that_is_missing_is_named_in_the_log() {
    let server = Server::start(&Conf::live("exec_publish /no/such/program $name;"));
    let publisher = Publisher::start(server.rtmp, "s");
    server.wait_log("exec: \"/no/such/program\" failed (2: No such file or directory");
    publisher.leave();
}
