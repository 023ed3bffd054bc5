//! Whether the log is what its seals say, and the state what the last seal says: every root is
//! derived again from what is stored, and no statement is judged again.
//!
//! ```text
//!   entries ──▶ two threads: decoded, hashed ──▶ in order: the log's tree ═══ its stored nodes
//!                                                    │
//!                                    at every seal: size, root, the block before, the block's body
//!   records ──▶ the state's root ═══ the last seal's
//!   the last block's certificate, the last final checkpoint: their signatures
//! ```
//!
//! That is enough to know that nothing recorded was altered, lost or added: the last certificate
//! signs the last header, which names the block before it and the log's root, and so on down to
//! the genesis block. What it takes to know that every block kept the rules is
//! [`RocksStore::rebuild`], which costs many times as much.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use jangbu_ledger::block::{Block, BlockHeader, Entry, EntryBody};
use jangbu_ledger::codec;
use jangbu_ledger::id::{BlockId, Height, Sequence, TimeMs};
use jangbu_ledger::merkle::{Frontier, NodeHash, leaf_hash};
use jangbu_ledger::state_tree::{RootBuilder, StateKey};
use jangbu_replica::chain::Chain;
use jangbu_replica::message::MESSAGE_BYTES_MAX;
use jangbu_replica::store::{FinalCheckpoint, Store as _, StoreError, StoredBlock, Tip};

use super::column::{self, Column, undecodable};
use super::reader::{Item, Reader, SMALL_BYTES_MAX};
use super::{RocksStore, rebuild};

/// Threads that read, decode and hash entries.
const READERS: usize = 2;
/// Entries that one of them reads at a time.
const CHUNK: u64 = 4_096;
/// Chunks of a reader that wait to be put in order.
const WAITING_MAX: usize = 2;

/// What was found in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audited {
    /// Blocks, the genesis block included.
    pub blocks: u64,
    /// Entries of the log.
    pub entries: u64,
    /// Records of the state.
    pub records: u64,
    /// Height of the last final checkpoint, if there is one.
    pub last_final: Option<Height>,
}

/// An entry, read.
struct Leaf {
    hash: NodeHash,
    height: Height,
    time_ms: TimeMs,
    seal: Option<Box<BlockHeader>>,
}

type Chunk = Result<Vec<Leaf>, StoreError>;

impl RocksStore {
    /// Derives every root again: of the log at every seal, of the state after the last block.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] naming the first position or height that is not as it must be.
    pub fn fsck(&self, chain: &Chain) -> Result<Audited, StoreError> {
        let Some(tip) = self.tip()? else {
            return corrupt("not even its first block is there".into());
        };
        let (reader, size) = (&self.reader, tip.frontier.size());
        let mut walk = Walk::new(reader, size)?;
        thread::scope(|scope| {
            let mut chunks: Vec<Receiver<Chunk>> = Vec::new();
            for first in 0..READERS {
                let (to, from) = sync_channel(WAITING_MAX);
                scope.spawn(move || read_chunks(reader, size, first, &to));
                chunks.push(from);
            }
            // A reader stops when nobody takes what it read.
            chunks
                .iter()
                .cycle()
                .try_for_each(|from| match from.recv() {
                    Ok(Ok(leaves)) => match leaves.into_iter().try_for_each(|leaf| walk.take(leaf))
                    {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(error) => ControlFlow::Break(Err(error)),
                    },
                    Ok(Err(error)) => ControlFlow::Break(Err(error)),
                    Err(_) => ControlFlow::Break(Ok(())),
                })
        })
        .break_value()
        .unwrap_or(Ok(()))?;
        let header = walk.finish(&tip)?;
        let records = self.check_state(&header)?;
        self.check_last(chain, &tip)?;
        Ok(Audited {
            blocks: tip.height.0 + 1,
            entries: tip.frontier.size(),
            records,
            last_final: walk.last_final.map(|last| last.height),
        })
    }

    /// Derives the state's root from its records; returns how many there are.
    fn check_state(&self, header: &BlockHeader) -> Result<u64, StoreError> {
        let mut builder = RootBuilder::default();
        let mut records = 0;
        for item in self.reader.scan(Column::Records) {
            let (key, value) = item?;
            let key: [u8; 32] = key[..]
                .try_into()
                .map_err(|_| StoreError::Corrupt("the key of a record has no 32 bytes".into()))?;
            builder
                .push(StateKey(key), &value)
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            records += 1;
        }
        if builder.finish() == header.state_root {
            Ok(records)
        } else {
            corrupt(format!(
                "the {records} records do not have the root that the seal of height {} states",
                header.height
            ))
        }
    }

