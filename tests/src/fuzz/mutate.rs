//! Changes of inputs as a fuzzer makes them, but the same in every run.

use crate::sim::Dice;

/// Longest input that mutations make.
const BYTES_MAX: usize = 64 * 1024;
/// Most changes of one input.
const CHANGES_MAX: u64 = 4;

/// Bytes that decoders treat apart: varint and length prefixes, bounds, JSON's punctuation.
const TELLING: [u8; 24] = [
    0, 1, 2, 16, 32, 64, 127, 128, 250, 251, 252, 253, 254, 255, b'\n', b'"', b'\\', b'[', b'{',
    b'}', b'0', b'9', b'e', b'=',
];

/// Numbers as canonical bytes write them, at the ends of their ranges.
const NUMBERS: [&[u8]; 7] = [
    &[251, 251, 0],
    &[251, 255, 255],
    &[252, 0, 0, 1, 0],
    &[252, 255, 255, 255, 255],
    &[253, 0, 0, 0, 0, 1, 0, 0, 0],
    &[253, 255, 255, 255, 255, 255, 255, 255, 255],
    &[252, 0, 0, 0, 2],
];

/// Makes mutations of a list of inputs.
#[derive(Debug)]
pub struct Mutator {
    dice: Dice,
}

impl Mutator {
    /// The mutations of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
        }
    }

    /// One of the inputs, changed.
    pub fn next_of(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.one_of(inputs).to_vec();
        for _ in 0..=self.dice.below(CHANGES_MAX) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    fn one_of<'a>(&mut self, inputs: &'a [Vec<u8>]) -> &'a [u8] {
        let at = self.dice.index(inputs.len());
        inputs.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// A part of so many bytes, short ones more often than long ones.
    fn part(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.dice.index(len);
        let most = [4, 40, len][self.dice.index(3)];
        let end = start + self.dice.index(most + 1);
        start..end.min(len)
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let len = bytes.len();
        let at = self.dice.index(len + 1);
        match self.dice.below(10) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.dice.below(8);
                }
            }
            2 => {
                let telling = TELLING[self.dice.index(TELLING.len())];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = telling;
                }
            }
            3 => {
                let number = NUMBERS[self.dice.index(NUMBERS.len())];
                let replaced = at..(at + self.dice.index(2)).min(len);
                bytes.splice(replaced, number.iter().copied());
            }
            4 => bytes.insert(at, TELLING[self.dice.index(TELLING.len())]),
            5 => drop(bytes.drain(self.part(len))),
            6 => {
                let again = bytes[self.part(len)].to_vec();
                bytes.splice(at..at, again);
            }
            7 => bytes.truncate(at),
            8 => {
                let other = self.one_of(inputs);
                let piece = other[self.part(other.len())].to_vec();
                let replaced = at..(at + self.dice.index(piece.len() + 1)).min(len);
                bytes.splice(replaced, piece);
            }
            _ => {
                let step = [1, u8::MAX][self.dice.index(2)];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = byte.wrapping_add(step);
                }
            }
        }
    }
}
