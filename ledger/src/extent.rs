//! How much of a ledger somebody knows to exist: so that nobody is shown less than they have seen.

use std::fmt;
use std::str::FromStr;

use crate::id::ChainId;

/// The field of a request's head in which a reader tells a node how much it knows.
pub const KNOWN_FIELD: &str = "jangbu-known";

/// The first so many entries of a ledger, as one line: `CHAIN-ID ENTRIES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Which ledger.
    pub chain_id: ChainId,
    /// Entries that are known to be final.
    pub entries: u64,
}

/// A text is not an [`Extent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a ledger's id, a space and a number of entries")]
pub struct NotAnExtent;

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.chain_id, self.entries)
    }
}

impl FromStr for Extent {
    type Err = NotAnExtent;

    fn from_str(text: &str) -> Result<Self, NotAnExtent> {
        let (chain_id, entries) = text.split_once(' ').ok_or(NotAnExtent)?;
        // `u64` would take a sign.
        if !entries.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnExtent);
        }
        Ok(Self {
            chain_id: chain_id.parse().map_err(|_| NotAnExtent)?,
            entries: entries.parse().map_err(|_| NotAnExtent)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written_and_no_other_way() {
        for entries in [0, 41, u64::MAX] {
            let extent = Extent {
                chain_id: ChainId([7; 32]),
                entries,
            };
            let text = extent.to_string();
            assert_eq!(text.parse(), Ok(extent));
            for bad in [
                format!("{text}\n"),
                format!(" {text}"),
                text.replace(' ', "  "),
            ] {
                assert_eq!(bad.parse::<Extent>(), Err(NotAnExtent), "{bad:?}");
            }
        }
        let chain = ChainId([7; 32]);
        for bad in [
            "",
            "1",
            "x 1",
            &format!("{chain} +1"),
            &format!("{chain} 18446744073709551616"),
        ] {
            assert_eq!(bad.parse::<Extent>(), Err(NotAnExtent), "{bad:?}");
        }
    }
}
