//! A real etcd on the loopback interface, and servers that use it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::process;
use super::server::{Prefix, Signal, free_port};
use super::wait::until_true;
use super::{Conf, Server};

/// An etcd, or a member of a cluster of them.
pub struct Etcd {
    child: Child,
    launch: Launch,
    prefix: Prefix,
    /// Port for clients.
    pub client: u16,
}

/// How it is started.
#[derive(Clone)]
struct Launch {
    client: u16,
    peer: u16,
    /// All members, as `--initial-cluster` takes them.
    members: String,
    /// `http` or `https` of clients.
    scheme: &'static str,
    /// Further arguments.
    arguments: Vec<String>,
    /// Arguments of etcdctl.
    ctl: Vec<String>,
}

impl Etcd {
    /// One that is ready.
    #[track_caller]
    pub fn start() -> Etcd {
        let etcd = Etcd::members(1).remove(0);
        etcd.wait();
        etcd
    }

    /// One over TLS that is ready: arguments of etcd and of etcdctl.
    #[track_caller]
    pub fn start_tls(arguments: &[&str], ctl: &[&str]) -> Etcd {
        let (client, peer) = (free_port(), free_port());
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let etcd = Launch {
            client,
            peer,
            members: format!("m{peer}=http://127.0.0.1:{peer}"),
            scheme: "https",
            arguments: owned(arguments),
            ctl: owned(ctl),
        }
        .start();
        etcd.wait();
        etcd
    }

    /// Three members of a cluster, the first of which is ready.
    #[track_caller]
    pub fn three() -> Vec<Etcd> {
        let members = Etcd::members(3);
        members[0].wait();
        members
    }

    fn members(count: usize) -> Vec<Etcd> {
        let ports: Vec<(u16, u16)> = (0..count).map(|_| (free_port(), free_port())).collect();
        let members: Vec<_> =
            ports.iter().map(|(_, peer)| format!("m{peer}=http://127.0.0.1:{peer}")).collect();
        let members = members.join(",");
        let start = |(client, peer)| {
            let (arguments, ctl) = (Vec::new(), Vec::new());
            Launch { client, peer, members: members.clone(), scheme: "http", arguments, ctl }.start()
        };
        ports.into_iter().map(start).collect()
    }

    /// Its address for clients.
    pub fn address(&self) -> String {
        format!("{}://127.0.0.1:{}", self.launch.scheme, self.client)
    }

    /// Waits until it answers.
    #[track_caller]
    pub fn wait(&self) {
        until_true("etcd answers", || self.ctl(&["endpoint", "health"]).is_some());
    }

    /// From now on etcdctl has these arguments too.
    pub fn ctl_with(&mut self, arguments: &[&str]) {
        self.launch.ctl.extend(arguments.iter().map(|word| (*word).to_owned()));
    }

    /// What `etcdctl` writes, unless it fails.
    pub fn ctl(&self, words: &[&str]) -> Option<String> {
        let own = self.launch.ctl.iter().map(String::as_str);
        ctl(&self.address(), &own.chain(words.iter().copied()).collect::<Vec<_>>())
    }

    /// The value of a key of cluster `c`; empty without one.
    pub fn value(&self, key: &str) -> String {
        self.ctl(&["get", "--print-value-only", &format!("/pingosd/c/{key}")]).unwrap_or_default()
    }

    /// The revision of the last change of a key of cluster `c`.
    #[track_caller]
    pub fn revision(&self, key: &str) -> i64 {
        let text = self.ctl(&["get", "-w", "json", &format!("/pingosd/c/{key}")]).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        answer["kvs"][0]["mod_revision"].as_i64().expect("the key is there")
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it with its data.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.child = self.launch.spawn(&self.prefix);
        self.wait();
    }

    /// Starts all members with their data.
    #[track_caller]
    pub fn start_all_again(members: &mut [Etcd]) {
        members.iter_mut().for_each(|etcd| etcd.child = etcd.launch.spawn(&etcd.prefix));
        members.iter().for_each(Etcd::wait);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(i32::try_from(self.child.id()).unwrap(), signal);
    }

    /// A server of the cluster, with these directives in application `live`, and in `cluster`.
    #[track_caller]
    pub fn server(&self, node: &str, live: &str, cluster: &str) -> Server {
        let server = Server::start(&self.conf(node, live, cluster));
        server.wait_log("joined as");
        server
    }

    /// Its configuration.
    pub fn conf(&self, node: &str, live: &str, cluster: &str) -> Conf {
        conf_at(&self.address(), node, live, cluster)
    }
}

/// What `etcdctl` writes, unless it fails.
pub fn ctl(address: &str, words: &[&str]) -> Option<String> {
    let output = Command::new("etcdctl")
        .env("ETCDCTL_API", "3")
        .arg(format!("--endpoints={address}"))
        .args(words)
        .output()
        .unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Configuration of a server that uses the etcd at this address.
pub fn conf_at(etcd: &str, node: &str, live: &str, cluster: &str) -> Conf {
    let lease = if cluster.contains("lease ") { "" } else { "lease 2s;" };
    let retry = "failed_reconnect 20ms; relay_reconnect 500ms;";
    Conf::live(&format!("{live} {retry}")).main(&format!(
        "cluster c {{ etcd {etcd}; node {node}; advertise rtmp://127.0.0.1:{{rtmp_port}}; {lease} {cluster} }}"
    ))
}

impl Launch {
    fn start(self) -> Etcd {
        let prefix = Prefix::new();
        Etcd { child: self.spawn(&prefix), client: self.client, prefix, launch: self }
    }

    fn spawn(&self, prefix: &Prefix) -> Child {
        let Launch { client, peer, members, scheme, arguments, .. } = self;
        let log = std::fs::File::create(prefix.path().join("etcd.log")).unwrap();
        let (client, peer_url) =
            (format!("{scheme}://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        Command::new("etcd")
            .arg("--data-dir")
            .arg(self.data(prefix))
            .arg("--unsafe-no-fsync")
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
            .args(["--name", &format!("m{peer}"), "--initial-cluster", members])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd is installed (package etcd-server)")
    }

    fn data(&self, prefix: &Prefix) -> PathBuf {
        prefix.path().join("etcd")
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
