//! Envelopes: as few as hold the statements, signed.

use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use jangbu_ledger::codec;
use jangbu_ledger::envelope::{
    ENVELOPE_BYTES_MAX, ENVELOPE_VERSION, Envelope, LIFETIME_MS_MAX, STATEMENTS_MAX,
};
use jangbu_ledger::id::{EnvelopeId, KeyId, StatementId, TimeMs};
use jangbu_ledger::signature::Signature;
use jangbu_ledger::statement::{Kind, Statement};

use super::Draft;
use crate::context::Context;
use crate::error::CliError;

/// Room for an envelope's header, signature and count.
const HEADER_BYTES: usize = 256;
/// How long an envelope that is sent at once may be recorded: long enough to outlive a restart
/// of every node, short enough that a lost one is soon known to be dead.
const LIFETIME_SENT_MS: u64 = 60 * 60 * 1000;
/// How long one that is kept to be sent later: the longest there is, less what clocks differ.
const LIFETIME_KEPT_MS: u64 = LIFETIME_MS_MAX - 10 * 60 * 1000;

/// A signed envelope.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) id: EnvelopeId,
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// Splits statements, in order, into groups that fit one envelope each. A group has at most one
/// sealed statement: two of one stream side by side would show that they belong together.
pub(super) fn groups<'a>(statements: &[&'a Statement]) -> Vec<Vec<&'a Statement>> {
    let mut groups = Vec::new();
    let mut group: Vec<&Statement> = Vec::new();
    let (mut bytes, mut sealed) = (HEADER_BYTES, false);
    for statement in statements {
        let size = codec::encode(*statement).len();
        let is_sealed = matches!(statement.kind, Kind::Sealed);
        let full = group.len() == STATEMENTS_MAX || bytes + size > ENVELOPE_BYTES_MAX;
        if full || (is_sealed && sealed) {
            groups.push(std::mem::take(&mut group));
            (bytes, sealed) = (HEADER_BYTES, false);
        }
        group.push(statement);
        bytes += size;
        sealed |= is_sealed;
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// Signs one group, to be sent at once.
pub(super) fn sign(
    ctx: &Context,
    key: &SigningKey,
    statements: Vec<&Statement>,
) -> Result<Signed, CliError> {
    sign_for(ctx, key, statements, LIFETIME_SENT_MS)
}

/// Signs all drafts in one envelope, to be sent later.
pub(super) fn one(
    ctx: &Context,
    drafts: &[Draft],
    ids: &[StatementId],
) -> Result<Signed, CliError> {
    let mut seen = std::collections::BTreeSet::new();
    let statements: Vec<&Statement> = ids
        .iter()
        .zip(drafts)
        .filter(|(id, _)| seen.insert(**id))
        .map(|(_, draft)| &draft.statement)
        .collect();
    match <[Vec<&Statement>; 1]>::try_from(groups(&statements)) {
        Ok([group]) => sign_for(ctx, ctx.signing_key()?, group, LIFETIME_KEPT_MS),
        Err(groups) => Err(CliError::input(format!(
            "{} statements do not go into one envelope, they need {}",
            statements.len(),
            groups.len()
        ))
        .hint("sign fewer at a time with --sign-only")),
    }
}

fn sign_for(
    ctx: &Context,
    key: &SigningKey,
    statements: Vec<&Statement>,
    lifetime_ms: u64,
) -> Result<Signed, CliError> {
    let mut envelope = Envelope {
        version: ENVELOPE_VERSION,
        chain_id: ctx.chain_id()?,
        member: ctx.member()?.id(),
        // Set by signing.
        key_id: KeyId([0; 16]),
        nonce: getrandom::u64()
            .map_err(|error| CliError::internal(format!("no randomness: {error}")))?,
        expires_at_ms: TimeMs(now_ms()?.saturating_add(lifetime_ms)),
        statements: statements.into_iter().cloned().collect(),
        signature: Signature([0; 64]),
    };
    envelope.sign(key);
    let bytes = codec::encode(&envelope);
    Ok(Signed {
        id: Envelope::id_of(&bytes),
        envelope,
        bytes,
    })
}

/// This machine's clock, in milliseconds since the Unix epoch.
pub(super) fn now_ms() -> Result<u64, CliError> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .ok_or_else(|| CliError::input("this machine's clock is before 1970; set it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jangbu_ledger::commitment::Commitment;
    use jangbu_ledger::id::Slot;
    use jangbu_ledger::statement::{EventType, Stream};

    fn observed(n: u32) -> Statement {
        Statement {
            kind: Kind::Observed {
                event: EventType::Object,
            },
            occurrence: n,
            streams: vec![Stream::Open("https://example.com/x".parse().unwrap())],
            commitment: Commitment::keyed([0; 32]),
            references: Vec::new(),
            payload: Vec::new(),
        }
    }

    #[test]
    fn a_group_holds_as_many_statements_as_an_envelope_may() {
        let statements: Vec<Statement> = (0..4097).map(observed).collect();
        let all: Vec<&Statement> = statements.iter().collect();
        let groups = groups(&all);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [4096, 1]);
        assert_eq!(groups.concat(), all);
    }

    #[test]
    fn a_group_fits_in_the_bytes_of_an_envelope() {
        let mut long = observed(0);
        long.payload = vec![0; 512];
        let statements = vec![&long; 4000];
        for group in groups(&statements) {
            let bytes: usize = group.iter().map(|s| codec::encode(*s).len()).sum();
            assert!(bytes + HEADER_BYTES <= ENVELOPE_BYTES_MAX);
        }
    }

    #[test]
    fn two_sealed_statements_never_share_an_envelope() {
        let sealed = |n: u8| Statement {
            kind: Kind::Sealed,
            streams: vec![Stream::Sealed(Slot([n; 32]))],
            payload: vec![0; 512],
            ..observed(0)
        };
        let (a, b, c) = (sealed(1), observed(1), sealed(2));
        let groups = groups(&[&a, &b, &c]);
        assert_eq!(groups, [vec![&a, &b], vec![&c]]);
    }
}
