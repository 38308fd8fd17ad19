//! Verification of a chain of certificates, with the rules and the results of OpenSSL.
//!
//! OpenSSL rather than webpki is followed because certificates of clients and of servers behind a proxy are often made by
//! hand: self-signed, of version 1, or without alternative names. Each is accepted exactly where nginx does.
//! Signatures are checked by the TLS library. Of several faults the last one that OpenSSL finds is told, as nginx tells it.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::extensions::{KeyUsage, ParsedExtension};

use super::der;
use super::link::Link;
pub use super::link::Purpose;
use super::signature::{self, Mistrust};
use super::trust::{RevocationList, Trust, bare};
pub use super::verdict::Verdict;
use super::verdict::{
    BAD_CA, BAD_KEY, BAD_LIST_SIGNATURE, BAD_PURPOSE, BAD_SIGNATURE, CA_KEY_TOO_WEAK, DIGEST_TOO_WEAK,
    KEY_TOO_WEAK, LEAF_UNVERIFIED, LIST_EXPIRED, LIST_NOT_YET_VALID, NO_ISSUER, NO_LIST, NO_LOCAL_ISSUER,
    NOT_PERMITTED, OK, PATH_TOO_LONG, REVOKED, SELF_SIGNED, SELF_SIGNED_IN_CHAIN, TOO_LONG,
    UNHANDLED_EXTENSION,
};
use crate::limits;

/// Contents of the identifier id-kp-OCSPSigning (1.3.6.1.5.5.7.3.9).
const OCSP_SIGNING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 9];

