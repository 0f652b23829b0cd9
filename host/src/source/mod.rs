//! Where events come from.
//!
//! In: bytes, by HTTP ([`door`]) or from a file ([`mod@file`]). Out: batches of rows in columns ([`decode`]),
//! and for each event that cannot be decoded the reason. Between the two lies the durable [`log`]: an event is
//! acknowledged to its sender only when it is on disk.

pub mod decode;
pub mod door;
pub mod file;
pub mod log;
pub mod sas;

pub use decode::{Decoded, Decoder, Format, Header, Wanted};
pub use door::{DoorSettings, LetIn, router};
pub use file::{FileError, FileFormat, FileSource};
pub use log::{Appended, Cut, Damage, Event, Hub, HubSettings, Log, LogError, LogSettings, NewEvent, Opened, Place, Run};
pub use sas::AccessKey;
