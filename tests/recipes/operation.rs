//! Recipes for the operation of servers: containers, services, logs, metrics, upgrades, clusters.

use std::fs;
use std::path::Path;

use crate::media::Source;
use crate::recipe::{Recipe, file, is_installed, project, replace};
use crate::support::frame::Tracks;
use crate::support::server::{PROGRAM, Prefix, Signal};
use crate::support::tool::run;
use crate::support::upgrade::{Successor, pid_file};
use crate::support::wait::until_true;
use crate::support::{Player, Publisher, http};

/// Reads YAML documents of the project with Python, if it can.
fn yaml(name: &str) -> Option<serde_json::Value> {
    if !is_installed("python3", &["-c", "import yaml"]) {
        return None;
    }
    let path = project().join(name);
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = run("python3", &["-c", script, path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn docker_conf_runs_and_answers_the_health_check() {
    let server = Recipe::new("docker/pingosd.conf").start();
    assert_eq!(http::get(server.http, "/healthz").status(), 204);
    let Some(compose) = yaml("docs/recipes/docker/compose.yaml") else { return };
    let service = &compose[0]["services"]["pingosd"];
    let context = project().join("docs/recipes/docker").join(service["build"]["context"].as_str().unwrap());
    assert!(context.join(service["build"]["dockerfile"].as_str().unwrap()).exists());
    for port in ["1935", "8080"] {
        assert!(service["ports"].as_array().unwrap().iter().any(|own| own.as_str().unwrap().ends_with(port)));
    }
}

/// A configuration within the ConfigMap.
fn config_map(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("  {name}: |\n")).expect("a configuration");
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| line.get(4..).unwrap_or_default().to_owned() + "\n").collect()
}

#[test]
fn kubernetes_conf_runs_and_its_objects_fit_together() {
    let server = Recipe::of_text(config_map(&file("kubernetes/pingosd.yaml"), "pingosd.conf")).start();
    assert_eq!(http::get(server.http, "/healthz").status(), 204);
    let Some(objects) = yaml("docs/recipes/kubernetes/pingosd.yaml") else { return };
    let kinds: Vec<_> =
        objects.as_array().unwrap().iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ConfigMap", "Deployment", "Service"]);
    fits_together(&objects[1], &objects[2]);
}

/// A workload has the labels that it and its service select, and the volumes that its containers mount.
fn fits_together(workload: &serde_json::Value, service: &serde_json::Value) {
    let template = &workload["spec"]["template"];
    assert_eq!(template["metadata"]["labels"], workload["spec"]["selector"]["matchLabels"]);
    assert_eq!(template["metadata"]["labels"], service["spec"]["selector"]);
    let lists = [&template["spec"]["volumes"], &workload["spec"]["volumeClaimTemplates"]];
    let volumes: Vec<_> = lists.iter().filter_map(|list| list.as_array()).flatten().collect();
    let lists = [&template["spec"]["containers"], &template["spec"]["initContainers"]];
    for container in lists.iter().filter_map(|list| list.as_array()).flatten() {
        for mount in container["volumeMounts"].as_array().unwrap() {
            let is_there = |volume: &&serde_json::Value| {
                [&volume["name"], &volume["metadata"]["name"]].contains(&&mount["name"])
            };
            assert!(volumes.iter().any(is_there), "{mount}");
        }
    }
}

#[test]
fn examples_of_a_cluster_are_accepted_and_fit_together() {
    if !cfg!(feature = "cluster") {
        return;
    }
    let read = |name: &str| fs::read_to_string(project().join("packaging").join(name)).unwrap();
    let objects = read("kubernetes/cluster.yaml");
    // The line that a pod writes before the server starts.
    let (_, own) = objects.split_once("echo \"").expect("a line");
    let (own, _) = own.split_once('"').expect("its end");
    let own = own.replace("$(POD_NAME)", "pod-0").replace("$(POD_IP)", "10.0.0.1");
    let confs = [
        read("compose/origin.conf"),
        read("compose/edge.conf"),
        config_map(&objects, "origin.conf"),
        config_map(&objects, "edge.conf"),
    ];
    for conf in confs {
        let prefix = Prefix::new();
        prefix.write("cluster.conf", own.clone());
        let place = format!("{}/", prefix.path().display());
        let path = prefix.write("pingosd.conf", conf.replace("/run/pingosd/", &place));
        let output = run(PROGRAM, &["-t", "-p", &place, "-c", path.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}\n{conf}");
    }
    let Some(objects) = yaml("packaging/kubernetes/cluster.yaml") else { return };
    let objects = objects.as_array().unwrap();
    let services = objects.iter().filter(|object| object["kind"] == "Service");
    for service in services {
        let is_its = |object: &&serde_json::Value| {
            object["kind"] != "Service" && object["metadata"]["name"] == service["metadata"]["name"]
        };
        fits_together(objects.iter().find(is_its).expect("a workload"), service);
    }
    let Some(compose) = yaml("packaging/compose/compose.yaml") else { return };
    for role in ["origin", "edge"] {
        let service = &compose[0]["services"][role];
        let mounted = service["volumes"][0].as_str().unwrap().split(':').next().unwrap();
        assert!(project().join("packaging/compose").join(mounted).exists(), "{mounted}");
    }
}

#[test]
fn systemd_accepts_the_unit_with_the_drop_in() {
    let recipe = Recipe::new("systemd/pingosd.conf");
    let media = recipe.prefix.path().join("media");
    let server = recipe.start();
    let mut source = Source::start(&server, "demo");
    source.send_to(2_000);
    until_true("a recording", || fs::read_dir(&media).unwrap().next().is_some());
    if !is_installed("systemd-analyze", &["--version"]) {
        return;
    }
    let prefix = Prefix::new();
    let unit = fs::read_to_string(project().join("packaging/pingosd.service")).unwrap();
    let path = prefix.write("pingosd.service", unit.replace("/usr/sbin/pingosd", PROGRAM));
    prefix.write("pingosd.service.d/override.conf", file("systemd/override.conf"));
    let path = path.to_str().unwrap();
    let output = run("systemd-analyze", &["verify", "--man=no", path]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!told.contains("pingosd.service"), "{told}");
}

#[test]
fn log_rotation_begins_a_new_file() {
    assert!(file("log-rotation/pingosd.logrotate").contains("pingosd -s reopen"));
    let server = Recipe::new("log-rotation/pingosd.conf").start();
    let log = server.prefix().path().join("logs/rtmp.log");
    let old = server.prefix().path().join("logs/rtmp.log.1");
    let has = |path: &Path, name: &str| {
        fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("\"live/{name}\"")))
    };
    Publisher::start(server.rtmp, "before").leave();
    until_true("a line", || has(&log, "before"));
    fs::rename(&log, &old).unwrap();
    let output = server.run(&["-s", "reopen"]);
    assert!(output.status.success(), "{output:?}");
    until_true("a new file", || log.exists());
    Publisher::start(server.rtmp, "after").leave();
    until_true("a line in the new file", || has(&log, "after"));
    assert!(!has(&old, "after"));
}

