//! `pingosd fmt`: formats a file.

use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;

use super::task::{CommandError, CommandText, Streams, Task, replace};
use crate::syntax::text;

/// Prints the formatted file; `--write` replaces it, `--check` prints the differences.
pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    let ([check, write], files) = task.switches(["--check", "--write"])?;
    let file = match files[..] {
        [] => None,
        [file] => Some(file),
        _ => return Err(CommandError::Usage),
    };
    let subject = task.subject(file, streams.input)?;
    let is_file = match file {
        Some(file) => file != "-",
        None => task.load.conf_file.is_some(),
    };
    if write && (check || !is_file) {
        return Err(CommandError::Usage);
    }
    let formatted = formatted(&subject, streams)?;
    let changed = formatted != subject.bytes;
    if check {
        if changed {
            let name = subject.name.display().to_string();
            let (before, after) =
                (String::from_utf8_lossy(&subject.bytes), String::from_utf8_lossy(&formatted));
            let diff = similar::TextDiff::from_lines(&before, &after);
            let diff = diff.unified_diff().header(&name, &format!("{name} (formatted)")).to_string();
            streams.out.write_all(diff.as_bytes())?;
            writeln!(streams.err, "pingosd: {name} would change")?;
        }
        return Ok(if changed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    if !write {
        streams.out.write_all(&formatted)?;
    } else if changed {
        replace(Path::new(&subject.name), &formatted)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The formatted text. Its meaning is compared with the original's, so that a bug cannot damage a configuration.
fn formatted(subject: &CommandText, streams: &mut Streams<'_>) -> Result<Vec<u8>, CommandError> {
    let before = subject.read(streams)?;
    let formatted = text::format(&subject.bytes);
    let again = CommandText { name: subject.name.clone(), bytes: Bytes::from(formatted.clone()) };
    let after = again.read(streams)?;
    if text::same(before.tree.body(), after.tree.body()) {
        return Ok(formatted);
    }
    let name = subject.name.display();
    Err(CommandError::Text(
        format!("\"{name}\" would mean something else after formatting; it is unchanged").into(),
    ))
}
