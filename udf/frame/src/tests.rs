//! The frame, written and read back, and torn apart.

use proptest::prelude::*;

use crate::{ColumnRef, Data, Frame, FrameError, Reply, Values, encode_error, encode_into, encoded_len, limits};

/// Bytes at an address that a frame may start at, `shift` bytes behind it.
struct Aligned {
    words: Vec<u64>,
    shift: usize,
    len: usize,
}

impl Aligned {
    fn new(bytes: &[u8], shift: usize) -> Self {
        let mut block = Self { words: vec![0; (bytes.len() + shift).div_ceil(8)], shift, len: bytes.len() };
        block.bytes_mut().copy_from_slice(bytes);
        block
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[self.shift..self.shift + self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[self.shift..self.shift + self.len]
    }
}

fn encode(columns: &[ColumnRef<'_>], rows: usize) -> Aligned {
    let mut block = Aligned::new(&vec![0xAA; encoded_len(columns, rows)], 0);
    let written = encode_into(columns, rows, block.bytes_mut());
    assert_eq!(written, block.len);
    block
}

/// One column's values, owned.
#[derive(Debug, Clone)]
enum Owned {
    Float(Vec<f64>),
    BigInt(Vec<i64>),
    /// The offsets start at the length of the first text: a slice of a longer column.
    Text(String, Vec<String>),
    Bit(Vec<bool>),
}

type Column = (String, Option<Vec<bool>>, Owned);

fn bits(values: &[bool]) -> Vec<u8> {
    let mut bytes = vec![0; values.len().div_ceil(8)];
    for (row, _) in values.iter().enumerate().filter(|(_, value)| **value) {
        bytes[row / 8] |= 1 << (row % 8);
    }
    bytes
}

fn columns() -> impl Strategy<Value = (usize, Vec<Column>)> {
    (0_usize..40).prop_flat_map(|rows| {
        let values = prop_oneof![
            prop::collection::vec(any::<f64>(), rows).prop_map(Owned::Float),
            prop::collection::vec(any::<i64>(), rows).prop_map(Owned::BigInt),
            (".{0,5}", prop::collection::vec(".{0,9}", rows)).prop_map(|(before, texts)| Owned::Text(before, texts)),
            prop::collection::vec(any::<bool>(), rows).prop_map(Owned::Bit),
        ];
        let column = ("[a-zà-ü_ ]{0,12}", prop::option::of(prop::collection::vec(any::<bool>(), rows)), values);
        (Just(rows), prop::collection::vec(column, 0..6))
    })
}

fn encode_owned(rows: usize, columns: &[Column]) -> Aligned {
    struct Parts {
        validity: Option<Vec<u8>>,
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    }
    let parts: Vec<Parts> = columns
        .iter()
        .map(|(_, validity, values)| {
            let validity = validity.as_deref().map(bits);
            let (offsets, bytes) = match values {
                Owned::Text(before, texts) => {
                    let mut bytes = before.clone().into_bytes();
                    let mut offsets = vec![bytes.len() as i32];
                    for text in texts {
                        bytes.extend(text.bytes());
                        offsets.push(bytes.len() as i32);
                    }
                    bytes.extend(b"behind");
                    (offsets, bytes)
                }
                Owned::Bit(values) => (Vec::new(), bits(values)),
                _ => (Vec::new(), Vec::new()),
            };
            Parts { validity, offsets, bytes }
        })
        .collect();
    let refs: Vec<ColumnRef<'_>> = columns
        .iter()
        .zip(&parts)
        .map(|((name, _, values), parts)| {
            let data = match values {
                Owned::Float(values) => Data::Float(values),
                Owned::BigInt(values) => Data::BigInt(values),
                Owned::Text(..) => Data::Text { offsets: &parts.offsets, bytes: &parts.bytes },
                Owned::Bit(_) => Data::Bit(&parts.bytes),
            };
            ColumnRef { name, validity: parts.validity.as_deref(), data }
        })
        .collect();
    encode(&refs, rows)
}

/// Reads every value that a parsed frame promises.
fn read_all(frame: &Frame<'_>) -> usize {
    let mut seen = 0;
    for column in frame.columns() {
        for row in 0..frame.rows() {
            seen += usize::from(column.is_valid(row));
            seen += match column.values {
                Values::Float(values) => values[row].to_bits() as usize & 1,
                Values::BigInt(values) => values[row] as usize & 1,
                Values::Text { offsets, bytes } => {
                    bytes[offsets[row] as usize..offsets[row + 1] as usize].len() + column.text(row).map_or(0, str::len)
                }
                Values::Bit(bits) => usize::from(crate::frame::bit(bits, row)),
            };
        }
    }
    seen
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((rows, columns) in columns()) {
        let block = encode_owned(rows, &columns);
        let frame = Frame::parse(block.bytes()).unwrap();
        prop_assert_eq!(frame.rows(), rows);
        prop_assert_eq!(frame.columns().len(), columns.len());
        for (view, (name, validity, values)) in frame.columns().iter().zip(&columns) {
            prop_assert_eq!(view.name, name);
            for row in 0..rows {
                let valid = validity.as_ref().is_none_or(|bits| bits[row]);
                prop_assert_eq!(view.is_valid(row), valid);
                match (values, view.values) {
                    (Owned::Float(values), Values::Float(read)) => prop_assert_eq!(values[row].to_bits(), read[row].to_bits()),
                    (Owned::BigInt(values), Values::BigInt(read)) => prop_assert_eq!(values[row], read[row]),
                    (Owned::Text(_, texts), Values::Text { .. }) => prop_assert_eq!(view.text(row), valid.then_some(texts[row].as_str())),
                    (Owned::Bit(values), Values::Bit(read)) => prop_assert_eq!(values[row], crate::frame::bit(read, row)),
                    _ => prop_assert!(false, "another type"),
                }
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), shift in 0_usize..8) {
        let block = Aligned::new(&bytes, shift);
        prop_assert!(Frame::parse(block.bytes()).is_err());
        prop_assert!(Reply::parse(block.bytes()).is_err());
    }

    #[test]
    fn a_corrupted_frame_is_read_safely_or_refused(
        (rows, columns) in columns(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        shift in 0_usize..8,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let block = encode_owned(rows, &columns);
        let mut bytes = block.bytes().to_vec();
        // Half of the changes hit the header and the descriptors, where the places are.
        let (len, head) = (bytes.len(), bytes.len().min(64));
        for (place, (at, value)) in changes.into_iter().enumerate() {
            bytes[at.index(if place % 2 == 0 { head } else { len })] = value;
        }
        bytes.truncate(cut.map_or(len, |cut| cut.index(len + 1)));
        let block = Aligned::new(&bytes, shift);
        if let Ok(frame) = Frame::parse(block.bytes()) {
            read_all(&frame);
        }
        if let Ok(Reply::Columns(frame)) = Reply::parse(block.bytes()) {
            read_all(&frame);
        }
    }
}

#[test]
fn every_cut_of_a_frame_is_refused() {
    let block = encode(&[ColumnRef { name: "a", validity: None, data: Data::Float(&[1.0, 2.0]) }], 2);
    for len in 0..block.len {
        assert!(matches!(Frame::parse(&block.bytes()[..len]), Err(FrameError::Short { .. })), "{len}");
    }
}

#[test]
fn numbers_that_are_not_aligned_are_refused() {
    let block = encode(&[ColumnRef { name: "a", validity: None, data: Data::Float(&[1.0]) }], 1);
    let moved = Aligned::new(block.bytes(), 1);
    assert_eq!(Frame::parse(moved.bytes()).unwrap_err().to_string(), "frame column 0: a buffer is not aligned");
}

#[test]
fn a_frame_above_the_limits_is_refused() {
    let block = encode(&[], 0);
    let patched = |at: usize, word: u32| {
        let mut bytes = block.bytes().to_vec();
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        Frame::parse(Aligned::new(&bytes, 0).bytes()).unwrap_err().to_string()
    };
    assert_eq!(patched(8, limits::MAX_COLUMNS as u32 + 1), "frame has 1025 columns, at most 1024 are allowed");
    assert_eq!(patched(12, limits::MAX_ROWS as u32 + 1), "frame has 16777217 rows, at most 16777216 are allowed");
    assert!(patched(20, 1).starts_with("frame has "), "a length above 32 bits");
    assert!(patched(16, 8).starts_with("frame is cut off"), "a length below the header's");
    assert!(patched(4, 2).starts_with("not a frame of version 1"));
}

#[test]
fn an_error_reply_carries_its_message() {
    let block = Aligned::new(&encode_error("das war nichts: Ü"), 0);
    assert!(matches!(Reply::parse(block.bytes()), Ok(Reply::Error("das war nichts: Ü"))));
    assert!(Frame::parse(block.bytes()).is_err(), "it is no frame of columns");
}

mod conform {
    use crate::conform::{Cell, Fitted, conform};
    use crate::signature::{Column, Policy};
    use crate::{Signature, Type};

    fn column(ty: Type) -> Column {
        Column { name: "c".into(), ty, categories: vec!["a".into(), "b".into()], missing: Policy::Reject, unknown: Policy::Accept }
    }

    fn said(ty: Type, cell: Cell<'_>) -> String {
        conform(&column(ty), cell).unwrap_err().to_string()
    }

    #[test]
    fn numbers_fit_without_loss_only() {
        assert_eq!(conform(&column(Type::Float), Cell::BigInt(3)), Ok(Fitted::Float(3.0)));
        assert_eq!(conform(&column(Type::BigInt), Cell::Float(3.0)), Ok(Fitted::BigInt(3)));
        assert_eq!(said(Type::BigInt, Cell::Float(3.5)), "column 'c': bigint is expected, float 3.5 was given");
        assert_eq!(said(Type::BigInt, Cell::Float(1e300)).len(), "column 'c': bigint is expected, float  was given".len() + 301);
        assert_eq!(said(Type::Float, Cell::Float(f64::NAN)), "column 'c': float is expected, float NaN was given");
        assert_eq!(said(Type::Float, Cell::Float(f64::INFINITY)), "column 'c': float is expected, float inf was given");
    }

    #[test]
    fn nothing_is_converted_behind_the_senders_back() {
        assert_eq!(said(Type::Float, Cell::Text("1")), "column 'c': float is expected, text '1' was given");
        assert_eq!(said(Type::Text, Cell::BigInt(1)), "column 'c': nvarchar(max) is expected, bigint 1 was given");
        assert_eq!(said(Type::Bit, Cell::BigInt(1)), "column 'c': bit is expected, bigint 1 was given");
        assert_eq!(said(Type::Float, Cell::Other("record")), "column 'c': float is expected, record was given");
    }

    #[test]
    fn missing_and_unknown_follow_the_policies() {
        assert_eq!(said(Type::Text, Cell::Missing), "column 'c': nvarchar(max) is expected, no value was given");
        assert_eq!(conform(&column(Type::Text), Cell::Text("z")), Ok(Fitted::Text("z")));
        let strict = Column { missing: Policy::Accept, unknown: Policy::Reject, ..column(Type::Text) };
        assert_eq!(conform(&strict, Cell::Missing), Ok(Fitted::Missing));
        assert_eq!(conform(&strict, Cell::Text("z")).unwrap_err().to_string(), "column 'c': 'z' is not one of a, b");
    }

    #[test]
    fn a_huge_text_is_shown_in_part() {
        let shown = said(Type::Float, Cell::Text(&"é".repeat(1_000_000)));
        assert_eq!(shown, format!("column 'c': float is expected, text '{}…' was given", "é".repeat(40)));
    }

    #[test]
    fn a_signature_is_checked_when_it_is_read() {
        let text = r#"{"abi":1,"model":{"name":"m","version":"1","sha256":"00"},"threshold":0.5,
            "columns":[{"name":"A","type":"float","missing":"reject","unknown":"accept"}],
            "functions":[{"name":"run","returns":"bigint","about":""}]}"#;
        let signature = Signature::from_json(text.as_bytes()).unwrap();
        assert_eq!(Signature::from_json(signature.to_json().as_bytes()).unwrap(), signature);
        assert_eq!(signature.function("RUN").unwrap().0, 0);
        let error = |text: &str| Signature::from_json(text.as_bytes()).unwrap_err().to_string();
        let columns = r#""columns":[{"name":"A","type":"float","missing":"reject","unknown":"accept"}"#;
        let twice = text.replace(columns, &format!("{columns},{}", columns.replace("\"columns\":[", "").replace("\"A\"", "\"a\"")));
        assert_eq!(error(&twice), "signature names 'a' twice");
        assert_eq!(
            error(&text.replace(r#"{"name":"run","returns":"bigint","about":""}"#, "")),
            "signature has 0 functions, between 1 and 64 are allowed"
        );
        assert!(error("{").starts_with("signature cannot be read"));
    }
}
