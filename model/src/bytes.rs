//! The compact form of a scorer, little-endian, closed by a checksum.
//!
//! ```text
//! "TSCR" | version u16 | kernel u16 (0 tables, 1 trees) | columns u32 | base f64
//! a column     kind u32 (0 float, 1 bigint, 2 text); text: count u32, (length u32, UTF-8 bytes) each, values f32 (count + 1)
//! tables       per column: breaks u32 | f32 each | f64 each sum (breaks + 2)
//! trees        leaves u32, f64 each | nodes u32, (feature u32, threshold f32, mode u32, true u32, false u32) each | roots u32, u32 each;
//!              a branch is place << 1 | is a leaf; mode is its number, + 8 when a missing feature is true
//! FNV-1a u64 of all before
//! ```

use crate::additive::Steps;
use crate::encoder::Encoder;
use crate::scorer::{Kernel, Scorer};
use crate::tree::{Branch, Mode, Node, Trees};

const MAGIC: [u8; 4] = *b"TSCR";
const VERSION: u16 = 1;
const MISSING: u32 = 8;

/// Why bytes are not a scorer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model's bytes are corrupt: {0}")]
pub struct CorruptError(&'static str);

impl From<&'static str> for CorruptError {
    fn from(what: &'static str) -> Self {
        Self(what)
    }
}

impl Scorer {
    /// The compact form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(u16::from(matches!(self.kernel, Kernel::Trees(_))).to_le_bytes());
        put(&mut out, self.encoders.len() as u32);
        out.extend(self.base.to_le_bytes());
        for encoder in &self.encoders {
            put_encoder(&mut out, encoder);
        }
        match &self.kernel {
            Kernel::Additive { steps, .. } => {
                for steps in steps {
                    put(&mut out, steps.breaks.len() as u32);
                    out.extend(steps.breaks.iter().flat_map(|at| at.to_le_bytes()));
                    out.extend(steps.sums.iter().flat_map(|sum| sum.to_le_bytes()));
                }
            }
            Kernel::Trees(trees) => put_trees(&mut out, trees),
        }
        let sum = checksum(&out);
        out.extend(sum.to_le_bytes());
        out
    }

    /// Reads and checks the compact form.
    ///
    /// # Errors
    /// [`CorruptError`] for anything that [`Scorer::to_bytes`] did not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CorruptError> {
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or("it is too short")?;
        let mut reader = Reader { rest: body };
        if reader.take::<4>()? != MAGIC {
            return Err(CorruptError("it does not start with TSCR"));
        }
        if u16::from_le_bytes(reader.take()?) != VERSION {
            return Err(CorruptError("it is of another version"));
        }
        if checksum(body) != u64::from_le_bytes(*sum) {
            return Err(CorruptError("its checksum does not match"));
        }
        let kernel = u16::from_le_bytes(reader.take()?);
        let columns = reader.count(4)?;
        let base = f64::from_le_bytes(reader.take()?);
        if !base.is_finite() {
            return Err(CorruptError("its base is not finite"));
        }
        let encoders = (0..columns).map(|_| reader.encoder()).collect::<Result<Vec<_>, _>>()?;
        let scorer = match kernel {
            0 => {
                let steps = (0..columns).map(|_| reader.steps()).collect::<Result<Vec<_>, _>>()?;
                Self::additive(encoders, base, steps).map_err(|error| error.0)?
            }
            1 => {
                let trees = reader.trees()?;
                trees.check(columns)?;
                Self { encoders, base, kernel: Kernel::Trees(trees) }
            }
            _ => return Err(CorruptError("its kernel is unknown")),
        };
        if reader.rest.is_empty() { Ok(scorer) } else { Err(CorruptError("bytes are left over")) }
    }
}

