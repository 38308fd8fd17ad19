//! What shows the cluster: metrics, statistics, the console.

use std::io::Read;

use serde_json::Value;

use crate::support::etcd::Etcd;
use crate::support::raw::Raw;
use crate::support::wait::until_true;
use crate::support::{Server, http};
use crate::{BOTH, publish, shown};

const PAGES: &str = "location /metrics { rtmp_metrics; } location /xml { rtmp_stat all; } \
                     location /cluster { rtmp_stat all; rtmp_stat_cluster on; } \
                     location /json { rtmp_stat all; rtmp_stat_format json; } location /console { rtmp_console; }";

/// The value of a metric.
fn metric(server: &Server, name: &str) -> Option<f64> {
    let page = http::get(server.http, "/metrics").text();
    let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

#[test]
fn each_server_shows_the_whole_cluster() {
    let mut etcd = Etcd::start();
    let start = |node: &str| {
        let conf = etcd.conf(node, BOTH, "zone x;").http_server(PAGES);
        let server = Server::start(&conf);
        server.wait_log("joined as");
        server
    };
    let [a, b] = ["a", "b"].map(start);
    let publisher = publish(&a, "s");
    until_true("b knows it", || shown(&b, "streams").contains("/live/s a epoch "));
    let json: Value = serde_json::from_str(&http::get(b.http, "/json").text()).unwrap();
    let cluster = &json["rtmp"]["cluster"];
    assert_eq!(
        (&cluster["name"], &cluster["node"], &cluster["etcd"]),
        (&"c".into(), &"b".into(), &"up".into())
    );
    assert_eq!(cluster["nodes"].as_array().unwrap().len(), 2);
    assert_eq!((&cluster["nodes"][0]["name"], &cluster["nodes"][0]["zone"]), (&"a".into(), &"x".into()));
    let stream = &cluster["streams"][0];
    assert_eq!(
        (&stream["app"], &stream["name"], &stream["node"]),
        (&"live".into(), &"s".into(), &"a".into())
    );
    assert!(stream["epoch"].as_i64().is_some_and(|epoch| epoch > 0));
    let xml = http::get(b.http, "/cluster").text();
    for part in ["<node>b</node>", "<etcd>up</etcd>", "<app>live</app><name>s</name><node>a</node>"] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    assert!(!http::get(b.http, "/xml").text().contains("cluster"), "as recorded from PingOS");
    let mut console = Raw::open(b.http);
    console.send(format!("GET /console/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", b.http).as_bytes());
    let (mut seen, mut bytes) = (String::new(), [0; 65_536]);
    until_true("the console shows it", || {
        let length = console.0.read(&mut bytes).unwrap();
        seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
        seen.contains("\"cluster\":{\"name\":\"c\",\"node\":\"b\"") && seen.contains("\"node\":\"a\"")
    });
    // Metrics of what happens.
    let label = "{cluster=\"c\"}";
    for (name, value) in [
        ("pingosd_cluster_etcd_up{cluster=\"c\"}", 1.0),
        ("pingosd_cluster_lease_held{cluster=\"c\"}", 1.0),
        ("pingosd_cluster_nodes{cluster=\"c\"}", 2.0),
        ("pingosd_cluster_streams{cluster=\"c\"}", 1.0),
        ("pingosd_cluster_own_streams{cluster=\"c\"}", 1.0),
        ("pingosd_cluster_leases_total{cluster=\"c\"}", 1.0),
        ("pingosd_cluster_claims_total{cluster=\"c\",outcome=\"won\"}", 1.0),
        ("pingosd_cluster_claims_total{cluster=\"c\",outcome=\"refused\"}", 0.0),
        ("pingosd_cluster_watch_lag_seconds{cluster=\"c\"}", 0.0),
    ] {
        until_true(name, || metric(&a, name) == Some(value));
    }
    let revision = etcd.revision("streams/default/live/s");
    assert!(
        metric(&b, &format!("pingosd_cluster_watch_revision{label}")).is_some_and(|n| n >= revision as f64)
    );
    let mut refused = crate::support::RtmpClient::publish(b.rtmp, "live", "s");
    refused.wait_status("NetStream.Publish.BadName");
    assert_eq!(metric(&b, "pingosd_cluster_claims_total{cluster=\"c\",outcome=\"refused\"}"), Some(1.0));
    etcd.kill();
    until_true("it is down", || metric(&a, "pingosd_cluster_etcd_up{cluster=\"c\"}") == Some(0.0));
    let errors = "pingosd_cluster_etcd_errors_total{cluster=\"c\",kind=\"network\"}";
    until_true("errors are counted", || metric(&a, errors).is_some_and(|count| count > 0.0));
    publisher.leave();
}

#[test]
fn a_server_in_no_cluster_shows_none() {
    let server = Server::start(&crate::support::Conf::live("").http_server(PAGES));
    let json: Value = serde_json::from_str(&http::get(server.http, "/json").text()).unwrap();
    assert!(json["rtmp"].get("cluster").is_none());
    assert!(!http::get(server.http, "/cluster").text().contains("<cluster>"));
    assert!(
        !http::get(server.http, "/metrics").text().lines().any(|line| line.starts_with("pingosd_cluster"))
    );
}
