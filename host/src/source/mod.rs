//! Where events come from.
//!
//! In: bytes, by HTTP ([`door`]), from a file ([`mod@file`]), from Kafka or Event Hubs ([`kafka`]). Out: batches of rows in columns ([`decode`]),
//! and for each event that cannot be decoded the reason. Behind the HTTP door lies the durable [`log`]: an event is
//! acknowledged to its sender only when it is on disk.

pub mod decode;
pub mod door;
pub mod file;
pub mod kafka;
pub mod log;
pub mod sas;

pub use decode::{Decoded, Decoder, Format, Header, Wanted};
pub use door::{DoorSettings, LetIn, router};
pub use file::{FileError, FileFormat, FileSource};
pub use log::{Appended, Cut, Damage, Event, Hub, HubSettings, Log, LogError, LogSettings, NewEvent, Opened, Place, Run};
pub use sas::AccessKey;
