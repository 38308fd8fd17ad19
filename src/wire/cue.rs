//! Cues: data messages by which encoders tell where advertising breaks begin and end.
//!
//! | message | content |
//! | --- | --- |
//! | `onSCTE35`, `onAdCue`, `onCuePoint` | an SCTE-35 section in base64, in hexadecimal behind `0x`, or in binary: as a value, as a member of any name, or as a member of `parameters` |
//! | `onAdCue` | without a section: `cue` (or `type`) is `SpliceOut` or `SpliceIn` |
//! | `onCuePoint` with the `name` `scte35` | without a section: `parameters` with `id` and `duration`; one without a duration ends a break |
//!
//! `time` is the moment of the splice in seconds on the publisher's time line, `elapsed` the time since then in a message
//! that is repeated, `duration` the length of a break. The forms are those of AWS Elemental Live and of Adobe Primetime
//! (Azure Media Services, "Signaling Timed Metadata in Live Streaming" §2.1).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bstr::ByteSlice;

use super::amf0::AmfValue;
use super::data_message::DataMessage;
use super::mpegts::crc32;
use super::scte35::SpliceSection;
use crate::limits;

/// A cue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// The section that the encoder has sent, or one that says the same as its message.
    pub section: SpliceSection,
    /// Name of the event by the encoder, which can stand between quotes in a playlist.
    pub id: Option<String>,
    /// Moment of the splice relative to the message, in milliseconds.
    pub offset_ms: i64,
    /// Duration by the message, in milliseconds.
    pub duration_ms: Option<u64>,
}

impl Cue {
    /// Reads a data message that was sent at this timestamp; `None` for one that is no cue.
    pub fn read(message: &DataMessage, time_ms: u64) -> Option<Cue> {
        let is = |name: &[u8]| message.name().eq_ignore_ascii_case(name);
        if !is(b"onSCTE35") && !is(b"onAdCue") && !is(b"onCuePoint") {
            return None;
        }
        let fields = CueFields::of(message);
        let duration_ms = fields.seconds(b"duration").filter(|ms| *ms > 0);
        let id = fields.text(b"id").and_then(quotable);
        let section = fields.section().or_else(|| {
            let number = event_id(fields.text(b"id").unwrap_or_default());
            Some(SpliceSection::insert(number, fields.begins(duration_ms)?, duration_ms))
        })?;
        let elapsed_ms = fields.seconds(b"elapsed").unwrap_or(0).cast_signed();
        let ahead_ms = match fields.seconds(b"time") {
            Some(at_ms) => at_ms.cast_signed().saturating_sub(time_ms.cast_signed()),
            None => 0,
        };
        // The time of an encoder that counts from elsewhere says nothing.
        let ahead_ms = if ahead_ms.abs() <= AHEAD_MS { ahead_ms } else { 0 };
        let offset_ms = if ahead_ms < 0 { ahead_ms } else { ahead_ms.saturating_sub(elapsed_ms) };
        Some(Cue { section, id, offset_ms, duration_ms })
    }
}

/// Values and members of a message.
struct CueFields<'a>(Vec<(&'a [u8], &'a AmfValue)>);

impl<'a> CueFields<'a> {
    fn of(message: &'a DataMessage) -> Self {
        let mut fields: Vec<(&[u8], &AmfValue)> = Vec::new();
        for value in message.values() {
            let members = value.members().unwrap_or_default();
            fields.push((b"", value));
            fields.extend(members.iter().map(|(name, value)| (&name[..], value)));
            let inner = value.get(b"parameters").and_then(AmfValue::members).unwrap_or_default();
            fields.extend(inner.iter().map(|(name, value)| (&name[..], value)));
        }
        fields.truncate(limits::SCTE35_FIELDS);
        CueFields(fields)
    }

    fn section(&self) -> Option<SpliceSection> {
        self.0.iter().find_map(|(_, value)| SpliceSection::parse(&binary(value.as_str()?)?))
    }

    /// Whether a message without a section begins a break, or ends one; `None` if it does neither.
    fn begins(&self, duration_ms: Option<u64>) -> Option<bool> {
        let is = |name: &[u8], word: &str| {
            self.text(name).is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
        };
        let says = |word| is(b"cue", word) || is(b"type", word);
        if says("SpliceOut") {
            Some(true)
        } else if says("SpliceIn") {
            Some(false)
        } else {
            is(b"name", "scte35").then_some(duration_ms.is_some())
        }
    }

    fn find(&self, name: &[u8]) -> impl Iterator<Item = &'a AmfValue> {
        self.0.iter().filter(move |(is, _)| *is == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.find(name).find_map(AmfValue::as_str)
    }

    /// A number of seconds, which may be text, in milliseconds.
    fn seconds(&self, name: &[u8]) -> Option<u64> {
        let number = |value: &AmfValue| match value.as_str() {
            Some(text) => text.to_str().ok()?.trim().parse::<f64>().ok(),
            None => value.as_number(),
        };
        let seconds = self.find(name).find_map(number)?;
        (0.0..=SECONDS_MAX).contains(&seconds).then(|| (seconds * 1_000.0).round() as u64)
    }
}

/// Decodes the text of a section.
fn binary(text: &[u8]) -> Option<Vec<u8>> {
    const MOST: usize = 2 * (limits::SCTE35_BYTES + 3) + 2;
    if text.first() == Some(&0xfc) {
        return Some(text.to_vec());
    }
    let text = text.trim_ascii();
    if text.len() > MOST {
        return None;
    }
    match text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")) {
        Some(digits) if digits.len().is_multiple_of(2) => {
            let byte = |pair: &[u8]| u8::from_str_radix(pair.to_str().ok()?, 16).ok();
            digits.chunks(2).map(byte).collect()
        }
        Some(_) => None,
        None => BASE64.decode(text).ok(),
    }
}

