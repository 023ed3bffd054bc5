//! What is recorded in another small ledger: two agreements, and what a company trained on data that
//! came under them.

use jangbu_ledger::bundle::Blob;
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::content::{
    CHUNK_BYTES, CHUNKS_FORMAT, ChunkProof, ContentKey, Record, ShownChunk, Shows, plain_leaf,
    plain_path,
};
use jangbu_ledger::id::{Digest, MemberId, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{
    Deed, Fingerprint, Input, Output, Part, Sealing, Sent, Span, Usage, UseCode,
};
use jangbu_ledger::statement::{Kind, Statement, Stream};
use jangbu_ledger::tree;

use super::story::identifier;
use super::{World, WorldError};

/// A dataset of hanbit's, which came under [`CELLS_AGREEMENT`].
pub const CELLS: &str = "dataset:hanbit.example/cells/1";
/// A dataset of nordwind's, which came under [`PACKS_AGREEMENT`].
pub const PACKS: &str = "dataset:nordwind.example/packs/7";
/// Data of which no agreement is named.
pub const LOOSE: &str = "dataset:example.com/loose/1";
/// Permits training; hanbit ends it after the last use.
pub const CELLS_AGREEMENT: &str = "urn:uuid:00000000-0000-4000-8000-000000000031";
/// Permits analytics and nothing else.
pub const PACKS_AGREEMENT: &str = "https://nordwind.example/agreements/32";
/// An agreement of which nothing is recorded in the open.
pub const HIDDEN_AGREEMENT: &str = "urn:uuid:00000000-0000-4000-8000-000000000033";
/// Made from all three datasets.
pub const MODEL: &str = "model:soyu.example/range/1";
/// Made from [`MODEL`] and again from cells.
pub const TUNED: &str = "model:soyu.example/range/2";

/// What was recorded.
#[derive(Debug)]
pub struct Models {
    /// The ledger.
    pub world: World,
    /// The uses, in log order: two by soyu that made [`MODEL`], one by a stranger that says so, one
    /// that made [`TUNED`].
    pub uses: Vec<StatementId>,
    /// The starts of what was sent: the cells, and the packs.
    pub started: [StatementId; 2],
}

fn made(error: impl std::fmt::Display) -> WorldError {
    WorldError::Made(error.to_string())
}

fn id(text: &str) -> Result<Identifier, WorldError> {
    identifier(text).map_err(made)
}

/// An open contract about one dataset, and a delivery of it.
#[derive(Debug, Clone, Copy)]
pub struct Contract {
    /// Its identifier.
    pub agreement: &'static str,
    /// Whose data it is.
    pub provider: &'static str,
    /// Who gets it.
    pub consumer: &'static str,
    /// Whether the consumer began it, and speaks in the open stream.
    pub by_consumer: bool,
    /// The uses that it permits; none if its document alone says.
    pub permits: &'static [&'static str],
    /// What it is about.
    pub data: &'static str,
}

/// The cells, in six chunks, of which the last is short; sent as a delivery.
#[must_use]
pub fn cells() -> Vec<u8> {
    content(5 * CHUNK_BYTES + 9)
}

/// The packs, in three chunks, of which the last is short; sent plainly.
#[must_use]
pub fn packs() -> Vec<u8> {
    content(2 * CHUNK_BYTES + 5)
}

fn content(bytes: usize) -> Vec<u8> {
    let (mut all, mut next) = (Vec::with_capacity(bytes), 1u32);
    while all.len() < bytes {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        all.extend(next.to_be_bytes());
    }
    all.truncate(bytes);
    all
}

/// The key of the delivery.
#[must_use]
pub fn content_key() -> ContentKey {
    ContentKey::from_bytes([3; 32])
}

/// The records of the delivery.
///
/// # Errors
///
/// [`WorldError`] if a chunk cannot be sealed.
pub fn records() -> Result<Vec<Vec<u8>>, WorldError> {
    let (key, cells) = (content_key(), cells());
    let sealed = (0..)
        .zip(cells.chunks(CHUNK_BYTES))
        .map(|(n, chunk)| key.chunk(n).seal(chunk));
    sealed
        .collect::<Option<_>>()
        .ok_or_else(|| WorldError::Made("a chunk was not sealed".into()))
}