fn put(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

fn put_encoder(out: &mut Vec<u8>, encoder: &Encoder) {
    match encoder {
        Encoder::Float => put(out, 0),
        Encoder::BigInt => put(out, 1),
        Encoder::Text { categories, values } => {
            put(out, 2);
            put(out, categories.names().len() as u32);
            for name in categories.names() {
                put(out, name.len() as u32);
                out.extend(name.as_bytes());
            }
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
}

fn put_trees(out: &mut Vec<u8>, trees: &Trees) {
    let branch = |branch: Branch| match branch {
        Branch::Node(place) => place << 1,
        Branch::Leaf(place) => place << 1 | 1,
    };
    put(out, trees.leaves.len() as u32);
    out.extend(trees.leaves.iter().flat_map(|leaf| leaf.to_le_bytes()));
    put(out, trees.nodes.len() as u32);
    for node in &trees.nodes {
        put(out, node.feature);
        out.extend(node.threshold.to_le_bytes());
        put(out, node.mode as u32 + if node.missing_is_true { MISSING } else { 0 });
        put(out, branch(node.when_true));
        put(out, branch(node.when_false));
    }
    put(out, trees.roots.len() as u32);
    for root in &trees.roots {
        put(out, branch(*root));
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CorruptError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or("it is cut off")?;
        self.rest = rest;
        Ok(*taken)
    }

    fn word(&mut self) -> Result<u32, CorruptError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    /// A count of things that take at least `size` bytes each: never more than the rest can hold.
    fn count(&mut self, size: usize) -> Result<usize, CorruptError> {
        let count = self.word()? as usize;
        if count > self.rest.len() / size { Err(CorruptError("it is cut off")) } else { Ok(count) }
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>, CorruptError> {
        (0..count).map(|_| Ok(f32::from_le_bytes(self.take()?))).collect()
    }

    fn doubles(&mut self, count: usize) -> Result<Vec<f64>, CorruptError> {
        (0..count).map(|_| Ok(f64::from_le_bytes(self.take()?))).collect()
    }

    fn encoder(&mut self) -> Result<Encoder, CorruptError> {
        match self.word()? {
            0 => Ok(Encoder::Float),
            1 => Ok(Encoder::BigInt),
            2 => {
                let count = self.count(4)?;
                let names = (0..count).map(|_| self.text()).collect::<Result<Vec<_>, _>>()?;
                let mut values = self.floats(count)?;
                let unknown = f32::from_le_bytes(self.take()?);
                values.push(unknown);
                Ok(Encoder::text(names, values, unknown))
            }
            _ => Err(CorruptError("the kind of a column is unknown")),
        }
    }

    fn text(&mut self) -> Result<String, CorruptError> {
        let len = self.count(1)?;
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        String::from_utf8(text.to_vec()).map_err(|_| CorruptError("a category is not UTF-8"))
    }

    fn steps(&mut self) -> Result<Steps, CorruptError> {
        let count = self.count(4)?;
        Ok(Steps { breaks: self.floats(count)?, sums: self.doubles(count + 2)? })
    }

    fn branch(&mut self) -> Result<Branch, CorruptError> {
        let word = self.word()?;
        Ok(if word & 1 == 1 { Branch::Leaf(word >> 1) } else { Branch::Node(word >> 1) })
    }

    fn trees(&mut self) -> Result<Trees, CorruptError> {
        let leaves = self.count(8)?;
        let leaves = self.doubles(leaves)?;
        let nodes = self.count(20)?;
        let nodes = (0..nodes).map(|_| self.node()).collect::<Result<Vec<_>, _>>()?;
        let roots = self.count(4)?;
        let roots = (0..roots).map(|_| self.branch()).collect::<Result<Vec<_>, _>>()?;
        Ok(Trees { nodes, leaves, roots })
    }

    fn node(&mut self) -> Result<Node, CorruptError> {
        let feature = self.word()?;
        let threshold = f32::from_le_bytes(self.take()?);
        let mode = self.word()?;
        let missing_is_true = mode & MISSING != 0;
        let mode = Mode::ALL.get((mode & !MISSING) as usize).copied().ok_or("the mode of a node is unknown")?;
        Ok(Node { feature, threshold, mode, missing_is_true, when_true: self.branch()?, when_false: self.branch()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Cells;
    use crate::tree::random::trees;

    fn encoders() -> Vec<Encoder> {
        vec![Encoder::Float, Encoder::BigInt, Encoder::text(vec!["a".into(), String::new(), "Ü".into()], vec![1.0, 2.0, -0.5], -1.0)]
    }

    fn scores(scorer: &Scorer) -> Vec<u64> {
        let mut scores = vec![0.0; 4];
        let text = Cells::Text { offsets: &[0, 1, 1, 3, 4], bytes: "aÜb".as_bytes() };
        scorer.score(&[Cells::Float(&[0.0, -1.0, 2.5, f64::NAN]), Cells::BigInt(&[0, 1, -2, i64::MAX]), text], &mut scores).unwrap();
        scores.into_iter().map(f64::to_bits).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(trees in prop_oneof![trees(3, true), trees(3, false)], base in -3.0..3.0) {
            let scorer = Scorer::new(encoders(), base, trees).unwrap();
            let bytes = scorer.to_bytes();
            let read = Scorer::from_bytes(&bytes).unwrap();
            prop_assert_eq!(read.to_bytes(), bytes);
            prop_assert_eq!(scores(&read), scores(&scorer));
        }

        #[test]
        fn corrupt_bytes_are_an_error(trees in trees(3, false), at in any::<prop::sample::Index>(), change in 1_u8.., cut in any::<prop::sample::Index>()) {
            let bytes = Scorer::new(encoders(), 0.0, trees).unwrap().to_bytes();
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= change;
            prop_assert!(Scorer::from_bytes(&changed).is_err());
            prop_assert!(Scorer::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
        }

        /// Also where the checksum is right: nothing behind it is trusted.
        #[test]
        fn forged_bytes_never_panic(trees in prop_oneof![trees(3, true), trees(3, false)], changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
            let mut bytes = Scorer::new(encoders(), 0.0, trees).unwrap().to_bytes();
            let body = bytes.len() - 8;
            for (at, value) in changes {
                bytes[at.index(body)] = value;
            }
            let sum = checksum(&bytes[..body]);
            bytes[body..].copy_from_slice(&sum.to_le_bytes());
            if let Ok(scorer) = Scorer::from_bytes(&bytes)
                && scorer.encoders().iter().zip(&encoders()).all(|(a, b)| a.reads() == b.reads())
                && scorer.encoders().len() == 3
            {
                scores(&scorer);
            }
        }
    }
}
