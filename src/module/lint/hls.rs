//! Lints about HLS and DASH playlists.

use std::collections::{HashMap, HashSet};

use super::finding::{Finding, LintContext};
use crate::directive::context::APPLICATION;
use crate::directive::number;
use crate::directive::outline::OutlineStatement;
use crate::syntax::{Problem, sentence};

/// Number of fragments from the end at which players begin (RFC 8216 §6.3.3).
const FEWEST: u64 = 3;
/// Default fragment length in milliseconds, for all kinds of playlists.
const DEFAULT_FRAGMENT: u64 = 5_000;
/// Default playlist length in milliseconds.
const DEFAULT_LENGTH: u64 = 30_000;

/// A kind of playlist and its directives.
struct PlaylistDirectives {
    switch: &'static str,
    path: Option<&'static str>,
    fragment: &'static str,
    length: &'static str,
    /// Whether the default length is three fragments.
    derived: bool,
}

const KINDS: [PlaylistDirectives; 3] = [
    PlaylistDirectives {
        switch: "hls",
        path: Some("hls_path"),
        fragment: "hls_fragment",
        length: "hls_playlist_length",
        derived: false,
    },
    PlaylistDirectives {
        switch: "hls2",
        path: None,
        fragment: "hls2_fragment",
        length: "hls2_playlist_length",
        derived: true,
    },
    PlaylistDirectives {
        switch: "dash",
        path: Some("dash_path"),
        fragment: "dash_fragment",
        length: "dash_playlist_length",
        derived: false,
    },
];

pub(super) fn short_playlist(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let mut reported: HashSet<u32> = HashSet::new();
    for (section, kind) in written(scope) {
        let outline = &scope.outline;
        let (fragment, length) =
            (outline.nearest(section, kind.fragment), outline.nearest(section, kind.length));
        let fragment_msec = fragment.and_then(msec).unwrap_or(DEFAULT_FRAGMENT);
        let default = if kind.derived { fragment_msec.saturating_mul(FEWEST) } else { DEFAULT_LENGTH };
        let length_msec = length.and_then(msec).unwrap_or(default);
        let count = length_msec.checked_div(fragment_msec).unwrap_or(FEWEST);
        let Some(statement) = length.or(fragment).filter(|_| count < FEWEST) else { continue };
        // One line may affect many applications.
        if !reported.insert(statement.node.order()) {
            continue;
        }
        let shown = |msec: u64| {
            if msec.is_multiple_of(1_000) { format!("{}s", msec / 1_000) } else { format!("{msec}ms") }
        };
        let text = format!(
            "the playlist holds {count} fragment{}: {} of {} each",
            if count == 1 { "" } else { "s" },
            shown(length_msec),
            shown(fragment_msec)
        );
        let mut problem = Problem::warning(text);
        if let Some(other) = fragment.filter(|f| f.name().span != statement.name().span) {
            problem = problem.label(other.node.span(), "the length of a fragment");
        }
        let enough = shown(fragment_msec.saturating_mul(FEWEST));
        findings.push(Finding::new(
            statement,
            problem.help(format!("players need {FEWEST}: `{} {enough};`", kind.length)),
        ));
    }
}

pub(super) fn path_twice(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    let mut known: HashMap<&[u8], usize> = HashMap::new();
    for (section, kind) in written(scope) {
        let Some(path) = kind.path.and_then(|path| outline.nearest(section, path)) else { continue };
        let Some(word) = path.words().first() else { continue };
        let directory = trimmed(&word.bytes);
        let first = *known.entry(directory).or_insert(section);
        if first == section {
            continue;
        }
        let Some((here, there)) = outline.sections[section].head.zip(outline.sections[first].head) else {
            continue;
        };
        let name = |node: crate::syntax::tree::Node<'_>| node.words().get(1).map(|w| w.text().to_string());
        let (Some(here_name), Some(there_name)) = (name(here), name(there)) else { continue };
        let text = sentence(&[
            b"applications \"",
            there_name.as_bytes(),
            b"\" and \"",
            here_name.as_bytes(),
            b"\" write to the same \"",
            &word.bytes,
            b"\"",
        ]);
        let own = path.section == section;
        let at = if own { path.node.span() } else { here.span() };
        let problem = Problem::warning(text).at(at).label(there.span(), "the other application");
        let mut finding = Finding::new(path, problem.help("streams of the same name overwrite each other"));
        if !own {
            finding.order = here.order();
            finding.section = section;
            finding.place = here.terminator();
            finding.start = here.span();
        }
        findings.push(finding);
    }
}

/// Applications with the kinds of playlist that they write.
fn written<'o>(
    scope: &'o LintContext<'_>,
) -> impl Iterator<Item = (usize, &'static PlaylistDirectives)> + 'o {
    scope.outline.of(APPLICATION).flat_map(|section| KINDS.iter().map(move |kind| (section, kind))).filter(
        |(section, kind)| scope.outline.nearest(*section, kind.switch).is_some_and(OutlineStatement::is_on),
    )
}

fn msec(statement: &OutlineStatement<'_>) -> Option<u64> {
    number::msec(&statement.words().first()?.bytes)
}

/// A directory without trailing slashes.
fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
    &path[..end]
}
