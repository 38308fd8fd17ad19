use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode as FileMode;

use super::*;

/// Longer than any test runs.
const LONG: Duration = Duration::from_secs(600);

fn queue(path: &Path) -> Arc<Queue> {
    Arc::new(Queue::new(&SinkSpec::file(path.to_owned()), None))
}

fn started(path: &Path) -> Arc<Queue> {
    let queue = queue(path);
    queue.start().unwrap();
    queue
}

fn push(queue: &Queue, level: Option<LogLevel>, text: impl Into<String>) {
    queue.push(QueuedLine { form: LineForm::Text, level, file: None, bytes: text.into().into_bytes() });
}

fn fifo(path: &Path) -> File {
    nix::unistd::mkfifo(path, FileMode::S_IRWXU).unwrap();
    // Both ends are open, so that opening the log does not block.
    OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(path).unwrap()
}

#[test]
fn before_the_thread_lines_are_written_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    push(&queue(&path), Some(LogLevel::Info), "line\n");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "line\n");
}

#[test]
fn lines_keep_their_order_and_go_where_they_were_meant_to() {
    let dir = tempfile::tempdir().unwrap();
    let (path, before) = (dir.path().join("log"), dir.path().join("before"));
    let queue = started(&path);
    for n in 0..1000 {
        push(&queue, None, format!("{n}\n"));
        if n == 499 {
            queue.begin_flush();
            assert!(queue.wait_idle(LONG));
            std::fs::rename(&path, &before).unwrap();
            queue.reopen(None, Box::new(|opened| opened.unwrap()));
        }
    }
    queue.begin_flush();
    assert!(queue.wait_idle(LONG));
    let numbers = |range: std::ops::Range<i32>| range.map(|n| format!("{n}\n")).collect::<String>();
    assert_eq!(std::fs::read_to_string(before).unwrap(), numbers(0..500));
    assert_eq!(std::fs::read_to_string(path).unwrap(), numbers(500..1000));
}

#[test]
fn a_log_that_is_not_read_costs_lines_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    let kept = fifo(&path);
    let queue = started(&path);
    let lines = 3 * limits::LOG_QUEUE_BYTES / 1000;
    for n in 0..lines {
        push(&queue, Some(LogLevel::Info), format!("{n:0999}\n"));
    }
    push(&queue, Some(LogLevel::Crit), "crit\n");
    assert!(!queue.wait_idle(Duration::ZERO));
    assert!(queue.state.lock().bytes <= limits::LOG_QUEUE_BYTES + limits::LOG_LINE);

    let reader = BufReader::new(File::open(&path).unwrap());
    let (mut came, mut lost) = (0, None);
    for text in reader.lines().map(Result::unwrap) {
        if text == "crit" {
            break;
        }
        match text.parse::<usize>() {
            Ok(n) => {
                assert_eq!((n, lost.as_ref()), (came, None));
                came += 1;
            }
            Err(_) => lost = Some(text),
        }
    }
    let lost = lost.unwrap();
    let told = format!("[info] {}#", std::process::id());
    assert!(
        lost.contains(&told) && lost.contains(&format!(" {} log lines were lost", lines - came)),
        "{lost}"
    );
    assert!(queue.wait_idle(LONG));
    drop(kept);
}

#[test]
fn lines_gather_and_only_urgent_work_is_done_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = Arc::into_inner(queue(&dir.path().join("log"))).unwrap().state.into_inner();
    let mut line = |level, length: usize| {
        state.add(Work::Line(QueuedLine {
            form: LineForm::Text,
            level,
            file: None,
            bytes: vec![b'x'; length],
        }));
        state.may_gather()
    };
    assert!(line(None, 100) && line(Some(LogLevel::Warn), 100));
    assert!(!line(Some(LogLevel::Error), 100) && !line(None, 100));
    while state.take().is_some() {}
    state.bytes = 0;
    assert!(!state.may_gather(), "there is nothing to gather");
    state.add(Work::Line(QueuedLine {
        form: LineForm::Text,
        level: None,
        file: None,
        bytes: vec![b'x'; 100],
    }));
    assert!(state.may_gather());
    state.add(Work::Flush);
    assert!(!state.may_gather());
    state.work.pop_back();
    state.urgent = 0;
    state.bytes = limits::LOG_WRITE;
    assert!(!state.may_gather());
    state.bytes = 100;
    state.ended = true;
    assert!(!state.may_gather());
}

#[test]
fn a_line_is_written_although_nothing_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let queue = started(&path);
    for n in 1..=3 {
        push(&queue, None, "line\n");
        let end = Instant::now() + LONG;
        while std::fs::read_to_string(&path).unwrap_or_default().len() < 5 * n {
            assert!(Instant::now() < end);
            std::thread::yield_now();
        }
    }
}

#[test]
fn lost_lines_are_reported_at_once_and_then_once_in_a_while() {
    let mut unreported = Unreported::default();
    assert!(unreported.add(0, None).is_none());
    let first = unreported.add(1, Some("full".into())).unwrap();
    assert_eq!((first.lines, first.why.as_str()), (1, "full"));
    assert!(unreported.add(2, None).is_none() && unreported.add(3, None).is_none());
    unreported.due = Some(Instant::now());
    let next = unreported.add(0, None).unwrap();
    assert_eq!((next.lines, next.why.as_str()), (5, "full"));
}

#[test]
fn a_log_that_is_dropped_writes_its_buffer() {
    use crate::log::sink::spec::{Buffering, SinkTarget};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let buffering = Some(Buffering { size: 1000, flush: None, gzip: None });
    let queue = Arc::new(Queue::new(&SinkSpec { target: SinkTarget::File(path.clone()), buffering }, None));
    queue.start().unwrap();
    push(&queue, None, "line\n");
    queue.end();
    let end = Instant::now() + LONG;
    while std::fs::read_to_string(&path).unwrap_or_default().is_empty() && Instant::now() < end {
        std::thread::yield_now();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), "line\n");
}
