//! The examples in the manual: each directive has one, and the server takes it.

use pingosd::directive::context;
use pingosd::directive::table::{ReloadClass, Row, StatementShape};
use pingosd::modules::{MODULES, REGISTRY};

use crate::support::{self, Prefix};
use crate::table::compare;

/// Rows that a user may want to write: not blocks, and not those that do nothing here.
fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    let is_useful = |row: &Row| {
        let is_block = matches!(row.shape, StatementShape::Opens(_));
        !is_block && !row.inert && row.class != ReloadClass::Needless
    };
    let all = MODULES.iter().flat_map(|module| module.rows.iter().map(|row| (module.name, row)));
    all.filter(move |(_, row)| is_useful(row))
}

/// Directives without an example: this list only shrinks.
#[test]
fn directives_without_an_example_are_listed() {
    let without = rows().filter(|(_, row)| row.example().is_none());
    let mut names: Vec<String> = without.map(|(module, row)| format!("{module}/{}", row.name())).collect();
    names.sort();
    let list = names.iter().map(|name| format!("{name}\n")).collect::<String>();
    compare(&support::data().join("without_example.txt"), &list);
}

/// Statements that an example needs in its block.
const COMPANIONS: &[(&str, &str)] = &[
    ("acme certificate/acme_certificate", "server_name a.example.com;"),
    ("http server/listen", "ssl_reject_handshake on;"),
    ("limit/limit_conn", "limit_conn_zone $remote_addr zone=addresses:10m;"),
    ("limit/limit_req", "limit_req_zone $remote_addr zone=requests:10m rate=20r/s;"),
    ("proxy/proxy_cache", "proxy_cache_path cache keys_zone=hls:10m;"),
    ("ssl/ssl", "ssl_reject_handshake on;"),
    ("ssl/ssl_certificate", "ssl_certificate_key /etc/pingosd/privkey.pem;"),
];

/// Files that a configuration cannot do without, and this machine need not have, in the complaints about them.
const ABSENT: [&str; 5] = [
    "getpwnam(\"pingosd\") failed",
    "open() \"/etc/",
    "acme_issuer: \"/etc/",
    "open() \"/var/log/pingosd/",
    "control socket \"/run/pingosd/",
];

/// Directives of a cluster that a `cluster` block needs.
const CLUSTER: [&str; 3] = ["etcd http://10.0.0.1:2379;", "node a;", "advertise rtmp://10.0.0.1;"];

/// A configuration with the example of this row, and the companion, in the first context of the row.
fn around(row: &Row, example: &str, companion: &str) -> String {
    let line = &format!("{companion} {example}");
    let (mut main, mut events, mut rtmp, mut server, mut application) = ("", "", "", "", "");
    let (mut http, mut web, mut location, mut upstream) = ("", "", "", "");
    let (mut cluster, mut issuer) = ("", "");
    match context::names(row.contexts).next().unwrap() {
        "main" => main = line,
        "events" => events = line,
        "rtmp" => rtmp = line,
        "rtmp server" => server = line,
        "application" => application = line,
        "http" => http = line,
        "http server" => web = line,
        "location" => location = line,
        "upstream" => upstream = line,
        "cluster" => cluster = line,
        "acme_issuer" => issuer = line,
        other => panic!("no example stands in {other}"),
    }
    let group = if upstream.is_empty() {
        String::new()
    } else {
        format!("upstream group {{ server 127.0.0.1:8082; {upstream} }}")
    };
    let joined = if cluster.is_empty() && !row.name().starts_with("cluster_") {
        String::new()
    } else {
        let others = CLUSTER.iter().filter(|other| other.split(' ').next() != Some(row.name()));
        format!("cluster test {{ {cluster} {} }}", others.copied().collect::<String>())
    };
    let issuer = match issuer.is_empty() && row.name() != "acme_certificate" {
        true => String::new(),
        false if row.name() == "uri" => format!("acme_issuer letsencrypt {{ {issuer} }}"),
        false => format!("acme_issuer letsencrypt {{ uri https://acme.example.com/directory; {issuer} }}"),
    };
    let address = if server.starts_with(" listen ") { "" } else { "listen 1935;" };
    format!(
        "{main}\nevents {{ {events} }}\n{joined}\n\
         rtmp {{ {rtmp}\nserver {{ {address} {server}\napplication live {{ live on; {application} }} }} }}\n\
         http {{ {http}\n{group}\n{issuer}\nserver {{ listen 8080; {web}\nlocation / {{ {location} }} }} }}\n"
    )
}

#[test]
fn examples_are_accepted() {
    let mut complaints = Vec::new();
    for (module, row) in rows() {
        let Some(example) = row.example() else { continue };
        let key = format!("{module}/{}", row.name());
        assert!(row.names.contains(&example.split([' ', ';']).next().unwrap()), "{key}: {example}");
        let companion = COMPANIONS.iter().find(|(name, _)| *name == key).map_or("", |(_, text)| text);
        if key.starts_with("cluster") && !cfg!(feature = "cluster") {
            continue;
        }
        let prefix = Prefix::new(around(row, example, companion), &[]);
        let (is_accepted, said) = prefix.test("");
        let problems: Vec<&str> = said.lines().filter(|line| line.contains("[emerg]")).collect();
        let is_absent = problems.len() == 1 && ABSENT.iter().any(|text| problems[0].contains(text));
        if !is_accepted && !is_absent {
            complaints.push(format!("{key}: {example}\n{said}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn companions_belong_to_rows() {
    for (key, _) in COMPANIONS {
        let (_, name) = key.split_once('/').unwrap();
        assert!(!REGISTRY.find(name.as_bytes()).is_empty(), "{key}");
    }
}
