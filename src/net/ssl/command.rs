//! The `ssl_conf_command` and `proxy_ssl_conf_command` directives: commands of OpenSSL's configuration.

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, sentence};

use super::cipher::{Ciphers, SUITES};
use super::curve::CURVES;
use super::protocols::SslProtocols;

/// Suites of TLS 1.3 by OpenSSL's names, preferred ones first.
pub const TLS13_SUITES: [&str; 3] =
    ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"];

/// Settings that a command changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfCommand {
    /// Suites of TLS 1.3, in order.
    pub tls13_suites: Option<Vec<&'static str>>,
    /// Suites of TLS 1.2.
    pub ciphers: Option<Ciphers>,
    /// Curves, as positions in [`CURVES`].
    pub curves: Option<Vec<usize>>,
    /// Least and most recent protocol.
    pub protocols: Option<(Option<SslProtocols>, Option<SslProtocols>)>,
    /// Whether the server's order of suites is preferred.
    pub server_preference: Option<bool>,
    /// Whether session tickets are made.
    pub session_tickets: Option<bool>,
}

impl Value for ConfCommand {
    const ARITY: Arity = Arity::between(2, 2);

    fn syntax() -> String {
        "command value".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<ConfCommand, Problem> {
        let [name, value] = args.words else { return Err(args.refuse("needs a command and its value")) };
        let failed = |why: &str| {
            let text = sentence(&[b"SSL_CONF_cmd(\"", &name.bytes, b"\", \"", &value.bytes, b"\") failed"]);
            Problem::new(text).at(name.span).help(why.to_owned())
        };
        let text = std::str::from_utf8(&value.bytes).map_err(|_| failed("the value is not text"))?;
        let mut command = ConfCommand::default();
        match name.bytes.to_ascii_lowercase().as_slice() {
            b"ciphersuites" => {
                command.tls13_suites =
                    Some(named(text, &TLS13_SUITES).map_err(|why| failed(&why.to_string()))?);
            }
            b"cipherstring" => {
                command.ciphers =
                    Some(Ciphers(named(text, &SUITES).map_err(|why| failed(&why.to_string()))?));
            }
            b"curves" | b"groups" => {
                let known: Vec<&str> = CURVES.iter().flat_map(|(one, other)| [*one, *other]).collect();
                let found = text
                    .split(':')
                    .map(|name| known.iter().position(|known| *known == name).map(|at| at / 2));
                let found: Option<Vec<usize>> = found.collect();
                command.curves = Some(found.ok_or_else(|| failed("a curve in it does not exist here"))?);
            }
            b"minprotocol" => {
                command.protocols =
                    Some((Some(version(text).ok_or_else(|| failed("no such protocol"))?), None));
            }
            b"maxprotocol" => {
                command.protocols =
                    Some((None, Some(version(text).ok_or_else(|| failed("no such protocol"))?)));
            }
            b"options" => {
                for option in text.split(',') {
                    let (on, option) = match option.strip_prefix('-') {
                        Some(option) => (false, option),
                        None => (true, option.strip_prefix('+').unwrap_or(option)),
                    };
                    match option.to_ascii_lowercase().as_str() {
                        "serverpreference" => command.server_preference = Some(on),
                        "sessionticket" => command.session_tickets = Some(on),
                        _ => return Err(failed("this option does not exist here")),
                    }
                }
            }
            _ => return Err(failed("this command does not exist here")),
        }
        Ok(command)
    }
}

/// A suite that does not exist here.
#[derive(Debug, thiserror::Error)]
#[error("cipher suite \"{}\" does not exist here", .0.escape_debug())]
struct UnknownSuite<'t>(&'t str);

fn named<'t>(text: &'t str, known: &[&'static str]) -> Result<Vec<&'static str>, UnknownSuite<'t>> {
    text.split(':')
        .map(|name| {
            let found = known.iter().find(|known| **known == name).copied();
            found.ok_or(UnknownSuite(name))
        })
        .collect()
}

fn version(name: &str) -> Option<SslProtocols> {
    Some(match name {
        "None" => SslProtocols::SSL2,
        "SSLv3" => SslProtocols::SSL3,
        "TLSv1" => SslProtocols::TLS1_0,
        "TLSv1.1" => SslProtocols::TLS1_1,
        "TLSv1.2" => SslProtocols::TLS1_2,
        "TLSv1.3" => SslProtocols::TLS1_3,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn commands_change_what_exists_here_and_others_are_refused() {
        let read: ConfCommand = sample::value("ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;");
        assert_eq!(read.tls13_suites, Some(vec!["TLS_AES_128_GCM_SHA256"]));
        let read: ConfCommand = sample::value("ssl_conf_command Options -SessionTicket,ServerPreference;");
        assert_eq!((read.session_tickets, read.server_preference), (Some(false), Some(true)));
        let read: ConfCommand = sample::value("ssl_conf_command Groups P-256:X25519;");
        assert_eq!(read.curves, Some(vec![1, 0]));
        for bad in ["Foo bar", "Ciphersuites X", "Options KTLS", "Groups X448", "MinProtocol TLSv9"] {
            let (read, said) = sample::read::<ConfCommand>(&format!("ssl_conf_command {bad};"));
            assert!(read.is_none() && said[0].starts_with("SSL_CONF_cmd(\""), "{bad} {said:?}");
        }
    }
}
