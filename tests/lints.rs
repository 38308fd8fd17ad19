//! Lints: each fires, holds its tongue, and can be silenced.

#[path = "conf/support.rs"]
#[allow(dead_code, reason = "the lints need only some of it")]
mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use pingosd::cli::Test;
use pingosd::module::lint;
use pingosd::modules::LANGUAGE;
use pingosd::syntax::render::Style;
use support::Prefix;

/// The warnings of a lint: their lines and sentences.
fn warnings(prefix: &Prefix, name: &str) -> Vec<(usize, String)> {
    let (ok, out) = prefix.test("");
    assert!(ok, "{out}");
    let tag = format!(" [{name}] in PREFIX/conf/nginx.conf:");
    let split = out.lines().filter_map(|line| line.split_once(&tag));
    split.map(|(text, line)| (line.parse().unwrap(), text.replace("nginx: [warn] ", ""))).collect()
}

fn whole(text: &str) -> String {
    format!("events {{}}\n{text}")
}

fn rtmp(text: &str) -> String {
    whole(&format!("rtmp {{\nserver {{\nlisten 1935;\n{text}\n}}\n}}\n"))
}

fn app(text: &str) -> String {
    rtmp(&format!("application live {{\nlive on;\n{text}\n}}"))
}

fn http(text: &str) -> String {
    whole(&format!("http {{\nserver {{\nlisten 8080;\n{text}\n}}\n}}\n"))
}

/// Whether the lint fires, with that in its sentence; if so, that every kind of comment silences it.
fn fires(name: &str, conf: &str, sentence: &str) {
    let found = warnings(&Prefix::new(conf, &[]), name);
    let [(line, text)] = &found[..] else { panic!("{name} found {found:?} in\n{conf}") };
    assert!(text.contains(sentence), "{text}");
    let allow = format!("# pingosd: allow other, {name}");
    let lines: Vec<&str> = conf.lines().collect();
    let with = |at: usize, change: &dyn Fn(&str) -> String| {
        let changed =
            lines.iter().enumerate().map(|(n, l)| if n + 1 == at { change(l) } else { (*l).to_owned() });
        changed.collect::<Vec<_>>().join("\n")
    };
    let mut silenced = vec![
        format!("{allow}\n{conf}"),
        with(*line, &|l| format!("{l} {allow}")),
        with(*line, &|l| format!("{allow}\n# more\n{l}")),
    ];
    if let Some(block) = lines[..line - 1].iter().rposition(|l| l.ends_with('{')) {
        let inside = lines[block + 1..line - 1].contains(&"}");
        if !inside {
            silenced.push(with(block + 1, &|l| format!("{l}\n{allow}")));
        }
    }
    for conf in silenced {
        assert_eq!(warnings(&Prefix::new(&conf, &[]), name), [], "not silenced in\n{conf}");
    }
    let other = format!("# pingosd: allow other\n{conf}");
    assert_eq!(warnings(&Prefix::new(other, &[]), name).len(), 1);
}

fn silent(name: &str, conf: &str) {
    assert_eq!(warnings(&Prefix::new(conf, &[]), name), [], "in\n{conf}");
}

#[test]
fn an_allow_needs_a_deny() {
    let name = "allow-without-deny-all";
    fires(name, &app("allow publish 10.0.0.0/8;"), "every client is admitted");
    fires(name, &app("allow publish 10.0.0.0/8;\ndeny play all;"), "every client is admitted");
    fires(name, &app("deny 10.1.1.1;\nallow 10.0.0.0/8;"), "every client is admitted");
    fires(name, &http("location / {\nallow 10.0.0.1;\n}"), "every client is admitted");
    silent(name, &app("allow publish 10.0.0.0/8; deny publish all;"));
    silent(name, &app("allow publish 10.0.0.0/8; deny all;"));
    silent(name, &app("deny 10.1.1.1; allow all;"));
    silent(name, &rtmp("application live { allow 10.0.0.1; }").replace("rtmp {", "rtmp { deny all;"));
}

