//! AES-128-CBC encryption of a file that is written in pieces (RFC 8216 §4.3.2.4).

use aes::Aes128;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};

/// Length in bytes of a key, of an initialisation vector and of a cipher block.
pub(super) const BLOCK: usize = 16;

/// Encryption of one file.
pub(super) struct Encryptor {
    cipher: cbc::Encryptor<Aes128>,
    /// Bytes that do not fill a block yet.
    rest: Vec<u8>,
}

impl Encryptor {
    /// Begins a file.
    pub(super) fn new(key: &[u8; BLOCK], iv: &[u8; BLOCK]) -> Self {
        Encryptor { cipher: cbc::Encryptor::new(key.into(), iv.into()), rest: Vec::with_capacity(BLOCK) }
    }

    /// Encrypts all complete blocks.
    pub(super) fn update(&mut self, plain: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(plain);
        let whole = self.rest.len() / BLOCK * BLOCK;
        let mut out: Vec<u8> = self.rest.drain(..whole).collect();
        self.encrypt(&mut out);
        out
    }

    /// Encrypts the last block with padding (PKCS #7).
    pub(super) fn finish(mut self) -> Vec<u8> {
        let mut last = std::mem::take(&mut self.rest);
        let missing = BLOCK - last.len();
        last.resize(BLOCK, u8::try_from(missing).expect("a block has 16 bytes"));
        self.encrypt(&mut last);
        last
    }

    fn encrypt(&mut self, blocks: &mut [u8]) {
        for block in blocks.as_chunks_mut::<BLOCK>().0 {
            self.cipher.encrypt_block(block.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST SP 800-38A F.2.1, and the padding after complete blocks.
    #[test]
    fn agrees_with_the_standard_in_any_pieces() {
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let plain =
            [hex("6bc1bee22e409f96e93d7e117393172a"), hex("ae2d8a571e03ac9c9eb76fac45af8e51")].concat();
        let want =
            [hex("7649abac8119b246cee98e9b12e9197d"), hex("5086cb9b507219ee95db113a917678b2")].concat();
        for step in [1, 7, 16, 32] {
            let mut encryptor = Encryptor::new(&key, &iv);
            let mut out: Vec<u8> = plain.chunks(step).flat_map(|piece| encryptor.update(piece)).collect();
            assert_eq!(out, want);
            out.extend(encryptor.finish());
            assert_eq!(out.len(), 48);
        }
    }

    fn hex(text: &str) -> [u8; BLOCK] {
        u128::from_str_radix(text, 16).unwrap().to_be_bytes()
    }
}
