//! Bit reader, most significant bit first.

use super::CodecError;
use crate::limits::EXP_GOLOMB_ZEROS;

/// Reads bit fields; every read past the end is [`CodecError::Truncated`].
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Number of bits read.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `bytes`, which must be free of emulation prevention bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Reads one bit.
    ///
    /// # Errors
    ///
    /// The bytes are truncated.
    pub fn bit(&mut self) -> Result<bool, CodecError> {
        let byte = *self.bytes.get(self.position / 8).ok_or(CodecError::Truncated)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// Reads an unsigned number of up to 32 bits.
    ///
    /// # Panics
    ///
    /// If `count` is above 32; no caller takes it from input.
    ///
    /// # Errors
    ///
    /// The bytes are truncated.
    pub fn uint(&mut self, count: u32) -> Result<u32, CodecError> {
        assert!(count <= 32, "a field of {count} bits");
        let mut number = 0;
        for _ in 0..count {
            number = number << 1 | u32::from(self.bit()?);
        }
        Ok(number)
    }

    /// Skips bits.
    ///
    /// # Errors
    ///
    /// The bytes are truncated.
    pub fn skip(&mut self, count: usize) -> Result<(), CodecError> {
        if count > self.bits_left() {
            return Err(CodecError::Truncated);
        }
        self.position += count;
        Ok(())
    }

    /// Reads an unsigned Exp-Golomb code (H.264 §9.1).
    ///
    /// # Errors
    ///
    /// The bytes are truncated, or the code is longer than 32 bits.
    pub fn ue(&mut self) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > EXP_GOLOMB_ZEROS {
                return Err(CodecError::Invalid("Exp-Golomb code"));
            }
        }
        let rest = self.uint(zeros)?;
        // At most 2^31 - 1 + 2^31 - 1.
        Ok((1 << zeros) - 1 + rest)
    }

    /// Reads a signed Exp-Golomb code (H.264 §9.1.1).
    ///
    /// # Errors
    ///
    /// As [`BitReader::ue`].
    pub fn se(&mut self) -> Result<i32, CodecError> {
        let code = self.ue()?;
        let magnitude = code.div_ceil(2).cast_signed();
        Ok(if code % 2 == 1 { magnitude } else { -magnitude })
    }

    /// Number of bits left.
    pub fn bits_left(&self) -> usize {
        self.bytes.len() * 8 - self.position
    }
}

/// Removes the emulation prevention bytes of a NAL unit (H.264 §7.4.1, H.265 §7.4.2).
pub(in crate::wire) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_are_those_of_the_table() {
        // 1 010 011 00100 00101
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = BitReader::new(&bytes);
        assert_eq!([0; 5].map(|_| bits.ue().unwrap()), [0, 1, 2, 3, 4]);
        let mut bits = BitReader::new(&bytes);
        assert_eq!([0; 5].map(|_| bits.se().unwrap()), [0, 1, -1, 2, -2]);
    }

    #[test]
    fn largest_code_fits_and_longer_ones_are_refused() {
        let mut largest = vec![0, 0, 0, 1];
        largest.extend_from_slice(&[0xFF; 4]);
        assert_eq!(BitReader::new(&largest).ue(), Ok(u32::MAX - 1));
        assert_eq!(BitReader::new(&largest).se(), Ok(-i32::MAX));
        assert_eq!(BitReader::new(&[0; 16]).ue(), Err(CodecError::Invalid("Exp-Golomb code")));
        assert_eq!(BitReader::new(&[0; 3]).ue(), Err(CodecError::Truncated));
    }

    #[test]
    fn reads_past_the_end_are_errors() {
        let mut bits = BitReader::new(&[0xAB, 0xCD]);
        assert_eq!(bits.uint(12), Ok(0xABC));
        assert_eq!(bits.bits_left(), 4);
        assert_eq!(bits.skip(5), Err(CodecError::Truncated));
        assert_eq!(bits.uint(4), Ok(0xD));
        assert_eq!(bits.bit(), Err(CodecError::Truncated));
        assert_eq!(bits.uint(0), Ok(0));
    }

    #[test]
    fn emulation_prevention_is_removed() {
        assert_eq!(unescape(&[1, 0, 0, 3, 1, 0, 0, 3]), [1, 0, 0, 1, 0, 0]);
        assert_eq!(unescape(&[0, 0, 3, 0, 0, 3, 3]), [0, 0, 0, 0, 3]);
        assert_eq!(unescape(&[0, 3, 0, 0, 4]), [0, 3, 0, 0, 4]);
    }
}
