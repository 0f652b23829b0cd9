//! The fields of a JSON object whose spelling differs between tools: names are found without regard to case.

use serde_json::Value as Json;

/// A JSON object, or one without fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(Option<&'a serde_json::Map<String, Json>>);

impl<'a> Fields<'a> {
    pub(super) fn of(json: &'a Json) -> Self {
        Self(json.as_object())
    }

    /// A field that is there and not null.
    pub(super) fn get(self, name: &str) -> Option<&'a Json> {
        let (_, value) = self.0?.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        (!value.is_null()).then_some(value)
    }

    pub(super) fn text(self, name: &str) -> Option<String> {
        self.get(name)?.as_str().map(str::to_owned)
    }

    /// A number, or a text that is one.
    pub(super) fn integer(self, name: &str) -> Option<usize> {
        match self.get(name)? {
            Json::Number(number) => usize::try_from(number.as_u64()?).ok(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A whole number, or a text that is one; `Err`: what is there instead.
    pub(super) fn whole(self, name: &str) -> Option<Result<i64, String>> {
        let value = self.get(name)?;
        let whole = match value {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        Some(whole.ok_or_else(|| value.to_string()))
    }

    /// A text, or another value as JSON writes it.
    pub(super) fn shown(self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    pub(super) fn object(self, name: &str) -> Option<Self> {
        let json = self.get(name)?;
        json.is_object().then(|| Self::of(json))
    }

    /// The names of the fields that are not null.
    pub(super) fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str())
    }
}
