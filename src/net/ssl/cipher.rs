//! The `ssl_ciphers` directive.

use crate::directive::{Args, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// Supported cipher suites of TLS 1.2 by OpenSSL's names, preferred ones first.
pub const SUITES: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

/// Names of groups that have all supported suites.
const WHOLE: [&str; 9] = ["ALL", "DEFAULT", "HIGH", "TLSv1.2", "ECDHE", "EECDH", "ECDH", "kECDHE", "kEECDH"];

/// Names of groups that have none.
const WITHOUT: [&str; 63] = [
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "MEDIUM",
    "LOW",
    "EXPORT",
    "EXPORT40",
    "EXPORT56",
    "EXP",
    "eNULL",
    "NULL",
    "aNULL",
    "kRSA",
    "RSA",
    "kDHE",
    "kEDH",
    "DHE",
    "EDH",
    "DH",
    "kDH",
    "kDHr",
    "kDHd",
    "kECDH",
    "kECDHr",
    "kECDHe",
    "ADH",
    "AECDH",
    "aDSS",
    "DSS",
    "aDH",
    "aECDH",
    "SSLv2",
    "SSLv3",
    "TLSv1",
    "TLSv1.0",
    "AESCCM",
    "AESCCM8",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "ARIAGCM",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "CBC",
    "DES",
    "3DES",
    "RC2",
    "RC4",
    "IDEA",
    "SEED",
    "MD5",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA384",
    "PSK",
    "kPSK",
    "aPSK",
    "kECDHEPSK",
    "kDHEPSK",
    "kRSAPSK",
    "SRP",
    "KRB5",
];

/// Words that the names of OpenSSL's suites consist of.
const PARTS: [&str; 42] = [
    "ECDHE",
    "ECDH",
    "DHE",
    "EDH",
    "DH",
    "ADH",
    "AECDH",
    "RSA",
    "ECDSA",
    "DSS",
    "PSK",
    "SRP",
    "EXP",
    "KRB5",
    "AES128",
    "AES256",
    "AES",
    "128",
    "256",
    "3DES",
    "GCM",
    "CBC",
    "CBC3",
    "CCM",
    "CCM8",
    "DES",
    "RC2",
    "RC4",
    "IDEA",
    "SEED",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "CAMELLIA128",
    "CAMELLIA256",
    "NULL",
    "CHACHA20",
    "POLY1305",
    "SHA",
    "SHA256",
    "SHA384",
    "MD5",
];

/// A cipher list in OpenSSL's syntax, reduced to supported suites, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphers(pub Vec<&'static str>);

/// What a word of a list stands for.
enum Chosen {
    /// Supported suites, preferred ones first; there may be none.
    Suites(Vec<&'static str>),
    /// A suite of OpenSSL that is not supported.
    Unsupported,
    /// Nothing: OpenSSL does not know it either.
    Unknown,
}

impl Value for Ciphers {
    fn syntax() -> String {
        "suite[:suite...]".into()
    }

    /// Applies the words in turn, as OpenSSL does (`ciphers(1)`): a name adds suites, `-` removes them, `!` removes them for good, `+`
    /// moves them to the end.
    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Ciphers, Problem> {
        let word = args.first();
        let (mut suites, mut barred): (Vec<&'static str>, Vec<&'static str>) = Default::default();
        let mut names_unsupported = false;
        let is_separator = |byte: &u8| matches!(byte, b':' | b',' | b';' | b' ');
        for item in word.bytes.split(is_separator).filter(|item| !item.is_empty()) {
            // What follows an `@`, behind a name or alone, is a command about the order or the level of security.
            let item = item.split(|byte| *byte == b'@').next().unwrap_or_default();
            let (sign, name) = match item {
                [] => continue,
                [sign @ (b'!' | b'-' | b'+'), name @ ..] => (Some(*sign), name),
                name => (None, name),
            };
            let named = match find(name) {
                Chosen::Suites(named) => named,
                other => {
                    // Exclusions of what is not there do no harm, and the suites of TLS 1.3 are set by `ssl_conf_command`.
                    if sign.is_none() && !name.starts_with(b"TLS_") {
                        let text =
                            sentence(&[b"cipher suite \"", name, b"\" does not exist here, it is left out"]);
                        evaluation.report(Problem::warning(text).at(word.span));
                    }
                    names_unsupported |= sign.is_none() && matches!(other, Chosen::Unsupported);
                    continue;
                }
            };
            match sign {
                None => {
                    names_unsupported |= named.is_empty();
                    let is_new = |suite: &&&str| !suites.contains(*suite) && !barred.contains(*suite);
                    let new: Vec<_> = named.iter().filter(is_new).copied().collect();
                    suites.extend(new);
                }
                Some(b'+') => {
                    let (last, first): (Vec<_>, Vec<_>) =
                        suites.into_iter().partition(|suite| named.contains(suite));
                    suites = [first, last].concat();
                }
                Some(sign) => {
                    suites.retain(|suite| !named.contains(suite));
                    if sign == b'!' {
                        barred.extend(named);
                    }
                }
            }
        }
        // If only suites and groups are listed that are obsolete, all that are not excluded are used.
        if suites.is_empty() && names_unsupported {
            suites = SUITES.into_iter().filter(|suite| !barred.contains(suite)).collect();
        }
        if suites.is_empty() {
            return Err(args.refuse("names no cipher suite that exists here"));
        }
        Ok(Ciphers(suites))
    }
}

/// What a name stands for: a suite, a group, or groups joined by `+`, whose suites are in all of them.
fn find(name: &[u8]) -> Chosen {
    let Ok(name) = std::str::from_utf8(name) else { return Chosen::Unknown };
    if let Some(suite) = SUITES.iter().find(|suite| **suite == name) {
        return Chosen::Suites(vec![suite]);
    }
    if name.contains('-') {
        let is_suite = name.split('-').all(|part| PARTS.contains(&part));
        return if is_suite { Chosen::Unsupported } else { Chosen::Unknown };
    }
    let mut suites = SUITES.to_vec();
    for group in name.split('+') {
        let part = match group {
            group if WHOLE.contains(&group) => "",
            group if WITHOUT.contains(&group) => return Chosen::Suites(Vec::new()),
            "aRSA" => "-RSA-",
            "aECDSA" | "ECDSA" => "-ECDSA-",
            "AES" | "AESGCM" => "-AES",
            "AES128" => "-AES128-",
            "AES256" => "-AES256-",
            "CHACHA20" => "-CHACHA20-",
            _ => return Chosen::Unknown,
        };
        suites.retain(|suite| suite.contains(part));
    }
    Chosen::Suites(suites)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample::read;

    const RSA: [&str; 3] = [SUITES[3], SUITES[4], SUITES[5]];

    /// The suites are those of `openssl ciphers -tls1_2 -s LIST`; those of a group are in the order of [`SUITES`].
    #[test]
    fn lists_choose_what_openssl_chooses() {
        for (list, expected) in [
            ("HIGH:!aNULL:!MD5", SUITES.to_vec()),
            ("DEFAULT@SECLEVEL=1", SUITES.to_vec()),
            ("ALL:!aRSA", vec![SUITES[0], SUITES[1], SUITES[2]]),
            ("EECDH+AESGCM:!AES128", vec![SUITES[0], SUITES[3]]),
            ("HIGH:!CHACHA20:!ECDSA", vec![SUITES[3], SUITES[4]]),
            ("aRSA+CHACHA20:aRSA", vec![SUITES[5], SUITES[3], SUITES[4]]),
            ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384", vec![SUITES[4], SUITES[3]]),
            ("aRSA:+AES256", vec![SUITES[4], SUITES[5], SUITES[3]]),
            ("aRSA:-AES:AES128+aRSA", vec![SUITES[5], SUITES[4]]),
            ("!AES:aRSA:AES", vec![SUITES[5]]),
            ("RC4:aRSA", RSA.to_vec()),
            ("TLS_AES_128_GCM_SHA256,aRSA", RSA.to_vec()),
        ] {
            assert_eq!(read(&format!("ssl_ciphers {list};")), (Some(Ciphers(expected)), vec![]), "{list}");
        }
    }

    #[test]
    fn obsolete_suites_alone_stand_for_all_others() {
        let (found, said) = read::<Ciphers>("ssl_ciphers AES128-SHA:DES-CBC3-SHA:!aRSA;");
        assert_eq!(found, Some(Ciphers(SUITES[..3].to_vec())));
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn what_chooses_nothing_is_refused() {
        for list in [
            "foo",
            "foo:bar",
            "HIGH:!ECDHE",
            "ECDHE-RSA-AES256-GCM-SHA385",
            "!ALL",
            "@STRENGTH",
            "TLS_AES_128_GCM_SHA256",
        ] {
            let (found, said) = read::<Ciphers>(&format!("ssl_ciphers {list};"));
            assert_eq!(found, None, "{list}");
            assert_eq!(
                said.last().unwrap(),
                "\"ssl_ciphers\" directive names no cipher suite that exists here"
            );
        }
        let (found, said) = read::<Ciphers>("ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:foo;");
        assert_eq!(found, Some(Ciphers(vec![SUITES[4]])));
        assert_eq!(said, ["cipher suite \"foo\" does not exist here, it is left out"]);
    }
}
