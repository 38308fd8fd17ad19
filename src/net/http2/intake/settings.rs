//! The client's settings.

use super::super::framing::{
    ENABLE_PUSH, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, NO_RFC7540_PRIORITIES, SETTING,
    SETTINGS, frame, setting,
};
use super::super::order::SendOrder;
use super::super::violation::Violation;
use crate::limits;

/// What a client has set in one frame, as far as the crate needs it.
#[derive(Debug, Default)]
pub(super) struct NewSettings {
    table: Option<u32>,
    window: Option<u32>,
    frame: Option<u32>,
}

impl NewSettings {
    /// Takes a setting over.
    pub(super) fn set(&mut self, bytes: [u8; SETTING], order: &SendOrder) -> Result<(), Violation> {
        let [a, b, value @ ..] = bytes;
        let (name, value) = (u16::from_be_bytes([a, b]), u32::from_be_bytes(value));
        let wrong = |name: &str| format!("client sent SETTINGS frame with incorrect {name} value {value}");
        match name {
            HEADER_TABLE_SIZE => self.table = Some(value),
            ENABLE_PUSH if value > 1 => return Err(Violation::protocol(wrong("ENABLE_PUSH"))),
            INITIAL_WINDOW_SIZE if u64::from(value) > limits::HTTP2_WINDOW => {
                return Err(Violation::window(wrong("INITIAL_WINDOW_SIZE")));
            }
            INITIAL_WINDOW_SIZE => {
                order.set_first_window(value);
                self.window = Some(value);
            }
            MAX_FRAME_SIZE
                if u64::from(value) < limits::HTTP2_FRAME || value > limits::HTTP2_LARGEST_FRAME =>
            {
                return Err(Violation::protocol(wrong("MAX_FRAME_SIZE")));
            }
            MAX_FRAME_SIZE => self.frame = Some(value),
            NO_RFC7540_PRIORITIES if value > 1 => {
                return Err(Violation::protocol(wrong("NO_RFC7540_PRIORITIES")));
            }
            // The others are about pushed streams, or are advice, or unknown.
            _ => {}
        }
        Ok(())
    }

    /// Appends the frame that the crate gets.
    pub(super) fn pass(self, passed: &mut Vec<u8>) {
        let NewSettings { table, window, frame: size } = self;
        let all = [(HEADER_TABLE_SIZE, table), (INITIAL_WINDOW_SIZE, window), (MAX_FRAME_SIZE, size)];
        let all = all.into_iter().filter_map(|(name, value)| Some(setting(name, value?)));
        frame(SETTINGS, 0, 0, &[&all.flatten().collect::<Vec<u8>>()], passed);
    }
}
