//! `geo`: a variable with values by address, as networks or as ranges of IPv4 addresses.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use bstr::{BStr, BString, ByteSlice};

use super::ingredients::Ingredients;
use super::intervals::Intervals;
use crate::directive::{Args, Arity, Evaluation, Network, Value};
use crate::http::forwarded::{address, forwarded, ipv4};
use crate::http::variable::{Variable, VariableNames};
use crate::syntax::{Problem, Word, sentence};

/// Number of addresses in one of the parts in which nginx keeps ranges. Ranges are compared within a part only.
const PART: u32 = 0x1_0000;

/// A variable with values by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geo {
    /// Variable name in lower case.
    pub name: BString,
    /// The variable that has the address; `None` is the address of the client.
    pub source: Option<Variable>,
    /// Whether the value is computed at each use instead of once per request.
    pub is_volatile: bool,
    /// Peers whose `X-Forwarded-For` header is believed.
    proxies: Vec<Network>,
    proxy_recursive: bool,
    /// The empty text and all values.
    values: Vec<BString>,
    v4: Intervals<u32>,
    /// IPv6 networks; `None` with ranges, which know no IPv6 addresses.
    v6: Option<Intervals<u32>>,
}

/// The entries of a block while they are read; values are indices.
#[derive(Default)]
struct Entries {
    values: Vec<BString>,
    known: HashMap<BString, u32>,
    ranges: bool,
    /// Whether networks have been given, or a default for networks.
    networks: bool,
    v4: BTreeMap<(u32, u32), u32>,
    v6: BTreeMap<(u128, u128), u32>,
    /// Value of what is in no range.
    default: Option<u32>,
    /// Ranges by part: first and last address of a part, and the value. They are ascending and disjoint.
    parts: BTreeMap<u32, Vec<(u32, u32, u32)>>,
    proxies: Vec<Network>,
    proxy_recursive: bool,
    is_volatile: bool,
}

impl Value for Geo {
    const ARITY: Arity = Arity::between(1, 2);
    const BLOCK: bool = true;

    fn syntax() -> String {
        "[$address] $variable { network value; ... }".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Geo, Problem> {
        let (source, name) = match args.words {
            [source, name] => (Some(source_of(source, evaluation)?), name),
            _ => (None, args.first()),
        };
        let name = VariableNames::definition(name, evaluation)?;
        let mut entries = Entries { values: vec![BString::default()], ..Entries::default() };
        for entry in args.body.into_iter().flatten() {
            let Some(words) = evaluation.free_entry(entry) else { continue };
            let mut warnings = Vec::new();
            let added = match words {
                [word] if &word.bytes[..] == b"ranges" => entries.begin_ranges(word),
                [word] if &word.bytes[..] == b"proxy_recursive" => {
                    entries.proxy_recursive = true;
                    Ok(())
                }
                [word] if &word.bytes[..] == b"volatile" => {
                    entries.is_volatile = true;
                    Ok(())
                }
                [key, network] if &key.bytes[..] == b"proxy" => {
                    network_of(network, &mut warnings).map(|network| entries.proxies.push(network))
                }
                [key, value] if entries.ranges => entries.range(key, value, &mut warnings),
                [key, value] => entries.network(key, value, &mut warnings),
                _ => Err(Problem::new("invalid number of the geo parameters").at(entry.span())),
            };
            for problem in warnings.into_iter().chain(added.err()) {
                evaluation.report(problem.place(entry.terminator()));
            }
        }
        evaluation.notes.of::<Ingredients>().define(&name, [source.clone().unwrap_or(Variable::RemoteAddr)]);
        Ok(entries.finish(name, source))
    }
}

impl Entries {
    fn begin_ranges(&mut self, word: &Word) -> Result<(), Problem> {
        if self.networks {
            let text = "the \"ranges\" directive must be the first directive inside \"geo\" block";
            return Err(Problem::new(text).at(word.span));
        }
        self.ranges = true;
        Ok(())
    }

