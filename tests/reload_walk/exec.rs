//! Commands: what starts after the reload is started by the new lines.

use crate::support::process::signal;
use crate::support::server::Signal;
use crate::support::wait::until_true;
use crate::walk::{After, Around, Case, Place, Walk, walk, walk_each};

/// A row whose commands write their line to `{dir}/{app}`.
macro_rules! case {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: concat!("exec/", $row),
            place: Place::Application,
            before: $before,
            after: $after,
            look: $look,
        }
    };
}

/// Commands that start after the reload have the new environment.
pub const ENVIRONMENT: &[Case] = &[Case {
    row: "core/env",
    place: Place::Main,
    before: "env WALKED=old;",
    after: "env WALKED=new;",
    look: |walk| {
        walk.publish("s").leave();
        let lines = |walk: &Walk<'_>| walk.server.prefix().read("env");
        until_true("a command before the reload", || lines(walk) == "old\n");
        Box::new(move || {
            walk.publish("s").leave();
            until_true("a command after the reload", || lines(walk) == "old\nnew\n");
        })
    },
}];

#[test]
fn environment() {
    let server = "exec_publish sh -c 'printenv WALKED >>{dir}/env';";
    walk_each(ENVIRONMENT, Around { server, ..Around::default() });
}

pub const CASES: &[Case] = &[
    case!(
        "exec_push",
        r#"exec_push sh -c "echo old >>{dir}/{app}; exec sleep 60";"#,
        r#"exec_push sh -c "echo new >>{dir}/{app}; exec sleep 60";"#,
        |walk| for_the_running(walk, walk.publish("s"))
    ),
    case!(
        "exec_pull",
        r#"exec_pull sh -c "echo old >>{dir}/{app}; exec sleep 60";"#,
        r#"exec_pull sh -c "echo new >>{dir}/{app}; exec sleep 60";"#,
        |walk| for_the_running(walk, walk.play("s"))
    ),
    case!(
        "exec_publish",
        r#"exec_publish sh -c "echo old >>{dir}/{app}";"#,
        r#"exec_publish sh -c "echo new >>{dir}/{app}";"#,
        |walk| {
            let _publisher = walk.publish("s");
            wait_lines(walk, &["old"]);
            // The connection is an old one, its publish comes later.
            let waiting = walk.connected(walk.publisher("other"));
            Box::new(move || {
                let _publisher = waiting.wait_started();
                wait_lines(walk, &["old", "new"]);
            })
        }
    ),
    case!(
        "exec_publish_done",
        r#"exec_publish_done sh -c "echo old >>{dir}/{app}";"#,
        r#"exec_publish_done sh -c "echo new >>{dir}/{app}";"#,
        |walk| at_the_end(walk, walk.publish("s"))
    ),
    case!(
        "exec_play",
        r#"exec_play sh -c "echo old >>{dir}/{app}";"#,
        r#"exec_play sh -c "echo new >>{dir}/{app}";"#,
        |walk| {
            let _player = walk.play("s");
            wait_lines(walk, &["old"]);
            let waiting = walk.connected(walk.player("s"));
            Box::new(move || {
                let _player = walk.go_on(waiting);
                wait_lines(walk, &["old", "new"]);
            })
        }
    ),
    case!(
        "exec_play_done",
        r#"exec_play_done sh -c "echo old >>{dir}/{app}";"#,
        r#"exec_play_done sh -c "echo new >>{dir}/{app}";"#,
        |walk| at_the_end(walk, walk.play("s"))
    ),
    case!(
        "exec_record_done",
        r#"record all; record_path {dir}; record_suffix .{app}.flv; exec_record_done sh -c "echo old >>{dir}/{app}";"#,
        r#"record all; record_path {dir}; record_suffix .{app}.flv; exec_record_done sh -c "echo new >>{dir}/{app}";"#,
        |walk| {
            let mut publisher = walk.publish("s");
            publisher.send(20);
            until_true("a file is begun", || {
                walk.server.prefix().path().join(format!("s.{}.flv", walk.app)).exists()
            });
            at_the_end(walk, publisher)
        }
    ),
    case!(
        "exec_static",
        r#"exec_static sh -c "echo old >>{dir}/{app}; exec sleep 60";"#,
        r#"exec_static sh -c "echo new >>{dir}/{app}; exec sleep 60";"#,
        |walk| for_the_running(walk, ())
    ),
    case!(
        "exec_options",
        r#"exec_options off; exec_play_done sh -c "echo old >>{dir}/{app}"; exec_play_done name=other sh -c "echo never >>{dir}/{app}";"#,
        r#"exec_options on; exec_play_done sh -c "echo new >>{dir}/{app}"; exec_play_done name=s sh -c "echo new >>{dir}/{app}";"#,
        |walk| {
            let player = walk.play("s");
            Box::new(move || {
                drop(player);
                // Without options the name would be the command's.
                wait_lines(walk, &["new", "new"]);
            })
        }
    ),
    case!(
        "respawn",
        r#"respawn off; exec_push sh -c 'echo "$$" >>{dir}/{app}; exec sleep 60';"#,
        r#"respawn on; exec_push sh -c 'echo "$$" >>{dir}/{app}; exec sleep 60';"#,
        |walk| {
            let publisher = walk.publish("s");
            let pid = pid(walk, 0);
            Box::new(move || {
                // The command keeps running; once it ends, it is restarted.
                assert!(is_running(pid) && lines(walk).len() == 1, "{:?}", lines(walk));
                signal(pid, Signal::SIGKILL);
                self::pid(walk, 1);
                drop(publisher);
            })
        }
    ),
    case!(
        "respawn_timeout",
        r#"respawn_timeout 1h; exec_push sh -c 'echo "$$" >>{dir}/{app}; exec sleep 60';"#,
        r#"respawn_timeout 100ms; exec_push sh -c 'echo "$$" >>{dir}/{app}; exec sleep 60';"#,
        |walk| {
            let publisher = walk.publish("s");
            let pid = pid(walk, 0);
            Box::new(move || {
                signal(pid, Signal::SIGKILL);
                self::pid(walk, 1);
                drop(publisher);
            })
        }
    ),
    case!(
        "exec_kill_signal",
        r#"exec_kill_signal kill; exec_push sh -c 'trap "echo term >>{dir}/{app}; exit" TERM; echo begun >>{dir}/{app}; while :; do sleep 0.05; done';"#,
        r#"exec_kill_signal term; exec_push sh -c 'trap "echo term >>{dir}/{app}; exit" TERM; echo begun >>{dir}/{app}; while :; do sleep 0.05; done';"#,
        |walk| {
            let publisher = walk.publish("s");
            wait_lines(walk, &["begun"]);
            Box::new(move || {
                publisher.leave();
                wait_lines(walk, &["begun", "term"]);
            })
        }
    ),
];

