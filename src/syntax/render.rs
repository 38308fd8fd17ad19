//! Rendering of diagnostics: nginx's line, then an excerpt with marks, then hints.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Mark, Renderer, Snippet};
use bstr::ByteSlice;

use super::diagnostic::{Diagnostic, Severity};
use super::source::{FileId, Sources, Span, TextOrigin};

/// Longest line shown in full, in bytes.
const MAX_LINE: usize = 400;
/// Bytes shown before the marked word of a longer line.
const LEAD: usize = 60;
/// Largest distance, in bytes, between positions that share an excerpt.
const MAX_DISTANCE: usize = 16 << 10;

/// Style of rendered diagnostics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With terminal colours.
    pub colour: bool,
    /// nginx's line only.
    pub brief: bool,
}

/// nginx's line: level, sentence and position, without a line feed.
pub fn headline(diagnostic: &Diagnostic, sources: &Sources) -> Vec<u8> {
    let level = match diagnostic.level {
        Severity::Emerg => "emerg",
        Severity::Warn => "warn",
        Severity::Notice => "notice",
    };
    let mut line = format!("nginx: [{level}] ").into_bytes();
    line.extend_from_slice(&diagnostic.sentence);
    let Some(place) = diagnostic.place else { return line };
    match sources.file(place.file) {
        Some(file) if file.origin == TextOrigin::CommandLine => line.extend_from_slice(b" in command line"),
        Some(file) => {
            line.extend_from_slice(b" in ");
            line.extend_from_slice(file.name.as_os_str().as_encoded_bytes());
            line.extend_from_slice(format!(":{}", place.line).as_bytes());
        }
        None => {}
    }
    line
}

/// Renders the whole diagnostic, with a final line feed.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, style: Style, out: &mut Vec<u8>) {
    let line = headline(diagnostic, sources);
    match style.colour {
        true => shown(&line, out),
        false => out.extend_from_slice(&line),
    }
    out.push(b'\n');
    if style.brief {
        return;
    }
    let excerpts = excerpts(diagnostic, sources);
    if excerpts.is_empty() && diagnostic.help.is_empty() {
        return;
    }
    let mark = match diagnostic.level {
        Severity::Emerg => Mark::ERROR,
        Severity::Warn => Mark::WARNING,
        Severity::Notice => Mark::NOTE,
    };
    let mut group = Group::with_level(mark);
    for excerpt in &excerpts {
        let snippet = Snippet::source(excerpt.text.as_str()).line_start(excerpt.line).fold(true);
        let mut snippet = snippet.path(excerpt.path.as_str());
        for (range, kind, label) in &excerpt.marks {
            let label = (!label.is_empty()).then_some(label.as_str());
            snippet = snippet.annotation(kind.span(range.clone()).label(label));
        }
        group = group.element(snippet);
    }
    for help in &diagnostic.help {
        group = group.element(Mark::HELP.message(help.as_str()));
    }
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    out.extend_from_slice(renderer.render(&[group]).as_bytes());
    out.push(b'\n');
}

/// Writes bytes for a terminal; control characters become `^X`.
fn shown(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'\t' | b'\n' => out.push(*byte),
            0..0x20 | 0x7f => out.extend_from_slice(&[b'^', byte ^ 0x40]),
            _ => out.push(*byte),
        }
    }
}

/// Some lines of a file with marks.
struct Excerpt {
    path: String,
    line: usize,
    text: String,
    marks: Vec<(Range<usize>, AnnotationKind, String)>,
}

/// A position to mark.
struct ExcerptMark<'d> {
    span: Span,
    kind: AnnotationKind,
    label: &'d str,
}

