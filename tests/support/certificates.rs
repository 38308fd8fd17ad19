//! Certificates that tests make: of authorities, servers and clients, good and bad ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};

/// Serial number of the certificate that is revoked.
const REVOKED: u64 = 0x0a0b;

/// A directory with PEM files. Each `NAME.crt` has its `NAME.key`.
///
/// - `server` names `a.test`, `b.test`, `localhost` and 127.0.0.1; `server2` names `c.test`. Both are self-signed.
/// - `ca` has signed `client`, `expired`, `future`, `revoked` (serial number 0A0B), `for-servers`, `odd` (with names that need escapes)
///   and `between`, which has signed `far`, whose file has `between` too; `far-alone` has not. `old` is of version 1.
/// - `self` is self-signed. `other-ca` has signed `stranger`.
/// - `client.ocsp` and `revoked.ocsp` are OCSP responses of `ca` about these certificates.
/// - `ca.crl` revokes `revoked`, `empty.crl` nothing; `late.crl` is out of date.
/// - `locked.key` is that of `server`, encrypted with `secret` (PKCS #8).
pub struct Certificates(pub PathBuf);

/// An authority.
struct Authority(Issuer<'static, KeyPair>);

fn params(names: &[&str], name: DistinguishedName) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = name;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2046, 1, 1);
    params
}

fn called(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CountryName, "XX");
    all.push(DnType::OrganizationName, "Tests, Inc.");
    all.push(DnType::CommonName, name);
    all
}

/// A name whose values need escapes.
fn odd() -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CountryName, DnValue::PrintableString("XX".try_into().unwrap()));
    all.push(DnType::StateOrProvinceName, "\u{17b}\u{f3}\u{142}w");
    all.push(DnType::LocalityName, DnValue::BmpString("\u{fc}mlaut".try_into().unwrap()));
    all.push(DnType::OrganizationName, " a,b+c\"d\\e<f>g;h=i ");
    all.push(DnType::OrganizationalUnitName, "#1 \n");
    all.push(
        DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]),
        DnValue::Ia5String("a@b.test".try_into().unwrap()),
    );
    all.push(DnType::CustomDnType(vec![1, 2, 3, 4]), "unknown");
    all.push(DnType::CommonName, "odd");
    all
}

impl Certificates {
    /// Writes them into a directory, which is made.
    pub fn write(dir: &Path) -> Certificates {
        fs::create_dir_all(dir).unwrap();
        let all = Certificates(dir.to_owned());
        let ca = all.authority("ca", None, IsCa::Ca(BasicConstraints::Unconstrained));
        let other = all.authority("other-ca", None, IsCa::Ca(BasicConstraints::Unconstrained));
        let between = all.authority("between", Some(&ca), IsCa::Ca(BasicConstraints::Constrained(0)));
        for (name, names) in [("server", &["a.test", "b.test", "localhost"][..]), ("server2", &["c.test"])] {
            let mut server = params(names, called(name));
            server.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
            all.alone(name, &server);
        }
        all.alone("self", &params(&[], called("self")));
        all.leaf("client", &ca, params(&["client.test"], called("client")));
        all.leaf("stranger", &other, params(&[], called("stranger")));
        all.leaf("odd", &ca, params(&[], odd()));
        let mut expired = params(&[], called("expired"));
        expired.not_after = date_time_ymd(2021, 1, 1);
        all.leaf("expired", &ca, expired);
        let mut future = params(&[], called("future"));
        future.not_before = date_time_ymd(2045, 1, 1);
        all.leaf("future", &ca, future);
        let mut revoked = params(&[], called("revoked"));
        revoked.serial_number = Some(SerialNumber::from(REVOKED));
        all.leaf("revoked", &ca, revoked);
        let mut servers = params(&[], called("for-servers"));
        servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        all.leaf("for-servers", &ca, servers);
        all.leaf("far-alone", &between, params(&[], called("far")));
        let chain = all.text("far-alone.crt") + &all.text("between.crt");
        all.put("far.crt", &chain);
        all.put("far.key", &all.text("far-alone.key"));
        all.list("ca.crl", &ca, &[REVOKED], 2046);
        all.list("empty.crl", &ca, &[], 2046);
        all.list("late.crl", &ca, &[], 2021);
        let both = all.text("ca.crt") + &all.text("other-ca.crt");
        all.put("both-cas.crt", &both);
        let with_between = all.text("ca.crt") + &all.text("between.crt");
        all.put("ca-and-between.crt", &with_between);
        all.old();
        all.statuses(&["client", "revoked"]);
        all.openssl(&[
            "pkcs8",
            "-topk8",
            "-in",
            "server.key",
            "-out",
            "locked.key",
            "-passout",
            "pass:secret",
        ]);
        all
    }

