//! Samples of one publish, for HLS files, HLS from memory, DASH and recordings in fragmented MP4.
//!
//! [`PublishSamples`] is passed every packet of a publisher. It keeps what a packager makes of them, with the publisher's data
//! messages between them, and what could not be packaged.

use std::vec::Drain;

use crate::hub::packet::Packet;
use crate::wire::MediaKind;
use crate::wire::data_message::DataMessage;
use crate::wire::fmp4::{Fmp4Error, Packager, Sample};

/// Packages one publish, or several one after the other.
#[derive(Debug)]
pub struct PublishSamples {
    packager: Packager,
    items: Vec<SampleItem>,
    samples: Vec<Sample>,
    remarks: Vec<SampleRemark>,
    /// Whether a remark of each kind was made since the publish began.
    left_out: [bool; 3],
    repaired: bool,
}

/// What a feed makes, in order.
#[derive(Debug)]
pub enum SampleItem {
    /// A frame.
    Sample(Sample),
    /// A data message other than `onMetaData`.
    Event {
        /// Point on the time line of the samples, in milliseconds.
        time_ms: u64,
        /// The message.
        message: DataMessage,
    },
}

/// A difference between a publish and its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleRemark {
    /// Messages of this kind are missing.
    LeftOut(MediaKind, Fmp4Error),
    /// Timestamps were corrected.
    Repaired,
}

impl PublishSamples {
    /// Creates a feed. `hevc_codec_id` is the HEVC codec id in classic FLV video tags; the first frame is at `origin_ms`, or at
    /// its timestamp.
    pub fn new(hevc_codec_id: u8, origin_ms: Option<u64>) -> Self {
        PublishSamples {
            packager: Packager::new(hevc_codec_id, origin_ms),
            items: Vec::new(),
            samples: Vec::new(),
            remarks: Vec::new(),
            left_out: [false; 3],
            repaired: false,
        }
    }

    /// Packages a packet of the publisher.
    pub fn push(&mut self, packet: &Packet) {
        let (kind, timestamp, payload) = (packet.kind(), packet.timestamp(), packet.payload());
        if kind == MediaKind::Data {
            if let Some(time_ms) = self.packager.moment(timestamp)
                && let Some(message) = DataMessage::parse(payload)
            {
                self.items.push(SampleItem::Event { time_ms, message });
            }
            return;
        }
        let done = self.packager.handle_frame(kind, timestamp, payload, &mut self.samples);
        // For a frame without content nothing is missing.
        if let Err(error) = done
            && error != Fmp4Error::Empty
            && !std::mem::replace(&mut self.left_out[kind as usize], true)
        {
            self.remarks.push(SampleRemark::LeftOut(kind, error));
        }
        self.collect();
    }

    /// Completes the last samples of a publisher that left. The next packet is that of another one.
    pub fn finish(&mut self) {
        self.packager.finish(&mut self.samples);
        self.collect();
        self.left_out = [false; 3];
        self.repaired = false;
    }

    /// The packager, which knows the tracks.
    pub fn packager(&self) -> &Packager {
        &self.packager
    }

    /// Whether nothing was made since the last call of [`take`](Self::take).
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes what was made.
    pub fn take(&mut self) -> Drain<'_, SampleItem> {
        self.items.drain(..)
    }

    /// Takes the remarks, of which each is made once per publish.
    pub fn take_remarks(&mut self) -> Vec<SampleRemark> {
        std::mem::take(&mut self.remarks)
    }

    fn collect(&mut self) {
        self.items.extend(self.samples.drain(..).map(SampleItem::Sample));
        if self.packager.take_repaired() && !std::mem::replace(&mut self.repaired, true) {
            self.remarks.push(SampleRemark::Repaired);
        }
    }
}
