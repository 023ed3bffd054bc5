//! Exact amounts: decimal, never rounded, one spelling each.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Longest unit of a quantity, in bytes.
const UNIT_BYTES_MAX: usize = 32;
/// Most decimal places of a quantity.
pub(crate) const QUANTITY_SCALE_MAX: u8 = 9;

/// An exact decimal amount with its unit: `mantissa × 10^-scale unit`.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Quantity {
    /// The digits.
    pub mantissa: u64,
    /// How many of the digits are decimal places, at most 9; no trailing zeros among them.
    pub scale: u8,
    /// Unit as the source names it, at most 32 bytes (`unit:piece`, `KGM`).
    pub unit: String,
}

impl Quantity {
    /// Reads a decimal number (`2.5`, `16`) with its unit; `None` unless it is exact, not
    /// negative, and within bounds.
    #[must_use]
    pub fn parse(number: &str, unit: &str) -> Option<Self> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction = fraction.trim_end_matches('0');
        let scale = u8::try_from(fraction.len())
            .ok()
            .filter(|s| *s <= QUANTITY_SCALE_MAX)?;
        let digits = format!("{whole}{fraction}");
        if whole.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let quantity = Self {
            mantissa: digits.parse().ok()?,
            scale,
            unit: unit.to_owned(),
        };
        quantity.is_canonical().then_some(quantity)
    }

    /// How much it is, to be summed up with others of the same unit.
    #[must_use]
    pub fn amount(&self) -> Amount {
        let places = QUANTITY_SCALE_MAX.saturating_sub(self.scale);
        Amount(u128::from(self.mantissa).saturating_mul(10u128.pow(u32::from(places))))
    }

    pub(super) fn is_canonical(&self) -> bool {
        self.scale <= QUANTITY_SCALE_MAX
            && (self.scale == 0 || !self.mantissa.is_multiple_of(10))
            && self.unit.len() <= UNIT_BYTES_MAX
            && !self.unit.chars().any(char::is_control)
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = format!(
            "{:0>width$}",
            self.mantissa,
            width = usize::from(self.scale) + 1
        );
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(self.scale));
        f.write_str(whole)?;
        if !fraction.is_empty() {
            write!(f, ".{fraction}")?;
        }
        write!(f, " {}", self.unit)
    }
}

/// A sum of quantities of one unit, in billionths of it: exact, for a quantity has at most nine
/// decimal places.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Amount(
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", regex(pattern = "^[0-9]+([.][0-9]{1,9})?$"))
    )]
    pub u128,
);

impl Amount {
    /// One more; `None` beyond what 128 bits hold.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = 10u128.pow(u32::from(QUANTITY_SCALE_MAX));
        write!(f, "{}", self.0 / one)?;
        let rest = self.0 % one;
        if rest > 0 {
            let places = format!("{rest:0>9}");
            write!(f, ".{}", places.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// A decimal number as text: JSON's own numbers are not exact.
impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_add_up_exactly_and_show_as_decimals() {
        let amount = |text: &str| Quantity::parse(text, "KGM").unwrap().amount();
        let sum = amount("0.1").plus(amount("0.2")).unwrap();
        assert_eq!(sum, amount("0.3"));
        assert_eq!(sum.to_string(), "0.3");
        assert_eq!(
            amount("18446744073709551615").to_string(),
            "18446744073709551615"
        );
        assert_eq!(amount("0.000000001").to_string(), "0.000000001");
        assert_eq!(amount("120").to_string(), "120");
        assert_eq!(Amount(u128::MAX).plus(Amount(1)), None);
    }

    #[test]
    fn a_quantity_shows_as_it_was_written() {
        for text in ["2.5", "16", "0.001", "0"] {
            assert_eq!(
                Quantity::parse(text, "L").unwrap().to_string(),
                format!("{text} L")
            );
        }
        assert_eq!(Quantity::parse("2.50", "L"), Quantity::parse("2.5", "L"));
        for bad in [
            "",
            "-1",
            "1e3",
            ".5",
            "1.2.3",
            "99999999999999999999",
            "0.1234567891",
        ] {
            assert_eq!(Quantity::parse(bad, "L"), None, "{bad}");
        }
    }
}
