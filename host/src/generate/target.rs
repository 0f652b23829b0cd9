//! Where the transactions go.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::GenerateError;
use super::http::{Sender, Shape};
use super::simulate::Transaction;

/// So many requests are under way at once.
const REQUESTS: usize = 4;
const SINGLE_REQUESTS: usize = 16;

/// A file, standard output, or a hub.
#[derive(Debug)]
pub struct Target {
    way: Way,
    buffer: Vec<u8>,
}

enum Way {
    Lines { writer: Box<dyn Write + Send>, path: Option<PathBuf>, python: bool },
    Http { sender: Arc<Sender>, under_way: JoinSet<Result<u64, GenerateError>> },
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lines { path, .. } => f.debug_tuple("Lines").field(path).finish(),
            Self::Http { sender, .. } => f.debug_tuple("Http").field(sender).finish(),
        }
    }
}

impl Target {
    /// One transaction a line, into a file that is made anew.
    pub(super) fn file(path: &Path, python: bool) -> Result<Self, GenerateError> {
        let file = File::create(path).map_err(|source| GenerateError::File { path: path.to_owned(), source })?;
        Ok(Self::lines(Box::new(BufWriter::with_capacity(1 << 20, file)), Some(path.to_owned()), python))
    }

    /// One transaction a line, to standard output.
    pub(super) fn stdout(python: bool) -> Self {
        Self::lines(Box::new(io::stdout()), None, python)
    }

    fn lines(writer: Box<dyn Write + Send>, path: Option<PathBuf>, python: bool) -> Self {
        Self { way: Way::Lines { writer, path, python }, buffer: Vec::new() }
    }

    pub(super) fn http(sender: Sender) -> Self {
        Self { way: Way::Http { sender: Arc::new(sender), under_way: JoinSet::new() }, buffer: Vec::new() }
    }

    /// Hands transactions over. Answers how many arrived since the last call; they need not be these.
    pub(super) async fn send(&mut self, transactions: &[Transaction]) -> Result<u64, GenerateError> {
        match &mut self.way {
            Way::Lines { writer, path, python } => {
                self.buffer.clear();
                for transaction in transactions {
                    if *python {
                        transaction.write_python(&mut self.buffer);
                    } else {
                        transaction.write_json(&mut self.buffer);
                    }
                    self.buffer.push(b'\n');
                }
                writer.write_all(&self.buffer).map_err(|source| GenerateError::writing(path.as_deref(), source))?;
                Ok(transactions.len() as u64)
            }
            Way::Http { sender, under_way } => {
                let most = if sender.shape == Shape::Batch { REQUESTS } else { SINGLE_REQUESTS };
                let mut arrived = 0;
                for (body, events) in sender.shape.bodies(transactions) {
                    while under_way.len() >= most {
                        arrived += ended(under_way.join_next().await)?;
                    }
                    let sender = Arc::clone(sender);
                    under_way.spawn(async move { sender.send(body).await.map(|()| events as u64) });
                }
                while let Some(result) = under_way.try_join_next() {
                    arrived += ended(Some(result))?;
                }
                Ok(arrived)
            }
        }
    }

    /// Waits for what is under way. Answers how many arrived.
    pub(super) async fn finish(&mut self) -> Result<u64, GenerateError> {
        match &mut self.way {
            Way::Lines { writer, path, .. } => {
                writer.flush().map_err(|source| GenerateError::writing(path.as_deref(), source))?;
                Ok(0)
            }
            Way::Http { under_way, .. } => {
                let mut arrived = 0;
                while let Some(result) = under_way.join_next().await {
                    arrived += ended(Some(result))?;
                }
                Ok(arrived)
            }
        }
    }
}

type Ended = Result<Result<u64, GenerateError>, tokio::task::JoinError>;

fn ended(result: Option<Ended>) -> Result<u64, GenerateError> {
    match result {
        None => Ok(0),
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(GenerateError::Client(error.to_string())),
    }
}
