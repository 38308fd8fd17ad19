//! Shows exchanges, and where texts of the two servers differ.

use crate::entry::{Exchange, Step};
use crate::render::logged;
use crate::talk::find;

/// What the requests of an exchange ask for, as access logs have it.
pub fn targets(exchange: &Exchange) -> Vec<String> {
    let sent = exchange.steps.iter().filter_map(|step| match step {
        Step::Send(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let sent: Vec<u8> = sent.flatten().copied().collect();
    let lines = sent.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.enumerate().filter(|(number, line)| *number == 0 || find(line, b" HTTP/").is_some());
    let target = |line: &[u8]| logged(line.split(|byte| *byte == b' ').nth(1).unwrap_or(line));
    lines.map(|(_, line)| target(line)).filter(|target| !target.is_empty()).collect()
}

/// The lines of an access log that name none of these targets.
pub fn without(log: &str, targets: &[String]) -> String {
    let names = |line: &str, target: &str| {
        let mut found = line.match_indices(target);
        found.any(|(at, _)| matches!(line[at + target.len()..].chars().next(), None | Some(' ' | '"' | '?')))
    };
    let others = log.lines().filter(|line| !targets.iter().any(|target| names(line, target)));
    others.collect::<Vec<_>>().join("\n")
}

/// The first line of what is sent.
pub fn summary(exchange: &Exchange) -> String {
    let sent: Vec<u8> = exchange
        .steps
        .iter()
        .filter_map(|step| if let Step::Send(bytes) = step { Some(bytes.as_slice()) } else { None })
        .flatten()
        .copied()
        .collect();
    let text = String::from_utf8_lossy(&sent).into_owned();
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    let more = lines.find(|line| {
        !line.is_empty() && !line.starts_with("Host: localhost") && !line.starts_with("Connection: close")
    });
    if let Some(more) = more {
        out = format!("{out} | {more}");
    }
    let mut out: String = out.escape_default().to_string();
    if out.len() > 120 {
        out.truncate(117);
        out.push_str("...");
    }
    out
}

pub fn first_difference(expected: &str, our: &str) -> String {
    let (mut theirs, mut ours) = (expected.lines(), our.lines());
    loop {
        match (theirs.next(), ours.next()) {
            (None, None) => return "only ends of lines differ".to_owned(),
            (their, our) if their != our => {
                let cut = |line: Option<&str>| {
                    let line = line.unwrap_or("nothing");
                    let line: String = line.chars().take(80).collect();
                    if line.is_empty() { "an empty line".to_owned() } else { format!("`{line}`") }
                };
                return format!("{}, but nginx {}", cut(our), cut(their));
            }
            _ => {}
        }
    }
}

/// Both sides, line by line; the lines that only one has are marked. Of long runs that both have, the ends are shown.
pub fn sides(expected: &str, our: &str) -> String {
    let (theirs, ours): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), our.lines().collect());
    let mut lines: Vec<(&str, &str)> = Vec::new();
    let mut at = 0;
    for line in &theirs {
        if let Some(found) = ours[at..].iter().position(|own| own == line) {
            lines.extend(ours[at..at + found].iter().map(|own| ("  pingosd", *own)));
            at += found + 1;
            lines.push((BOTH, line));
        } else {
            lines.push(("  nginx  ", line));
        }
    }
    lines.extend(ours[at..].iter().map(|own| ("  pingosd", *own)));
    let mut out = String::new();
    for run in lines.chunk_by(|one, other| (one.0 == BOTH) == (other.0 == BOTH)) {
        let is_long = run[0].0 == BOTH && run.len() > SHOWN_OF_BOTH;
        let ends = SHOWN_OF_BOTH / 2;
        for (number, (side, line)) in run.iter().enumerate() {
            if !is_long || number < ends || number >= run.len() - ends {
                out.push_str(&format!("{side} | {line}\n"));
            } else if number == ends {
                out.push_str(&format!("{BOTH} | ({} lines)\n", run.len() - 2 * ends));
            }
        }
    }
    out
}

/// Stands before lines that both sides have.
const BOTH: &str = "         ";

/// Longer runs of them are shortened.
const SHOWN_OF_BOTH: usize = 16;

pub fn print_exchange(exchange: &Exchange, expected: &str, our: &str) {
    println!("---- sent");
    for step in &exchange.steps {
        match step {
            Step::Send(bytes) => {
                let text: String = String::from_utf8_lossy(bytes).chars().take(2000).collect();
                println!("{}", text.replace("\r\n", "\\r\\n\n"));
            }
            Step::Pause => {}
            Step::Read(count) => println!("(waits for {count})"),
            Step::Interim => println!("(waits for 1xx)"),
            Step::Shut => println!("(closes its side)"),
            Step::Beside(bytes) => println!("(beside) {}", String::from_utf8_lossy(bytes).escape_default()),
        }
    }
    if expected == our {
        println!("---- both\n{our}");
    } else {
        println!("---- differs\n{}", sides(expected, our));
    }
}

/// The lines around the one that a message names.
pub fn excerpt(conf: &str, message: &str) -> String {
    let number = message.lines().find_map(|line| line.rsplit_once(':')?.1.trim().parse::<usize>().ok());
    let Some(number) = number else { return String::new() };
    let first = number.saturating_sub(6);
    let lines = conf.lines().enumerate().skip(first).take(9);
    lines.map(|(at, line)| format!("{:5} {line}\n", at + 1)).collect()
}
