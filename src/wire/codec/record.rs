//! Common parts of the decoder configuration records of AVC and HEVC (ISO/IEC 14496-15).

use super::CodecError;
use crate::limits::PARAMETER_SETS;

/// Reads the fields of a record.
pub(super) struct Reader<'r>(pub(super) &'r [u8]);

impl<'r> Reader<'r> {
    fn take(&mut self, count: usize) -> Result<&'r [u8], CodecError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Reads `count` NAL units with two-byte lengths. Empty ones are dropped.
    pub(super) fn parameter_sets(
        &mut self,
        count: usize,
        sets: &mut Vec<&'r [u8]>,
    ) -> Result<(), CodecError> {
        for _ in 0..count {
            let length = u16::from_be_bytes(self.array()?);
            let set = self.take(usize::from(length))?;
            if set.is_empty() {
                continue;
            }
            if sets.len() == PARAMETER_SETS {
                return Err(CodecError::Invalid("number of parameter sets"));
            }
            sets.push(set);
        }
        Ok(())
    }
}
