//! The log as static files: hash tiles and entry bundles of 256 each, and their paths.
//!
//! ```text
//!   tile/<L>/<N>[.p/<W>]        W hashes of level 8L, from 256N on, 32 bytes each
//!   tile/entries/<N>[.p/<W>]    W entries from 256N on, each u16 big endian length || bytes
//! ```
//!
//! `N` is written in groups of three digits, all but the last prefixed with `x`: `x001/x234/067`.
//! A tile of fewer than 256 is *partial* and carries its width.
//!
//! Source: c2sp.org/tlog-tiles, v0.1.0.

use std::fmt;
use std::str::FromStr;

use crate::merkle::{NodeHash, NodeReader};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Longest entry in bytes: its length prefix has 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Highest tile level the path grammar allows.
const LEVEL_MAX: u8 = 63;

/// Highest tile index: beyond it, 256N would not be a u64.
const INDEX_MAX: u64 = u64::MAX >> 8;

/// Longest path looked at; the longest valid one has 42 characters.
const PATH_CHARS_MAX: usize = 48;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of nodes at tree level `8 * level`.
    Hashes {
        /// Tile level, 0 to 63; 0 holds leaf hashes.
        level: u8,
    },
    /// The entries themselves.
    Entries,
}

/// Names one tile: what it holds, where it starts, how wide it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// Why a text or a triple does not name a tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileNameError {
    /// Level above 63, index above 2^56 − 1, or width not in 1 to 256.
    #[error("no such tile: level at most 63, index below 2^56, width 1 to 256")]
    OutOfRange,
    /// Not the one path of any tile.
    #[error("{0:?} is not a tile path (expected tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>])")]
    Path(String),
}

/// Why bytes are not the content of a tile of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileContentError {
    /// A hash tile was taken for an entry bundle, or the reverse.
    #[error("{tile} holds something else")]
    OtherKind {
        /// The tile.
        tile: Tile,
    },
    /// Too few or too many bytes for the tile's width.
    #[error("{tile} cannot have {got} bytes")]
    Length {
        /// The tile.
        tile: Tile,
        /// Bytes received.
        got: usize,
    },
    /// An entry does not fit its 16-bit length, or there are not 1 to 256 entries.
    #[error("a bundle has 1 to 256 entries of at most 65535 bytes each")]
    Entries,
}

impl Tile {
    /// Names a tile.
    ///
    /// # Errors
    ///
    /// [`TileNameError::OutOfRange`] if level, index or width are not in range.
    pub const fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, TileNameError> {
        let level_is_valid = match kind {
            TileKind::Hashes { level } => level <= LEVEL_MAX,
            TileKind::Entries => true,
        };
        if !level_is_valid || index > INDEX_MAX || width == 0 || width > TILE_WIDTH {
            return Err(TileNameError::OutOfRange);
        }
        Ok(Self { kind, index, width })
    }