#[test]
fn files_of_streams_can_be_written() {
    let name = "unwritable-path";
    // Neither `nobody` nor any other user but root may write to /proc; a server of root stays root only with `user root`.
    for directive in ["record_path", "dash_path", "hls_key_path", "hls_path", "live_record_path"] {
        fires(name, &app(&format!("{directive} /proc;")), "may not write to \"/proc\"");
    }
    fires(name, &app("record_path /proc/%Y/rec;"), "may not write to \"/proc\"");
    fires(name, &app("recorder all {\nrecord_path /proc;\n}"), "may not write to \"/proc\"");
    // The server makes all but this one.
    fires(name, &app("record_path /tmp/there/is/none;"), "\"/tmp/there/is/none\" does not exist");
    for directive in ["dash_path", "hls_key_path", "live_record_path"] {
        fires(name, &app(&format!("{directive} /etc/passwd/x;")), "\"/etc/passwd\" is not a directory");
    }
    silent(name, &app("record_path /tmp; hls_path /tmp/x/y; dash_path relative; live_record_path /tmp/%d;"));
    if nix::unistd::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        let group = nix::unistd::Group::from_gid(nobody.gid).unwrap().unwrap().name;
        silent(name, &format!("user root;\n{}", app("record_path /proc;")));
        silent(name, &app("hls_path /proc/none;"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rec");
        fs::create_dir(&path).unwrap();
        let (uid, mode) = (fs::metadata("/").unwrap().uid() + 4_242, fs::Permissions::from_mode(0o755));
        fs::set_permissions(directory.path(), mode).unwrap();
        let conf = app(&format!("record_path {};", path.display()));
        fires(name, &format!("user nobody {group};\n{conf}"), "user \"nobody\" may not write to");
        std::os::unix::fs::chown(&path, Some(uid), None).unwrap();
        fires(name, &format!("user nobody {group};\n{conf}"), "user \"nobody\" may not write to");
        // Without the line, the directory may belong to the user of a service manager.
        silent(name, &conf);
        std::os::unix::fs::chown(&path, Some(nobody.uid.as_raw()), None).unwrap();
        silent(name, &format!("user nobody {group};\n{conf}"));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fires(name, &format!("user nobody {group};\n{conf}"), "user \"nobody\" may not write to");
    }
}

#[test]
fn control_and_statistics_are_guarded() {
    let name = "open-control";
    fires(
        name,
        &http("location /c {\nrtmp_control all;\n}"),
        "every client that reaches 0.0.0.0:8080 can send control requests",
    );
    fires(name, &http("location /s {\nrtmp_stat all;\n}"), "can see the statistics");
    fires(name, &http("location /s {\nrtmp_metrics;\n}"), "can see the statistics");
    fires(name, &http("location /s {\nrtmp_stat all;\nallow all;\n}"), "can see the statistics");
    fires(name, &http("location / {\nrtmp_console everything=all;\n}"), "can see everything");
    fires(name, &http("location / {\nrtmp_console control everything=all;\n}"), "end sessions");
    fires(name, &http("location /p {\nrtmp_snapshot;\n}"), "can see pictures of all streams");
    silent(name, &http("location / { rtmp_console control; }"));
    silent(name, &http("location / { rtmp_console everything=all; auth_basic x; }"));
    silent(name, &http("location /c { rtmp_control all; allow 127.0.0.1; deny all; }"));
    silent(name, &http("deny all; location /c { rtmp_control all; }"));
    silent(name, &http("location /c { rtmp_control all; auth_basic x; }"));
    silent(name, &http("location /c { rtmp_control all; internal; }"));
    silent(name, &http("location /c { rtmp_control all; }").replace("8080", "127.0.0.1:8080"));
    silent(name, &http("location /c { rtmp_control all; }").replace("8080", "unix:/tmp/x.sock"));
    silent(name, &http("rtmp_stat all; location / { root html; }"));
    let stat = |more: &str| http(&format!("{more} location /s {{\nrtmp_stat all;\n}}"));
    silent(name, &stat("if ($ssl_client_verify != SUCCESS) { return 403; }"));
    silent(name, &stat("auth_request /check;"));
    silent(name, &http("location /s { if ($remote_addr != 10.0.0.1) { return 403; } rtmp_stat all; }"));
    silent(name, &http("location /s { if ($arg_token != x) { return 404; } rtmp_stat all; }"));
    silent(
        name,
        &stat("")
            .replace("http {", "http { geo $near { default 0; } ")
            .replace("rtmp_stat", "if ($near = 0) { return 403; } rtmp_stat"),
    );
    // A condition on what is requested does not identify a client, and a statement that lets a request pass refuses nothing.
    fires(name, &stat("if ($request_method = POST) {\nreturn 405;\n}"), "can see the statistics");
    fires(name, &stat("if ($ssl_client_verify != SUCCESS) {\nreturn 200;\n}"), "can see the statistics");
    fires(name, &stat("if ($remote_addr = 10.0.0.1) {\nset $a b;\n}"), "can see the statistics");
    let verified = |verify: &str, listen: &str| {
        let file = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
        let [certificate, key, ca] = ["origin.crt", "origin.key", "clients/ca.crt"].map(file);
        let tls =
            format!("ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_client_certificate {ca};");
        stat(&format!("ssl_verify_client {verify}; {tls}")).replace("listen 8080;", listen)
    };
    silent(name, &verified("on", "listen 8080 ssl;"));
    fires(name, &verified("optional", "listen 8080 ssl;"), "can see the statistics");
    fires(name, &verified("on", "listen 8080 ssl;\nlisten 8081;"), "can see the statistics");
}

#[test]
fn control_has_a_listener_of_its_own() {
    let name = "control-on-all-addresses";
    let control = |rules: &str| http(&format!("location /c {{\nrtmp_control all;\n{rules}\n}}"));
    fires(name, &control("allow 10.0.0.0/8;\ndeny all;"), "on all addresses");
    fires(name, &control("auth_basic x;"), "on all addresses");
    fires(name, &control("deny 10.0.0.1;"), "on all addresses");
    fires(name, &control("allow 127.0.0.1;\nallow 10.0.0.1;\ndeny all;"), "on all addresses");
    silent(name, &control("allow 127.0.0.1; allow ::1; allow unix:; deny all;"));
    silent(name, &control("internal;"));
    silent(name, &control("allow 10.0.0.0/8; deny all;").replace("8080", "127.0.0.2:8080"));
    silent(name, &control("allow 10.0.0.0/8; deny all;").replace("rtmp_control", "rtmp_stat"));
    // Another lint reports open ones.
    silent(name, &control(""));
}

#[test]
fn on_meta_gives_way_to_on_push() {
    let name = "on-meta-beside-on-push";
    fires(
        name,
        &app("on_push http://127.0.0.1/a;\noclp_meta http://127.0.0.1/b;"),
        "\"on_meta\" is not used",
    );
    silent(name, &app("on_meta http://127.0.0.1/b;"));
    silent(name, &rtmp("application a { on_push http://h/; } application b { on_meta http://h/; }"));
}

#[test]
fn commands_do_not_trust_clients() {
    let name = "exec-unquoted-name";
    fires(
        name,
        &app("exec sh -c \"ffmpeg -i rtmp://h/$app/$name\";"),
        "\"$app\" becomes part of a shell's script",
    );
    fires(name, &app("exec_publish /bin/bash -xc 'echo ${name}';"), "\"$name\" becomes part");
    fires(name, &app("exec_publish notify.sh $name;"), "\"$name\" can be an option");
    silent(name, &app("exec ffmpeg -i rtmp://localhost/$app/$name -c copy -f flv rtmp://h/x/$name;"));
    silent(name, &app("exec_publish sh -c 'echo \"$0\"' $name;"));
    silent(name, &app("exec_record_done ffmpeg -i $path $dirname/$basename.mp4;"));
    silent(name, &app("exec_static sh -c 'echo $name';"));
    // Filters are not the program.
    let shell = "exec_publish name=s sh -c 'echo $name';";
    fires(name, &app(&format!("exec_options on; {shell}")), "\"$name\" becomes part");
    silent(name, &app(shell));
}

#[test]
fn variables_without_a_value_are_named() {
    let name = "empty-variable";
    silent(name, &http("location / { return 200 $ssl_early_data; }"));
    fires(name, &http("location ~ ^/(a)/ {\nreturn 200 $2;\n}"), "\"$2\" is always empty");
    fires(name, &http("location /b/ {\nreturn 200 $1;\n}\nlocation ~ ^/(a)/ { return 200 x; }"), "\"$1\"");
    silent(name, &http("location ~ ^/(a)/ { return 200 $1; location ~ /b { return 200 $1; } }"));
    silent(name, &http("if ($args ~* \"x=(.)\") { return 200 $1; }"));
    silent(name, &http("location / { if ($args ~ \"x=(.)(.)\") { set $a $2; } return 200 $1$2; }"));
    silent(name, &http("server_name ~^(.+)$; location / { return 200 $1; }"));
    silent(
        name,
        &http(
            "location / { proxy_pass http://127.0.0.1:1; proxy_redirect ~^http://(.+)/(.*)$ http://$1/$2; }",
        ),
    );
    silent(name, &http("location / { return 200 $uri$arg_x$http_x; access_log off; }"));
}

#[test]
fn relays_do_not_come_back() {
    let name = "pull-loop";
    fires(name, &app("pull rtmp://127.0.0.1/live/other;"), "\"pull\" leads to the application it stands in");
    silent(name, &app("pull rtmp://127.0.0.1/other;"));
    silent(name, &app("push rtmp://127.0.0.1/hls/x?y;"));
    fires(name, &app("push rtmp://localhost:1935;"), "\"push\" leads to");
    fires(
        name,
        &app("push rtmp://live.example.com app=live;")
            .replace("listen", "server_name live.example.com;\nlisten"),
        "\"push\"",
    );
    silent(name, &app("pull rtmp://origin.example.com;"));
    silent(name, &app("pull rtmp://127.0.0.1:1936;"));
    silent(name, &app("push rtmp://127.0.0.1 app=hls;"));
    silent(name, &rtmp("application a { push rtmp://127.0.0.1 app=b; } application b { live on; }"));
    let circle =
        "application a {\npush rtmp://127.0.0.1 app=b;\n}\napplication b {\npush rtmp://127.0.0.1 app=a;\n}";
    let found = warnings(&Prefix::new(rtmp(circle), &[]), name);
    assert_eq!(found.len(), 2);
    assert!(found[0].1.contains("leads back"));
}

#[test]
fn one_directory_has_one_writer() {
    let name = "hls-path-twice";
    let two = |one: &str, other: &str| {
        rtmp(&format!("application a {{\nhls on;\n{one}\n}}\napplication b {{\nhls on;\n{other}\n}}"))
    };
    fires(
        name,
        &two("hls_path /tmp/h;", "hls_path /tmp/h/;"),
        "applications \"a\" and \"b\" write to the same",
    );
    fires(name, &two("", "").replace("listen", "hls_path /tmp/h;\nlisten"), "write to the same");
    silent(name, &two("hls_path /tmp/h;", "hls_path /tmp/i;"));
    silent(name, &two("hls_path /tmp/h;", "hls_path /tmp/h;").replacen("hls on", "hls off", 1));
}

#[test]
fn playlists_hold_three_fragments() {
    let name = "short-playlist";
    let hls = |text: &str| app(&format!("hls on;\nhls_path /tmp/h;\n{text}"));
    fires(
        name,
        &hls("hls_fragment 4s;\nhls_playlist_length 8s;"),
        "the playlist holds 2 fragments: 8s of 4s each",
    );
    fires(name, &hls("hls_fragment 12s;"), "2 fragments: 30s of 12s");
    fires(name, &app("hls2 on;\nhls2_playlist_length 5s;"), "1 fragment: 5s of 5s");
    silent(name, &hls(""));
    silent(name, &hls("hls_fragment 2s; hls_playlist_length 6s;"));
    silent(name, &app("hls2 on; hls2_fragment 20s;"));
    silent(name, &app("hls_playlist_length 5s;"));
}

#[test]
fn worker_processes_need_no_lines() {
    let name = "needless-multi-process";
    fires(
        name,
        "events {\nmulti_listen unix:/tmp/http 80;\n}\nrtmp {\nrtmp_auto_pull on;\n}\n",
        "worker processes",
    );
    fires(name, "stream_zone buckets=1024 streams=4096;\nevents {}\n", "worker processes");
    silent(name, &app(""));
    // Its sockets answer.
    silent(name, "events {\nmulti_listen unix:/tmp/http 80;\n}\n");
    let conf = "events {\nmulti_listen unix:/tmp/http 80;\n}\nhttp {\nupstream w {\nserver unix:/tmp/http.0;\nserver unix:/tmp/http.1;\nserver unix:/tmp/http.2;\n}\n}\n";
    let (_, out) = Prefix::new(conf, &[]).test("");
    assert!(out.contains("this line and 1 more"), "{out}");
}

#[test]
fn certificates_fit_their_keys_and_the_calendar() {
    let prefix = Prefix::new("", &[]);
    let conf = prefix.path().join("conf");
    // `good` is valid until 2099, `old` was until 2021; each has a key of its own.
    for name in ["good.crt", "good.key", "old.crt", "old.key"] {
        fs::copy(support::data().join("tls").join(name), conf.join(name)).unwrap();
    }
    let server = |certificate: &str, key: &str| {
        http(&format!("ssl_certificate {certificate}.crt;\nssl_certificate_key {key}.key;"))
    };
    let found = |conf: String, name: &str| {
        prefix.write("nginx.conf", conf);
        warnings(&prefix, name)
    };
    assert_eq!(found(server("good", "good"), "certificate-mismatch"), []);
    assert_eq!(found(server("good", "good"), "certificate-expired"), []);
    let mismatch = found(server("good", "old"), "certificate-mismatch");
    assert_eq!(mismatch, [(6, "the key is not that of the certificate".into())]);
    let expired = found(server("old", "old"), "certificate-expired");
    assert!(
        matches!(&expired[..], [(5, text)] if text.starts_with("the certificate expired ") && text.ends_with(" days ago"))
    );
    let allowed = format!("# pingosd: allow certificate-expired\n{}", server("old", "old"));
    assert_eq!(found(allowed, "certificate-expired"), []);
}

#[test]
fn files_of_certificates_are_there() {
    let name = "certificate-unreadable";
    let conf = http("ssl_certificate_key nowhere.key;\nssl_certificate nowhere.crt;");
    let prefix = Prefix::new(&conf, &[]);
    let (_, out) = prefix.test("");
    assert_eq!(out.matches(&format!("[{name}]")).count(), 2, "{out}");
    assert!(out.contains("cannot load certificate \"PREFIX/conf/nowhere.crt\""), "{out}");
    assert!(out.contains("cannot load key \"PREFIX/conf/nowhere.key\""), "{out}");
    let allowed = Prefix::new(format!("# pingosd: allow {name}\n{conf}"), &[]);
    assert!(!allowed.test("").1.contains(name));
}

#[test]
fn hosts_are_looked_up_unless_the_test_is_quiet() {
    let conf = app("on_play http://nowhere.invalid:8080/a;\non_publish http://127.0.0.1/b;");
    let prefix = Prefix::new(&conf, &[]);
    let test = |prefix: &Prefix, quiet: bool| {
        let test = Test { load: prefix.options(""), dump: false, quiet, verbose: false };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        test.run(Style::default(), &mut out, &mut err).unwrap();
        String::from_utf8(err).unwrap()
    };
    assert_eq!(test(&prefix, true), "");
    let out = test(&prefix, false);
    assert_eq!(out.matches("[unresolved-host]").count(), 1, "{out}");
    assert!(out.contains("host \"nowhere.invalid\" is not found [unresolved-host]"), "{out}");
    assert!(out.contains("test is successful"));
    let allowed = Prefix::new(format!("# pingosd: allow unresolved-host\n{conf}"), &[]);
    assert!(!test(&allowed, false).contains("[unresolved-host]"));
}

#[test]
fn a_comment_names_lints_that_exist() {
    let conf = "events {}\n# pingosd: allow open-contrl\nuser root;\n";
    let found = warnings(&Prefix::new(conf, &[]), "unknown-lint");
    assert_eq!(found, [(2, "no lint is called \"open-contrl\"".into())]);
    let (_, out) = Prefix::new(conf, &[]).test("");
    assert!(out.contains("did you mean `open-control`?"), "{out}");
    silent("unknown-lint", "# pingosd: allow open-control\nevents {}\n");
    silent("unknown-lint", "events {}\nerror_log 'x # pingosd: allow nothing';\n");
}

#[test]
fn a_file_speaks_for_itself() {
    let conf = http("include c.conf;");
    let location = "location /c {\n    rtmp_control all;\n}\n";
    let (_, out) = Prefix::new(&conf, &[("c.conf", location)]).test("");
    assert!(out.contains("[open-control] in PREFIX/conf/c.conf:2"), "{out}");
    let allow = format!("# pingosd: allow open-control\n{location}");
    assert!(!Prefix::new(&conf, &[("c.conf", &allow)]).test("").1.contains("[open-control]"));
    let around = conf.replace("server {", "server { # pingosd: allow open-control");
    assert!(!Prefix::new(around, &[("c.conf", location)]).test("").1.contains("[open-control]"));
}

#[test]
fn errors_come_without_lints() {
    let (ok, out) = Prefix::new(http("location /c {\nrtmp_control all;\n}\nnonsense;"), &[]).test("");
    assert!(!ok && !out.contains("[open-control]"), "{out}");
}

#[test]
fn names_are_stable_and_documented() {
    let names: Vec<&str> = lint::LINTS.iter().map(|l| l.name).collect();
    assert!(names.is_sorted());
    for name in names {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/lints.md");
    if support::blessing() {
        fs::write(&path, lint::manual()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), lint::manual(), "run the tests with PINGOSD_BLESS=1");
}

#[test]
fn the_built_in_configuration_has_no_warning() {
    let config = pingosd::config::Config::embedded_default(&LANGUAGE);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_location_does_not_guard_an_application() {
    let name = "guarded-by-location";
    let conf = |guarded: &str, other: &str| {
        let rtmp = "rtmp {\nserver {\nlisten 1935;\napplication live {\nlive on;\n}\napplication vip {\nlive on;\n}\n}\n}\n";
        let vip = format!("location /vip {{\n{guarded}\nflv_live 1935 app=vip;\n}}\n");
        whole(&format!(
            "{rtmp}http {{\nserver {{\nlisten 8080;\n{vip}location /live {{\n{other}\n}}\n}}\n}}\n"
        ))
    };
    let open = "flv_live 1935 app=live;";
    fires(name, &conf("deny 10.0.0.1;", open), "\"?app=\" asks another \"flv_live\"");
    fires(name, &conf("if ($arg_t != x) { return 403; }", "ts_live 1935;"), "another \"ts_live\"");
    fires(name, &conf("valid_referers a.test;", "hls2_live 1935 app=live;"), "does not guard its streams");
    silent(name, &conf("", open));
    silent(name, &conf("if ($request_method = OPTIONS) { return 204; }", open));
    silent(name, &conf("deny 10.0.0.1;", "deny 10.0.0.1; flv_live 1935 app=live;"));
    silent(name, &conf("deny 10.0.0.1;", "root html;"));
}

#[test]
fn live_locations_name_applications_that_exist() {
    let name = "live-without-application";
    let conf = |application: &str, live: &str| {
        let rtmp = format!("rtmp {{\nserver {{\nlisten 1936;\n{application}\n}}\n}}\n");
        whole(&format!("{rtmp}http {{\nserver {{\nlisten 8080;\nlocation /live {{\n{live}\n}}\n}}\n}}\n"))
    };
    let live = "application live { live on; }";
    fires(name, &conf(live, "flv_live 1936 app=nope;"), "no application \"nope\" is on the port");
    fires(name, &conf(live, "hls2_live 1936 app=live;"), "\"live\" makes no HLS");
    silent(name, &conf(live, "ts_live 1936 app=live;"));
    silent(name, &conf(live, "ts_live 1936;"));
    silent(name, &conf(live, "flv_live 1936 app=$arg_app;"));
    silent(name, &conf("application * { live on; }", "flv_live 1936 app=nope;"));
    silent(name, &conf("hls2 on;\napplication live { live on; }", "hls2_live 1936 app=live;"));
}
