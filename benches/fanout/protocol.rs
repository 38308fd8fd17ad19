//! The protocols that players speak.

use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Rtmp,
    /// FLV over HTTP.
    Flv,
    /// MPEG-TS over HTTP.
    Ts,
}

impl Protocol {
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Rtmp => "rtmp",
            Protocol::Flv => "flv",
            Protocol::Ts => "ts",
        }
    }

    pub fn parse(word: &str) -> Result<Protocol> {
        let all = [Protocol::Rtmp, Protocol::Flv, Protocol::Ts];
        Ok(all
            .into_iter()
            .find(|protocol| protocol.word() == word)
            .ok_or(format!("unknown protocol {word}"))?)
    }
}
