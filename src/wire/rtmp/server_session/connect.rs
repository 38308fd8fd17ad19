//! The connect command, and answers to it.

use bytes::Bytes;

use super::request_id::RequestId;
use crate::wire::amf0::{AmfMembers, AmfValue};
use crate::wire::rtmp::RtmpError;
use crate::wire::rtmp::link::status;
use crate::wire::rtmp::message::CommandMessage;

/// Arguments of `connect` (RTMP 1.0 §7.2.1.1). Omitted strings are empty, omitted numbers zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connect {
    /// Application as sent; may include an instance and a query.
    pub app: Bytes,
    /// URL of the application.
    pub tc_url: Bytes,
    /// Version of the player or encoder.
    pub flash_ver: Bytes,
    /// URL of the player's SWF file.
    pub swf_url: Bytes,
    /// URL of the page with the player.
    pub page_url: Bytes,
    /// Bit mask of audio codecs that the peer can play.
    pub audio_codecs: u32,
    /// Bit mask of video codecs that the peer can play.
    pub video_codecs: u32,
    /// 0 for AMF0, 3 for AMF3.
    pub object_encoding: f64,
    /// Other members of the command object.
    pub extra: AmfMembers,
    /// Arguments after the command object.
    pub arguments: Vec<AmfValue>,
}

impl Connect {
    pub(super) fn parse(command: &mut CommandMessage) -> Result<Self, RtmpError> {
        let (AmfValue::Object(members) | AmfValue::EcmaArray(members)) = command.argument()? else {
            return Err(RtmpError::Argument { command: "connect", argument: "command object" });
        };
        let mut connect = Self::default();
        for (name, value) in members {
            connect.take(name, value);
        }
        connect.arguments = command.arguments.by_ref().collect::<Result<_, _>>()?;
        Ok(connect)
    }

    fn take(&mut self, name: Bytes, value: AmfValue) {
        match (&name[..], &value) {
            (b"app", AmfValue::String(text)) => self.app = text.clone(),
            (b"tcUrl", AmfValue::String(text)) => self.tc_url = text.clone(),
            (b"flashVer", AmfValue::String(text)) => self.flash_ver = text.clone(),
            (b"swfUrl", AmfValue::String(text)) => self.swf_url = text.clone(),
            (b"pageUrl", AmfValue::String(text)) => self.page_url = text.clone(),
            // `as` saturates and turns NaN into zero.
            (b"audioCodecs", AmfValue::Number(bits)) => self.audio_codecs = *bits as u32,
            (b"videoCodecs", AmfValue::Number(bits)) => self.video_codecs = *bits as u32,
            (b"objectEncoding", AmfValue::Number(encoding)) => self.object_encoding = *encoding,
            _ => self.extra.push((name, value)),
        }
    }

    fn announces_fourcc(&self) -> bool {
        self.extra.iter().any(|(name, _)| name == "fourCcList")
    }
}

/// State of the connect request.
#[derive(Debug)]
pub(super) enum ConnectState {
    None,
    Asked(ConnectRequest),
    Answered,
}

/// Data of a pending request that its answer needs.
#[derive(Debug)]
pub(super) struct ConnectRequest {
    request: RequestId,
    transaction_id: f64,
    object_encoding: f64,
    fourcc: bool,
}

impl ConnectState {
    pub(super) fn ask(&mut self, request: RequestId, transaction_id: f64, connect: &Connect) {
        *self = Self::Asked(ConnectRequest {
            request,
            transaction_id,
            object_encoding: connect.object_encoding,
            fourcc: connect.announces_fourcc(),
        });
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Takes the pending request with this id, if any; it counts as answered from then on.
    pub(super) fn take(&mut self, request: RequestId) -> Option<ConnectRequest> {
        match std::mem::replace(self, Self::Answered) {
            Self::Asked(asked) if asked.request == request => Some(asked),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl ConnectRequest {
    /// Values of a success, as in PingOS; players read only the code.
    pub(super) fn success(&self) -> [AmfValue; 4] {
        let mut properties =
            AmfValue::object([("fmsVer", "FMS/3,0,1,123".into()), ("capabilities", 31.0.into())]);
        // Enhanced RTMP: only peers that announce FourCC codecs expect the server's.
        if self.fourcc
            && let AmfValue::Object(members) = &mut properties
        {
            let codecs = ["av01", "hvc1", "vp09"].map(AmfValue::from).to_vec();
            members.push((Bytes::from_static(b"fourCcList"), AmfValue::StrictArray(codecs)));
        }
        let information = AmfValue::object([
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "Connection succeeded.".into()),
            ("objectEncoding", self.object_encoding.into()),
        ]);
        ["_result".into(), self.transaction_id.into(), properties, information]
    }

    pub(super) fn failure(&self, code: &str, description: &str) -> [AmfValue; 4] {
        ["_error".into(), self.transaction_id.into(), AmfValue::Null, status("error", code, description)]
    }
}