    /// What the tile holds.
    #[must_use]
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Position of the tile within its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in the tile, 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// First hash or entry of the tile, within its tree level.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.index << 8
    }

    /// Whether a log of `size` entries has all that the tile holds.
    #[must_use]
    pub const fn exists_at(&self, size: u64) -> bool {
        let shift = match self.kind {
            TileKind::Hashes { level } => 8 * level as u32,
            TileKind::Entries => 0,
        };
        let available = if shift < u64::BITS { size >> shift } else { 0 };
        // first() has its low eight bits free and width is at most 256, so only the last tile
        // of all could reach 2^64, and no log holds it.
        match self.first().checked_add(self.width as u64) {
            Some(end) => end <= available,
            None => false,
        }
    }

    /// Reads the content of a hash tile from stored nodes; the caller has checked that it
    /// [exists](Self::exists_at). `None` if this is not a hash tile of a tree that can exist.
    ///
    /// # Errors
    ///
    /// The reader's error.
    pub fn hash_bytes<R: NodeReader>(&self, reader: &R) -> Result<Option<Vec<u8>>, R::Error> {
        let TileKind::Hashes { level } = self.kind else {
            return Ok(None);
        };
        let Some(node_level) = level.checked_mul(8).filter(|level| *level < 64) else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(usize::from(self.width) * NodeHash::LEN);
        for offset in 0..u64::from(self.width) {
            // Not `+`: first() has its low eight bits clear and offset is below 256.
            bytes.extend(reader.node(node_level, self.first() | offset)?.0);
        }
        Ok(Some(bytes))
    }

    /// Splits the bytes of a hash tile into its hashes.
    ///
    /// # Errors
    ///
    /// [`TileContentError`] if this is no hash tile or the length is not 32 bytes a hash.
    pub fn hashes(&self, bytes: &[u8]) -> Result<Vec<NodeHash>, TileContentError> {
        if !matches!(self.kind, TileKind::Hashes { .. }) {
            return Err(TileContentError::OtherKind { tile: *self });
        }
        let (hashes, rest) = bytes.as_chunks::<{ NodeHash::LEN }>();
        if hashes.len() != usize::from(self.width) || !rest.is_empty() {
            return Err(TileContentError::Length {
                tile: *self,
                got: bytes.len(),
            });
        }
        Ok(hashes.iter().map(|hash| NodeHash(*hash)).collect())
    }

    /// Splits the bytes of an entry bundle into its entries.
    ///
    /// # Errors
    ///
    /// [`TileContentError`] if this is no bundle, or the bytes do not hold exactly as many
    /// entries as the tile is wide.
    pub fn entries<'a>(&self, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, TileContentError> {
        if self.kind != TileKind::Entries {
            return Err(TileContentError::OtherKind { tile: *self });
        }
        let wrong = || TileContentError::Length {
            tile: *self,
            got: bytes.len(),
        };
        let mut rest = bytes;
        let mut entries = Vec::with_capacity(usize::from(self.width));
        for _ in 0..self.width {
            let (length, after) = rest.split_first_chunk::<2>().ok_or_else(wrong)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, after) = after.split_at_checked(length).ok_or_else(wrong)?;
            entries.push(entry);
            rest = after;
        }
        if rest.is_empty() {
            Ok(entries)
        } else {
            Err(wrong())
        }
    }
}

