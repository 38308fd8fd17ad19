//! Access rules.

use crate::directive::{Args, Arity, Evaluation, Network, Value};
use crate::syntax::{Problem, sentence};

/// Action of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessAction {
    /// Play a stream.
    Play,
    /// Publish a stream.
    Publish,
}

/// One `allow` or `deny` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpAccessRule {
    /// Whether matching peers are admitted.
    pub allow: bool,
    /// The action that the rule applies to; `None` for all.
    pub action: Option<AccessAction>,
    /// The peers that the rule applies to.
    pub network: Network,
}

impl Value for RtmpAccessRule {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "[publish | play] address | network/bits | all".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<RtmpAccessRule, Problem> {
        let (action, address) = match args.words {
            [action, address] => match &action.bytes[..] {
                b"publish" => (Some(AccessAction::Publish), address),
                b"play" => (Some(AccessAction::Play), address),
                other => {
                    let text = sentence(&[b"unexpected access specified: '", other, b"'"]);
                    return Err(Problem::new(text).at(action.span).help("accepted: publish, play"));
                }
            },
            _ => (None, args.first()),
        };
        let Some((network, low_bits)) = Network::parse(&address.bytes) else {
            let text = sentence(&[b"invalid parameter \"", &address.bytes, b"\""]);
            return Err(Problem::new(text).at(address.span).caption("an address, a network or `all`"));
        };
        if low_bits {
            let text = sentence(&[b"low address bits of ", &address.bytes, b" are meaningless"]);
            evaluation.report(Problem::warning(text).at(address.span));
        }
        Ok(RtmpAccessRule { allow: &args.name.bytes[..] == b"allow", action, network })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::Joined;
    use crate::media::access::conf::Current;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rule = |allow, action, network: &[u8]| RtmpAccessRule {
            allow,
            action,
            network: Network::parse(network).unwrap().0,
        };
        let rules = Joined(vec![
            rule(true, Some(AccessAction::Publish), b"10.0.0.0/8"),
            rule(false, Some(AccessAction::Publish), b"all"),
        ]);
        let access = Current { rules };
        let peer = |ip: &str| Some(ip.parse().unwrap());
        assert!(access.permits(AccessAction::Publish, peer("10.1.1.1")));
        assert!(!access.permits(AccessAction::Publish, peer("192.0.2.1")));
        assert!(!access.permits(AccessAction::Publish, None));
        assert!(access.permits(AccessAction::Play, peer("192.0.2.1")));
    }
}