    fn value(&mut self, word: &Word) -> u32 {
        if let Some(known) = self.known.get(word.text()) {
            return *known;
        }
        let index = u32::try_from(self.values.len()).expect("fewer values than words of a configuration");
        self.values.push(word.text().to_owned());
        self.known.insert(word.text().to_owned(), index);
        index
    }

    fn network(&mut self, key: &Word, value: &Word, warnings: &mut Vec<Problem>) -> Result<(), Problem> {
        self.networks = true;
        if &key.bytes[..] == b"delete" {
            let (v4, v6) = bounds(&network_of(value, warnings)?);
            let v4 = v4.is_some_and(|bounds| self.v4.remove(&bounds).is_some());
            let v6 = v6.is_some_and(|bounds| self.v6.remove(&bounds).is_some());
            if !v4 && !v6 {
                let text = sentence(&[b"no network \"", &value.bytes, b"\" to delete"]);
                warnings.push(Problem::warning(text).at(value.span));
            }
            return Ok(());
        }
        let (v4, v6) = match &key.bytes[..] {
            b"default" => (Some((0, u32::MAX)), Some((0, u128::MAX))),
            _ => bounds(&network_of(key, warnings)?),
        };
        let index = self.value(value);
        let v4 = v4.and_then(|bounds| self.v4.insert(bounds, index));
        let v6 = v6.and_then(|bounds| self.v6.insert(bounds, index));
        for old in v4.into_iter().chain(v6) {
            let old = &self.values[old as usize];
            warnings.push(replaced("duplicate network \"", &key.bytes, value, old).at(key.span));
        }
        Ok(())
    }

    fn range(&mut self, key: &Word, value: &Word, warnings: &mut Vec<Problem>) -> Result<(), Problem> {
        if &key.bytes[..] == b"default" {
            let index = self.value(value);
            if let Some(old) = self.default.replace(index) {
                let text = sentence(&[
                    b"duplicate default geo range value: \"",
                    &value.bytes,
                    b"\", old value: \"",
                    &self.values[old as usize],
                    b"\"",
                ]);
                warnings.push(Problem::warning(text).at(value.span));
            }
            return Ok(());
        }
        let deletes = &key.bytes[..] == b"delete";
        let word = if deletes { value } else { key };
        let Some((start, end)) = range_of(&word.bytes) else {
            return Err(Problem::new(sentence(&[b"invalid range \"", &word.bytes, b"\""]))
                .at(word.span)
                .help("written as 10.0.0.1-10.0.0.9, the lower address first"));
        };
        if deletes {
            if !self.delete_range(start, end) {
                let text = sentence(&[b"no address range \"", &word.bytes, b"\" to delete"]);
                warnings.push(Problem::warning(text).at(word.span));
            }
            return Ok(());
        }
        let index = self.value(value);
        for (part, start, end) in parts(start, end) {
            match insert(self.parts.entry(part).or_default(), start, end, index) {
                Inserted::New => {}
                Inserted::Replaced(old) => {
                    let old = &self.values[old as usize];
                    warnings.push(replaced("duplicate range \"", &key.bytes, value, old).at(key.span));
                }
                Inserted::Overlaps(start, end) => {
                    let [start, end] = [start, end].map(|low| Ipv4Addr::from(part * PART + low).to_string());
                    let text = sentence(&[
                        b"range \"",
                        &key.bytes,
                        b"\" overlaps \"",
                        start.as_bytes(),
                        b"-",
                        end.as_bytes(),
                        b"\"",
                    ]);
                    return Err(Problem::new(text).at(key.span));
                }
            }
        }
        Ok(())
    }

    /// Whether each part had exactly this range.
    fn delete_range(&mut self, start: u32, end: u32) -> bool {
        let mut complete = true;
        for (part, start, end) in parts(start, end) {
            let found = self.parts.get_mut(&part).and_then(|ranges| {
                let at = ranges.iter().position(|range| (range.0, range.1) == (start, end))?;
                Some(ranges.remove(at))
            });
            complete &= found.is_some();
        }
        complete
    }

