//! A recorded step of a data share as a stranger can check it.

use serde::{Deserialize, Serialize};

use crate::bundle::{self, Anchor, Bundle, Claim, Failure, Report, StatementReport};
use crate::sealed::Shown;
use crate::share::{Deed, Party};
use crate::statement::{Kind, Statement};

/// A recorded statement, and what it says where that is sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shows {
    /// Proves that it is recorded, and by whom.
    pub bundle: Bundle,
    /// Opens it, if it is sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown: Option<Shown>,
}

/// Who said what.
pub(super) struct Said {
    pub(super) by: StatementReport,
    pub(super) report: Report,
    pub(super) deed: Deed,
}

/// Why a statement is not shown.
pub(super) enum NotShown {
    /// It is not proved to be recorded.
    Bundle(Failure),
    /// It is, and is something else.
    Otherwise(String),
}

impl Shows {
    /// Who said what; `party`, if given, is the only one that may have said it where it is sealed.
    pub(super) fn verify(&self, anchor: &Anchor, party: Option<Party>) -> Result<Said, NotShown> {
        let report = bundle::verify(&self.bundle, anchor).map_err(NotShown::Bundle)?;
        let otherwise = |what: &str| NotShown::Otherwise(what.into());
        let ([Claim::Recorded { statement: id, .. }], [by]) =
            (self.bundle.claims.as_slice(), report.statements.as_slice())
        else {
            return Err(otherwise(
                "a bundle proves more, or less, than one statement",
            ));
        };
        if by.statement_id != *id {
            return Err(otherwise("a bundle proves another statement than it shows"));
        }
        Ok(Said {
            deed: self.deed(&by.statement, party)?,
            by: by.clone(),
            report,
        })
    }

    fn deed(&self, statement: &Statement, party: Option<Party>) -> Result<Deed, NotShown> {
        match (&statement.kind, &self.shown) {
            (Kind::ShareStep { deed, .. }, None) => Ok(deed.as_ref().clone()),
            (Kind::Sealed, Some(shown)) => {
                let body = shown
                    .verify(statement)
                    .map_err(|error| NotShown::Otherwise(error.to_string()))?;
                match party {
                    Some(only) if only != body.party => Err(NotShown::Otherwise(format!(
                        "a {} said it",
                        body.party.name()
                    ))),
                    _ => Ok(body.deed),
                }
            }
            _ => Err(NotShown::Otherwise("it is no step of a data share".into())),
        }
    }
}
