//! A Python dict as `str()` prints it, rewritten as JSON in one pass: `{'id': 1, 'ok': True, 'x': np.float64(0.5)}`.
//! Also JSON with Python's literals (`NaN`, `None`). It only rewrites; the JSON parser behind it has the last word.

use super::rows::shown;

/// Why a text could not be rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// NaN or an infinity, and the field that it is the value of.
    NotFinite { field: String, what: &'static str },
    /// Something else at this byte.
    At(usize),
}

/// Whether a body looks like a dict: `{'`.
pub(super) fn looks_like_it(body: &[u8]) -> bool {
    let rest = body.trim_ascii_start();
    rest.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"'"))
}

/// Rewrites `text`; `json` is cleared first.
pub(super) fn to_json(text: &str, json: &mut Vec<u8>) -> Result<(), Flaw> {
    json.clear();
    json.reserve(text.len() + 16);
    Rewrite { text: text.as_bytes(), at: 0, json, open: Vec::new(), last_text: (0, 0), field: (0, 0) }.run()
}

/// An open bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Dict,
    List,
    Tuple,
    /// `np.int64(`: written as what is in it.
    Scalar,
}

struct Rewrite<'a> {
    text: &'a [u8],
    at: usize,
    json: &'a mut Vec<u8>,
    open: Vec<Open>,
    /// Where in `json` the last text is, without quotes, and the last field's name.
    last_text: (usize, usize),
    field: (usize, usize),
}