    fn finish(self, name: BString, source: Option<Variable>) -> Geo {
        let (v4, v6) = if self.ranges {
            let ranges = self.parts.into_iter().flat_map(|(part, ranges)| {
                let at = u128::from(part * PART);
                ranges
                    .into_iter()
                    .map(move |(start, end, value)| (at + u128::from(start), at + u128::from(end), value))
            });
            (Intervals::new(ranges.collect(), self.default.unwrap_or(0)), None)
        } else {
            let wide = self.v4.into_iter().map(|((start, end), value)| (start.into(), end.into(), value));
            let v6 = self.v6.into_iter().map(|((start, end), value)| (start, end, value));
            (Intervals::new(wide.collect(), 0), Some(Intervals::new(v6.collect(), 0)))
        };
        Geo {
            name,
            source,
            is_volatile: self.is_volatile,
            proxies: self.proxies,
            proxy_recursive: self.proxy_recursive,
            values: self.values,
            v4,
            v6,
        }
    }
}

impl Geo {
    /// The value for a client. `peer` is the address of the connection, `None` for a Unix socket; `forwarded_for` are the
    /// values of the request's `X-Forwarded-For` headers in their order.
    pub fn of_peer(&self, peer: Option<IpAddr>, forwarded_for: &[&[u8]]) -> &BStr {
        let proxied = if self.proxies.is_empty() {
            None
        } else {
            forwarded(peer, forwarded_for, &self.proxies, self.proxy_recursive)
        };
        self.find(proxied.map_or(peer, |address| Some(address.ip())))
    }

    /// The value for the address that a variable has.
    pub fn of_text(&self, text: &[u8], forwarded_for: &[&[u8]]) -> &BStr {
        match address(text) {
            Some(ip) => self.of_peer(Some(ip), forwarded_for),
            None => self.find(None),
        }
    }

