//! A batch of events as Service Bus writes it, and the properties that steer it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Refusal;

/// One event of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) body: Bytes,
    pub(super) properties: Vec<(String, String)>,
    pub(super) key: Option<String>,
}

/// What is read of `BrokerProperties`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Broker {
    #[serde(rename = "PartitionKey", default)]
    pub(super) partition_key: Option<String>,
}

impl Broker {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(text).map_err(|error| Refusal::bad(format!("the BrokerProperties cannot be read: {error}")))
    }
}

const SHAPE: &str = r#"a batch is [{"Body": "<the event as text>"}, …]"#;

/// Reads a batch.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Item>, Refusal> {
    let items: Vec<Read<'_>> =
        serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("the batch cannot be read: {error}; {SHAPE}")))?;
    if items.is_empty() {
        return Err(Refusal::bad(format!("the batch is empty; {SHAPE}")));
    }
    items.into_iter().enumerate().map(|(index, item)| item.check(index)).collect()
}

/// An item as it was given.
enum Read<'a> {
    Fields(Box<Fields<'a>>),
    Other(Given),
}

#[derive(Default)]
struct Fields<'a> {
    body: Option<Given>,
    base64: bool,
    properties: Option<&'a RawValue>,
    broker: Option<&'a RawValue>,
}

impl Read<'_> {
    fn check(self, index: usize) -> Result<Item, Refusal> {
        let bad = |what: String| Err(Refusal::bad(format!("item {index} of the batch: {what}; {SHAPE}")));
        let fields = match self {
            Self::Fields(fields) => fields,
            Self::Other(given) => return bad(format!("an object is expected, {} was given", given.kind())),
        };
        let body = match fields.body {
            None => return bad("it has no 'Body'".to_owned()),
            Some(Given::Text(text)) => text,
            Some(other) => return bad(format!("its 'Body' must be a text (JSON in it is escaped), {} was given", other.kind())),
        };
        let body: Bytes = if fields.base64 {
            match STANDARD.decode(&body) {
                Ok(bytes) => bytes.into(),
                Err(error) => return bad(format!("its 'Body' is not base64: {error}")),
            }
        } else {
            body.into()
        };
        if body.is_empty() {
            return bad("its 'Body' is empty".to_owned());
        }
        let key = match fields.broker.map(|raw| serde_json::from_str::<Option<Broker>>(raw.get())) {
            None => None,
            Some(Ok(broker)) => broker.and_then(|broker| broker.partition_key),
            Some(Err(error)) => return bad(format!("its 'BrokerProperties' cannot be read: {error}")),
        };
        let properties = match fields.properties.map(|raw| serde_json::from_str::<Option<Properties>>(raw.get())) {
            None => Vec::new(),
            Some(Ok(properties)) => properties.map_or_else(Vec::new, |properties| properties.0),
            Some(Err(error)) => return bad(format!("its 'UserProperties' cannot be read: {error}")),
        };
        Ok(Item { body, properties, key })
    }
}

impl<'de> Deserialize<'de> for Read<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadItem)
    }
}

struct ReadItem;

macro_rules! others {
    ($make:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($make(Given::Other("a boolean")))
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($make(Given::Other("a number")))
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($make(Given::Other("a number")))
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($make(Given::Other("a number")))
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($make(Given::Other("null")))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            Ok($make(Given::Other("an array")))
        }
    };
}

impl<'de> Visitor<'de> for ReadItem {
    type Value = Read<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an item of a batch")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "Body" => fields.body = Some(map.next_value()?),
                "IsBodyBase64" => fields.base64 = map.next_value::<Option<bool>>()?.unwrap_or(false),
                "UserProperties" => fields.properties = Some(map.next_value()?),
                "BrokerProperties" => fields.broker = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Read::Fields(Box::new(fields)))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Read::Other(Given::Other("a text")))
    }

    others!(Read::Other);
}

/// A text, or what was given in its place.
enum Given {
    Text(String),
    Other(&'static str),
}

impl Given {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Other(kind) => kind,
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadText)
    }
}

struct ReadText;

impl<'de> Visitor<'de> for ReadText {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Given, E> {
        Ok(Given::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Other("an object"))
    }

    others!(std::convert::identity);
}

/// Names and values: a text as it is, anything else as its JSON.
struct Properties(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = serde_json::Map::deserialize(deserializer)?;
        let text = |value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Self(fields.into_iter().map(|(name, value)| (name, text(value))).collect()))
    }
}
