//! Memory that a frame may lie in.

/// Bytes at an address that a frame may start at.
#[derive(Debug, Clone)]
pub struct Block {
    words: Vec<u64>,
    len: usize,
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Block {}

impl Block {
    /// Zeroed memory, or nothing when there is none left.
    pub fn new(len: usize) -> Option<Self> {
        let words = len.div_ceil(size_of::<u64>()).max(1);
        let mut block = Self { words: Vec::new(), len };
        block.words.try_reserve_exact(words).ok()?;
        block.words.resize(words, 0);
        Some(block)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Option<Self> {
        let mut block = Self::new(bytes.len())?;
        block.bytes_mut().copy_from_slice(bytes);
        Some(block)
    }

    /// The same memory for `len` bytes, if it has room for them and not much more; what is in it stays.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "the raw door keeps blocks; the native build does not"))]
    pub(crate) fn reuse(&mut self, len: usize) -> bool {
        let room = self.words.len() * size_of::<u64>();
        let fits = len <= room && room <= len * 4 + 4096;
        if fits {
            self.len = len;
        }
        fits
    }
}
