//! Values of the directives.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bstr::{BString, ByteSlice};

use super::identifier::Identifier;
use crate::directive::word::one_of;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::limits;
use crate::syntax::{Problem, Word, sentence};

/// Least size of a shared zone: eight pages, as in nginx.
const LEAST_ZONE: u64 = 8 * 4096;

/// Name of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IssuerName(pub(super) BString);

/// Address of an issuer's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerUri(pub String);

/// Type of a key that is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA with the curve P-256.
    #[default]
    EcdsaP256,
    /// ECDSA with the curve P-384.
    EcdsaP384,
    /// RSA with so many bits.
    Rsa(u32),
}

/// Key of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKey {
    /// One of this type is made.
    Made(KeyKind),
    /// A file has it.
    File(PathBuf),
}

/// Address of the owner of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact(pub String);

/// A key of the issuer's other accounts.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalKey {
    /// Its name.
    pub id: String,
    /// Where it is.
    pub key: ExternalSource,
}

/// Where a key of the issuer's other accounts is.
#[derive(Clone, PartialEq, Eq)]
pub enum ExternalSource {
    /// The key itself.
    Inline(Vec<u8>),
    /// A file with the key in base64url.
    File(PathBuf),
}

/// Profile of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Whether nothing is ordered without it.
    pub is_required: bool,
}

/// Where an issuer's state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePath {
    /// Nowhere.
    Off,
    /// In this directory.
    Directory(PathBuf),
}

/// A memory zone of nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedZone;

/// What a server orders.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificateRequest {
    /// Name of the issuer.
    pub issuer: BString,
    /// For what, if it is not for the server's names.
    pub(super) identifiers: Vec<Identifier>,
    /// Type of the key.
    pub key: KeyKind,
}

one_of! {
    /// How an issuer checks that a name belongs to this server.
    pub enum ChallengeKind {
        /// With a request to port 80.
        "http-01" => Http01,
        /// The same.
        "http" => Http,
        /// With a handshake on port 443.
        "tls-alpn-01" => TlsAlpn01,
        /// The same.
        "tls-alpn" => TlsAlpn,
    }
}

impl ChallengeKind {
    /// Its name in the protocol.
    pub(super) fn name(self) -> &'static str {
        match self {
            ChallengeKind::Http01 | ChallengeKind::Http => "http-01",
            ChallengeKind::TlsAlpn01 | ChallengeKind::TlsAlpn => "tls-alpn-01",
        }
    }
}

impl KeyKind {
    /// Reads `ecdsa[:256|384]` or `rsa[:2048|3072|4096]`. `None` if the word begins with neither name.
    fn parse(word: &Word) -> Option<Result<KeyKind, Problem>> {
        let (name, size) = match word.bytes.split_once_str(":") {
            Some((name, size)) => (name, Some(size)),
            None => (&word.bytes[..], None),
        };
        let kind = match (name, size) {
            (b"ecdsa", None | Some(b"256")) => KeyKind::EcdsaP256,
            (b"ecdsa", Some(b"384")) => KeyKind::EcdsaP384,
            (b"rsa", None | Some(b"2048")) => KeyKind::Rsa(2048),
            (b"rsa", Some(b"3072")) => KeyKind::Rsa(3072),
            (b"rsa", Some(b"4096")) => KeyKind::Rsa(4096),
            (b"ecdsa" | b"rsa", _) => {
                let text = sentence(&[b"unsupported key \"", &word.bytes, b"\""]);
                let help = "supported: ecdsa:256, ecdsa:384, rsa:2048, rsa:3072, rsa:4096";
                return Some(Err(Problem::new(text).at(word.span).help(help)));
            }
            _ => return None,
        };
        Some(Ok(kind))
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::EcdsaP256 => f.write_str("ecdsa:256"),
            KeyKind::EcdsaP384 => f.write_str("ecdsa:384"),
            KeyKind::Rsa(bits) => write!(f, "rsa:{bits}"),
        }
    }
}

