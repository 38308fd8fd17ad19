//! The commands that only look at the configuration.

use std::ffi::OsStr;

use pingosd::cli::{self, Test};
use pingosd::syntax::render::Style;

use crate::support::Prefix;

/// What a test prints: standard output, then standard error.
fn run(prefix: &Prefix, change: impl Fn(&mut Test)) -> (String, String) {
    let mut test = Test { load: prefix.options(""), dump: false, quiet: false, verbose: false };
    change(&mut test);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    test.run(Style::default(), &mut out, &mut err).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(prefix.path().to_str().unwrap(), "PREFIX");
    (text(out), text(err))
}

#[test]
fn success_is_two_lines_and_nothing_when_quiet() {
    let prefix = Prefix::new("events { }\n", &[]);
    let (out, err) = run(&prefix, |_| {});
    assert_eq!(out, "");
    assert_eq!(
        err,
        "nginx: the configuration file PREFIX/conf/nginx.conf syntax is ok\n\
         nginx: configuration file PREFIX/conf/nginx.conf test is successful\n"
    );
    assert_eq!(run(&prefix, |test| test.quiet = true).1, "");
}

#[test]
fn a_dump_holds_every_file_once() {
    let main = "include a.conf;\nevents { include b.conf; include b.conf; }\n";
    let prefix = Prefix::new(main, &[("a.conf", "user root;\n"), ("b.conf", "# b\n")]);
    let (out, _) = run(&prefix, |test| test.dump = true);
    let want = format!(
        "# configuration file PREFIX/conf/nginx.conf:\n{main}\n\
         # configuration file PREFIX/conf/a.conf:\nuser root;\n\n\
         # configuration file PREFIX/conf/b.conf:\n# b\n\n"
    );
    assert_eq!(out, want);
}

#[test]
fn what_does_not_matter_is_told_only_when_asked() {
    let prefix = Prefix::new("events { use epoll; multi_accept on; }\n", &[]);
    let note = "nginx: [notice] \"multi_accept\" directive is not needed here in PREFIX/conf/nginx.conf:1\n";
    assert!(!run(&prefix, |_| {}).1.contains(note));
    assert!(run(&prefix, |test| test.verbose = true).1.contains(note));
}

#[test]
fn the_manual_is_printed_by_name() {
    let print = |name: Option<&str>| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        cli::directives(name.map(OsStr::new), &mut out, &mut err).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    };
    let (all, _) = print(None);
    let (listen, _) = print(Some("listen"));
    assert!(listen.contains("in: rtmp server\n") && listen.contains("in: http server\n"));
    assert!(all.len() > 20 * listen.len());
    let (out, err) = print(Some("lisetn"));
    assert!(out.is_empty() && err.contains("did you mean `listen`?"), "{err}");
}