fn excerpts(diagnostic: &Diagnostic, sources: &Sources) -> Vec<Excerpt> {
    let Some(span) = diagnostic.span else { return Vec::new() };
    let mut places = vec![ExcerptMark { span, kind: AnnotationKind::Primary, label: &diagnostic.caption }];
    places.extend(diagnostic.labels.iter().map(|label| ExcerptMark {
        span: label.span,
        kind: AnnotationKind::Context,
        label: &label.text,
    }));
    // Positions close to one another share an excerpt; the primary position comes first.
    let mut groups: Vec<(FileId, Vec<ExcerptMark<'_>>)> = Vec::new();
    for place in places {
        let near = |group: &(FileId, Vec<ExcerptMark<'_>>)| {
            let far =
                |other: &ExcerptMark<'_>| other.span.start.abs_diff(place.span.start) as usize > MAX_DISTANCE;
            group.0 == place.span.file && !group.1.iter().any(far)
        };
        match groups.iter_mut().find(|g| near(g)) {
            Some((_, group)) => group.push(place),
            None => groups.push((place.span.file, vec![place])),
        }
    }
    groups.into_iter().flat_map(|(file, places)| excerpts_of(file, &places, sources)).collect()
}

/// One excerpt for all positions, or one for each if a line is too long.
fn excerpts_of(file: FileId, places: &[ExcerptMark<'_>], sources: &Sources) -> Vec<Excerpt> {
    let Some(bytes) = sources.file(file).map(|file| &file.bytes[..]) else { return Vec::new() };
    let ranges = places.iter().map(|place| bounds(bytes, place.span));
    let from = ranges.clone().map(|r| r.start).min().unwrap_or_default();
    let to = ranges.map(|r| r.end).max().unwrap_or_default();
    if bytes[from..to].lines().all(|line| line.len() <= MAX_LINE) {
        return excerpt(file, places, from..to, sources).into_iter().collect();
    }
    let alone = |place| excerpt(file, std::slice::from_ref(place), cut(bytes, place.span), sources);
    places.iter().filter_map(alone).collect()
}

fn excerpt(
    file: FileId,
    places: &[ExcerptMark<'_>],
    range: Range<usize>,
    sources: &Sources,
) -> Option<Excerpt> {
    let file = sources.file(file)?;
    let bytes: &[u8] = &file.bytes;
    // The end of a text may be on the empty line after its last one.
    let line = places.iter().map(|p| p.span.line).min()?;
    let mut marks: Vec<_> = places
        .iter()
        .map(|place| {
            let start = (place.span.start as usize).clamp(range.start, range.end);
            let line_end = bounds(bytes, place.span).end.min(range.end);
            let end = (place.span.end as usize).clamp(start, line_end.max(start));
            (start..end, place.kind, place.label.to_owned())
        })
        .collect();
    let text = to_text(&bytes[range.clone()], range.start, &mut marks);
    Some(Excerpt { path: file.name.display().to_string(), line: line as usize, text, marks })
}

/// Range of the line on which a span begins.
fn bounds(bytes: &[u8], span: Span) -> Range<usize> {
    let start = (span.start as usize).min(bytes.len());
    let from = bytes[..start].rfind_byte(b'\n').map_or(0, |at| at + 1);
    let to = bytes[start..].find_byte(b'\n').map_or(bytes.len(), |at| start + at);
    from..to
}

/// Range of a long line's part around the beginning of a span.
fn cut(bytes: &[u8], span: Span) -> Range<usize> {
    let line = bounds(bytes, span);
    let from = (span.start as usize).saturating_sub(LEAD).max(line.start);
    from..(from + MAX_LINE).min(line.end)
}

/// Converts bytes to text for a terminal, and the marks' offsets in the file to offsets in that text.
fn to_text(bytes: &[u8], base: usize, marks: &mut [(Range<usize>, AnnotationKind, String)]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut starts: Vec<Option<usize>> = vec![None; marks.len()];
    let mut ends: Vec<Option<usize>> = vec![None; marks.len()];
    // Other encodings may contain sequences that look like UTF-8; a line is treated entirely as one or the other.
    let utf8 = bytes.to_str().is_ok();
    let of_byte =
        |(at, byte): (usize, &u8)| (at, if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' });
    let characters: Vec<(usize, char)> = match utf8 {
        true => bytes.char_indices().map(|(start, _, character)| (start, character)).collect(),
        false => bytes.iter().enumerate().map(of_byte).collect(),
    };
    for (start, character) in characters {
        for (index, (range, _, _)) in marks.iter().enumerate() {
            if starts[index].is_none() && base + start >= range.start {
                starts[index] = Some(text.len());
            }
            if ends[index].is_none() && base + start >= range.end {
                ends[index] = Some(text.len());
            }
        }
        text.push(character);
    }
    for (index, (range, _, _)) in marks.iter_mut().enumerate() {
        let start = starts[index].unwrap_or(text.len());
        *range = start..ends[index].unwrap_or(text.len()).max(start);
    }
    text
}