#[test]
fn prometheus_reads_metrics_and_its_configuration() {
    let server = Recipe::new("prometheus/pingosd.conf").start();
    let _publisher = Publisher::start(server.rtmp, "demo");
    let metrics = http::get(server.http, "/metrics").text();
    assert!(metrics.contains("pingosd_streams_published 1"), "{metrics}");
    assert!(metrics.contains("stream=\"demo\""), "{metrics}");
    if !is_installed("promtool", &["--version"]) {
        return;
    }
    let prefix = Prefix::new();
    let path = prefix.write("prometheus.yml", file("prometheus/prometheus.yml"));
    fs::copy(
        project().join("packaging/prometheus/pingosd-alerts.yml"),
        prefix.path().join("pingosd-alerts.yml"),
    )
    .unwrap();
    let output = run("promtool", &["check", "config", path.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn reload_upgrade_keeps_the_sessions() {
    let mut server = Recipe::new("reload-upgrade/pingosd.conf").start();
    let feed = Publisher::start(server.rtmp, "demo").keep_sending();
    let player = Player::http(server.http, "/live/demo.flv");
    player.wait_key();
    let conf = server.prefix().read("conf/pingosd.conf");
    fs::write(server.prefix().conf(), conf.replace("cache_time 3s", "cache_time 1s")).unwrap();
    let plan = server.run(&["plan"]);
    assert!(
        plan.status.success() && String::from_utf8_lossy(&plan.stdout).contains("cache_time"),
        "{plan:?}"
    );
    assert!(server.run(&["reload"]).status.success());
    assert_eq!(server.status()["configuration"]["generation"], 2);

    let pid = pid_file(&server);
    let script = project().join("packaging/upgrade");
    let upgraded = run("sh", &[script.to_str().unwrap(), pid.to_str().unwrap()]);
    assert!(upgraded.status.success(), "{upgraded:?}");
    let successor = Successor::of(&server);
    let mut publisher = Publisher::start(server.rtmp, "new");
    let last = publisher.send(10);
    Player::http(server.http, "/live/new.flv").wait_frame(last);
    successor.wait_log(&server, "publishing 'new'");
    let last = feed.stop().next() - 1;
    player.assert_whole(Tracks::Both, last);
    drop(player);
    assert!(server.wait_exit().success());
    successor.signal(Signal::SIGTERM);
}

#[test]
#[cfg(feature = "cluster")]
fn a_cluster_with_one_configuration() {
    use crate::support::etcd::Etcd;
    if !is_installed("etcd", &["--version"]) {
        return;
    }
    let etcd = Etcd::start();
    let member = |node: &str| {
        let recipe = Recipe::new("cluster/node.conf").with("http://127.0.0.1:2379", etcd.address());
        let server = recipe.with("node a;", format!("node {node};")).start();
        until_true("it is in the group", || {
            !etcd.ctl(&["get", &format!("/pingosd-conf/tv/edge/nodes/{node}")]).unwrap_or_default().is_empty()
        });
        server
    };
    let a = member("a");
    let by = [("1935".to_owned(), a.rtmp.to_string()), ("8080".to_owned(), a.http.to_string())];
    let group =
        a.prefix().write("group.conf", replace(&file("cluster/group.conf"), &by)).display().to_string();
    let done = a.run(&["cluster", "apply", &group, "--group", "edge", "--canary", "1"]);
    assert!(done.status.success(), "{done:?}");
    let mut publisher = Publisher::start(a.rtmp, "demo");
    let last = publisher.send(10);
    Player::http(a.http, "/live/demo.flv").wait_frame(last);
    let streams = a.run(&["cluster", "streams"]);
    assert!(String::from_utf8_lossy(&streams.stdout).contains("/live/demo a epoch "), "{streams:?}");
    // Another server of this machine cannot have the same port.
    let b = member("b");
    b.wait_log("configuration of group \"edge\" refused");
    let status = b.run(&["cluster", "status", "--group", "edge"]);
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(
        !status.status.success() && text.contains("\nb: refused") && text.contains("\na: applied"),
        "{text}"
    );
}