/// What is said of the delivery when it starts.
///
/// # Errors
///
/// [`WorldError`] if a chunk cannot be sealed.
pub fn delivery() -> Result<Sent, WorldError> {
    let records = records()?;
    let hashes = records.iter().filter_map(|bytes| Record::parse(bytes));
    let hashes: Vec<Digest> = hashes.map(|record| record.content_hash).collect();
    Ok(Sent {
        root: tree::DELIVERY.root(records.iter().map(Vec::as_slice)),
        sealing: Some(Sealing {
            content_root: tree::CONTENT.root(hashes.iter().map(|hash| hash.0.as_slice())),
            wrap: Digest([4; 32]),
            bytes: cells().len() as u64,
        }),
    })
}

/// What is said of the packs when they are sent.
#[must_use]
pub fn plainly() -> Sent {
    Sent {
        root: Digest(*blake3::hash(&packs()).as_bytes()),
        sealing: None,
    }
}

impl Contract {
    /// Records a step of a party.
    ///
    /// # Errors
    ///
    /// [`WorldError::Refused`] if a rule refuses it.
    pub fn step(
        &self,
        world: &mut World,
        provider: bool,
        deed: Deed,
        salt: u8,
    ) -> Result<StatementId, WorldError> {
        let (member, with) = if provider {
            (self.provider, self.consumer)
        } else {
            (self.consumer, self.provider)
        };
        let owns = provider != self.by_consumer;
        said(world, (member, with), (self.agreement, owns), deed, salt)
    }

    /// Records all from the first step until the consumer has received the data; the start of the
    /// transfer.
    ///
    /// # Errors
    ///
    /// [`WorldError::Refused`] if a rule refuses a step.
    pub fn close(&self, world: &mut World, sent: Sent) -> Result<StatementId, WorldError> {
        let permits = self.permits.iter().map(|code| UseCode::parse(code));
        let permits: Vec<UseCode> = permits.collect::<Result<_, _>>().map_err(made)?;
        let data = vec![id(self.data)?];
        let offer = Deed::Offered {
            permits: permits.clone(),
            data: data.clone(),
        };
        if self.by_consumer {
            self.step(world, false, Deed::Requested, 1)?;
        } else {
            self.step(world, true, offer, 1)?;
            self.step(world, false, Deed::Accepted, 2)?;
        }
        let (root, mut start) = (sent.root, None);
        for (n, (provider, deed)) in (3..).zip([
            (true, Deed::Agreed { permits, data }),
            (false, Deed::Verified),
            (true, Deed::Finalized),
            (false, Deed::TransferRequested),
            (true, Deed::TransferStarted { sent: Some(sent) }),
            (false, Deed::Received { root }),
        ]) {
            let starts = matches!(deed, Deed::TransferStarted { .. });
            let id = self.step(world, provider, deed, n)?;
            start = start.or(starts.then_some(id));
        }
        start.ok_or_else(|| WorldError::Made("nothing was started".into()))
    }
}

/// Records a step in an open share.
///
/// # Errors
///
/// [`WorldError::Refused`] if a rule refuses it.
pub fn said(
    world: &mut World,
    (member, with): (&str, &str),
    (agreement, owns): (&str, bool),
    deed: Deed,
    salt: u8,
) -> Result<StatementId, WorldError> {
    let stream = if owns { Stream::Open } else { Stream::Claims };
    let statement = Statement {
        kind: Kind::ShareStep {
            with: MemberId::of(with),
            deed: Box::new(deed),
        },
        occurrence: 0,
        streams: vec![stream(id(agreement)?)],
        commitment: Commitment::keyed([salt; 32]),
        references: Vec::new(),
        payload: Vec::new(),
    };
    let ids = world.say(member, vec![statement])?;
    ids.first()
        .copied()
        .ok_or_else(|| WorldError::Made("no statement was recorded".into()))
}

/// Data that went in, under an agreement if one is named.
///
/// # Errors
///
/// [`WorldError`] if a name is none.
pub fn input(data: &str, agreement: Option<&str>) -> Result<Input, WorldError> {
    Ok(Input {
        data: id(data)?,
        agreement: agreement.map(id).transpose()?,
        part: None,
    })
}

/// A training of this on that.
///
/// # Errors
///
/// [`WorldError`] if a name is none.
pub fn training(inputs: Vec<Input>, output: &str) -> Result<Usage, WorldError> {
    let output = Output {
        made: id(output)?,
        content: Some(Fingerprint::Sha256(Digest([5; 32]))),
    };
    let activity = UseCode::parse(UseCode::AI_TRAINING).map_err(made)?;
    Ok(Usage {
        environment: Some(Fingerprint::Sha256(Digest([6; 32]))),
        ..Usage::new(activity, inputs, vec![output])
    })
}

