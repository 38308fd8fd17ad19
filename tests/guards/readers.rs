//! A row is called honoured only where code of the running server reads what it says.

use std::fs;
use std::path::Path;

use pingosd::config::{LoadOptions, load};
use pingosd::directive::ReloadClass;
use pingosd::modules::{LANGUAGE, MODULES};

use crate::support::server::Prefix;

/// Blocks, each with its first place, and two configurations that differ in such a block only.
const BLOCKS: &[(&str, &str, &str)] = &[
    (
        "acme/acme_issuer in http",
        "events { } http { acme_issuer i { uri https://a.example; } }",
        "events { } http { }",
    ),
    (
        "cluster/cluster in main",
        "events { } cluster c { etcd http://127.0.0.1:1; node n; advertise rtmp://127.0.0.1:1; }",
        "events { }",
    ),
    ("events/events in main", "events { worker_connections 99; }", "events { }"),
    ("http server/http in main", "events { } http { server { listen 1; } }", "events { }"),
    ("http server/server in http", "events { } http { server { listen 1; } }", "events { } http { }"),
    (
        "http server/location in http server",
        "events { } http { server { listen 1; location /a { return 200; } } }",
        "events { } http { server { listen 1; } }",
    ),
    (
        "http core/limit_except in location",
        "events { } http { server { listen 1; location /a { limit_except GET { deny all; } } } }",
        "events { } http { server { listen 1; location /a { } } }",
    ),
    (
        "rewrite/if in http server",
        "events { } http { server { listen 1; if ($args) { return 403; } } }",
        "events { } http { server { listen 1; } }",
    ),
    (
        "rewrite/if in location",
        "events { } http { server { listen 1; location /a { if ($args) { return 403; } } } }",
        "events { } http { server { listen 1; location /a { } } }",
    ),
    ("rtmp server/rtmp in main", "events { } rtmp { server { listen 1; } }", "events { }"),
    ("rtmp server/server in rtmp", "events { } rtmp { server { listen 1; } }", "events { } rtmp { }"),
    (
        "rtmp/application in rtmp server",
        "events { } rtmp { server { listen 1; application a { } } }",
        "events { } rtmp { server { listen 1; } }",
    ),
    (
        "record/recorder in application",
        "events { } rtmp { server { listen 1; application a { recorder r { record all; } } } }",
        "events { } rtmp { server { listen 1; application a { } } }",
    ),
    (
        "upstream/upstream in http",
        "events { } http { upstream u { server 127.0.0.1:1; } }",
        "events { } http { }",
    ),
];

/// What the server holds of a configuration.
fn held(text: &str) -> String {
    let prefix = Prefix::new();
    prefix.write("conf/nginx.conf", text);
    let options = LoadOptions::choose(&LANGUAGE, Some(prefix.path().into()), None, Vec::new(), None);
    let Ok(config) = load(&options) else { panic!("{text} is refused") };
    let held = format!("{:?} {:?} {:?} {:?}", config.values, config.events, config.rtmp, config.http);
    held.replace(prefix.path().to_str().unwrap(), "PREFIX")
}

#[test]
fn blocks_are_honoured_only_where_the_server_holds_them() {
    let mut unproved = Vec::new();
    let mut known = 0;
    for (name, row) in crate::rows().filter(|(_, row)| row.class == ReloadClass::Block) {
        let Some((_, with, without)) = BLOCKS.iter().find(|(block, ..)| *block == name) else {
            unproved.push(name);
            continue;
        };
        known += 1;
        if name.starts_with("cluster/") && !cfg!(feature = "cluster") {
            // It is refused.
            continue;
        }
        assert_eq!(
            held(with) == held(without),
            row.inert,
            "{name}: honoured, and nothing holds it, or the other way round"
        );
    }
    assert!(unproved.is_empty(), "blocks without a proof: {unproved:?}");
    assert_eq!(known, BLOCKS.len(), "a proof is about no block");
}

/// By what code reads a row, found in the text of its table: the field of its struct, or the kind of its event.
fn field<'t>(table: &'t str, name: &str) -> Option<&'t str> {
    let quoted = format!("\"{name}\"");
    table.match_indices(&quoted).find_map(|(at, _)| {
        let statement = table[at..].split(';').next()?;
        if let Some((_, event)) = statement.split_once("event ") {
            return event.split(' ').next();
        }
        let (_, behind) = statement.split_once("=>")?;
        let (field, _) = behind.split_once(':')?;
        let field = field.trim();
        field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(field)
    })
}

/// The sources of the server, without its commands, tests and tables; the tables by the names of their modules.
fn sources() -> (Vec<String>, Vec<(String, String)>) {
    let (mut code, mut tables) = (Vec::new(), Vec::new());
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = open.pop() {
        if path.ends_with("src/cli") {
            continue;
        }
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let table = text.split_once("\ndirectives! {\n").or_else(|| text.split_once("\nevents! {\n"));
        let Some((before, table)) = table else {
            code.push(text.to_owned());
            continue;
        };
        let (table, behind) = table.split_once("\n}\n").unwrap_or((table, ""));
        let module =
            table.split_once("module \"").map_or("notify", |(_, name)| name.split('"').next().unwrap());
        tables.push((module.to_owned(), table.to_owned()));
        code.push(format!("{before}\n{behind}"));
    }
    (code, tables)
}

/// Whether code looks into a field of that name, or names an event of that kind.
fn reads(code: &str, field: &str) -> bool {
    let is_kind = field.starts_with(|c: char| c.is_ascii_uppercase());
    let dotted = if is_kind { format!("EventKind::{field}") } else { format!(".{field}") };
    code.match_indices(&dotted).any(|(at, _)| {
        !code[at + dotted.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '(')
    })
}

/// Rows that other lines name while the configuration is evaluated; the walk over reloads shows their effect.
const NAMED_BY_LINES: [&str; 2] = ["http log/log_format", "rtmp log/log_format"];

#[test]
fn rows_are_honoured_only_where_code_reads_them() {
    let (code, tables) = sources();
    let mut unread = Vec::new();
    for module in MODULES {
        let kept = |class| matches!(class, ReloadClass::Live | ReloadClass::Session | ReloadClass::Restart);
        for row in module.rows.iter().filter(|row| !row.inert && kept(row.class)) {
            let table = tables
                .iter()
                .filter(|(name, _)| name == module.name)
                .find_map(|(_, table)| field(table, row.name()));
            let field =
                table.unwrap_or_else(|| panic!("{}/{} has no field in its table", module.name, row.name()));
            let is_named = NAMED_BY_LINES.contains(&format!("{}/{}", module.name, row.name()).as_str());
            if !is_named && !code.iter().any(|code| reads(code, field)) {
                unread.push(format!("{}/{} ({field})", module.name, row.name()));
            }
        }
    }
    assert!(
        unread.is_empty(),
        "nothing reads these rows, so they are to be marked `no effect yet`: {unread:?}"
    );
}
