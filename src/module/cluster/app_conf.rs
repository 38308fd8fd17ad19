//! Directives of the cluster in applications.

use super::setting::Takeover;
use crate::directive::Flag;
use crate::directive::context::APPLICATION;
use crate::directive::table::directives;

directives! {
    /// Streams of an application in the cluster. They need a `cluster` block.
    module "cluster streams";
    live as Current {
        /// Claims the name of each published stream in the whole cluster, once callbacks and access rules have admitted the
        /// publisher, and those of running publishers when a reload switches it on. A publisher whose name another server has
        /// is refused as one whose name is taken here. Later callbacks
        /// of the publisher have `epoch=N`, which is higher for each later claim of a name.
        ///
        /// Not in PingOS.
        ///
        /// Example: `cluster_publish on;`
        "cluster_publish" => publish: Flag = "off", in APPLICATION;
        /// Pulls a stream that has players here from the server of the cluster that has claimed its name, over RTMP and with
        /// the player's host, application, name and arguments, and `epoch=N`. A stream that moves to another server is pulled
        /// from there. An `on_pull` line takes precedence; `pull` lines are used for names without a claim.
        ///
        /// Not in PingOS.
        ///
        /// Example: `cluster_pull on;`
        "cluster_pull" => pull: Flag = "off", in APPLICATION;
        /// Offers each stream that this server pulls with `cluster_pull` to the other servers of the cluster. A server
        /// without `cluster_carry` then pulls a stream from the server that has claimed its name or from one that offers it.
        /// Servers of its own `zone` come first, then those without a zone; among these the one with the fewest connections,
        /// where numbers that differ by less than a factor of two count as equal. A server with `cluster_carry` pulls only
        /// from the server with the claim, so a stream passes through at most one server in between.
        ///
        /// Not in PingOS.
        ///
        /// Example: `cluster_carry on;`
        "cluster_carry" => carry: Flag = "off", in APPLICATION;
        /// `after TIME` lets a publisher take the name over from a publisher of another server that has had it for this long, as
        /// far as this server has seen. The other server asks that publisher to reconnect if it supports that (`capsEx` of
        /// enhanced RTMP), and otherwise refuses it as one whose name is taken.
        ///
        /// Not in PingOS.
        ///
        /// Example: `cluster_takeover after 10s;`
        "cluster_takeover" => takeover: Takeover = "off", in APPLICATION;
    }
}