/// Text that can stand between quotes in a playlist (RFC 8216 §4.2).
fn quotable(text: &[u8]) -> Option<String> {
    let is_safe = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"';
    let fits = !text.is_empty() && text.len() <= ID_MAX && text.iter().all(is_safe);
    fits.then(|| text.to_str().ok().map(str::to_owned)).flatten()
}

/// Number of an event that an encoder names.
fn event_id(id: &[u8]) -> u32 {
    let number = id.to_str().ok().and_then(|id| id.parse().ok());
    number.unwrap_or_else(|| crc32(id))
}

/// Base64 with or without padding.
static BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Farthest distance of a splice from its message, in milliseconds.
const AHEAD_MS: i64 = 60_000;
/// Longest time that is believed, in seconds: 31 years.
const SECONDS_MAX: f64 = 1e9;
/// Maximum length of the name of an event.
const ID_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::super::amf0;
    use super::super::scte35::{SpliceEvent, SpliceKind};
    use super::*;

    /// A placement opportunity of 307 s.
    const OUT: &str = "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg==";

    fn read(name: &'static str, values: &[AmfValue], time_ms: u64) -> Option<Cue> {
        let mut payload = BytesMut::new();
        amf0::encode(&name.into(), &mut payload);
        amf0::encode_all(values, &mut payload);
        Cue::read(&DataMessage::parse(&payload.freeze())?, time_ms)
    }

    fn insert(id: u32, is_out: bool, duration_ms: Option<u64>) -> Option<SpliceSection> {
        Some(SpliceSection::insert(id, is_out, duration_ms))
    }

    #[test]
    fn sections_are_found_in_every_form() {
        let bytes = BASE64.decode(OUT).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let unpadded = OUT.trim_end_matches('=');
        let wanted = SpliceSection::parse(&bytes);
        assert_eq!(
            wanted.as_ref().unwrap().events(),
            [SpliceEvent { kind: SpliceKind::Out, id: 0x4800_008e, duration_ms: Some(307_000) }]
        );
        let forms: [AmfValue; 5] = [
            OUT.into(),
            unpadded.to_owned().into(),
            format!("0x{hex}").into(),
            format!(" {OUT}\n").into(),
            Bytes::from(bytes).into(),
        ];
        for form in forms {
            let object = AmfValue::object([("cue", form.clone()), ("type", "scte35".into())]);
            let nested = AmfValue::object([
                ("name", "scte35".into()),
                ("parameters", AmfValue::object([("x", form.clone())])),
            ]);
            for (name, value) in [("onSCTE35", form), ("onAdCue", object), ("onCuePoint", nested)] {
                assert_eq!(read(name, &[value], 0).map(|cue| cue.section), wanted, "{name}");
            }
        }
        assert_eq!(read("onTextData", &[OUT.into()], 0), None);
        assert_eq!(read("onSCTE35", &[OUT.replace('N', "M").into()], 0), None);
        assert_eq!(read("onSCTE35", &["0xf".into()], 0), None);
        assert_eq!(read("onSCTE35", &["A".repeat(20_000).into()], 0), None);
    }

    #[test]
    fn messages_without_a_section_become_one() {
        let ad = |fields: [(&'static str, AmfValue); 3]| {
            read("onAdCue", &[AmfValue::object(fields)], 10_000).unwrap()
        };
        let out = ad([("cue", "SpliceOut".into()), ("id", "17".into()), ("duration", 30.0.into())]);
        assert_eq!((Some(out.section), out.id.as_deref()), (insert(17, true, Some(30_000)), Some("17")));
        let back = ad([("type", "splicein".into()), ("id", "17".into()), ("duration", 0.0.into())]);
        assert_eq!((Some(back.section), back.duration_ms), (insert(17, false, None), None));
        for (duration, is_out) in [("12.5", true), ("0", false)] {
            let parameters = AmfValue::object([("id", "9".into()), ("duration", duration.into())]);
            let cue = AmfValue::object([
                ("name", "scte35".into()),
                ("type", "event".into()),
                ("parameters", parameters),
            ]);
            let cue = read("onCuePoint", &[cue], 0).unwrap();
            assert_eq!(Some(cue.section), insert(9, is_out, is_out.then_some(12_500)));
        }
        let other = AmfValue::object([("name", "chapter".into()), ("type", "event".into())]);
        assert_eq!(read("onCuePoint", &[other], 0), None);
    }

    #[test]
    fn times_are_relative_to_the_message() {
        let offset = |time: f64, elapsed: f64| {
            let fields = [("cue", OUT.into()), ("time", time.into()), ("elapsed", elapsed.into())];
            read("onAdCue", &[AmfValue::object(fields)], 100_000).unwrap().offset_ms
        };
        assert_eq!(offset(104.0, 0.0), 4_000);
        assert_eq!(offset(90.0, 10.0), -10_000);
        assert_eq!(offset(100.0, 5.0), -5_000);
        // Another clock.
        assert_eq!((offset(5_000.0, 0.0), offset(f64::NAN, 0.0), offset(-1.0, 3.0)), (0, 0, -3_000));
    }

    #[test]
    fn names_that_would_break_a_playlist_are_refused() {
        let id = |id: &str| {
            read("onAdCue", &[AmfValue::object([("cue", OUT.into()), ("id", id.to_owned().into())])], 0)
                .unwrap()
                .id
        };
        assert_eq!(id("break 7, part=1").as_deref(), Some("break 7, part=1"));
        for bad in ["", "a\"b", "a\nb", "a\rb", "\u{e4}", "\u{7f}", &"x".repeat(129)] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
    }
}