/// What the case's commands have written.
fn lines(walk: &Walk<'_>) -> Vec<String> {
    walk.server.prefix().read(&walk.app).lines().map(str::to_owned).collect()
}

#[track_caller]
fn wait_lines(walk: &Walk<'_>, wanted: &[&str]) {
    until_true(&format!("{wanted:?} in {}", walk.app), || lines(walk) == wanted);
}

/// Number of the process that has written line `at`.
#[track_caller]
fn pid(walk: &Walk<'_>, at: usize) -> i32 {
    until_true(&format!("line {at} in {}", walk.app), || lines(walk).len() > at);
    lines(walk)[at].parse().unwrap()
}

fn is_running(pid: i32) -> bool {
    // A zombie is still there, but has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// The command of what runs is another one from now on.
fn for_the_running<'w, S: 'w>(walk: &'w Walk<'w>, session: S) -> After<'w> {
    wait_lines(walk, &["old"]);
    Box::new(move || {
        wait_lines(walk, &["old", "new"]);
        drop(session);
    })
}

/// The command at the end is the new one.
fn at_the_end<'w, S: 'w>(walk: &'w Walk<'w>, session: S) -> After<'w> {
    Box::new(move || {
        drop(session);
        wait_lines(walk, &["new"]);
    })
}

#[test]
fn exec() {
    walk(CASES);
}
