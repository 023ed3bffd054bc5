//! Our types as Malachite's core wants them.

use arc_malachitebft_core_types as types;
use jangbu_ledger::hash::ParseHexError;
use jangbu_ledger::id::{BlockId, ChainId, KeyId};
use jangbu_ledger::signature::{PublicKey, Signature};
use types::{NilOrVal, Round};

use crate::message::{self, Proposal, Vote, VoteType};
use crate::validator_set::{Validator, ValidatorSet};

/// The ledger's agreement: carries the chain id that every signature binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) chain_id: ChainId,
}

/// A validator's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address(pub(crate) KeyId);

/// A height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Height(pub(crate) u64);

/// What is decided: the id stands for the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value(pub(crate) BlockId);

/// A vote with its round and value in the core's own types beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreVote {
    pub(crate) vote: Vote,
    value: NilOrVal<BlockId>,
    address: Address,
}

/// A proposal with its value and address in the core's own types beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreProposal {
    pub(crate) proposal: Proposal,
    value: Value,
    address: Address,
}

/// Bodies do not pass through the core: there are no parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoPart {}

/// Ed25519 by the ledger's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scheme;

/// The core's copy of the time-outs is never asked; the host's are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HostTimeouts;

pub(crate) fn round(round: u32) -> Round {
    Round::new(round)
}

pub(crate) fn optional_round(round: Option<u32>) -> Round {
    round.map_or(Round::Nil, Round::new)
}

impl From<Vote> for CoreVote {
    fn from(vote: Vote) -> Self {
        Self {
            value: vote.block_id.map_or(NilOrVal::Nil, NilOrVal::Val),
            address: Address(vote.validator),
            vote,
        }
    }
}

impl From<Proposal> for CoreProposal {
    fn from(proposal: Proposal) -> Self {
        Self {
            value: Value(proposal.block_id),
            address: Address(proposal.proposer),
            proposal,
        }
    }
}

impl types::Context for Context {
    type Address = Address;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = CoreProposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = HostTimeouts;
    type Value = Value;
    type Vote = CoreVote;
    type Extension = ();
    type SigningScheme = Scheme;

    fn select_proposer<'a>(
        &self,
        validators: &'a ValidatorSet,
        height: Height,
        round: Round,
    ) -> &'a Validator {
        validators.proposer(height.into(), round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: Value,
        pol_round: Round,
        address: Address,
    ) -> CoreProposal {
        Proposal {
            height: height.into(),
            round: round.as_u32().unwrap_or(0),
            block_id: value.0,
            pol_round: pol_round.as_u32(),
            proposer: address.0,
        }
        .into()
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockId>,
        address: Address,
    ) -> CoreVote {
        vote(VoteType::Prevote, height, round, value, address)
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockId>,
        address: Address,
    ) -> CoreVote {
        vote(VoteType::Precommit, height, round, value, address)
    }
}

fn vote(
    vote_type: VoteType,
    height: Height,
    round: Round,
    value: NilOrVal<BlockId>,
    address: Address,
) -> CoreVote {
    let block_id = match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(id),
    };
    let round = round.as_u32().unwrap_or(0);
    Vote {
        vote_type,
        height: height.into(),
        round,
        block_id,
        validator: address.0,
    }
    .into()
}

impl From<Height> for jangbu_ledger::id::Height {
    fn from(height: Height) -> Self {
        Self(height.0)
    }
}

