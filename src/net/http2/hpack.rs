//! HPACK (RFC 7541): decodes the heads that a client sends.
//!
//! The crate h2 decodes heads, too, but refuses the whole stream or connection for what nginx answers.

use std::collections::VecDeque;

use h2::Reason;

use super::huffman;

/// Size of the table that the client may use, in bytes as the specification counts them.
const TABLE_BYTES: usize = 4096;
/// What an entry counts besides its name and its value.
const ENTRY_COST: usize = 32;
/// Largest number of bytes of an integer behind the first one, as in nginx.
const INTEGER_BYTES: u32 = 4;

/// The fields that every table begins with.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Fields of a head, as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Names and values, one behind the other.
    bytes: Vec<u8>,
    /// Their lengths.
    lengths: Vec<(usize, usize)>,
}

impl Fields {
    /// Names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &self.bytes[..];
        self.lengths.iter().map(move |(name, value)| {
            let (name, after) = rest.split_at(*name);
            let (value, after) = after.split_at(*value);
            rest = after;
            (name, value)
        })
    }

    /// Memory that they take, nearly.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.lengths.len() * size_of::<(usize, usize)>()
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.lengths.push((name.len(), value.len()));
    }
}

/// Bounds of a head, as nginx has them.
#[derive(Clone, Copy, Debug)]
pub struct HeadBounds {
    /// Bytes of a name or a value, as it is sent.
    pub field: usize,
    /// Bytes of all names and values.
    pub head: usize,
    /// Number of fields.
    pub fields: usize,
}

impl HeadBounds {
    /// Most bytes of a head as it is sent: its fields, and what encodes them. Codes of rare bytes are long.
    pub(super) fn block_bytes(&self) -> usize {
        const LONGEST_CODE: usize = 4;
        self.head.saturating_add(self.fields).saturating_mul(LONGEST_CODE)
    }
}

/// Name and value of a field in the table.
type Entry = (Box<[u8]>, Box<[u8]>);

/// What a client has sent with its heads so far.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// The newest entry is the first.
    table: VecDeque<Entry>,
    table_bytes: usize,
    table_bound: usize,
}

impl Decoder {
    /// Of a new connection.
    pub fn new() -> Self {
        Decoder { table: VecDeque::new(), table_bytes: 0, table_bound: TABLE_BYTES }
    }

    /// Decodes a head.
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub fn decode(&mut self, block: &[u8], bounds: &HeadBounds) -> Result<Fields, Reason> {
        let mut fields = Fields::default();
        self.decode_into(block, bounds, &mut fields)?;
        Ok(fields)
    }

    /// The fields of a head that has not ended, as far as they came. It is decoded once more when it has.
    pub fn decode_beginning(&self, block: &[u8], bounds: &HeadBounds) -> Fields {
        let mut fields = Fields::default();
        // The last field may be incomplete.
        let _ = self.clone().decode_into(block, bounds, &mut fields);
        fields
    }

    /// As [`Decoder::decode`]; what comes before an error is added.
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub fn decode_into(
        &mut self,
        mut block: &[u8],
        bounds: &HeadBounds,
        fields: &mut Fields,
    ) -> Result<(), Reason> {
        let mut decoded = Vec::new();
        while let Some(&first) = block.first() {
            if first & 0xe0 == 0x20 {
                let bound = integer(&mut block, 5)?;
                if bound > TABLE_BYTES {
                    return Err(Reason::COMPRESSION_ERROR);
                }
                self.table_bound = bound;
                self.make_room(0);
                continue;
            }
            if fields.lengths.len() >= bounds.fields {
                return Err(Reason::ENHANCE_YOUR_CALM);
            }
            if first & 0x80 != 0 {
                let number = integer(&mut block, 7)?;
                let (name, value) = self.entry(number)?;
                room_for(fields, name.len() + value.len(), bounds)?;
                fields.add(name, value);
                continue;
            }
            let is_kept = first & 0x40 != 0;
            let number = integer(&mut block, if is_kept { 6 } else { 4 })?;
            decoded.clear();
            if number > 0 {
                decoded.extend_from_slice(self.entry(number)?.0);
            } else {
                string(&mut block, bounds, &mut decoded)?;
            }
            let name_length = decoded.len();
            string(&mut block, bounds, &mut decoded)?;
            room_for(fields, decoded.len(), bounds)?;
            let (name, value) = decoded.split_at(name_length);
            fields.add(name, value);
            if is_kept {
                self.keep(name, value);
            }
        }
        Ok(())
    }