/// Writes 1 to 256 entries as a bundle: each `u16` big endian length, then the bytes.
///
/// # Errors
///
/// [`TileContentError::Entries`] if there are none or more than 256, or one is longer than
/// [`ENTRY_BYTES_MAX`].
pub fn encode_entries<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, TileContentError> {
    let mut bytes = Vec::new();
    let mut count = 0;
    for entry in entries {
        count += 1;
        if count > usize::from(TILE_WIDTH) {
            return Err(TileContentError::Entries);
        }
        let length = u16::try_from(entry.len()).map_err(|_| TileContentError::Entries)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    if count == 0 {
        Err(TileContentError::Entries)
    } else {
        Ok(bytes)
    }
}

/// The tile's path, relative to the log's URL.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        // Groups of three digits, most significant first; 2^56 has six of them.
        let mut unit = 1_000_000_000_000_000;
        while unit > 1 {
            if self.index >= unit {
                write!(f, "x{:03}/", self.index / unit % 1000)?;
            }
            unit /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TileNameError;

    /// Accepts exactly the paths that [`Display`](fmt::Display) writes.
    fn from_str(path: &str) -> Result<Self, TileNameError> {
        let error = || TileNameError::Path(path.chars().take(80).collect());
        if path.len() > PATH_CHARS_MAX {
            return Err(error());
        }
        let tile = parse_loosely(path).ok_or_else(error)?;
        // Leading zeros, signs, a full width written out: all have another, shorter spelling.
        if tile.to_string() == path {
            Ok(tile)
        } else {
            Err(error())
        }
    }
}

fn parse_loosely(path: &str) -> Option<Tile> {
    let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes {
            level: level.parse().ok()?,
        },
    };
    let (groups, width) = match rest.split_once(".p/") {
        Some((groups, width)) => (groups, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let mut index = 0u64;
    for group in groups.split('/') {
        let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        index = index.checked_mul(1000)?.checked_add(group)?;
    }
    Tile::new(kind, index, width).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::merkle::{Frontier, leaf_hash};

    #[test]
    fn a_path_groups_its_index_by_three_digits() {
        for (kind, index, width, path) in [
            (TileKind::Hashes { level: 0 }, 0, 256, "tile/0/000"),
            (
                TileKind::Hashes { level: 3 },
                1_234_067,
                1,
                "tile/3/x001/x234/067.p/1",
            ),
            (TileKind::Entries, 1_000, 255, "tile/entries/x001/000.p/255"),
            (
                TileKind::Entries,
                1_000_005,
                256,
                "tile/entries/x001/x000/005",
            ),
            (
                TileKind::Hashes { level: 63 },
                INDEX_MAX,
                256,
                "tile/63/x072/x057/x594/x037/x927/935",
            ),
        ] {
            let tile = Tile::new(kind, index, width).unwrap();
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn a_path_that_is_not_the_one_of_its_tile_is_refused() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/x000/000",
            "tile/0/x001/67",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/257",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000/",
            "/tile/0/000",
            "tile/data/000",
            "tile/entries/+00",
            "tile/entries/000.p/1/",
            "tile/0/x072/x057/x594/x037/x927/936",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/8/0/x001/000",
            "tile/0/xx01/000",
        ] {
            assert!(path.parse::<Tile>().is_err(), "{path}");
        }
    }

    #[test]
    fn a_tile_exists_once_the_log_fills_it() {
        let at = |level, index, width| Tile::new(TileKind::Hashes { level }, index, width).unwrap();
        assert!(at(0, 0, 5).exists_at(5) && !at(0, 0, 6).exists_at(5));
        assert!(at(1, 0, 1).exists_at(256) && !at(1, 0, 1).exists_at(255));
        assert!(!at(8, 0, 1).exists_at(u64::MAX));
        assert!(!at(63, INDEX_MAX, 256).exists_at(u64::MAX));
        assert!(Tile::new(TileKind::Entries, 1, 1).unwrap().exists_at(257));
    }

    #[test]
    fn a_higher_tile_holds_the_roots_of_the_tiles_below() {
        let (mut frontier, mut nodes) = (Frontier::new(), BTreeMap::new());
        for i in 0u32..600 {
            for node in frontier.append(leaf_hash(&i.to_be_bytes())).unwrap() {
                nodes.insert((node.level, node.index), node.hash);
            }
        }
        let upper: Tile = "tile/1/000.p/2".parse().unwrap();
        let bytes = upper.hash_bytes(&nodes).unwrap().unwrap();
        assert_eq!(
            upper.hashes(&bytes),
            Ok(vec![nodes[&(8, 0)], nodes[&(8, 1)]])
        );
        let lower: Tile = "tile/0/001".parse().unwrap();
        let mut again = Frontier::new();
        for hash in lower
            .hashes(&lower.hash_bytes(&nodes).unwrap().unwrap())
            .unwrap()
        {
            again.append(hash).unwrap();
        }
        assert_eq!(again.root(), nodes[&(8, 1)]);
    }

    #[test]
    fn a_bundle_with_other_than_its_width_of_entries_is_refused() {
        let tile: Tile = "tile/entries/000.p/2".parse().unwrap();
        let bytes = encode_entries([&b"one"[..], b""]).unwrap();
        assert_eq!(bytes, b"\x00\x03one\x00\x00");
        assert_eq!(tile.entries(&bytes), Ok(vec![&b"one"[..], b""]));
        for end in 0..bytes.len() {
            assert!(tile.entries(&bytes[..end]).is_err());
        }
        assert!(tile.entries(&[&bytes[..], b"\x00"].concat()).is_err());
        assert_eq!(
            encode_entries([&[0u8; 65_536][..]]),
            Err(TileContentError::Entries)
        );
        assert_eq!(encode_entries([]), Err(TileContentError::Entries));
        assert_eq!(
            encode_entries([&b""[..]; 257]),
            Err(TileContentError::Entries)
        );
    }

    proptest! {
        #[test]
        fn every_tile_survives_its_path(
            level in 0u8..64, index in 0..=INDEX_MAX, width in 1u16..=256, entries: bool,
        ) {
            let kind = if entries { TileKind::Entries } else { TileKind::Hashes { level } };
            let tile = Tile::new(kind, index, width).unwrap();
            prop_assert!(tile.to_string().len() <= PATH_CHARS_MAX);
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }

        #[test]
        fn no_path_makes_the_parser_panic(path in "tile/[0-9ex/.p]{0,40}") {
            if let Ok(tile) = path.parse::<Tile>() {
                prop_assert_eq!(tile.to_string(), path);
            }
        }
    }
}