impl Value for IssuerName {
    fn syntax() -> String {
        "name".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<IssuerName, Problem> {
        let name = &args.first().bytes;
        if name.is_empty() || name.contains(&b'/') || name.iter().any(u8::is_ascii_control) {
            return Err(args.refuse("invalid value").caption("the name of a directory is made of it"));
        }
        Ok(IssuerName(name.to_vec().into()))
    }
}

impl Value for IssuerUri {
    fn syntax() -> String {
        "uri".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<IssuerUri, Problem> {
        let word = args.first();
        let invalid = || args.refuse("invalid value").caption("an address with https:// and a host");
        let text = word.bytes.to_str().map_err(|_| invalid())?;
        let uri: http::Uri = text.parse().map_err(|_| invalid())?;
        let is_known = matches!(uri.scheme_str(), Some("https" | "http"));
        if !is_known || uri.host().is_none_or(str::is_empty) {
            return Err(invalid());
        }
        // Before the host may be a user; behind it nothing but a port.
        let is_place = uri.authority().is_some_and(|authority| {
            let rest = authority.as_str().strip_prefix(authority.host());
            let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
            rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
        });
        if !is_place || text.contains('#') {
            return Err(args
                .refuse("invalid value")
                .caption("an address without a user and a fragment, with a port up to 65535"));
        }
        Ok(IssuerUri(text.to_owned()))
    }
}

impl Value for AccountKey {
    fn syntax() -> String {
        "ecdsa[:size] | rsa[:size] | file".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<AccountKey, Problem> {
        let word = args.first();
        match KeyKind::parse(word) {
            Some(kind) => kind.map(AccountKey::Made),
            None => Ok(AccountKey::File(evaluation.under_conf(&word.bytes))),
        }
    }
}

impl Value for Contact {
    fn syntax() -> String {
        "address".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Contact, Problem> {
        let text = args.first().bytes.to_str().ok().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| args.refuse("invalid value"))?;
        let has_scheme = text.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        });
        let url = if has_scheme { text.to_owned() } else { format!("mailto:{text}") };
        let is_url = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.ends_with(':');
        let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let mail = url.split_once(':').filter(|_| scheme == "mailto").map(|(_, address)| address);
        if !is_url || mail.is_some_and(|address| !is_mail(address)) {
            let what = "one mail address, such as operator@example.com, or a URL";
            return Err(args.refuse("invalid value").caption(what));
        }
        Ok(Contact(url))
    }
}

/// Whether a text is one mail address without header fields (RFC 8555 section 7.3). Its host may be any name.
fn is_mail(address: &str) -> bool {
    let Some((local, host)) = address.rsplit_once('@') else { return false };
    let is_local = !local.is_empty() && !local.bytes().any(|byte| b"@,;:?&<>()[]\\\"".contains(&byte));
    let labels = host.split('.').all(|label| {
        let is_label = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_label && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    });
    is_local && labels
}

impl Value for ExternalKey {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "name file | name data:key".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ExternalKey, Problem> {
        let [id, key] = args.words else { return Err(args.refuse("needs a name and a key")) };
        if id.bytes.is_empty() || key.bytes.is_empty() {
            return Err(args.refuse("invalid value"));
        }
        let id = id.bytes.to_str().map_err(|_| args.refuse("invalid value"))?.to_owned();
        let key = match key.bytes.strip_prefix(b"data:") {
            Some(text) => {
                let key = ExternalSource::decode(text);
                ExternalSource::Inline(key.ok_or_else(|| args.refuse("invalid base64url encoded value"))?)
            }
            None => ExternalSource::File(evaluation.under_conf(&key.bytes)),
        };
        Ok(ExternalKey { id, key })
    }
}

impl ExternalSource {
    /// The key that a text in base64url has.
    pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
        let text = text.trim_ascii();
        let text = text.trim_end_with(|last| last == '=');
        URL_SAFE_NO_PAD.decode(text).ok().filter(|key| !key.is_empty())
    }
}

/// The key is a secret.
impl fmt::Debug for ExternalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: &dyn fmt::Debug = match &self.key {
            ExternalSource::Inline(_) => &"data",
            ExternalSource::File(path) => path,
        };
        f.debug_struct("ExternalKey").field("id", &self.id).field("key", key).finish()
    }
}

impl Value for Profile {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "name [require]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Profile, Problem> {
        let name = args.first().bytes.to_str().ok().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| args.refuse("invalid value"))?.to_owned();
        match args.words.get(1) {
            None => Ok(Profile { name, is_required: false }),
            Some(word) if &word.bytes[..] == b"require" => Ok(Profile { name, is_required: true }),
            Some(_) => Err(args.refuse("invalid value").caption("`require` or nothing")),
        }
    }
}

impl Value for StatePath {
    fn syntax() -> String {
        "path | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<StatePath, Problem> {
        let word = args.first();
        if &word.bytes[..] == b"off" {
            return Ok(StatePath::Off);
        }
        Ok(StatePath::Directory(evaluation.under_prefix(&word.bytes)))
    }
}