    /// A field of the tables.
    fn entry(&self, number: usize) -> Result<(&[u8], &[u8]), Reason> {
        let number = number.checked_sub(1).ok_or(Reason::COMPRESSION_ERROR)?;
        if let Some((name, value)) = STATIC.get(number) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.table.get(number - STATIC.len()).ok_or(Reason::COMPRESSION_ERROR)?;
        Ok((&entry.0, &entry.1))
    }

    /// Adds an entry to the table; one that is larger than the table only empties it.
    fn keep(&mut self, name: &[u8], value: &[u8]) {
        let cost = name.len() + value.len() + ENTRY_COST;
        self.make_room(cost);
        if cost <= self.table_bound {
            self.table_bytes += cost;
            self.table.push_front((name.into(), value.into()));
        }
    }

    /// Removes the oldest entries until there is room.
    fn make_room(&mut self, cost: usize) {
        while self.table_bytes + cost > self.table_bound
            && let Some((name, value)) = self.table.pop_back()
        {
            self.table_bytes -= name.len() + value.len() + ENTRY_COST;
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}

/// Whether the head has room for a field of this length.
fn room_for(fields: &Fields, length: usize, bounds: &HeadBounds) -> Result<(), Reason> {
    match fields.bytes.len() + length > bounds.head {
        true => Err(Reason::ENHANCE_YOUR_CALM),
        false => Ok(()),
    }
}

/// Takes an integer whose first byte has this many bits of it.
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, Reason> {
    let (first, mut rest) = block.split_first().ok_or(Reason::FRAME_SIZE_ERROR)?;
    let most = (1usize << bits) - 1;
    let mut number = usize::from(*first) & most;
    if number == most {
        let mut shift = 0;
        loop {
            if shift >= 7 * INTEGER_BYTES {
                return Err(Reason::COMPRESSION_ERROR);
            }
            let (byte, after) = rest.split_first().ok_or(Reason::FRAME_SIZE_ERROR)?;
            rest = after;
            number += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *block = rest;
    Ok(number)
}

/// Takes a string and appends it.
fn string(block: &mut &[u8], bounds: &HeadBounds, decoded: &mut Vec<u8>) -> Result<(), Reason> {
    let is_coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    if length > bounds.field {
        return Err(Reason::ENHANCE_YOUR_CALM);
    }
    if length > block.len() {
        return Err(Reason::FRAME_SIZE_ERROR);
    }
    let (text, rest) = block.split_at(length);
    *block = rest;
    match is_coded {
        true => huffman::decode(text, decoded).map_err(|_| Reason::COMPRESSION_ERROR),
        false => {
            decoded.extend_from_slice(text);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: HeadBounds = HeadBounds { field: 4100, head: 8192, fields: 20 };

    fn texts(fields: &Fields) -> Vec<String> {
        let text = |(name, value): (&[u8], &[u8])| {
            format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        fields.iter().map(text).collect()
    }

    fn literal(name: &str, value: &str) -> Vec<u8> {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0x40, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    }

    #[test]
    fn the_requests_of_the_specification_are_decoded() {
        // RFC 7541, appendix C.3 and C.4.
        let mut decoder = Decoder::new();
        let first = [&[0x82, 0x86, 0x84, 0x41, 0x0f][..], b"www.example.com"].concat();
        let get = [":method=GET", ":scheme=http", ":path=/", ":authority=www.example.com"];
        assert_eq!(texts(&decoder.decode(&first, &BOUNDS).unwrap()), get);
        let second = [&[0x82, 0x86, 0x84, 0xbe, 0x58, 0x08][..], b"no-cache"].concat();
        assert_eq!(texts(&decoder.decode(&second, &BOUNDS).unwrap())[4], "cache-control=no-cache");
        let third =
            [&[0x82, 0x87, 0x85, 0xbf, 0x40, 0x0a][..], b"custom-key", &[0x0c], b"custom-value"].concat();
        let third = texts(&decoder.decode(&third, &BOUNDS).unwrap());
        assert_eq!(
            third[2..],
            [":path=/index.html", ":authority=www.example.com", "custom-key=custom-value"]
        );
        assert_eq!(decoder.table_bytes, 164);
        let coded = [
            0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4,
            0xff,
        ];
        assert_eq!(texts(&Decoder::new().decode(&coded, &BOUNDS).unwrap()), get);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let mut decoder = Decoder::new();
        for number in 0..200 {
            decoder.decode(&literal(&format!("x{number}"), "value"), &BOUNDS).unwrap();
            assert!(decoder.table_bytes <= TABLE_BYTES);
        }
        assert_eq!(texts(&decoder.decode(&[0xbe], &BOUNDS).unwrap()), ["x199=value"]);
        // A smaller table keeps the newest entry only; none is left in an empty one.
        decoder.decode(&[0x3f, 30], &BOUNDS).unwrap();
        assert_eq!(decoder.table.len(), 1);
        assert_eq!(decoder.decode(&[0xbf], &BOUNDS), Err(Reason::COMPRESSION_ERROR));
        decoder.decode(&[0x20], &BOUNDS).unwrap();
        assert_eq!((decoder.table.len(), decoder.table_bytes), (0, 0));
        // An entry that is exactly as large as the table.
        let mut decoder = Decoder::new();
        let value = [b'y'; 4031];
        let block = [&[0x40, 33][..], &[b'x'; 33], &[0x7f, 0xc0, 0x1e], &value].concat();
        decoder.decode(&block, &BOUNDS).unwrap();
        assert_eq!((decoder.table.len(), decoder.table_bytes), (1, TABLE_BYTES));
    }

    #[test]
    fn what_is_no_head_ends_the_connection() {
        let mut decoder = Decoder::new();
        let mut reason = |block: &[u8]| decoder.decode(block, &BOUNDS).unwrap_err();
        for (what, block) in [
            ("index 0", &[0x80][..]),
            ("an unknown index", &[0xbe]),
            ("an unknown name", &[0x7e, 1, b'x']),
            ("a table that is too large", &[0x3f, 0xe2, 0x1f]),
            ("a number that is too long", &[0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
            ("a bad code", &[0x00, 0x81, 0x00, 1, b'x']),
        ] {
            assert_eq!(reason(block), Reason::COMPRESSION_ERROR, "{what}");
        }
        for block in [&[0xff][..], &[0x42, 0xff], &[0x42], &[0x42, 5, b'x'], &[0x00, 1, b'x']] {
            assert_eq!(reason(block), Reason::FRAME_SIZE_ERROR, "{block:x?}");
        }
        // More than the bounds: a value, fields, bytes that stand for much more.
        assert_eq!(reason(&[0x00, 1, b'x', 0x7f, 0xff, 0x7f]), Reason::ENHANCE_YOUR_CALM);
        assert_eq!(reason(&[0x82; 21]), Reason::ENHANCE_YOUR_CALM);
        let long = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000], &[0xbe; 3]].concat();
        assert_eq!(reason(&long), Reason::ENHANCE_YOUR_CALM);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused() {
        let mut seed = 1u64;
        let mut decoder = Decoder::new();
        for length in 0..20_000 {
            let block: Vec<u8> = (0..length % 60)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 56) as u8
                })
                .collect();
            if let Ok(fields) = decoder.decode(&block, &BOUNDS) {
                assert!(fields.bytes.len() <= BOUNDS.head && fields.lengths.len() <= BOUNDS.fields);
            }
            assert!(decoder.table_bytes <= TABLE_BYTES);
        }
    }
}
