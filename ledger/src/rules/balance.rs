//! Mass balance: no more of a thing goes into others than its company stated that there is.
//!
//! Only what is said by who has the thing, or agreed to by its company, is counted: nobody uses up
//! another's lot by saying so.

use super::{Judgement, Rule, RuleError};
use crate::id::SubjectId;
use crate::state::{BalanceRecord, Overlay, UnitBalance, key};
use crate::statement::{Amount, Quantity};

/// Most units that one thing's balance is kept in.
const UNITS_MAX: usize = 8;

/// Counts what was made, when stated.
pub(super) fn produce(
    state: &mut Overlay<'_>,
    id: &SubjectId,
    quantity: Option<&Quantity>,
) -> Judgement {
    count(state, id, quantity, BalanceRecord::produce)
}

/// Counts what went into something else, when stated.
pub(super) fn consume(
    state: &mut Overlay<'_>,
    id: &SubjectId,
    quantity: Option<&Quantity>,
) -> Judgement {
    count(state, id, quantity, BalanceRecord::consume)
}

fn count(
    state: &mut Overlay<'_>,
    id: &SubjectId,
    quantity: Option<&Quantity>,
    how: fn(&mut BalanceRecord, &Quantity) -> Result<(), Rule>,
) -> Judgement {
    let Some(quantity) = quantity else {
        return Ok(());
    };
    let at = key::balance(id);
    let mut balance = state.get::<BalanceRecord>(&at)?.unwrap_or_default();
    how(&mut balance, quantity).map_err(RuleError::Refused)?;
    state.put(at, &balance);
    Ok(())
}

impl BalanceRecord {
    /// Counts what was made.
    ///
    /// # Errors
    ///
    /// [`Rule::BalanceExceeded`] or [`Rule::BalanceUnit`] if more went into other things before,
    /// or in a unit that nothing is stated in.
    fn produce(&mut self, quantity: &Quantity) -> Result<(), Rule> {
        let unit = self.unit(&quantity.unit)?;
        let sum = unit.produced.unwrap_or_default().plus(quantity.amount());
        unit.produced = Some(sum.ok_or(Rule::BalanceExceeded)?);
        self.check()
    }

    /// Counts what went into something else.
    ///
    /// # Errors
    ///
    /// [`Rule::BalanceExceeded`] if that is more than there is, [`Rule::BalanceUnit`] if it is
    /// stated in other units how much there is.
    fn consume(&mut self, quantity: &Quantity) -> Result<(), Rule> {
        let unit = self.unit(&quantity.unit)?;
        let sum = unit.consumed.plus(quantity.amount());
        unit.consumed = sum.ok_or(Rule::BalanceExceeded)?;
        self.check()
    }

    fn unit(&mut self, name: &str) -> Result<&mut UnitBalance, Rule> {
        let at = match self
            .units
            .binary_search_by(|known| known.unit.as_str().cmp(name))
        {
            Ok(at) => at,
            Err(_) if self.units.len() >= UNITS_MAX => return Err(Rule::BalanceUnit),
            Err(at) => {
                let unit = UnitBalance {
                    unit: name.to_owned(),
                    produced: None,
                    consumed: Amount::default(),
                };
                self.units.insert(at, unit);
                at
            }
        };
        self.units.get_mut(at).ok_or(Rule::BalanceUnit)
    }

    fn check(&self) -> Result<(), Rule> {
        let stated = self.units.iter().any(|unit| unit.produced.is_some());
        for unit in &self.units {
            match unit.produced {
                Some(produced) if unit.consumed > produced => return Err(Rule::BalanceExceeded),
                None if stated && unit.consumed > Amount::default() => {
                    return Err(Rule::BalanceUnit);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