/// Verifies the certificate that begins `shown`; the others may lead to a trusted one. `depth` is the number of
/// certificates that may stand between the first one and the trusted root; `now` are seconds since 1970.
pub fn verify(
    trust: &Trust,
    shown: &[CertificateDer<'_>],
    depth: u64,
    purpose: Purpose,
    now: i64,
) -> Verdict {
    verify_chain(trust, shown, depth, purpose, now).0
}

/// As [`verify`]; with the chain that was found, as far as it leads.
pub(in crate::net::tls) fn verify_chain(
    trust: &Trust,
    shown: &[CertificateDer<'_>],
    depth: u64,
    purpose: Purpose,
    now: i64,
) -> (Verdict, Vec<CertificateDer<'static>>) {
    let Some((first, others)) = shown.split_first() else { return (NO_LOCAL_ISSUER, Vec::new()) };
    let Some(leaf) = Link::parse(first) else { return (BAD_SIGNATURE, Vec::new()) };
    let others: Vec<Link<'_>> =
        others.iter().take(limits::TLS_CHAIN).filter_map(|der| Link::parse(der)).collect();
    let depth = usize::try_from(depth).unwrap_or(usize::MAX).min(limits::TLS_CHAIN);
    let (chain, built) = build(trust, leaf, others, depth, now);
    let mut verdict = built;
    let mut found = |fault: Option<Verdict>| verdict = fault.unwrap_or(verdict);
    check_extensions(&chain, purpose, &mut found);
    check_strength(&chain, &mut found);
    let is_exempt = purpose == Purpose::Responder && chain[0].is_not_to_be_checked();
    if trust.has_lists && !is_exempt {
        chain
            .iter()
            .enumerate()
            .for_each(|(at, link)| check_revocation(trust, &chain, at, link, now, &mut found));
    }
    check_signatures(&chain, now, &mut found);
    check_names(&chain, purpose, now, &mut found);
    (verdict, chain.iter().map(|link| CertificateDer::from(link.der.to_vec())).collect())
}

/// The issuer of a certificate, as nginx looks for it: among those that come with it, then among the trusted ones.
pub(in crate::net::tls) fn issuer_of(
    trust: &Trust,
    first: &CertificateDer<'_>,
    others: &[CertificateDer<'static>],
    now: i64,
) -> Option<CertificateDer<'static>> {
    let leaf = Link::parse(first)?;
    let is_issuer =
        |other: &&CertificateDer<'static>| Link::parse(other).is_some_and(|other| leaf.is_issued_by(&other));
    let trusted = || Some(CertificateDer::from(trusted_issuer(trust, &leaf, now)?.der.to_vec()));
    others.iter().find(is_issuer).cloned().or_else(trusted)
}

/// A certificate with those that lead from it to a trusted root, as far as they are known.
pub fn completed(trust: &Trust, first: &CertificateDer<'_>, now: i64) -> Vec<CertificateDer<'static>> {
    let Some(leaf) = Link::parse(first) else { return vec![first.clone().into_owned()] };
    let (chain, _) = build(trust, leaf, Vec::new(), limits::TLS_CHAIN, now);
    chain.iter().map(|link| CertificateDer::from(link.der.to_vec())).collect()
}

/// Builds the chain up to a trusted root, or as far as it goes.
fn build<'d>(
    trust: &'d Trust,
    leaf: Link<'d>,
    others: Vec<Link<'d>>,
    depth: usize,
    now: i64,
) -> (Vec<Link<'d>>, Verdict) {
    let mut others: Vec<Option<Link<'d>>> = others.into_iter().map(Some).collect();
    let mut chain = vec![leaf];
    let mut is_trusted = false;
    loop {
        let last = chain.last().expect("the first certificate is in it");
        if last.is_self_signed() {
            let is_root = trust.with_subject(&last.subject).iter().any(|known| **known == *last.der);
            let verdict = match (is_root, chain.len()) {
                (true, _) => OK,
                (false, 1) => SELF_SIGNED,
                (false, _) => SELF_SIGNED_IN_CHAIN,
            };
            return (chain, verdict);
        }
        if chain.len() > depth.saturating_add(1) {
            return (chain, TOO_LONG);
        }
        if let Some(issuer) = trusted_issuer(trust, last, now) {
            is_trusted = true;
            chain.push(issuer);
            continue;
        }
        let mut next = others.iter_mut().filter(|_| !is_trusted);
        let next = next.find(|other| other.as_ref().is_some_and(|other| last.is_issued_by(other)));
        match next.and_then(Option::take) {
            Some(issuer) => chain.push(issuer),
            None => return (chain, if is_trusted { NO_ISSUER } else { NO_LOCAL_ISSUER }),
        }
    }
}

/// The trusted certificate that has issued another: of several, one whose key fits and that is valid.
fn trusted_issuer<'d>(trust: &'d Trust, of: &Link<'_>, now: i64) -> Option<Link<'d>> {
    let known = trust.with_subject(&of.issuer).iter().filter_map(|der| Link::parse(der));
    let mut fitting: Vec<Link<'d>> = known.filter(|issuer| of.is_issued_by(issuer)).collect();
    if fitting.len() > 1 {
        fitting.sort_by_key(|issuer| (signature_fault(of, issuer).is_some(), !issuer.is_valid_at(now)));
    }
    fitting.into_iter().next()
}

fn check_extensions(chain: &[Link<'_>], purpose: Purpose, found: &mut impl FnMut(Option<Verdict>)) {
    let mut length = 0;
    for (at, link) in chain.iter().enumerate() {
        found(link.has_unknown().then_some(UNHANDLED_EXTENSION));
        found((at > 0 && !link.is_ca()).then_some(BAD_CA));
        found((!link.serves(purpose, at > 0)).then_some(BAD_PURPOSE));
        let longest = link.constraints().and_then(|own| own.path_len_constraint);
        found((at > 0 && longest.is_some_and(|longest| length > longest)).then_some(PATH_TOO_LONG));
        length += u32::from(at > 0 && !link.is_self_issued());
    }
}

fn check_strength(chain: &[Link<'_>], found: &mut impl FnMut(Option<Verdict>)) {
    for (at, link) in chain.iter().enumerate() {
        found(link.has_weak_key().then_some(if at == 0 { KEY_TOO_WEAK } else { CA_KEY_TOO_WEAK }));
        // The signature of the last one is not relied on.
        if let Some(issuer) = chain.get(at + 1) {
            found(signature_fault(link, issuer).filter(|fault| *fault == DIGEST_TOO_WEAK));
        }
    }
}

fn check_revocation(
    trust: &Trust,
    chain: &[Link<'_>],
    at: usize,
    link: &Link<'_>,
    now: i64,
    found: &mut impl FnMut(Option<Verdict>),
) {
    // A root has issued its own list.
    let Some(issuer) = chain.get(at + 1).or_else(|| link.is_self_issued().then_some(link)) else {
        return found(Some(NO_LIST));
    };
    let lists = trust.lists_of(&link.issuer);
    let is_current = |list: &&RevocationList| list.begin <= now && list.end.is_none_or(|end| end >= now);
    let Some(list) = lists.iter().rfind(is_current).or(lists.last()) else {
        return found(Some(NO_LIST));
    };
    let signed = der::signed(&list.der);
    let is_signed =
        signed.is_some_and(|signed| signature::check(&signed, issuer.parsed.subject_pki.raw).is_ok());
    found((!is_signed || !issuer.may(KeyUsage::crl_sign)).then_some(BAD_LIST_SIGNATURE));
    found((list.begin > now).then_some(LIST_NOT_YET_VALID));
    found(list.end.is_some_and(|end| end < now).then_some(LIST_EXPIRED));
    found(list.revoked.contains(bare(link.parsed.raw_serial())).then_some(REVOKED));
}

fn check_signatures(chain: &[Link<'_>], now: i64, found: &mut impl FnMut(Option<Verdict>)) {
    let Some((last, _)) = chain.split_last() else { return };
    if chain.len() == 1 && !last.is_self_signed() {
        found(Some(LEAF_UNVERIFIED));
    }
    for (at, link) in chain.iter().enumerate().rev() {
        if let Some(issuer) = chain.get(at + 1) {
            found(signature_fault(link, issuer));
        }
        // As in OpenSSL, the end of a chain that leads nowhere is not looked at.
        if at + 1 < chain.len() || chain.len() == 1 || link.is_self_signed() {
            found(link.time_fault(now));
        }
    }
}

fn signature_fault(link: &Link<'_>, issuer: &Link<'_>) -> Option<Verdict> {
    let Some(signed) = der::signed(link.der) else { return Some(BAD_SIGNATURE) };
    match signature::check(&signed, issuer.parsed.subject_pki.raw) {
        Ok(()) => None,
        Err(Mistrust::Wrong) if der::public_key(issuer.parsed.subject_pki.raw).is_none() => Some(BAD_KEY),
        Err(Mistrust::Wrong) => Some(BAD_SIGNATURE),
        Err(Mistrust::Weak) => Some(DIGEST_TOO_WEAK),
    }
}

/// Where an issuer may sign for some names only, webpki decides whether those of the chain are among them.
fn check_names(chain: &[Link<'_>], purpose: Purpose, now: i64, found: &mut impl FnMut(Option<Verdict>)) {
    let limits =
        |link: &Link<'_>| link.extensions().any(|one| matches!(one, ParsedExtension::NameConstraints(_)));
    if !chain.iter().skip(1).any(limits) {
        return;
    }
    let ders: Vec<CertificateDer<'_>> = chain.iter().map(|link| CertificateDer::from(link.der)).collect();
    let permitted = || {
        let (leaf, issuers) = ders.split_first()?;
        let (root, between) = issuers.split_last()?;
        let root = webpki::anchor_from_trusted_cert(root).ok()?;
        let usage = match purpose {
            Purpose::Client => webpki::KeyUsage::client_auth(),
            Purpose::Server => webpki::KeyUsage::server_auth(),
            Purpose::Responder => webpki::KeyUsage::required_if_present(OCSP_SIGNING),
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or_default()));
        let leaf = webpki::EndEntityCert::try_from(leaf).ok()?;
        let all = signature::algorithms().all;
        leaf.verify_for_usage(all, &[root], between, now, usage, None, None).ok().map(drop)
    };
    found(permitted().is_none().then_some(NOT_PERMITTED));
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints as Basic, CertificateParams, CustomExtension, DnType, GeneralSubtree, IsCa, Issuer,
        KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
    };

    use super::*;

    /// 2026-11-29
    const NOW: i64 = 1_795_910_400;

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![format!("{name}.test")]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2046, 1, 1);
        params
    }

    fn authority(name: &str, is_ca: IsCa) -> CertificateParams {
        let mut params = params(name);
        params.is_ca = is_ca;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    fn any_ca() -> IsCa {
        IsCa::Ca(Basic::Unconstrained)
    }

    /// A root that is trusted.
    struct Root {
        issuer: Issuer<'static, KeyPair>,
        trust: Trust,
    }

    fn root(params: CertificateParams) -> Root {
        let key = KeyPair::generate().unwrap();
        let mut trust = Trust::default();
        trust.add(params.self_signed(&key).unwrap().pem().as_bytes()).unwrap();
        Root { issuer: Issuer::new(params, key), trust }
    }

    fn leaf(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, issuer).unwrap().der().clone()
    }

    fn between(
        params: CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
    ) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, issuer).unwrap().der().clone();
        (der, Issuer::new(params, key))
    }

    fn check(trust: &Trust, shown: &[CertificateDer<'static>]) -> &'static str {
        verify(trust, shown, 5, Purpose::Client, NOW).text
    }

    #[test]
    fn no_changed_byte_is_accepted() {
        let root = root(authority("root", any_ca()));
        let good = leaf(&params("a"), &root.issuer);
        assert_eq!(check(&root.trust, std::slice::from_ref(&good)), "ok");
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            let verdict = verify(&root.trust, &[bad.into()], 5, Purpose::Client, NOW);
            assert!(!verdict.is_ok(), "byte {at}");
        }
        for end in 0..good.len() {
            assert!(!verify(&root.trust, &[good[..end].to_vec().into()], 5, Purpose::Client, NOW).is_ok());
        }
    }

    #[test]
    fn an_issuer_with_the_right_name_only_is_not_trusted() {
        let real = root(authority("root", any_ca()));
        let forged = root(authority("root", any_ca()));
        let bad = leaf(&params("a"), &forged.issuer);
        assert_eq!(check(&real.trust, std::slice::from_ref(&bad)), "certificate signature failure");
        let shown = [bad, root_of(&forged)];
        assert_ne!(check(&real.trust, &shown), "ok");
        // With both, the one whose key fits is found.
        let mut both = Trust::default();
        for root in [&real, &forged] {
            both.add_usable(vec![root_of(root)]);
        }
        assert_eq!(check(&both, &[leaf(&params("a"), &forged.issuer)]), "ok");
    }

    fn root_of(root: &Root) -> CertificateDer<'static> {
        root.trust.certificates().next().unwrap().clone()
    }

    #[test]
    fn issuers_need_to_be_authorities_and_keep_to_their_path_length() {
        let root = root(authority("root", any_ca()));
        let (plain, issuer) = between(params("plain"), &root.issuer);
        assert_eq!(check(&root.trust, &[leaf(&params("a"), &issuer), plain]), "invalid CA certificate");
        let mut unsigned = authority("unsigned", any_ca());
        unsigned.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let (unsigned, issuer) = between(unsigned, &root.issuer);
        assert_ne!(check(&root.trust, &[leaf(&params("a"), &issuer), unsigned]), "ok");
        let (first, issuer) = between(authority("first", IsCa::Ca(Basic::Constrained(0))), &root.issuer);
        assert_eq!(check(&root.trust, &[leaf(&params("a"), &issuer), first.clone()]), "ok");
        let (second, issuer) = between(authority("second", any_ca()), &issuer);
        let shown = [leaf(&params("a"), &issuer), second, first];
        assert_eq!(check(&root.trust, &shown), "path length constraint exceeded");
    }

    #[test]
    fn names_outside_of_constraints_and_unknown_critical_extensions_are_refused() {
        let mut limited = authority("root", any_ca());
        let permitted = vec![GeneralSubtree::DnsName("good.test".into())];
        limited.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: vec![] });
        let limited = root(limited);
        let named = |name: &str| {
            let mut params = params("a");
            params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
            leaf(&params, &limited.issuer)
        };
        assert_eq!(check(&limited.trust, &[named("a.good.test")]), "ok");
        assert_eq!(check(&limited.trust, &[named("bad.test")]), "permitted subtree violation");
        let root = root(authority("root", any_ca()));
        let mut odd = params("a");
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        odd.custom_extensions = vec![extension.clone()];
        assert_eq!(check(&root.trust, &[leaf(&odd, &root.issuer)]), "ok");
        extension.set_criticality(true);
        odd.custom_extensions = vec![extension];
        assert_eq!(check(&root.trust, &[leaf(&odd, &root.issuer)]), "unhandled critical extension");
    }

    #[test]
    fn a_chain_that_does_not_end_is_given_up() {
        let root = root(authority("root", any_ca()));
        // Two authorities that have signed each other.
        let (one_key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (one, other) = (authority("one", any_ca()), authority("other", any_ca()));
        let (one_issuer, other_issuer) =
            (Issuer::from_params(&one, &one_key), Issuer::from_params(&other, &other_key));
        let one_der = one.signed_by(&one_key, &other_issuer).unwrap().der().clone();
        let other_der = other.signed_by(&other_key, &one_issuer).unwrap().der().clone();
        let end = params("a").signed_by(&KeyPair::generate().unwrap(), &one_issuer).unwrap().der().clone();
        assert_ne!(check(&root.trust, &[end.clone(), one_der.clone(), other_der.clone()]), "ok");
        let mut both = Trust::default();
        both.add_usable(vec![one_der, other_der]);
        assert_eq!(verify(&both, &[end], u64::MAX, Purpose::Client, NOW), TOO_LONG);
    }
}
