//! The `cluster_conf` directive.

use super::super::conf::JoinedCluster;
use crate::config::group_copy;
use crate::directive::context::MAIN;
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::{Args, Evaluation, Value};
use crate::syntax::{Problem, sentence};

directives! {
    /// One configuration for many servers, kept in etcd. Each server has its own file with what differs, and takes the rest
    /// from its group.
    module "cluster configuration";
    live as Current {
        /// Takes the configuration of this group from etcd. It stands in place of the directive, as an included file
        /// would. `pingosd cluster apply FILE --group GROUP` writes it; a server that it reaches applies it as a reload does,
        /// or refuses it and keeps the one it has. The last one applied is kept in `PREFIX/cluster_conf`, readable for the
        /// server's user only, and used by a start without etcd. A server that joins later takes the current one.
        ///
        /// Directives that only a start reads (`user`, `pid`, `worker_processes` ...), `cluster` and `cluster_conf`
        /// stand in the server's own file and are refused in the group's; `include` is put in place by the command. A
        /// directive has one place: what stands in both files is a duplicate, as within one file, and refused.
        /// Changes of the server's own file take effect with a reload. After `pingosd rollback`, or after a change of
        /// the kept file by hand, the server reports it in its log and in `pingosd cluster status`, and keeps its
        /// configuration until the group has another one.
        ///
        /// Not in PingOS.
        ///
        /// Example: `cluster_conf edges;`
        "cluster_conf" => cluster_conf: Option<GroupName>, in MAIN;
    }
    checks {
        has_cluster, in MAIN;
    }
}

/// Name of a group of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName(pub String);

impl Value for GroupName {
    fn syntax() -> String {
        "group".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<GroupName, Problem> {
        let word = args.first();
        let name = std::str::from_utf8(&word.bytes).ok().filter(|_| group_copy::is_name(&word.bytes));
        name.map(|name| GroupName(name.to_owned())).ok_or_else(|| {
            Problem::new(sentence(&[b"invalid parameter \"", &word.bytes, b"\""]))
                .at(word.span)
                .caption("letters, digits, \"-\", \"_\" and \".\", at most 64")
        })
    }
}

/// Reports a group without a cluster.
fn has_cluster(values: &dyn ValueLookup) -> Option<Problem> {
    let is_used = values.find::<Current>()?.cluster_conf.is_some();
    let is_missing = is_used && values.find::<JoinedCluster>()?.0.is_none();
    is_missing.then(|| {
        let problem = Problem::new("\"cluster_conf\" needs a \"cluster\" block in the main context");
        problem.help("the block names the etcd that has the group's configuration")
    })
}