    /// Path of a file.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A certificate that its own key has signed.
    fn alone(&self, name: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        self.put(&format!("{name}.crt"), &params.self_signed(&key).unwrap().pem());
        self.put(&format!("{name}.key"), &key.serialize_pem());
    }

    fn leaf(&self, name: &str, issuer: &Authority, mut params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        params.use_authority_key_identifier_extension = true;
        self.put(&format!("{name}.crt"), &params.signed_by(&key, &issuer.0).unwrap().pem());
        self.put(&format!("{name}.key"), &key.serialize_pem());
    }

    fn authority(&self, name: &str, issuer: Option<&Authority>, is_ca: IsCa) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&[], called(name));
        params.is_ca = is_ca;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = match issuer {
            Some(issuer) => params.signed_by(&key, &issuer.0).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        self.put(&format!("{name}.crt"), &certificate.pem());
        self.put(&format!("{name}.key"), &key.serialize_pem());
        Authority(Issuer::new(params, key))
    }

    fn list(&self, file: &str, issuer: &Authority, serials: &[u64], end: i32) {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 2),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 2),
            next_update: date_time_ymd(end, 1, 2),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.put(file, &list.signed_by(&issuer.0).unwrap().pem().unwrap());
    }

    /// A certificate of version 1, as many are made by hand.
    fn old(&self) {
        self.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "old.ec"]);
        self.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "old.ec", "-out", "old.key"]);
        self.openssl(&["req", "-new", "-key", "old.key", "-subj", "/O=Old/CN=old", "-out", "old.csr"]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "old.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-set_serial",
            "77",
            "-days",
            "3650",
            "-out",
            "old.crt",
        ]);
        assert!(self.said(&["x509", "-in", "old.crt", "-noout", "-text"]).contains("Version: 1"));
    }

    /// OCSP responses that `ca` signs, without an end: `NAME.ocsp`.
    fn statuses(&self, names: &[&str]) {
        let serial = |name: &str| {
            let file = format!("{name}.crt");
            let said = self.said(&["x509", "-in", &file, "-noout", "-serial"]);
            said.trim().rsplit('=').next().unwrap().to_owned()
        };
        let lines = names.iter().map(|name| {
            let (state, since) = if *name == "revoked" { ("R", "200102000000Z") } else { ("V", "") };
            format!("{state}\t450101000000Z\t{since}\t{}\tunknown\t/CN={name}\n", serial(name))
        });
        self.put("index.txt", &lines.collect::<String>());
        for name in names {
            let (certificate, request, response) =
                (format!("{name}.crt"), format!("{name}.ocsp-request"), format!("{name}.ocsp"));
            let asks = ["ocsp", "-issuer", "ca.crt", "-cert", &certificate, "-no_nonce", "-reqout", &request];
            self.openssl(&asks);
            self.openssl(&[
                "ocsp",
                "-index",
                "index.txt",
                "-CA",
                "ca.crt",
                "-rsigner",
                "ca.crt",
                "-rkey",
                "ca.key",
                "-reqin",
                &request,
                "-respout",
                &response,
            ]);
        }
    }

    /// Runs openssl in the directory.
    pub fn openssl(&self, args: &[&str]) {
        self.said(args);
    }

    /// What openssl prints.
    pub fn said(&self, args: &[&str]) -> String {
        let output =
            Command::new("openssl").args(args).current_dir(&self.0).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}
