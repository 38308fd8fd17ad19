//! Command and data messages.

use bytes::{Buf, Bytes, BytesMut};

use super::{Message, type_id};
use crate::wire::amf0::{self, AmfValue, Decoder};
use crate::wire::rtmp::{RtmpError, chunk};

/// Prefix of metadata that the server should keep, as an encoded AMF0 string.
pub const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0D@setDataFrame";
/// Variant without `@` that some encoders send.
const SET_DATA_FRAME_PLAIN: &[u8] = b"\x02\x00\x0CsetDataFrame";

/// A command: name, transaction id, and arguments not decoded yet.
#[derive(Clone, Debug)]
pub struct CommandMessage {
    /// Command name.
    pub name: Bytes,
    /// 0 if no answer is expected, or if the sender omitted it.
    pub transaction_id: f64,
    /// The command object (usually null) and the further arguments.
    pub arguments: Decoder,
}

impl CommandMessage {
    /// Parses the command in a message of type 20 or 17; `None` for other types.
    ///
    /// A message that does not start with a string is an error.
    ///
    /// # Errors
    ///
    /// The message does not begin like a command.
    pub fn parse(message: &Message) -> Result<Option<Self>, RtmpError> {
        let body = match message.type_id {
            type_id::COMMAND => message.payload.clone(),
            type_id::COMMAND_AMF3 => message.payload.slice(message.payload.len().min(1)..),
            _ => return Ok(None),
        };
        let mut arguments = Decoder::new(&body);
        let Some(AmfValue::String(name)) = arguments.next().transpose()? else {
            return Err(RtmpError::Argument { command: "command message", argument: "name" });
        };
        let transaction_id = arguments.next().transpose()?.and_then(|id| id.as_number()).unwrap_or(0.0);
        Ok(Some(Self { name, transaction_id, arguments }))
    }

    /// Returns the next argument; null if there are no more.
    ///
    /// # Errors
    ///
    /// The bytes are not AMF0.
    pub fn argument(&mut self) -> Result<AmfValue, RtmpError> {
        Ok(self.arguments.next().transpose()?.unwrap_or(AmfValue::Null))
    }
}

/// Appends a command message (type 20).
pub fn write_command(out: &mut BytesMut, csid: u32, stream_id: u32, chunk_size: usize, values: &[AmfValue]) {
    let mut body = BytesMut::new();
    amf0::encode_all(values, &mut body);
    chunk::write_absolute(out, csid, 0, type_id::COMMAND, stream_id, &body, chunk_size);
}

/// Body of a data message (type 18 or 15) without `@setDataFrame` or `setDataFrame`, not decoded; `None` for other
/// types.
pub fn data_body(message: &Message) -> Option<Bytes> {
    let mut body = message.payload.clone();
    match message.type_id {
        type_id::DATA => {}
        // The leading byte gives the format. A message that begins with a string directly lacks it.
        type_id::DATA_AMF3 if body.starts_with(b"\x02\x00") => {}
        type_id::DATA_AMF3 => body.advance(body.len().min(1)),
        _ => return None,
    }
    for mark in [SET_DATA_FRAME, SET_DATA_FRAME_PLAIN] {
        if body.starts_with(mark) {
            body.advance(mark.len());
            break;
        }
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(type_id: u8, payload: &'static [u8]) -> Message {
        Message {
            chunk_stream_id: 3,
            type_id,
            stream_id: 0,
            timestamp: 0,
            payload: Bytes::from_static(payload),
        }
    }

    #[test]
    fn amf3_command_is_amf0_behind_one_byte() {
        for (type_id, payload) in [
            (20, &b"\x02\x00\x01x\x00\x40\x00\0\0\0\0\0\0\x05"[..]),
            (17, &b"\x00\x02\x00\x01x\x00\x40\x00\0\0\0\0\0\0\x05"[..]),
        ] {
            let mut command = CommandMessage::parse(&message(type_id, payload)).unwrap().unwrap();
            assert_eq!(&command.name[..], b"x");
            assert_eq!(command.transaction_id, 2.0);
            assert_eq!(command.argument(), Ok(AmfValue::Null));
        }
    }

    #[test]
    fn command_without_transaction_id_has_zero() {
        let command = CommandMessage::parse(&message(20, b"\x02\x00\x01x")).unwrap().unwrap();
        assert_eq!(command.transaction_id, 0.0);
    }

    #[test]
    fn command_must_start_with_a_name() {
        for payload in [&b""[..], b"\x05", b"\x02\x00\x05ab"] {
            assert!(CommandMessage::parse(&message(20, payload)).is_err());
            assert!(CommandMessage::parse(&message(17, payload)).is_err());
        }
    }

    #[test]
    fn set_data_frame_is_removed_from_data() {
        let body = data_body(&message(18, b"\x02\x00\x0D@setDataFrame\x05")).unwrap();
        assert_eq!(&body[..], b"\x05");
        let body = data_body(&message(15, b"\x00\x02\x00\x0D@setDataFrame\x05")).unwrap();
        assert_eq!(&body[..], b"\x05");
        let body = data_body(&message(18, b"\x02\x00\x0CsetDataFrame\x05")).unwrap();
        assert_eq!(&body[..], b"\x05");
        let body = data_body(&message(15, b"\x02\x00\x0CsetDataFrame\x05")).unwrap();
        assert_eq!(&body[..], b"\x05");
        assert_eq!(&data_body(&message(18, b"\x06")).unwrap()[..], b"\x06");
        assert_eq!(&data_body(&message(15, b"")).unwrap()[..], b"");
        assert_eq!(data_body(&message(8, b"\x06")), None);
    }
}