impl Rewrite<'_> {
    fn run(mut self) -> Result<(), Flaw> {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.copy(),
                b'\'' | b'"' => self.string(byte)?,
                b'{' => self.opens(Open::Dict, b'{'),
                b'[' => self.opens(Open::List, b'['),
                b'(' => self.opens(Open::Tuple, b'['),
                b'}' => self.closes(Open::Dict, b'}')?,
                b']' => self.closes(Open::List, b']')?,
                b')' if self.open.last() == Some(&Open::Scalar) => self.closes_scalar()?,
                b')' => self.closes(Open::Tuple, b']')?,
                b',' if self.open.last() == Some(&Open::Scalar) => return Err(Flaw::At(self.at)),
                b',' => self.copy(),
                b':' => {
                    self.field = self.last_text;
                    self.copy();
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b'a'..=b'z' | b'A'..=b'Z' => self.word()?,
                _ => return Err(Flaw::At(self.at)),
            }
        }
        if self.open.is_empty() { Ok(()) } else { Err(Flaw::At(self.at)) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn copy(&mut self) {
        self.json.push(self.text[self.at]);
        self.at += 1;
    }

    fn opens(&mut self, bracket: Open, json: u8) {
        self.open.push(bracket);
        self.json.push(json);
        self.at += 1;
    }

    fn closes(&mut self, bracket: Open, json: u8) -> Result<(), Flaw> {
        if self.open.pop() != Some(bracket) {
            return Err(Flaw::At(self.at));
        }
        // Python allows a comma after the last element, and needs one in a tuple of one.
        self.json.truncate(self.json.trim_ascii_end().len());
        if self.json.last() == Some(&b',') {
            self.json.pop();
            if matches!(self.json.trim_ascii_end().last(), Some(b'[' | b'{' | b',')) {
                return Err(Flaw::At(self.at));
            }
        }
        self.json.push(json);
        self.at += 1;
        Ok(())
    }

    fn closes_scalar(&mut self) -> Result<(), Flaw> {
        if self.text[..self.at].trim_ascii_end().ends_with(b"(") {
            return Err(Flaw::At(self.at));
        }
        self.open.pop();
        // What follows is another token.
        self.json.push(b' ');
        self.at += 1;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                return self.word();
            }
        }
        while self.peek().is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
            self.at += 1;
        }
        let text = self.text;
        self.json.extend_from_slice(&text[start..self.at]);
        Ok(())
    }

    fn word(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
            self.at += 1;
        }
        let text = self.text;
        let negative = start > 0 && text[start - 1] == b'-';
        let json: &[u8] = match &text[start..self.at] {
            b"nan" | b"NaN" => return Err(self.not_finite("NaN")),
            b"inf" | b"Infinity" => return Err(self.not_finite(if negative { "-Infinity" } else { "Infinity" })),
            _ if negative => return Err(Flaw::At(start)),
            b"True" | b"true" | b"np.True_" => b"true",
            b"False" | b"false" | b"np.False_" => b"false",
            b"None" | b"null" => b"null",
            // Texts of Python 2.
            b"u" if matches!(self.peek(), Some(b'\'' | b'"')) => b"",
            scalar if is_numpy_scalar(scalar) && self.peek() == Some(b'(') => {
                self.at += 1;
                self.open.push(Open::Scalar);
                b""
            }
            _ => return Err(Flaw::At(start)),
        };
        self.json.extend_from_slice(json);
        Ok(())
    }

    fn not_finite(&self, what: &'static str) -> Flaw {
        let field = String::from_utf8_lossy(&self.json[self.field.0..self.field.1]);
        Flaw::NotFinite { field: shown(&field), what }
    }

    fn string(&mut self, quote: u8) -> Result<(), Flaw> {
        let text = self.text;
        let opening = self.at;
        self.at += 1;
        // '''A text of several lines''' is not what str() prints.
        if text[self.at..].starts_with(&[quote, quote]) {
            return Err(Flaw::At(opening));
        }
        self.json.push(b'"');
        let start = self.json.len();
        loop {
            let plain = self.at;
            while self.peek().is_some_and(|byte| byte != quote && byte != b'\\' && byte != b'"' && byte >= b' ') {
                self.at += 1;
            }
            self.json.extend_from_slice(&text[plain..self.at]);
            match self.peek() {
                Some(byte) if byte == quote => break,
                Some(b'"') => {
                    self.json.extend_from_slice(b"\\\"");
                    self.at += 1;
                }
                Some(b'\\') => self.escape()?,
                Some(b'\t') => {
                    self.json.extend_from_slice(b"\\t");
                    self.at += 1;
                }
                _ => return Err(Flaw::At(self.at)),
            }
        }
        self.last_text = (start, self.json.len());
        self.json.push(b'"');
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        let Some(kind) = self.text.get(start + 1).copied() else { return Err(Flaw::At(start)) };
        self.at += 2;
        let code = match kind {
            // The same in JSON.
            b'\\' | b'"' | b'n' | b'r' | b't' | b'b' | b'f' => {
                self.json.extend_from_slice(&[b'\\', kind]);
                return Ok(());
            }
            b'u' => {
                let digits = self.digits(4, 16, start)?;
                // Kept as it is: two of them may be the halves of one letter.
                self.json.extend_from_slice(format!("\\u{digits:04x}").as_bytes());
                return Ok(());
            }
            b'\'' => u32::from(b'\''),
            b'a' => 0x07,
            b'v' => 0x0B,
            b'x' => self.digits(2, 16, start)?,
            b'U' => self.digits(8, 16, start)?,
            b'0'..=b'7' => {
                self.at -= 1;
                let length = self.text[self.at..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                self.digits(length, 8, start)?
            }
            _ => return Err(Flaw::At(start)),
        };
        let letter = char::from_u32(code).ok_or(Flaw::At(start))?;
        if letter < ' ' || letter == '"' || letter == '\\' {
            self.json.extend_from_slice(format!("\\u{code:04x}").as_bytes());
        } else {
            self.json.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }

    fn digits(&mut self, count: usize, radix: u32, start: usize) -> Result<u32, Flaw> {
        let digits = self.text.get(self.at..self.at + count).ok_or(Flaw::At(start))?;
        self.at += count;
        let value = digits.iter().try_fold(0_u32, |value, byte| value.checked_mul(radix)?.checked_add(char::from(*byte).to_digit(radix)?));
        value.ok_or(Flaw::At(start))
    }
}

/// What NumPy 2 prints around its numbers and texts.
fn is_numpy_scalar(word: &[u8]) -> bool {
    let known: [&[u8]; 15] = [
        b"float16",
        b"float32",
        b"float64",
        b"longdouble",
        b"int8",
        b"int16",
        b"int32",
        b"int64",
        b"uint8",
        b"uint16",
        b"uint32",
        b"uint64",
        b"str_",
        b"bool_",
        b"longlong",
    ];
    word.strip_prefix(b"np.").is_some_and(|name| known.contains(&name))
}
