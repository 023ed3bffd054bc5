//! From the document to the ledger's first block.

use jangbu_ledger::founding::{Founding, FoundingMember, ValidatorEntry, ValidatorList};
use jangbu_ledger::state::MemberRecord;

use crate::document::Content;

impl Content {
    /// What the document founds, as far as the ledger's rules go.
    #[must_use]
    pub fn founding(&self) -> Founding {
        let mut validators: Vec<ValidatorEntry> = self
            .members
            .iter()
            .filter_map(|member| {
                member.validator.as_ref().map(|keys| ValidatorEntry {
                    member: member.id(),
                    consensus: keys.consensus,
                    witness: keys.witness,
                })
            })
            .collect();
        validators.sort_by_key(|validator| validator.consensus);
        Founding {
            chain_id: self.chain_id(),
            time_ms: self.time(),
            parameters_hash: self.parameters.hash(),
            members: self
                .members
                .iter()
                .map(|member| FoundingMember {
                    record: MemberRecord {
                        name: member.name.clone(),
                        role: member.role.into(),
                        prefixes: member.prefixes.clone(),
                    },
                    attestor: member.keys.attestor,
                    admin: member.keys.admin,
                })
                .collect(),
            validators: ValidatorList(validators),
        }
    }
}
