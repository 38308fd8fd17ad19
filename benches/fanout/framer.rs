//! The messages of one stream as the floor sends them.

use bytes::Bytes;

use pingosd::wire::MediaKind;
use pingosd::wire::mpegts::{Packager, PackagerSettings, TsFrame};

use crate::Result;
use crate::flv;
use crate::media::{Media, MediaMessage};
use crate::protocol::Protocol;
use crate::stamp::Stamp;

pub enum Framer {
    /// A container in which each message stands for itself. With what a new player gets first.
    Each(Protocol, Bytes),
    /// MPEG-TS, packed as the server packs it, so that the bytes are the same. A player is led in by the tables.
    Ts { packager: Box<Packager>, pieces: Vec<TsFrame>, tables: Bytes },
}

impl Framer {
    pub fn new(protocol: Protocol, media: &Media) -> Result<Framer> {
        let none = Stamp { sent_ns: 0, sequence: 0 };
        if protocol == Protocol::Ts {
            let packager = Box::new(Packager::new(PackagerSettings::default()));
            let mut framer = Framer::Ts { packager, pieces: Vec::new(), tables: Bytes::new() };
            for head in &media.heads {
                framer.frame(head, 0, none, &mut Vec::new())?;
            }
            return Ok(framer);
        }
        let mut heads = if protocol == Protocol::Flv { flv::HEADER.to_vec() } else { Vec::new() };
        for head in &media.heads {
            heads.extend(head.framed(protocol == Protocol::Flv, 0, none));
        }
        Ok(Framer::Each(protocol, heads.into()))
    }

    /// What a new player gets first.
    pub fn lead(&self) -> Bytes {
        match self {
            Framer::Each(_, heads) => heads.clone(),
            Framer::Ts { tables, .. } => tables.clone(),
        }
    }

    /// Appends what is to be sent of the message. MPEG-TS collects audio, so that may be nothing.
    pub fn frame(
        &mut self,
        message: &MediaMessage,
        timestamp: u32,
        stamp: Stamp,
        out: &mut Vec<Bytes>,
    ) -> Result<()> {
        match self {
            Framer::Each(protocol, _) => {
                out.push(message.framed(*protocol == Protocol::Flv, timestamp, stamp).into());
            }
            Framer::Ts { packager, pieces, tables } => {
                let kinds = [MediaKind::Audio, MediaKind::Video, MediaKind::Data];
                let kind = kinds.into_iter().find(|kind| kind.type_id() == message.kind);
                let kind = kind.ok_or("a message that is no media")?;
                packager.handle_frame(kind, timestamp, &message.stamped(stamp), pieces)?;
                if let Some(piece) = pieces.last() {
                    *tables = piece.tables.clone();
                }
                out.extend(pieces.drain(..).map(|piece| piece.bytes));
            }
        }
        Ok(())
    }
}
