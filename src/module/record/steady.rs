//! Correction of recorded timestamps: jumps above `fix_timestamp` are flattened, even if the stream has no cache and
//! players get them as sent. The rules are those of [`crate::hub::timeline`].

use std::sync::Arc;

use crate::hub::packet::{Packet, PacketClass};
use crate::hub::timeline::Timeline;
use crate::wire::MediaKind;

/// Corrects the packets of one publish, in order.
#[derive(Debug, Default)]
pub struct SteadyTimeline {
    timeline: Timeline,
    /// Value of `fix_timestamp` in milliseconds; 0 keeps jumps.
    fix: u32,
    /// Latest correction (added wrapping) of each kind's main track, by [`crate::wire::MediaKind`], once the track has
    /// begun.
    shifts: [Option<u32>; 3],
    repaired: bool,
}

impl SteadyTimeline {
    /// Sets `fix_timestamp`, in milliseconds.
    pub fn set_fix(&mut self, fix: u32) {
        self.fix = fix;
    }

    /// Whether a correction has changed since the last call.
    pub fn take_repaired(&mut self) -> bool {
        std::mem::take(&mut self.repaired)
    }

    /// The packet with its corrected timestamp.
    pub fn place(&mut self, packet: &Arc<Packet>) -> Arc<Packet> {
        let (kind, sent) = (packet.kind(), packet.timestamp());
        let is_frame = matches!(packet.class(), PacketClass::Audio | PacketClass::Key | PacketClass::Inter);
        let main = match kind {
            // A data message moves with the media.
            MediaKind::Data => [MediaKind::Video, MediaKind::Audio]
                .into_iter()
                .find(|kind| self.shifts[*kind as usize].is_some())
                .unwrap_or(kind),
            kind => kind,
        };
        let shift = &mut self.shifts[main as usize];
        let placed = match (packet.lane().place(), *shift) {
            (None, _) if is_frame => {
                let placed = self.timeline.place(kind, sent, self.fix).0;
                let before = shift.replace(placed.wrapping_sub(sent));
                self.repaired |= before.is_some() && before != *shift;
                placed
            }
            (Some(at), Some(_)) if is_frame => self.timeline.place_beside(kind, at, sent).0,
            // Headers get the correction of the preceding frames, and so does everything before the main track begins.
            (_, shift) => sent.wrapping_add(shift.unwrap_or(0)),
        };
        if placed == sent { packet.clone() } else { Arc::new(packet.moved_to(placed)) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn packet(class: PacketClass, timestamp: u32) -> Arc<Packet> {
        let kind = match class {
            PacketClass::Audio | PacketClass::AudioHeader => MediaKind::Audio,
            PacketClass::Other => MediaKind::Data,
            _ => MediaKind::Video,
        };
        Arc::new(Packet::new(kind, class, timestamp, 0, Bytes::from_static(b"x"), 128))
    }

    fn steady(fix: u32) -> SteadyTimeline {
        SteadyTimeline { fix, ..SteadyTimeline::default() }
    }

    #[test]
    fn jumps_are_flattened_and_the_tracks_stay_together() {
        let mut steady = steady(10_000);
        let mut last = [0; 2];
        // One second each, 5,000 s apart.
        for (n, second) in [0, 5_000_000, 10_000_000, 15_000_000].into_iter().enumerate() {
            for step in (0..1_000).step_by(40) {
                let sent = second + n as u32 * 1_000 + step;
                last = [PacketClass::Inter, PacketClass::Audio].map(|class| {
                    let placed = steady.place(&packet(class, sent));
                    assert_eq!(placed.class(), class);
                    placed.timestamp()
                });
            }
            let header = steady.place(&packet(PacketClass::VideoHeader, second + n as u32 * 1_000 + 960));
            assert_eq!(header.timestamp(), last[0]);
        }
        assert_eq!(last, [3_960; 2]);
    }

    #[test]
    fn data_messages_move_with_the_media() {
        let mut steady = steady(10_000);
        for (class, sent, placed) in [
            (PacketClass::Other, 0, 0),
            (PacketClass::Key, 0, 0),
            (PacketClass::Inter, 5_000_000, 40),
            (PacketClass::Other, 5_000_010, 50),
        ] {
            assert_eq!(steady.place(&packet(class, sent)).timestamp(), placed, "{class:?} at {sent}");
        }
    }

    #[test]
    fn without_fix_timestamp_jumps_stay() {
        let mut steady = steady(0);
        for sent in [0, 40, 60_000] {
            assert_eq!(steady.place(&packet(PacketClass::Key, sent)).timestamp(), sent);
        }
    }

    proptest! {
        #[test]
        fn what_goes_forward_passes_unchanged(
            begin: u32,
            packets in prop::collection::vec((0..50_u32, 0..4_usize), 1..200),
        ) {
            let mut steady = steady(10_000);
            let mut at = begin;
            let classes = [PacketClass::Key, PacketClass::Audio, PacketClass::VideoHeader, PacketClass::AudioHeader];
            for (step, class) in packets {
                at = at.wrapping_add(step);
                let sent = packet(classes[class], at);
                prop_assert!(Arc::ptr_eq(&steady.place(&sent), &sent));
            }
        }
    }
}
