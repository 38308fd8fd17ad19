//! Directives of the `cluster` block.

use std::sync::Arc;

use bstr::BString;

use super::setting::{Advertised, ClusterName, EtcdAddresses, EtcdTls, EtcdUser, NodeId, RegistryDown};
use crate::directive::context::{APPLICATION, CLUSTER, Contexts, MAIN, RTMP, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, MsecFrom, Slot};
use crate::syntax::Problem;

directives! {
    /// Servers that share stream names through etcd 3.4 or later. Each of them has one lease in etcd, and on it an entry about
    /// itself and one for each stream that is published in an application with `cluster_publish`. An entry that a server
    /// cannot renew disappears with the lease. Running sessions do not depend on etcd.
    module "cluster";
    blocks {
        /// Joins the cluster of this name: its keys in etcd begin with `/pingosd/NAME/`. There is at most one such
        /// block. The program must have been built with the cargo feature `cluster`. A reload that changes the block
        /// joins again, and running publishers keep their names unless another server claims them first.
        ///
        /// Not in PingOS.
        "cluster" => ClusterName, opens CLUSTER, in MAIN;
    }
    live as Current {
        /// Addresses of the etcd servers. One is used at a time, and the next one after a failure.
        ///
        /// Not in PingOS.
        ///
        /// Example: `etcd http://10.0.0.1:2379 http://10.0.0.2:2379;`
        "etcd" => etcd: Option<EtcdAddresses>, in CLUSTER;
        /// ca=FILE: CA certificates with which the certificates of etcd are verified, instead of the system's;
        /// cert=FILE and key=FILE: the server's own certificate.
        ///
        /// Not in PingOS.
        ///
        /// Example: `etcd_tls ca=/etc/pingosd/etcd-ca.pem;`
        "etcd_tls" => etcd_tls: Option<EtcdTls>, in CLUSTER;
        /// User of etcd, and a file with the password.
        ///
        /// Not in PingOS.
        ///
        /// Example: `etcd_user pingosd /etc/pingosd/etcd.password;`
        "etcd_user" => etcd_user: Option<EtcdUser>, in CLUSTER;
        /// Name of this server, which no other one in the cluster may have. A server whose name another one has, with other
        /// `advertise` addresses, does not join, and logs that.
        ///
        /// Not in PingOS.
        ///
        /// Example: `node edge1;`
        "node" => node: Option<NodeId>, in CLUSTER;
        /// Addresses of this server for the others. They pull streams from the rtmp:// and rtmps:// ones; http:// and https://
        /// ones are shown by `pingosd ctl cluster nodes`. With zone=NAME a line is preferred by servers of that `zone`. May be
        /// repeated.
        ///
        /// Not in PingOS.
        ///
        /// Example: `advertise rtmp://10.0.0.11:1935 zone=east;`
        "advertise" => advertise: Vec<Advertised>, in CLUSTER;
        /// Zone of this server. It pulls from the `advertise` addresses of other servers that have the same `zone=`,
        /// and from others if there is none. Of several servers that have a stream (`cluster_carry`), one of the same `zone`
        /// is preferred.
        ///
        /// Not in PingOS.
        ///
        /// Example: `zone east;`
        "zone" => zone: Option<NodeId>, in CLUSTER;
        /// Time after which the entries of a server disappear that does not renew them. They are renewed each third of it. etcd
        /// counts whole seconds.
        ///
        /// Not in PingOS.
        ///
        /// Example: `lease 6s;`
        "lease" => lease: MsecFrom<2000> = "10s", in CLUSTER;
        /// What happens to new publishers while etcd cannot be reached: `accept` lets them publish, and claims their names
        /// once etcd is back, which ends a publisher whose name another server has by then; `refuse` refuses them.
        ///
        /// Not in PingOS.
        ///
        /// Example: `registry_down refuse;`
        "registry_down" => registry_down: RegistryDown = "accept", in CLUSTER, restricts sessions unless |down| down == "accept";
    }
    made {
        JoinedCluster;
    }
}

/// The cluster that the configuration joins, if any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JoinedCluster(pub Option<Arc<ClusterConf>>);

/// A complete `cluster` block.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterConf {
    /// Name of the cluster.
    pub name: BString,
    /// etcd's addresses, at least one.
    pub etcd: EtcdAddresses,
    /// TLS to etcd.
    pub etcd_tls: Option<EtcdTls>,
    /// User of etcd.
    pub etcd_user: Option<EtcdUser>,
    /// Name of this server.
    pub node: NodeId,
    /// Addresses of this server.
    pub advertise: Vec<Advertised>,
    /// Zone of this server.
    pub zone: Option<NodeId>,
    /// Duration of the lease in seconds, at least 2.
    pub lease: u64,
    /// New publishers without etcd.
    pub registry_down: RegistryDown,
}

impl Slot for JoinedCluster {
    const HOLDERS: Contexts = MAIN;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> JoinedCluster {
        let main = level.blocks[0];
        let mut blocks = main.inner(CLUSTER);
        let Some(block) = blocks.next() else {
            needs_block(main, evaluation);
            return JoinedCluster(None);
        };
        for further in blocks {
            let problem =
                Problem::new("\"cluster\" directive is duplicate").label(block.span, "first given here");
            evaluation.report_in(further, problem);
        }
        let values = level.values::<CLUSTER>(&[block], evaluation);
        let conf: &Current = values.get();
        let ClusterName(name) = block.head().cloned().unwrap_or_default();
        let missing = [
            ("etcd", conf.etcd.is_none()),
            ("node", conf.node.is_none()),
            ("advertise", !conf.advertise.iter().any(|line| line.rtmp().next().is_some())),
        ];
        for (directive, _) in missing.into_iter().filter(|(_, is_missing)| *is_missing) {
            let text = match directive {
                "advertise" => "no \"advertise\" with an rtmp:// or rtmps:// address in cluster".to_owned(),
                _ => format!("no \"{directive}\" in cluster"),
            };
            evaluation.report_in(block, Problem::new(text));
        }
        let (Some(etcd), Some(node)) = (conf.etcd.clone(), conf.node.clone()) else {
            return JoinedCluster(None);
        };
        JoinedCluster(Some(Arc::new(ClusterConf {
            name,
            etcd,
            etcd_tls: conf.etcd_tls.clone(),
            etcd_user: conf.etcd_user.clone(),
            node,
            advertise: conf.advertise.clone(),
            zone: conf.zone.clone(),
            lease: conf.lease.0.div_ceil(1000),
            registry_down: conf.registry_down,
        })))
    }
}

/// Refuses directives of applications that do nothing without the block.
fn needs_block(main: &Block, evaluation: &mut Evaluation<'_>) {
    let servers = main.inner(RTMP).flat_map(|rtmp| rtmp.inner(RTMP_SERVER));
    for application in servers.flat_map(|server| server.inner(APPLICATION)) {
        for name in ["cluster_publish", "cluster_pull", "cluster_carry", "cluster_takeover"] {
            if let Some(span) = application.uses(name) {
                let text = format!("\"{name}\" needs a \"cluster\" block in the main context");
                evaluation.report_in(application, Problem::new(text).label(span, "used here"));
            }
        }
    }
}
