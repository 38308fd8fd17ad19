//! What pingosd does over HTTP, compared with Debian's nginx 1.22 byte for byte.
//!
//! Both programs get the same configuration and the same files, each in a prefix of its own; the same bytes are sent to both;
//! status lines, headers, bodies, what becomes of the connection, access logs, and error logs from `warn` on must be the same.
//!
//! # An entry
//!
//! `entries/*.rs` are the files; each is one test, with one pair of servers for all its entries. An entry is a `server { }` of
//! its own, on its own port:
//!
//! ```text
//! entry("root-inherited")
//!     .server("location /dir/ { root {ROOT}/html; }")
//!     .file("x.txt", "text")                     // in {DIR}
//!     .ask("/dir/file.txt")                      // GET, Host: localhost, Connection: close
//!     .ask("HEAD /dir/\nRange: bytes=0-1")       // with header lines
//!     .keep(["/dir/", "/dir/file.txt"])          // one after the other on one connection
//!     .raw("GET / HTTP/1.0\r\n\r\n")             // these very bytes
//! ```
//!
//! [`entry::Entry`] has the rest: [`http`](entry::Entry::http) for maps, zones and more servers,
//! [`steps`](entry::Entry::steps) for packets and waits, [`mask`](entry::Entry::mask) for what differs from run to run. In the
//! texts `{ADDR}`, `{PORT}`, `{PORT2}`, `{PORT3}`, `{PORT6}`, `{SOCK}`, `{BACKEND}` (a server that answers as
//! the target of a request says, see `backend.rs`), `{BPORT}` (its port, also at 127.0.0.2 and so on), `{ROOT}`, `{DIR}` (the entry's own directory) and `{NAME}`
//! are replaced. `{ROOT}/html` holds the files of `fixture.rs`; all files have the same modification time. Without a `root`,
//! `{ROOT}/html` is it.
//!
//! With [`over_http2`](entry::Entry::over_http2) the requests are sent over HTTP/2; `entries/http2.rs` repeats those of other files so.
//!
//! Steps that begin with the preface of HTTP/2 send these very frames; of what comes, ends of streams, resets and GOAWAY are compared.
//!
//! With [`over_tls`](entry::Entry::over_tls) the server speaks TLS, and [`tls`](entry::Entry::tls) says how the client of an exchange does; `{TLS}` is a
//! directory of certificates (`tests/support/certificates.rs`).
//!
//! A `log_format` of its own writes to `logs/{NAME}.log` or `logs/{NAME}_x.log`.
//!
//! The error log is `logs/{NAME}.errors`, and of another level where the entry says so. Lines that must differ are named by
//! [`unlike_errors`](entry::Entry::unlike_errors).
//!
//! At the end of an exchange a last request shows whether the connection was kept. It stands in the access log of both.
//!
//! Only what must differ is made the same: `Server` and the name in error pages (with the lengths that follow), `Date`, what is
//! counted from it in `Expires`, paths of the prefix, addresses, boundaries. Bodies are compared after chunks and gzip are undone, the headers that say so stay.
//!
//! Where nginx 1.22 is not to be followed, [`own`](entry::Entry::own) gives the reason and the result that is right. What it
//! lacks is marked with [`newer`](entry::Entry::newer) and has all its results written down. What Debian's build lacks is named with
//! [`needs`](entry::Entry::needs).
//!
//! `verdicts.rs` compares what `-t` says about lines that are not run.
//!
//! # Running it
//!
//! - `cargo test --test against_nginx` runs everything, `cargo test --test against_nginx ranges` one file.
//! - `PINGOSD_DIFF=ranges/multi cargo test --test against_nginx -- --nocapture` runs the entries with that in their names and
//!   prints all that was sent and answered.
//! - `PINGOSD_DIFF_SELF=1` compares nginx with nginx: everything must pass, or an entry depends on something that changes.
//! - `PINGOSD_DIFF_KEEP=1` keeps the prefixes with configurations and logs.
//! - `PINGOSD_DIFF_WITHOUT_NGINX=1` lets the tests pass where there is no nginx.
//! - `PINGOSD_BLESS=1` writes `open.txt` anew, the list of what does not pass yet: whole entries, or `name#3` for the third
//!   exchange of one, `name#log` for its access log and `name#errors` for its error log. What is listed and passes fails the test, as what is not listed and differs.
//!   Look at the change of the list before it is committed: a line that came is something that broke.
//!
//! # Reading a difference
//!
//! Lines that both sides have stand after `|`; `nginx |` and `pingosd |` mark those that only one of them has. `=== closed` means
//! that the server closed the connection, `=== kept` that the last request was answered (its response follows), `=== silent` that
//! nothing came for seconds.

mod backend;
mod difference;
mod entries;
mod entry;
mod fixture;
mod group;
mod open;
mod render;
mod run;
mod side;
#[path = "../support/mod.rs"]
mod support;
mod talk;
mod talk_frames;
mod talk_http2;
mod talk_tls;
mod verdicts;

use std::collections::BTreeSet;

/// One test for each file of entries.
macro_rules! files {
    ($($file:ident)*) => {
        $(#[test]
        fn $file() {
            run::run(stringify!($file), entries::$file::entries());
        })*

        /// Names of all entries.
        fn names() -> BTreeSet<String> {
            let mut all = BTreeSet::new();
            $(all.extend(entries::$file::entries().iter().map(|entry| format!("{}/{}", stringify!($file), entry.name)));)*
            all
        }
    };
}

files! {
    access caching connection documented files filters frames generated headers heads http2 limits locations log maps newer proxying ranges rewriting selection tls variables
}

#[test]
fn what_is_open_is_an_entry() {
    let names = names();
    if std::env::var_os("PINGOSD_BLESS").is_some() {
        open::keep(&names);
        return;
    }
    for (name, reason) in open::read() {
        assert!(names.contains(open::entry_of(&name)), "open.txt lists {name}, which is no entry");
        assert!(!reason.is_empty(), "open.txt does not show how {name} differs");
        assert!(open::reason(&name).is_some(), "open.rs gives no reason for {name}");
    }
}