impl Value for SharedZone {
    fn syntax() -> String {
        "zone=name:size".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<SharedZone, Problem> {
        let word = args.first();
        let Some(zone) = word.bytes.strip_prefix(b"zone=") else {
            let text = sentence(&[b"\"", &args.name.bytes, b"\" must have \"zone\" parameter"]);
            return Err(Problem::new(text).at(word.span));
        };
        let invalid = |text: &[u8]| Problem::new(sentence(&[text, b" \"", zone, b"\""])).at(word.span);
        let (name, size) = zone.split_once_str(":").ok_or_else(|| invalid(b"invalid zone size"))?;
        let size = number::size(size).filter(|_| !name.is_empty());
        match size.ok_or_else(|| invalid(b"invalid zone size"))? {
            LEAST_ZONE.. => Ok(SharedZone),
            _ => Err(invalid(b"zone is too small:")),
        }
    }
}

impl Value for CertificateRequest {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "issuer [identifier ...] [key=type]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<CertificateRequest, Problem> {
        let issuer: BString = args.first().bytes.to_vec().into();
        if issuer.is_empty() {
            return Err(args.refuse("\"issuer\" is missing"));
        }
        let mut request = CertificateRequest { issuer, identifiers: Vec::new(), key: KeyKind::default() };
        for word in args.words.iter().skip(1) {
            if let Some(kind) = word.bytes.strip_prefix(b"key=") {
                let bytes = word.bytes.slice_ref(kind);
                request.key = KeyKind::parse(&Word { bytes, ..word.clone() })
                    .unwrap_or_else(|| Err(args.refuse("invalid \"key\" value")))?;
                continue;
            }
            let found = Identifier::parse(&word.bytes);
            let found = found.map_err(|error| args.refuse(&error.to_string()).at(word.span))?;
            request.identifiers.extend(found);
        }
        if request.identifiers.len() > limits::ACME_IDENTIFIERS {
            let text = format!("has more than {} identifiers", limits::ACME_IDENTIFIERS);
            return Err(args.refuse(&text));
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn keys_are_types_or_files() {
        let read: AccountKey = sample::value("account_key ecdsa:384;");
        assert_eq!(read, AccountKey::Made(KeyKind::EcdsaP384));
        assert_eq!(sample::value::<AccountKey>("account_key rsa;"), AccountKey::Made(KeyKind::Rsa(2048)));
        let read: AccountKey = sample::value("account_key /a/ecdsa.key;");
        assert_eq!(read, AccountKey::File("/a/ecdsa.key".into()));
        for bad in ["ecdsa:521", "rsa:1024", "rsa:x"] {
            let (read, said) = sample::read::<AccountKey>(&format!("account_key {bad};"));
            assert!(read.is_none() && said[0].contains("unsupported key"), "{bad} {said:?}");
        }
    }

    #[test]
    fn a_contact_without_a_scheme_is_a_mail_address() {
        let read = |word: &str| sample::value::<Contact>(&format!("contact {word};")).0;
        assert_eq!(read("admin@example.test"), "mailto:admin@example.test");
        assert_eq!(read("mailto:a@example.test"), "mailto:a@example.test");
        assert_eq!(read("tel:+1"), "tel:+1");
        for bad in [
            "operator",
            "a@b:c",
            "mailto:",
            "mailto:a@b,c@d",
            "mailto:a@b?subject=x",
            "a@",
            "@b",
            "a@-b",
            "'a b@c'",
            "a@ä.example",
        ] {
            let (read, said) = sample::read::<Contact>(&format!("contact {bad};"));
            assert!(read.is_none() && said[0].contains("invalid value"), "{bad} {said:?}");
        }
    }

    #[test]
    fn an_issuer_is_an_address_that_requests_can_be_sent_to() {
        for good in
            ["https://acme.example.com/directory", "http://127.0.0.1:14000/dir", "https://[::1]:5/d?x=1"]
        {
            assert_eq!(sample::value::<IssuerUri>(&format!("uri {good};")).0, good);
        }
        for bad in [
            "ftp://a.example/",
            "https:///dir",
            "https://",
            "a.example/dir",
            "https://user@a.example/",
            "https://a.example/#x",
            "https://a.example:0/",
            "https://a.example:70000/",
            "'https://a b/'",
            "https://[::1/",
        ] {
            let (read, said) = sample::read::<IssuerUri>(&format!("uri {bad};"));
            assert!(read.is_none() && said[0].contains("invalid value"), "{bad} {said:?}");
        }
    }

    #[test]
    fn external_keys_are_base64url() {
        let read: ExternalKey = sample::value("external_account_key kid data:AQI=;");
        assert!(read.key == ExternalSource::Inline(vec![1, 2]));
        assert!(!format!("{read:?}").contains('1'));
        for bad in ["kid data:+/", "kid data:", "kid"] {
            let (read, _) = sample::read::<ExternalKey>(&format!("external_account_key {bad};"));
            assert!(read.is_none(), "{bad}");
        }
    }

    #[test]
    fn requests_name_an_issuer_and_identifiers() {
        let read: CertificateRequest = sample::value("acme_certificate le a.example key=rsa:3072 192.0.2.1;");
        assert_eq!((read.issuer.as_slice(), read.key), (&b"le"[..], KeyKind::Rsa(3072)));
        assert_eq!(read.identifiers.len(), 2);
        for bad in ["le *.example", "le a/b", "le key=x", "le key=rsa:1", "''"] {
            let (read, said) = sample::read::<CertificateRequest>(&format!("acme_certificate {bad};"));
            assert!(read.is_none() && !said.is_empty(), "{bad}");
        }
        let many: String = (0..=limits::ACME_IDENTIFIERS).map(|at| format!(" a{at}.example")).collect();
        let (read, said) = sample::read::<CertificateRequest>(&format!("acme_certificate le{many};"));
        assert!(read.is_none() && said[0].contains("identifiers"), "{said:?}");
    }
}
