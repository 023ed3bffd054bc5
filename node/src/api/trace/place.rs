//! Where the next part of a long trace begins.

use std::fmt;
use std::str::FromStr;

use jangbu_ledger::id::Height;

/// A place in a trace: of the ledger after a block, after so many links. Written `HEIGHT.LINKS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// After which block.
    pub(super) height: Height,
    /// Links before it.
    pub(super) links: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.height, self.links)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('.');
        let number = |text: &str| text.parse::<u64>().ok();
        parts
            .and_then(|(height, links)| {
                Some(Self {
                    height: Height(number(height)?),
                    links: number(links)?,
                })
            })
            .ok_or("expected a height, a dot and a number of links, as `next` of an answer has it")
    }
}
