//! What holds for any bytes given as a configuration. Shared by the fuzz target and the replay of its corpus.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use pingosd::config::LoadOptions;
use pingosd::config::load::load_text;
use pingosd::directive::evaluation::HostNames;
use pingosd::directive::registry::Registry;
use pingosd::modules::LANGUAGE;
use pingosd::syntax::parser::Parser;
use pingosd::syntax::render::Style;
use pingosd::syntax::text;

/// From bytes to a configuration, or to a report that can be shown; and what the reader takes, `fmt` lays out without
/// a change of meaning, the second time without any change.
pub fn whole_path(bytes: &[u8]) {
    let options = LoadOptions {
        language: &LANGUAGE,
        prefix: "/nonexistent".into(),
        conf_file: Some("/nonexistent/conf/nginx.conf".into()),
        globals: Vec::new(),
        error_log: "/nonexistent/logs/error.log".into(),
        host_names: HostNames::Resolved,
    };
    let style = Style { colour: true, brief: false };
    match load_text(Path::new("/nonexistent/conf/nginx.conf"), Bytes::copy_from_slice(bytes), &options) {
        Ok(config) => drop(config.render_warnings(style)),
        Err(report) => {
            assert!(report.render(style).starts_with(b"nginx: ") || !report.diagnostics.is_empty());
        }
    }
    layout(bytes);
}

fn layout(bytes: &[u8]) {
    let none = Registry::new(&[], &[]);
    let read = |bytes: &[u8]| {
        let mut parser = Parser::new(PathBuf::new(), &none).apart();
        parser.given(Path::new("text"), Bytes::copy_from_slice(bytes));
        parser.finish()
    };
    let before = read(bytes);
    if before.reports.has_errors() {
        return;
    }
    let once = text::format(bytes);
    let after = read(&once);
    assert!(!after.reports.has_errors(), "fmt makes a text that is refused");
    assert!(text::same(before.tree.body(), after.tree.body()), "fmt changes the meaning");
    assert_eq!(text::format(&once), once, "fmt is not settled after one pass");
}
