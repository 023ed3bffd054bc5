//! Verdicts remembered, for whoever runs many replicas on one thread: the simulator.
//!
//! A signature holds or does not, whoever asks and however often; *n* replicas in one process
//! ask the same *n* times, and that is most of what a simulated run costs. While a [`Memory`]
//! lives, its thread asks the curve once and remembers the answer, good or bad. No program that
//! ships makes one: then nothing is remembered, nothing is hashed, and what is verified is
//! verified.
//!
//! A verdict is found under a BLAKE3 hash of the rule, the key, the signature and the message, so
//! that two of them never meet. When there are too many, all are forgotten.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::{PublicKey, Signature};
use crate::hash::Domain;

/// Verdicts kept at most.
const VERDICTS_MAX: usize = 1 << 17;

/// By which rule a signature is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Zip215 = 0,
    Strict = 1,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    UnfitKey,
    Invalid,
}

/// One item of a batch.
type Signed<M> = (PublicKey, Signature, M);

/// While it lives, its thread remembers which signatures hold.
#[derive(Debug)]
#[must_use = "nothing is remembered once it is dropped"]
pub struct Memory(PhantomData<*const ()>);

struct Memo {
    blank: blake3::Hasher,
    verdicts: BTreeMap<[u8; 32], Verdict>,
}

thread_local! {
    static MEMO: RefCell<Option<Memo>> = const { RefCell::new(None) };
}

impl Memory {
    const DOMAIN: Domain = Domain::new("jangbu/signature-verdict/v1");

    /// Begins with nothing; what another one of this thread had is forgotten.
    pub fn begin() -> Self {
        let memo = Memo {
            blank: Self::DOMAIN.hasher(),
            verdicts: BTreeMap::new(),
        };
        MEMO.set(Some(memo));
        Self(PhantomData)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        MEMO.set(None);
    }
}

impl Memo {
    fn name(&self, rule: Rule, key: &PublicKey, message: &[u8], signature: &Signature) -> [u8; 32] {
        let mut hasher = self.blank.clone();
        hasher.update(&[rule as u8]);
        hasher.update(&key.0).update(&signature.0).update(message);
        *hasher.finalize().as_bytes()
    }

    fn name_of<M: AsRef<[u8]>>(&self, (key, signature, message): &Signed<M>) -> [u8; 32] {
        self.name(Rule::Zip215, key, message.as_ref(), signature)
    }

    fn note(&mut self, name: [u8; 32], verdict: Verdict) {
        if self.verdicts.len() >= VERDICTS_MAX {
            self.verdicts.clear();
        }
        self.verdicts.insert(name, verdict);
    }
}

/// What `judge` says, or said before.
pub(crate) fn recalled(
    rule: Rule,
    (key, message, signature): (&PublicKey, &[u8], &Signature),
    judge: impl FnOnce() -> Verdict,
) -> Verdict {
    let known = MEMO.with_borrow(|memo| {
        let memo = memo.as_ref()?;
        let name = memo.name(rule, key, message, signature);
        Some((name, memo.verdicts.get(&name).copied()))
    });
    match known {
        None => judge(),
        Some((_, Some(verdict))) => verdict,
        Some((name, None)) => {
            let verdict = judge();
            MEMO.with_borrow_mut(|memo| {
                if let Some(memo) = memo {
                    memo.note(name, verdict);
                }
            });
            verdict
        }
    }
}

/// Of these, judged by ZIP-215, those of which nothing is remembered.
pub(super) fn unknown<M: AsRef<[u8]>>(items: &[Signed<M>]) -> Vec<&Signed<M>> {
    MEMO.with_borrow(|memo| match memo {
        None => items.iter().collect(),
        Some(memo) => {
            let is_known = |item: &&Signed<M>| memo.verdicts.contains_key(&memo.name_of(item));
            items.iter().filter(|item| !is_known(item)).collect()
        }
    })
}

/// Remembers that all of these hold by ZIP-215; whether anything is remembered at all.
pub(super) fn note_all_hold<M: AsRef<[u8]>>(items: &[&Signed<M>]) -> bool {
    MEMO.with_borrow_mut(|memo| match memo {
        None => false,
        Some(memo) => {
            for item in items {
                let name = memo.name_of(item);
                memo.note(name, Verdict::Holds);
            }
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::verify_strict;
    use crate::signature::{SignatureError, SigningKey, sign, verify_batch};

    fn signed(seed: u8, message: &'static [u8]) -> Signed<&'static [u8]> {
        let key = SigningKey::from_bytes(&[seed; 32]);
        (PublicKey::of(&key), sign(&key, message), message)
    }

    fn remembered() -> Option<usize> {
        MEMO.with_borrow(|memo| memo.as_ref().map(|memo| memo.verdicts.len()))
    }

    /// Good ones, one over another message, one by a key that is no point of the curve.
    fn items() -> Vec<Signed<&'static [u8]>> {
        let mut items = vec![signed(1, b"one"), signed(2, b"two"), signed(3, b"three")];
        items.push((items[0].0, items[0].1, b"another"));
        items.push((PublicKey([2; 32]), items[1].1, b"two"));
        items
    }

    #[test]
    fn what_is_remembered_is_what_was_said() {
        let (items, expected) = (items(), [true, true, true, false, false]);
        assert_eq!(verify_batch(&items), expected);
        assert_eq!(remembered(), None);
        for in_batch_first in [true, false] {
            let _memory = Memory::begin();
            for turn in 0..4 {
                if (turn % 2 == 0) == in_batch_first {
                    assert_eq!(verify_batch(&items), expected);
                } else {
                    let alone = items.iter().map(|(key, signature, message)| {
                        let answer = key.verify(message, signature);
                        let malformed = SignatureError::MalformedKey { key: *key };
                        assert_eq!(answer == Err(malformed), key.0 == [2; 32]);
                        answer.is_ok()
                    });
                    assert_eq!(alone.collect::<Vec<_>>(), expected);
                }
                assert_eq!(remembered(), Some(items.len()));
            }
        }
        assert_eq!(remembered(), None);
    }

    #[test]
    fn a_batch_with_strangers_is_judged_for_those_alone() {
        let items = items();
        let _memory = Memory::begin();
        assert_eq!(verify_batch(&items[1..2]), [true]);
        assert_eq!(verify_batch(&items[..3]), [true; 3]);
        assert_eq!(remembered(), Some(3));
        assert_eq!(verify_batch(&items), [true, true, true, false, false]);
    }

    #[test]
    fn one_rule_remembers_nothing_for_the_other() {
        // R is the neutral element and s is 0: by ZIP-215 a signature of the neutral key.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&neutral);
        let (key, signature) = (PublicKey(neutral), Signature(signature));
        let _memory = Memory::begin();
        for _ in 0..2 {
            assert_eq!(key.verify(b"any", &signature), Ok(()));
            assert!(verify_strict(&key, b"any", &signature).is_err());
        }
        assert_eq!(remembered(), Some(2));
    }

    #[test]
    fn too_many_are_forgotten() {
        let memory = Memory::begin();
        for number in 0..VERDICTS_MAX as u64 {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_le_bytes());
            MEMO.with_borrow_mut(|memo| {
                let memo = memo.as_mut().unwrap();
                memo.note(name, Verdict::Invalid);
            });
        }
        let (key, signature, message) = signed(1, b"one more");
        assert_eq!(key.verify(message, &signature), Ok(()));
        assert_eq!(remembered(), Some(1));
        drop(memory);
        assert_eq!(remembered(), None);
    }
}