impl Models {
    /// A proof of chunks of the cells or of the packs.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if there is no such chunk or use.
    pub fn chunks(
        &self,
        of_cells: bool,
        wanted: &[u64],
        used: Option<&StatementId>,
    ) -> Result<ChunkProof, WorldError> {
        let place = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
        let none = || WorldError::Made("there is no such chunk".into());
        let (packs, mut chunks) = (packs(), Vec::new());
        let pieces: Vec<&[u8]> = packs.chunks(CHUNK_BYTES).collect();
        let leaves = (0..).zip(&pieces).map(|(n, piece)| plain_leaf(n, piece));
        let leaves: Vec<Digest> = leaves.collect::<Option<_>>().ok_or_else(none)?;
        let records = records()?;
        let hashed = tree::DELIVERY.hash(records.iter().map(Vec::as_slice));
        for index in wanted {
            let at = place(*index);
            let (key, bytes, path) = if of_cells {
                let key = content_key().chunk(*index);
                let record = records.get(at).ok_or_else(none)?;
                (Some(Digest(*key.expose())), record.clone(), hashed.path(at))
            } else {
                let piece = pieces.get(at).ok_or_else(none)?;
                (None, piece.to_vec(), plain_path(&leaves, at))
            };
            chunks.push(ShownChunk {
                index: *index,
                key,
                bytes: Blob(bytes),
                path: path.ok_or_else(none)?,
            });
        }
        let start = &self.started[usize::from(!of_cells)];
        Ok(ChunkProof {
            format: CHUNKS_FORMAT.into(),
            started: self.shows(start)?,
            used: used.map(|id| self.shows(id)).transpose()?,
            bytes: (!of_cells).then_some(packs.len() as u64),
            chunks,
        })
    }

    fn shows(&self, id: &StatementId) -> Result<Shows, WorldError> {
        let mut builder = self.world.builder()?;
        builder.recorded(id)?;
        Ok(Shows {
            bundle: builder.finish(),
            shown: None,
        })
    }

    /// Founds a ledger and records everything.
    ///
    /// # Errors
    ///
    /// [`WorldError`], which a test stops at.
    pub fn tell() -> Result<Self, WorldError> {
        let mut world = World::found()?;
        let cells = Contract {
            agreement: CELLS_AGREEMENT,
            provider: "hanbit",
            consumer: "soyu",
            by_consumer: true,
            permits: &[UseCode::AI_TRAINING],
            data: CELLS,
        };
        let packs = Contract {
            agreement: PACKS_AGREEMENT,
            provider: "nordwind",
            consumer: "soyu",
            by_consumer: false,
            permits: &["analytics"],
            data: PACKS,
        };
        let sent = delivery()?;
        let root = sent.root;
        let started = [
            cells.close(&mut world, sent)?,
            packs.close(&mut world, plainly())?,
        ];
        let mut uses = Vec::new();
        let part = Part {
            root,
            chunks: vec![Span { first: 0, last: 3 }, Span { first: 5, last: 5 }],
        };
        let some = Input {
            part: Some(part),
            ..input(CELLS, Some(CELLS_AGREEMENT))?
        };
        let all = input(PACKS, Some(PACKS_AGREEMENT))?;
        let first = training(vec![some, all], MODEL)?;
        uses.push(cells.step(&mut world, false, Deed::Used(first), 20)?);
        let hidden = input(LOOSE, Some(HIDDEN_AGREEMENT))?;
        let second = training(vec![input(LOOSE, None)?, hidden], MODEL)?;
        uses.push(cells.step(&mut world, false, Deed::Used(second), 21)?);
        let rumour = training(vec![input(PACKS, None)?], MODEL)?;
        let (who, place) = (("cml1", "hanbit"), (CELLS_AGREEMENT, false));
        uses.push(said(&mut world, who, place, Deed::Used(rumour), 22)?);
        let again = vec![input(MODEL, None)?, input(CELLS, Some(CELLS_AGREEMENT))?];
        let tuning = Deed::Used(training(again, TUNED)?);
        uses.push(cells.step(&mut world, false, tuning, 23)?);
        cells.step(&mut world, true, Deed::Retired, 24)?;
        Ok(Self {
            world,
            uses,
            started,
        })
    }
}