    /// Checks who signed the last block and the last final checkpoint.
    fn check_last(&self, chain: &Chain, tip: &Tip) -> Result<(), StoreError> {
        if tip.height > Height(0) {
            let stored = self.block(tip.height)?;
            let certificate = stored.and_then(|stored| stored.certificate);
            let Some(certificate) = certificate else {
                return wrong_at(tip.height, "the block has no certificate");
            };
            if certificate.height != tip.height || certificate.block_id != tip.block_id {
                return wrong_at(tip.height, "the block's certificate is another block's");
            }
            if let Err(error) = certificate.verify(&chain.chain_id, &chain.validator_set) {
                return wrong_at(tip.height, &error.to_string());
            }
        }
        match self.last_final_checkpoint()? {
            Some(last) if !rebuild::is_cosigned(chain, &last) => wrong_at(
                last.height,
                "the final checkpoint's signatures do not make a quorum",
            ),
            _ => Ok(()),
        }
    }
}

/// Reads every [`READERS`]th chunk of the log's first `size` entries, from chunk `first` on.
fn read_chunks(reader: &Reader, size: u64, first: usize, to: &SyncSender<Chunk>) {
    let step = CHUNK * READERS as u64;
    let mut start = CHUNK * first as u64;
    while start < size {
        let chunk = read_chunk(reader, start, size.min(start + CHUNK));
        let failed = chunk.is_err();
        if to.send(chunk).is_err() || failed {
            return;
        }
        start += step;
    }
}

fn read_chunk(reader: &Reader, start: u64, end: u64) -> Chunk {
    let mut items = reader.scan_from(Column::Entries, &start.to_be_bytes());
    (start..end)
        .map(|position| match items.next().transpose()? {
            Some((key, bytes)) if key[..] == position.to_be_bytes() => read_leaf(position, &bytes),
            _ => corrupt(format!("entry {position} is missing")),
        })
        .collect()
}

fn read_leaf(position: u64, bytes: &[u8]) -> Result<Leaf, StoreError> {
    let entry = Entry::decode(bytes).map_err(|error| {
        StoreError::Corrupt(format!("entry {position} does not decode: {error}"))
    })?;
    if entry.sequence != Sequence(position) {
        return corrupt(format!(
            "entry {position} says that it is entry {}",
            entry.sequence
        ));
    }
    Ok(Leaf {
        hash: leaf_hash(bytes),
        height: entry.height,
        time_ms: entry.time_ms,
        seal: match entry.body {
            EntryBody::Seal(header) => Some(header),
            EntryBody::Statement(_) => None,
        },
    })
}

type Items<'a> = Box<dyn Iterator<Item = Result<Item, StoreError>> + 'a>;

/// The log so far, and what stands beside it in other columns.
struct Walk<'a> {
    frontier: Frontier,
    /// The stored nodes of each level.
    nodes: Vec<Items<'a>>,
    blocks: Items<'a>,
    finals: std::iter::Peekable<Items<'a>>,
    /// The last seal, and its time.
    last: Option<BlockHeader>,
    last_final: Option<FinalCheckpoint>,
    height: Height,
    time_ms: Option<TimeMs>,
}

