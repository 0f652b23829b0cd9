//! Guests that misbehave: the harmless one of `tests/hostile/guest.wat` with a misdeed put into one of its places.

use serde_json::{Value, json};
use tamis_frame::ABI_VERSION;

const TEXT: &str = include_str!("../hostile/guest.wat");

/// A guest in the making.
#[derive(Debug, Clone)]
pub struct Guest {
    text: String,
    signature: Vec<u8>,
}

impl Guest {
    /// The harmless guest.
    pub fn new() -> Self {
        Self { text: TEXT.to_owned(), signature: signature().to_string().into_bytes() }
    }

    /// Puts a text into the place of that name.
    #[must_use]
    pub fn put(self, place: &str, text: &str) -> Self {
        let marker = format!("(;{place};)");
        assert!(self.text.contains(&marker), "the guest has no place '{place}'");
        // The marker stays: several texts may go into one place, first come, first put.
        Self { text: self.text.replace(&marker, &format!("{text} {marker}")), ..self }
    }

    /// Puts one text in the place of another.
    #[must_use]
    pub fn replace(self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "the guest has no '{from}'");
        Self { text: self.text.replace(from, to), ..self }
    }

    /// Another signature.
    #[must_use]
    pub fn signature(self, signature: &Value) -> Self {
        self.signature_bytes(signature.to_string().as_bytes())
    }

    /// Any bytes as signature.
    #[must_use]
    pub fn signature_bytes(self, signature: &[u8]) -> Self {
        Self { signature: signature.to_vec(), ..self }
    }

    /// Its wasm.
    pub fn wasm(&self) -> Vec<u8> {
        let json: String = self.signature.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let place = (1024_u64 << 32 | self.signature.len() as u64).to_string();
        let result = i64::from_le_bytes(*b"result\0\0").to_string();
        let text = self.text.replace("(;json;)", &json).replace("(;place;)", &place).replace("(;result;)", &result);
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

/// The signature of the harmless guest: one column of numbers, one function that answers a number.
pub fn signature() -> Value {
    json!({
        "abi": ABI_VERSION,
        "model": { "name": "hostile", "version": "1", "sha256": "0".repeat(64) },
        "threshold": 0.5,
        "columns": [{ "name": "x", "type": "float", "missing": "reject", "unknown": "accept" }],
        "functions": [{ "name": "run", "returns": "float", "about": "x" }],
    })
}

/// What happens when a row's `x` is this number: the misdeed, in the guest's place `row`.
pub fn when(x: f64, deed: &str) -> String {
    format!("(if (f64.eq (local.get $x) (f64.const {x})) (then {deed}))")
}

/// Never ends.
pub const LOOP: &str = "(loop $on (br $on))";
