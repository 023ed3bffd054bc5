//! Evidence against validators: it holds, and each offence is recorded once.

use super::{Author, Judgement, Rule, refuse_unless};
use crate::equivocation::Equivocation;
use crate::state::{OffenceRecord, Overlay, ValidatorRecord, key};

/// Any member may say so: the signatures speak for themselves.
pub(super) fn record(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    equivocation: &Equivocation,
) -> Judgement {
    let offence = equivocation.offence();
    let at = key::offence(&offence);
    // First, for it costs nothing: signatures of what is known are not checked again.
    refuse_unless(
        state.get::<OffenceRecord>(&at)?.is_none(),
        Rule::EvidenceOnce,
    )?;
    let validator = state.get::<ValidatorRecord>(&key::validator(&offence.validator))?;
    let holds = validator.is_some_and(|validator| {
        equivocation
            .verify(author.chain_id, &validator.consensus)
            .is_ok()
    });
    refuse_unless(holds, Rule::EvidenceHolds)?;
    state.put(
        at,
        &OffenceRecord {
            sequence: author.sequence,
        },
    );
    Ok(())
}
