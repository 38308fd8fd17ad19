//! Boxes: a size, a type, and contents that may be boxes again (ISO/IEC 14496-12 §4.2).

/// Bytes of a file in the making.
#[derive(Debug, Default)]
pub(super) struct BoxWriter(pub(super) Vec<u8>);

impl BoxWriter {
    /// Appends a box with these contents.
    pub(super) fn boxed(&mut self, kind: &[u8; 4], contents: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.u32(0);
        self.bytes(kind);
        contents(self);
        let size = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// Appends a box with a version and 24 bits of flags.
    pub(super) fn full(&mut self, kind: &[u8; 4], version: u8, flags: u32, contents: impl FnOnce(&mut Self)) {
        self.boxed(kind, |out| {
            out.u32(u32::from(version) << 24 | flags);
            contents(out);
        });
    }

    /// Appends bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends zeros.
    pub(super) fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    /// Appends one byte.
    pub(super) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    /// Appends two bytes.
    pub(super) fn u16(&mut self, number: u16) {
        self.bytes(&number.to_be_bytes());
    }

    /// Appends four bytes.
    pub(super) fn u32(&mut self, number: u32) {
        self.bytes(&number.to_be_bytes());
    }

    /// Appends eight bytes.
    pub(super) fn u64(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }
}