impl From<jangbu_ledger::id::Height> for Height {
    fn from(height: jangbu_ledger::id::Height) -> Self {
        Self(height.0)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for Height {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl types::Address for Address {}

impl types::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0 + n)
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl types::Value for Value {
    type Id = BlockId;

    fn id(&self) -> BlockId {
        self.0
    }
}

impl types::Vote<Context> for CoreVote {
    fn height(&self) -> Height {
        self.vote.height.into()
    }

    fn round(&self) -> Round {
        round(self.vote.round)
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> types::VoteType {
        core_vote_type(self.vote.vote_type)
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }

    fn extension(&self) -> Option<&types::SignedExtension<Context>> {
        None
    }

    fn take_extension(&mut self) -> Option<types::SignedExtension<Context>> {
        None
    }

    fn extend(self, _extension: types::SignedExtension<Context>) -> Self {
        self
    }
}

impl types::Proposal<Context> for CoreProposal {
    fn height(&self) -> Height {
        self.proposal.height.into()
    }

    fn round(&self) -> Round {
        round(self.proposal.round)
    }

    fn value(&self) -> &Value {
        &self.value
    }

    fn take_value(self) -> Value {
        self.value
    }

    fn pol_round(&self) -> Round {
        optional_round(self.proposal.pol_round)
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }
}

impl types::ProposalPart<Context> for NoPart {
    fn is_first(&self) -> bool {
        match *self {}
    }

    fn is_last(&self) -> bool {
        match *self {}
    }
}

impl types::Validator<Context> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> types::VotingPower {
        1
    }
}

impl types::ValidatorSet<Context> for ValidatorSet {
    fn count(&self) -> usize {
        Self::count(self)
    }

    fn total_voting_power(&self) -> types::VotingPower {
        Self::count(self) as types::VotingPower
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        self.find(&address.0)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.at(index)
    }
}

impl types::Timeouts<Context> for HostTimeouts {
    fn duration_for(&self, _timeout: types::Timeout) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

impl types::SigningScheme for Scheme {
    type DecodingError = ParseHexError;
    type Signature = Signature;
    type PublicKey = PublicKey;
    /// Keys stay behind `Signer`; the core never sees one.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Signature, ParseHexError> {
        fixed("signature", bytes).map(Signature)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, ParseHexError> {
        fixed("public key", bytes).map(PublicKey)
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.0.to_vec()
    }
}

fn fixed<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], ParseHexError> {
    bytes.try_into().map_err(|_| ParseHexError {
        what,
        expected: 2 * N,
        got: format!("{} bytes", bytes.len()),
    })
}

const fn core_vote_type(vote_type: VoteType) -> types::VoteType {
    match vote_type {
        VoteType::Prevote => types::VoteType::Prevote,
        VoteType::Precommit => types::VoteType::Precommit,
    }
}

const fn vote_type(vote_type: types::VoteType) -> VoteType {
    match vote_type {
        types::VoteType::Prevote => VoteType::Prevote,
        types::VoteType::Precommit => VoteType::Precommit,
    }
}

pub(crate) fn signed_vote(vote: &types::SignedVote<Context>) -> message::SignedVote {
    message::SignedVote {
        vote: vote.message.vote.clone(),
        signature: vote.signature,
    }
}

pub(crate) fn signed_proposal(
    proposal: &types::SignedProposal<Context>,
) -> message::SignedProposal {
    message::SignedProposal {
        proposal: proposal.message.proposal.clone(),
        signature: proposal.signature,
    }
}

pub(crate) fn core_vote(vote: message::SignedVote) -> types::SignedVote<Context> {
    types::SignedMessage::new(vote.vote.into(), vote.signature)
}

pub(crate) fn core_proposal(proposal: message::SignedProposal) -> types::SignedProposal<Context> {
    types::SignedMessage::new(proposal.proposal.into(), proposal.signature)
}

pub(crate) fn core_polka(
    certificate: message::PolkaCertificate,
) -> types::PolkaCertificate<Context> {
    types::PolkaCertificate {
        height: certificate.height.into(),
        round: round(certificate.round),
        value_id: certificate.block_id,
        polka_signatures: certificate
            .signatures
            .into_iter()
            .map(|(id, signature)| types::PolkaSignature::new(Address(id), signature))
            .collect(),
    }
}

pub(crate) fn polka(certificate: &types::PolkaCertificate<Context>) -> message::PolkaCertificate {
    message::PolkaCertificate {
        height: certificate.height.into(),
        round: certificate.round.as_u32().unwrap_or(0),
        block_id: certificate.value_id,
        signatures: certificate
            .polka_signatures
            .iter()
            .map(|signature| (signature.address.0, signature.signature))
            .collect(),
    }
}

pub(crate) fn core_round_certificate(
    certificate: message::RoundCertificate,
) -> types::RoundCertificate<Context> {
    types::RoundCertificate {
        height: certificate.height.into(),
        round: round(certificate.round),
        cert_type: if certificate.skip {
            types::RoundCertificateType::Skip
        } else {
            types::RoundCertificateType::Precommit
        },
        round_signatures: certificate
            .votes
            .into_iter()
            .map(|vote| {
                types::RoundSignature::new(
                    core_vote_type(vote.vote_type),
                    vote.block_id.map_or(NilOrVal::Nil, NilOrVal::Val),
                    Address(vote.validator),
                    vote.signature,
                )
            })
            .collect(),
    }
}

pub(crate) fn round_certificate(
    certificate: &types::RoundCertificate<Context>,
) -> message::RoundCertificate {
    message::RoundCertificate {
        height: certificate.height.into(),
        round: certificate.round.as_u32().unwrap_or(0),
        skip: matches!(certificate.cert_type, types::RoundCertificateType::Skip),
        votes: certificate
            .round_signatures
            .iter()
            .map(|signature| message::RoundVote {
                vote_type: vote_type(signature.vote_type),
                block_id: match &signature.value_id {
                    NilOrVal::Nil => None,
                    NilOrVal::Val(id) => Some(*id),
                },
                validator: signature.address.0,
                signature: signature.signature,
            })
            .collect(),
    }
}
