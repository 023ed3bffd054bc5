//! For whom a document is read: what is this member's to say.

use jangbu_genesis::TrustAnchor;
use jangbu_genesis::document::Member;
use jangbu_ledger::identifier::{Identifier, Prefix};

use super::cursor::{At, ReadError};
use super::said::{SkipReason, Skipped};

/// The member that speaks, among all members.
#[derive(Debug, Clone)]
pub struct Speaker {
    own: Company,
    others: Vec<Company>,
}

/// A member as documents know it.
#[derive(Debug, Clone)]
pub struct Company {
    /// Its name in the consortium.
    pub name: String,
    /// Its business identifiers: BPN, LEI, GLN, DID.
    pub identifiers: Vec<String>,
    /// Prefixes that only it issues under.
    pub prefixes: Vec<Prefix>,
}

impl Company {
    fn of(member: &Member) -> Self {
        Self {
            name: member.name.clone(),
            identifiers: member.identifiers.clone(),
            prefixes: member.prefixes.clone(),
        }
    }

    fn is(&self, bpn: &Identifier) -> bool {
        self.holds(bpn)
            || self
                .identifiers
                .iter()
                .any(|own| Identifier::parse(own).is_ok_and(|own| own == *bpn))
    }

    fn holds(&self, identifier: &Identifier) -> bool {
        self.prefixes
            .iter()
            .any(|prefix| identifier.required_prefix_matches(prefix))
    }
}

impl Speaker {
    /// A speaker among others.
    #[must_use]
    pub const fn new(own: Company, others: Vec<Company>) -> Self {
        Self { own, others }
    }

    /// A founding member among the others.
    #[must_use]
    pub fn of(member: &Member, anchor: &TrustAnchor) -> Self {
        let others = anchor.members().iter().filter(|m| m.name != member.name);
        Self::new(Company::of(member), others.map(Company::of).collect())
    }

    /// Its name in the consortium.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.own.name
    }

    /// Whether things named so are under a prefix that the speaker holds.
    #[must_use]
    pub fn holds(&self, identifier: &Identifier) -> bool {
        self.own.holds(identifier)
    }

    /// Whether the speaker may issue a passport under this name: its prefix, or none at all.
    #[must_use]
    pub fn may_issue(&self, identifier: &Identifier) -> bool {
        !identifier.is_registrable() || self.holds(identifier)
    }

    /// Whether the business partner number at this place is the speaker's.
    ///
    /// # Errors
    ///
    /// If it is no business partner number.
    pub fn is(&self, bpn: &At<'_>) -> Result<bool, ReadError> {
        Ok(self.own.is(&partner(bpn)?))
    }

    /// Says that something belongs to the company with this business partner number.
    ///
    /// # Errors
    ///
    /// If it is no business partner number.
    pub fn leave_to(&self, label: String, bpn: &At<'_>) -> Result<Skipped, ReadError> {
        let id = partner(bpn)?;
        let bpn = id.as_str().trim_start_matches("bpn:");
        let message = match self.others.iter().find(|other| other.is(&id)) {
            Some(other) => format!("{} ({bpn}) says this, not {}", other.name, self.own.name),
            None => format!(
                "{bpn} says this, not {}, and is no member of this consortium",
                self.own.name
            ),
        };
        Ok(Skipped {
            label,
            reason: SkipReason::OtherCompany,
            message,
        })
    }

    /// Says that the thing lies under another company's prefix, or nobody's.
    #[must_use]
    pub fn leave(&self, label: String, subject: &Identifier) -> Skipped {
        let owner = match self.others.iter().find(|other| other.holds(subject)) {
            Some(other) => format!("under a prefix of {}", other.name),
            None => "under no member's prefix".to_owned(),
        };
        Skipped {
            label,
            reason: SkipReason::OtherCompany,
            message: format!("it is {owner}, not of {}", self.own.name),
        }
    }
}

fn partner(bpn: &At<'_>) -> Result<Identifier, ReadError> {
    let id = bpn.identifier()?;
    if id.as_str().starts_with("bpn:") {
        Ok(id)
    } else {
        Err(bpn.wrong("expected a business partner number: BPNL and 12 letters or digits"))
    }
}
