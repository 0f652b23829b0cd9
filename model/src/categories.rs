//! Finds a text among a few known ones: three words and a length decide, no comparison byte by byte.

const WORD: usize = 8;
/// Texts up to this length are wholly covered by their first, middle and last word.
const COVERED: usize = 3 * WORD;
const EMPTY: u32 = u32::MAX;

/// The texts that an encoder knows, in their order. Looking one up gives its place, or the count for an unknown one.
#[derive(Debug, Clone)]
pub struct Categories {
    names: Vec<String>,
    slots: Vec<Slot>,
    multiplier: u64,
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    first: u64,
    middle: u64,
    last: u64,
    len: u32,
    index: u32,
}

impl Slot {
    /// The slot that `text` belongs to, whose index is still to be filled in.
    fn of(text: &[u8]) -> Self {
        let mut padded = [0; WORD];
        if text.len() < WORD {
            padded[..text.len()].copy_from_slice(text);
            return Self::read(&padded, text.len());
        }
        Self::read(text, text.len())
    }

    /// `text` holds at least one word; what is behind `len` is masked away.
    #[inline(always)]
    fn read(text: &[u8], len: usize) -> Self {
        let unused = 4 * (WORD - len.min(WORD)) as u32;
        let mask = (!0_u64 >> unused) >> unused;
        let first = text.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)) & mask;
        let last = text.last_chunk().map_or(0, |word| u64::from_le_bytes(*word)) & mask;
        let middle = (len - len.min(WORD)).min(WORD);
        let middle = text.get(middle..).and_then(|text| text.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word)) & mask;
        Self { first, middle, last, len: len as u32, index: EMPTY }
    }

    #[inline(always)]
    fn home(&self, multiplier: u64, shift: u32) -> usize {
        let mixed = self.first ^ self.middle.rotate_left(21) ^ self.last.rotate_left(43) ^ u64::from(self.len) << 32;
        (mixed.wrapping_mul(multiplier) >> shift) as usize
    }

    #[inline(always)]
    fn same(&self, other: &Self) -> bool {
        let words = (self.first ^ other.first) | (self.middle ^ other.middle) | (self.last ^ other.last);
        words | u64::from(self.len ^ other.len) == 0
    }
}

impl Categories {
    /// Makes the table. Of equal names the first counts.
    pub fn new(names: Vec<String>) -> Self {
        let size = (names.len() * 4).next_power_of_two().max(2);
        let shift = 64 - size.trailing_zeros();
        // A few multipliers are tried; the one whose texts lie closest to their own slot is kept.
        let mut best: Option<(usize, Self)> = None;
        let mut multiplier = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..16 {
            let (steps, slots) = fill(&names, size, multiplier, shift);
            if best.as_ref().is_none_or(|(least, _)| steps < *least) {
                best = Some((steps, Self { names: Vec::new(), slots, multiplier, shift }));
            }
            if steps == 0 {
                break;
            }
            multiplier = multiplier.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(0x1234_5678_9ABC_DEF1) | 1;
        }
        let (_, mut found) = best.expect("at least one multiplier is tried");
        found.names = names;
        found
    }

    /// The texts, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of `bytes[start..end]` among the names; their count when it is none of them, or out of range.
    #[inline]
    pub fn find(&self, bytes: &[u8], start: usize, end: usize) -> usize {
        let len = end.wrapping_sub(start);
        let Some(text) = bytes.get(start..start.saturating_add(len.max(WORD))) else { return self.find_last(bytes, start, end) };
        let asked = Slot::read(text, len);
        match self.slots.get(asked.home(self.multiplier, self.shift)) {
            Some(slot) if slot.same(&asked) && slot.index != EMPTY && len <= COVERED => slot.index as usize,
            Some(slot) if slot.index == EMPTY => self.names.len(),
            _ => self.probe(&asked, &text[..len]),
        }
    }

    /// A text at the very end of the buffer, where a whole word cannot be read; or a range that is not there.
    #[cold]
    fn find_last(&self, bytes: &[u8], start: usize, end: usize) -> usize {
        bytes.get(start..end).map_or(self.names.len(), |text| self.probe(&Slot::of(text), text))
    }

    /// The whole search: a text that is long, or not in its own slot.
    #[cold]
    fn probe(&self, asked: &Slot, text: &[u8]) -> usize {
        let mut at = asked.home(self.multiplier, self.shift);
        // At least half of the slots are empty, so that the walk ends.
        while let Some(slot) = self.slots.get(at).filter(|slot| slot.index != EMPTY) {
            if slot.same(asked) && self.names.get(slot.index as usize).is_some_and(|name| name.as_bytes() == text) {
                return slot.index as usize;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.names.len()
    }
}

/// The slots for one multiplier, and how many steps the names lie from their own slots in all.
fn fill(names: &[String], size: usize, multiplier: u64, shift: u32) -> (usize, Vec<Slot>) {
    let mut slots = vec![Slot { first: 0, middle: 0, last: 0, len: 0, index: EMPTY }; size];
    let mut steps = 0;
    for (index, name) in names.iter().enumerate() {
        let slot = Slot::of(name.as_bytes());
        let mut at = slot.home(multiplier, shift);
        while slots[at].index != EMPTY {
            at = (at + 1) & (size - 1);
            steps += 1;
        }
        slots[at] = Slot { index: index as u32, ..slot };
    }
    (steps, slots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(categories: &Categories, text: &str) -> usize {
        categories.find(text.as_bytes(), 0, text.len())
    }

    #[test]
    fn empty_text_and_no_names_are_fine() {
        let none = Categories::new(Vec::new());
        assert_eq!(place(&none, ""), 0);
        assert_eq!(place(&none, "a"), 0);
        let empty = Categories::new(vec![String::new()]);
        assert_eq!(place(&empty, ""), 0);
        assert_eq!(place(&empty, "\0"), 1);
    }

    #[test]
    fn of_equal_names_the_first_counts() {
        let categories = Categories::new(vec!["a".into(), "b".into(), "a".into()]);
        assert_eq!(place(&categories, "a"), 0);
    }

    #[test]
    fn a_range_outside_the_buffer_is_unknown() {
        let categories = Categories::new(vec!["a".into()]);
        assert_eq!(categories.find(b"a", 0, 2), 1);
        assert_eq!(categories.find(b"a", 1, 0), 1);
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            names in prop::collection::vec("[ab]{0,30}", 0..40),
            asked in prop::collection::vec("[ab]{0,30}", 1..40),
        ) {
            let categories = Categories::new(names.clone());
            let texts: Vec<&String> = asked.iter().chain(&names).collect();
            let bytes: Vec<u8> = texts.iter().flat_map(|text| text.bytes()).collect();
            let mut start = 0;
            for text in texts {
                let expected = names.iter().position(|name| name == text).unwrap_or(names.len());
                prop_assert_eq!(categories.find(&bytes, start, start + text.len()), expected);
                start += text.len();
            }
        }
    }
}