    /// The value for an address. As in nginx, what is no IP address counts as 255.255.255.255.
    fn find(&self, ip: Option<IpAddr>) -> &BStr {
        let v4 = |ip: u32| self.v4.find(ip.into());
        let index = match (ip.map(|ip| ip.to_canonical()), &self.v6) {
            (Some(IpAddr::V4(ip)), _) => v4(ip.into()),
            (Some(IpAddr::V6(ip)), Some(v6)) => v6.find(ip.into()),
            (Some(IpAddr::V6(_)), None) | (None, _) => v4(u32::MAX),
        };
        index
            .and_then(|index| self.values.get(index as usize))
            .map_or(BStr::new(b""), |value| value.as_bstr())
    }
}

/// How a range was added to a part.
enum Inserted {
    New,
    /// It replaced an equal one with this value.
    Replaced(u32),
    /// It overlaps this one without being inside.
    Overlaps(u32, u32),
}

/// Adds a range to the ascending ranges of a part. Inside another range, it cuts that one.
fn insert(ranges: &mut Vec<(u32, u32, u32)>, start: u32, end: u32, value: u32) -> Inserted {
    let at = ranges.partition_point(|range| range.1 < start);
    let Some(&(low, high, old)) = ranges.get(at).filter(|range| range.0 <= end) else {
        ranges.insert(at, (start, end, value));
        return Inserted::New;
    };
    if (start, end) == (low, high) {
        ranges[at].2 = value;
        return Inserted::Replaced(old);
    }
    if start < low || high < end {
        // nginx searches from the end and names the last range that overlaps.
        let last = ranges.partition_point(|range| range.0 <= end) - 1;
        let (low, high, _) = ranges[last];
        return Inserted::Overlaps(low, high);
    }
    let before = (low < start).then(|| (low, start - 1, old));
    let after = (end < high).then(|| (end + 1, high, old));
    let cut = before.into_iter().chain([(start, end, value)]).chain(after);
    ranges.splice(at..=at, cut);
    Inserted::New
}

/// A range by parts: number of the part, first and last address in it.
fn parts(start: u32, end: u32) -> impl Iterator<Item = (u32, u32, u32)> {
    (start / PART..=end / PART).map(move |part| {
        let from = if part == start / PART { start % PART } else { 0 };
        let to = if part == end / PART { end % PART } else { PART - 1 };
        (part, from, to)
    })
}

/// Parses `ADDRESS-ADDRESS`.
fn range_of(text: &[u8]) -> Option<(u32, u32)> {
    let (start, end) = text.split_once_str("-")?;
    let (start, end) = (u32::from(ipv4(start)?), u32::from(ipv4(end)?));
    (start <= end).then_some((start, end))
}

/// First and last address of a network.
type Bounds<T> = (T, T);

/// First and last address of a network.
fn bounds(network: &Network) -> (Option<Bounds<u32>>, Option<Bounds<u128>>) {
    match *network {
        Network::V4(ip, bits) => {
            let start = u32::from(ip);
            (Some((start, start | u32::MAX.checked_shr(bits.into()).unwrap_or(0))), None)
        }
        Network::V6(ip, bits) => {
            let start = u128::from(ip);
            (None, Some((start, start | u128::MAX.checked_shr(bits.into()).unwrap_or(0))))
        }
        Network::All | Network::Unix => (None, None),
    }
}

fn network_of(word: &Word, warnings: &mut Vec<Problem>) -> Result<Network, Problem> {
    match Network::parse(&word.bytes) {
        Some((network @ (Network::V4(..) | Network::V6(..)), has_low_bits)) => {
            if has_low_bits {
                let text = sentence(&[b"low address bits of ", &word.bytes, b" are meaningless"]);
                warnings.push(Problem::warning(text).at(word.span));
            }
            Ok(network)
        }
        _ => Err(Problem::new(sentence(&[b"invalid network \"", &word.bytes, b"\""])).at(word.span)),
    }
}

/// The variable that has the address.
fn source_of(word: &Word, evaluation: &mut Evaluation<'_>) -> Result<Variable, Problem> {
    let name = word.bytes.strip_prefix(b"$").filter(|name| !name.is_empty()).ok_or_else(|| {
        Problem::new(sentence(&[b"invalid variable name \"", &word.bytes, b"\""])).at(word.span)
    })?;
    evaluation.notes.of::<VariableNames>().used(name, word.span);
    Ok(Variable::find(&name.to_ascii_lowercase().into()))
}

fn replaced(what: &str, key: &[u8], value: &Word, old: &BString) -> Problem {
    Problem::warning(sentence(&[
        what.as_bytes(),
        key,
        b"\", value: \"",
        &value.bytes,
        b"\", old value: \"",
        old,
        b"\"",
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    fn geo(body: &str) -> Geo {
        sample::value(&format!("geo $y {{ {body} }}"))
    }

    fn said(body: &str) -> Vec<String> {
        sample::read::<Geo>(&format!("geo $y {{ {body} }}")).1
    }

    fn at(geo: &Geo, address: &str) -> String {
        geo.of_text(address.as_bytes(), &[]).to_string()
    }

    #[test]
    fn longest_prefix_decides() {
        let geo = geo(
            "default d; 10.0.0.0/8 a; 10.1.0.0/16 b; 10.1.2.3 c; 2001:db8::/32 e; 2001:db8::1 f; ::ffff:0:0/96 g; 255.255.255.255 h;",
        );
        for (address, want) in [
            ("10.0.0.1", "a"),
            ("10.1.0.1", "b"),
            ("10.1.2.3", "c"),
            ("10.1.2.4", "b"),
            ("10.255.255.255", "a"),
            ("11.0.0.0", "d"),
            ("2001:db8::1", "f"),
            ("2001:db8::2", "e"),
            ("::1", "d"),
            ("::ffff:10.1.2.3", "c"),
            ("none", "h"),
        ] {
            assert_eq!(at(&geo, address), want, "{address}");
        }
        assert_eq!(geo.of_peer(None, &[]), "h");
    }

    #[test]
    fn a_deleted_network_falls_back_to_what_is_around_it() {
        let geo = geo("10.0.0.0/8 a; 10.1.0.0/16 b; delete 10.1.0.0/16;");
        assert_eq!((at(&geo, "10.1.0.1"), at(&geo, "9.0.0.1")), ("a".into(), String::new()));
    }

    #[test]
    fn ranges_cut_the_ones_around_them() {
        let geo = geo(
            "ranges; default d; 10.0.0.0-10.2.0.0 a; 10.0.0.5-10.1.0.5 b; 10.0.0.0-10.0.0.1 c; 10.1.255.255-10.1.255.255 e;",
        );
        for (address, want) in [
            ("10.0.0.0", "c"),
            ("10.0.0.2", "a"),
            ("10.0.0.5", "b"),
            ("10.0.255.255", "b"),
            ("10.1.0.5", "b"),
            ("10.1.0.6", "a"),
            ("10.1.255.255", "e"),
            ("10.2.0.0", "a"),
            ("10.2.0.1", "d"),
            ("::ffff:10.0.0.5", "b"),
            ("::1", "d"),
            ("", "d"),
        ] {
            assert_eq!(at(&geo, address), want, "{address}");
        }
    }

    #[test]
    fn trusted_proxies_report_the_address() {
        let one = geo("proxy 127.0.0.0/8; 1.2.3.4 a; 127.0.0.0/8 p;");
        let peer = Some(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(one.of_peer(peer, &[b"1.2.3.4, 127.0.0.2"]), "p");
        assert_eq!(one.of_peer(peer, &[b"1.2.3.4"]), "a");
        assert_eq!(one.of_peer(Some(IpAddr::from([9, 9, 9, 9])), &[b"1.2.3.4"]), "");
        let all = geo("proxy 127.0.0.0/8; proxy_recursive; 1.2.3.4 a; 127.0.0.0/8 p;");
        assert_eq!(all.of_peer(peer, &[b"1.2.3.4, 127.0.0.2"]), "a");
    }

    #[test]
    fn complaints_are_those_of_nginx() {
        let low = "low address bits of 10.0.0.1/8 are meaningless";
        for (body, want) in [
            ("ranges; 10.0.0.0-255.255.255.255 b;", vec!["invalid range \"10.0.0.0-255.255.255.255\""]),
            (
                "ranges; default 1; default 2; 10.0.0.0-10.0.0.9 b; 10.0.0.0-10.0.0.9 c; delete 10.0.0.5-10.0.0.6; \
                 10.0.0.5-10.0.1.0 x;",
                vec![
                    "duplicate default geo range value: \"2\", old value: \"1\"",
                    "duplicate range \"10.0.0.0-10.0.0.9\", value: \"c\", old value: \"b\"",
                    "no address range \"10.0.0.5-10.0.0.6\" to delete",
                    "range \"10.0.0.5-10.0.1.0\" overlaps \"10.0.0.0-10.0.0.9\"",
                ],
            ),
            (
                "10.0.0.0/8 b; 10.0.0.0/8 c; default 1; default 2; delete 10.0.0.1; 10.0.0.1/8 x; unix: x;",
                vec![
                    "duplicate network \"10.0.0.0/8\", value: \"c\", old value: \"b\"",
                    "duplicate network \"default\", value: \"2\", old value: \"1\"",
                    "duplicate network \"default\", value: \"2\", old value: \"1\"",
                    "no network \"10.0.0.1\" to delete",
                    low,
                    "duplicate network \"10.0.0.1/8\", value: \"x\", old value: \"c\"",
                    "invalid network \"unix:\"",
                ],
            ),
            (
                "default 1; ranges;",
                vec!["the \"ranges\" directive must be the first directive inside \"geo\" block"],
            ),
            ("proxy 10.0.0.1/8; proxy foo;", vec![low, "invalid network \"foo\""]),
            ("1.2.3.4-1.2.3.5 x;", vec!["invalid network \"1.2.3.4-1.2.3.5\""]),
            ("a b c;", vec!["invalid number of the geo parameters"]),
        ] {
            assert_eq!(said(body), want, "{body}");
        }
        let source = sample::read::<Geo>("geo x $y { }").1;
        assert_eq!(source, ["invalid variable name \"x\""]);
    }

    #[test]
    fn large_tables_are_found_by_binary_search() {
        let body: String = (0..100_000_u32).map(|n| format!("{} {n};\n", Ipv4Addr::from(n * 256))).collect();
        let geo = geo(&body);
        assert_eq!((at(&geo, "0.0.255.0"), at(&geo, "0.0.255.1")), ("255".into(), String::new()));
    }
}