impl<'a> Walk<'a> {
    fn new(reader: &'a Reader, size: u64) -> Result<Self, StoreError> {
        let levels = u8::try_from(u64::BITS - size.leading_zeros())
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        let nodes = (0..levels)
            .map(|level| -> Items<'a> {
                let start = column::log_node_key(level, 0);
                Box::new(
                    reader
                        .scan_from(Column::LogNodes, &start)
                        .take_while(move |item| {
                            item.as_ref()
                                .map_or(true, |(key, _)| key.first() == Some(&level))
                        }),
                )
            })
            .collect();
        let finals: Items<'a> = Box::new(reader.scan(Column::Finals));
        Ok(Self {
            frontier: Frontier::new(),
            nodes,
            blocks: Box::new(reader.scan(Column::Blocks)),
            finals: finals.peekable(),
            last: None,
            last_final: None,
            height: Height(0),
            time_ms: None,
        })
    }

    /// Appends the next entry.
    fn take(&mut self, leaf: Leaf) -> Result<(), StoreError> {
        let position = self.frontier.size();
        let at = |what: &str| corrupt(format!("entry {position}: {what}"));
        if leaf.height != self.height {
            return at(&format!(
                "it says that it is of height {}, but the block of height {} is not sealed",
                leaf.height, self.height
            ));
        }
        if *self.time_ms.get_or_insert(leaf.time_ms) != leaf.time_ms {
            return at("it has another time than its block");
        }
        if let Some(header) = &leaf.seal {
            self.check_seal(header, &leaf)?;
        }
        let completed = self
            .frontier
            .append(leaf.hash)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        for node in completed {
            let key = column::log_node_key(node.level, node.index);
            let stored = self.nodes.get_mut(usize::from(node.level));
            match stored.and_then(Iterator::next).transpose()? {
                Some((found, hash)) if found[..] == key && hash[..] == node.hash.0 => {}
                _ => {
                    return at(&format!(
                        "node {} of level {} of the log's tree is not what its entries give",
                        node.index, node.level
                    ));
                }
            }
        }
        if let Some(header) = leaf.seal {
            self.check_final(&header)?;
            self.height = header.height.next();
            self.time_ms = None;
            self.last = Some(*header);
        }
        Ok(())
    }

    /// Checks a seal against the log before it, the block before it and its own block.
    fn check_seal(&mut self, header: &BlockHeader, leaf: &Leaf) -> Result<(), StoreError> {
        let height = self.height;
        let (previous, not_before) = match &self.last {
            None => (BlockId([0; 32]), None),
            Some(last) => (last.id(), Some(last.time_ms)),
        };
        let fits = [
            ("height", header.height == height),
            ("previous block", header.previous == previous),
            (
                "time",
                header.time_ms == leaf.time_ms && not_before < Some(header.time_ms),
            ),
            ("log size", header.log_size == self.frontier.size()),
            ("log root", header.log_root == self.frontier.root()),
        ];
        if let Some((field, _)) = fits.iter().find(|(_, holds)| !holds) {
            return wrong_at(
                height,
                &format!(
                    "the {field} in the seal, entry {}, does not fit",
                    self.frontier.size()
                ),
            );
        }
        let stored: Option<StoredBlock> = match self.blocks.next().transpose()? {
            Some((key, bytes)) if key[..] == height.0.to_be_bytes() => {
                Some(codec::decode(&bytes, MESSAGE_BYTES_MAX).map_err(undecodable("a block"))?)
            }
            _ => None,
        };
        let Some(StoredBlock { block, .. }) = stored else {
            return wrong_at(height, "the block is missing");
        };
        if block.header != *header
            || header.envelopes_root != Block::envelopes_root(&block.envelopes)
        {
            return wrong_at(height, "the block is not the one that its seal states");
        }
        Ok(())
    }

    /// Checks the final checkpoint after this block, if there is one.
    fn check_final(&mut self, header: &BlockHeader) -> Result<(), StoreError> {
        let key = header.height.0.to_be_bytes();
        let next = self
            .finals
            .next_if(|item| item.as_ref().map_or(true, |(found, _)| found[..] == key));
        let Some((_, bytes)) = next.transpose()? else {
            return Ok(());
        };
        let stored: FinalCheckpoint =
            codec::decode(&bytes, SMALL_BYTES_MAX).map_err(undecodable("a final checkpoint"))?;
        if stored.height != header.height
            || stored.size != self.frontier.size()
            || stored.timestamp != header.time_ms.seconds()
            || stored.root != self.frontier.root()
        {
            return wrong_at(
                header.height,
                "the final checkpoint is not of the log that the entries make",
            );
        }
        self.last_final = Some(stored);
        Ok(())
    }

    /// Checks that the log ends at the tip, and nothing stands beyond it; returns the last seal.
    fn finish(&mut self, tip: &Tip) -> Result<BlockHeader, StoreError> {
        let Some(last) = self.last.take() else {
            return corrupt("the log has no seal".into());
        };
        if self.frontier != tip.frontier
            || last.height != tip.height
            || last.id() != tip.block_id
            || last.time_ms != tip.time_ms
        {
            return corrupt(format!(
                "the log ends with entry {} and the block of height {}, its tip says otherwise",
                self.frontier.size().saturating_sub(1),
                last.height
            ));
        }
        let beyond = self.nodes.iter_mut().find_map(|level| level.next());
        if beyond.transpose()?.is_some() {
            return corrupt("the log's tree has nodes beyond the log's end".into());
        }
        if self.blocks.next().transpose()?.is_some() {
            return wrong_at(tip.height.next(), "there is a block beyond the log's end");
        }
        if self.finals.next().transpose()?.is_some() {
            return corrupt("there is a final checkpoint of no block".into());
        }
        Ok(last)
    }
}

fn corrupt<T>(what: String) -> Result<T, StoreError> {
    Err(StoreError::Corrupt(what))
}

fn wrong_at<T>(height: Height, what: &str) -> Result<T, StoreError> {
    corrupt(format!("height {height}: {what}"))
}
