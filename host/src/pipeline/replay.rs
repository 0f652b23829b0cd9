//! Dead letters sent again, after a fix: each event goes into the partition that it was in, with the bytes, the key and the
//! properties that it came with, and is marked. A running job gets it through its door; else it is appended to the log, and
//! the next start takes it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Url};
use serde_json::json;

use crate::fault::Fault;
use crate::source::{AccessKey, HubSettings, Log, NewEvent, Place};
use crate::store::{DeadLetter, INPUTS_STATE, Letters, Reader, in_use};
use crate::time::{Clock, SystemClock};

use super::start::open_log;

/// The door of the running job.
#[derive(Debug)]
pub struct Door {
    /// Its address: `http://127.0.0.1:8400`.
    pub address: Url,
    /// What tokens are signed with, when the door has keys.
    pub key: Option<AccessKey>,
    /// The certificate that the door shows, when no authority vouches for it: PEM.
    pub certificate: Option<Vec<u8>>,
}

/// What became of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It was sent; so many dead letters were of this event.
    Sent(usize),
    /// It had been sent before.
    Before,
    /// It cannot be: why.
    Cannot(String),
}

#[derive(Debug)]
enum Way {
    Door { client: Client, door: Door },
    Log { log: Log },
}

/// Sends dead letters of one data directory again.
#[derive(Debug)]
pub struct Replay {
    letters: Letters,
    inputs: Inputs,
    way: Way,
}

impl Replay {
    /// Opens the way into the job: through `door` while one runs, else into its log.
    ///
    /// # Errors
    /// When there is no data, or the log cannot be opened.
    pub fn open(data_dir: &Path, door: Door) -> Result<Self, Fault> {
        let (letters, inputs) = open(data_dir)?;
        let way = if in_use(data_dir) {
            let mut client = Client::builder().timeout(Duration::from_secs(60)).connect_timeout(Duration::from_secs(10));
            let wrong = |error: reqwest::Error| Fault::job(format!("the certificate cannot be used: {error}"));
            if let Some(pem) = &door.certificate {
                client = client.add_root_certificate(reqwest::Certificate::from_pem(pem).map_err(wrong)?);
            }
            let client = client.build().map_err(|error| Fault::internal(format!("no HTTP client can be made: {error}")))?;
            Way::Door { client, door }
        } else {
            let mut hubs: Vec<&String> = inputs.values().flatten().collect();
            hubs.sort();
            hubs.dedup();
            // The number of partitions on disk holds.
            let hubs: Vec<HubSettings> = hubs.into_iter().map(|hub| HubSettings { name: hub.clone(), partitions: 1 }).collect();
            let checkpoint = Reader::open(data_dir)?.checkpoint()?.unwrap_or_default();
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            Way::Log { log: open_log(data_dir, &hubs, &clock, &checkpoint, &|input: &str| inputs.get(input).cloned().flatten())? }
        };
        Ok(Self { letters, inputs, way })
    }

    /// Within the running job: into its own log.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn with_log(data_dir: &Path, log: Log) -> Result<Self, Fault> {
        let (letters, inputs) = open(data_dir)?;
        Ok(Self { letters, inputs, way: Way::Log { log } })
    }

    /// The dead letters.
    pub fn letters(&self) -> &Letters {
        &self.letters
    }

    /// Sends one again, unless it was sent before.
    ///
    /// # Errors
    /// When the job does not take it, or the mark cannot be written. Whoever is killed between the two sends it twice.
    pub async fn send(&mut self, id: i64) -> Result<Replayed, Fault> {
        let Some(letter) = self.letters.get(id)? else { return Ok(Replayed::Cannot("there is no such dead letter".to_owned())) };
        if letter.replayed.is_some() {
            return Ok(Replayed::Before);
        }
        let (hub, partition) = match self.place(&letter) {
            Ok(place) => place,
            Err(why) => return Ok(Replayed::Cannot(why)),
        };
        match &self.way {
            Way::Door { client, door } => through(client, door, &hub, partition, &letter).await?,
            Way::Log { log } => {
                let DeadLetter { body, key, properties, .. } = letter;
                log.append(&hub, Place::Partition(partition), vec![NewEvent { body: body.into(), properties, key }]).await?;
            }
        }
        Ok(Replayed::Sent(self.letters.mark_replayed(id, SystemClock.now())?))
    }

    /// Where the event was; or why there is nothing to send.
    fn place(&self, letter: &DeadLetter) -> Result<(String, u32), String> {
        if let Some(output) = letter.step.strip_prefix("output ") {
            return Err(format!(
                "output '{output}' refused the row; what is kept is the row, not the event. Write it there by hand: `tamis dead-letters show` prints it"
            ));
        }
        let Some(origin) = letter.origin else {
            return Err("a window or a join made the row; there is no event to send again".to_owned());
        };
        if letter.body.is_empty() {
            return Err("its bytes are lost: the log was damaged there".to_owned());
        }
        match self.inputs.get(&letter.input) {
            Some(Some(hub)) => Ok((hub.clone(), origin.partition)),
            Some(None) => Err(format!("input '{}' is no hub of this host; send the event where it came from", letter.input)),
            None => Err(format!("the job has no input '{}' any more", letter.input)),
        }
    }
}

/// The hub of each input, by its name; `None` where it is something else.
type Inputs = HashMap<String, Option<String>>;

/// The dead letters, and what the job's inputs read.
fn open(data_dir: &Path) -> Result<(Letters, Inputs), Fault> {
    let letters = Letters::open(data_dir)?;
    let noted = letters.state(INPUTS_STATE)?.unwrap_or_default();
    let inputs = serde_json::from_slice(&noted).unwrap_or_default();
    Ok((letters, inputs))
}

/// One POST. An event with a key or properties goes as a batch of one, which can carry any of them.
async fn through(client: &Client, door: &Door, hub: &str, partition: u32, letter: &DeadLetter) -> Result<(), Fault> {
    let mut url = door.address.clone();
    let segments: &[&str] =
        if letter.key.is_some() { &[hub, "messages"] } else { &[hub, "partitions", &partition.to_string(), "messages"] };
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(segments);
    }
    let mut request = client.post(url.clone());
    if let Some(key) = &door.key {
        let expiry = jiff::Timestamp::now().as_second() + 300;
        request = request.header(AUTHORIZATION, key.token(&format!("{}{hub}", door.address), expiry));
    }
    request = if letter.key.is_none() && letter.properties.is_empty() {
        request.header(CONTENT_TYPE, "application/octet-stream").body(letter.body.clone())
    } else {
        let properties: serde_json::Map<_, _> =
            letter.properties.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let mut item = json!({ "Body": STANDARD.encode(&letter.body), "IsBodyBase64": true, "UserProperties": properties });
        if let Some(key) = &letter.key {
            item["BrokerProperties"] = json!({ "PartitionKey": key });
        }
        request.header(CONTENT_TYPE, "application/vnd.microsoft.servicebus.json").body(json!([item]).to_string())
    };
    let at = |fault: Fault| fault.never().at(url.to_string());
    let advice = "--to names the running job's address";
    let response =
        request.send().await.map_err(|error| at(Fault::outside(format!("the job's door cannot be reached: {error}; {advice}"))))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let text: String = response.text().await.unwrap_or_default().chars().take(300).collect();
    let keys = if status.as_u16() == 401 { "; TAMIS_ACCESS_KEYS must hold a key of the door" } else { "" };
    Err(at(Fault::outside(format!("the job's door answers {status}: {text}{keys}"))))
}
