use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::merkle::{Frontier, prove_inclusion};
use crate::note::Note;

const TIME_S: u64 = 1_764_000_000;

fn origin() -> KeyName {
    "jangbu/acme/0123456789abcdef".parse().unwrap()
}

fn log_key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey(log_key(n).verifying_key().to_bytes())
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// A receipt of the first format, with a checkpoint that nobody signed, and that checkpoint.
fn plain(index: u64, size: u64) -> (Receipt, Checkpoint) {
    let (mut frontier, mut nodes) = (Frontier::new(), BTreeMap::new());
    for index in 0..size {
        for node in frontier.append(leaf_hash(&entry(index))).unwrap() {
            nodes.insert((node.level, node.index), node.hash);
        }
    }
    let checkpoint = Checkpoint {
        origin: origin(),
        size,
        root: frontier.root(),
    };
    let line = checkpoint.sign(&log_key(1));
    let receipt = Receipt {
        entry: entry(index),
        index,
        path: prove_inclusion(&nodes, index, size).unwrap(),
        checkpoint: Note::new(checkpoint.to_string(), vec![line]).unwrap(),
    };
    (receipt, checkpoint)
}

fn cose(index: u64, size: u64) -> CoseReceipt {
    let (receipt, checkpoint) = plain(index, size);
    let statement = StatementId([7; 32]);
    CoseReceipt::sign(&receipt, &checkpoint, statement, TIME_S, &log_key(1)).unwrap()
}

fn judge(receipt: &CoseReceipt) -> Result<VerifiedCose, CoseReceiptError> {
    receipt.verify(&origin(), [public(2), public(1)])
}

#[test]
fn a_receipt_shows_what_the_node_signed() {
    let receipt = cose(5, 9);
    let (_, checkpoint) = plain(5, 9);
    let verified = judge(&receipt).unwrap();
    assert_eq!(verified.checkpoint, checkpoint);
    assert_eq!(verified.key, public(1));
    let bytes = receipt.to_bytes();
    assert_eq!(bytes[0], FIRST_BYTE);
    assert_eq!(CoseReceipt::parse(&bytes), Ok(receipt));
}

#[test]
fn a_path_that_does_not_lead_to_the_root_is_not_signed() {
    let (receipt, checkpoint) = plain(5, 9);
    let sign = |receipt: &Receipt, checkpoint: &Checkpoint| {
        CoseReceipt::sign(
            receipt,
            checkpoint,
            StatementId([7; 32]),
            TIME_S,
            &log_key(1),
        )
    };
    let mut other = receipt.clone();
    other.entry = entry(6);
    assert_eq!(sign(&other, &checkpoint), Err(ProofError::OtherRoot));
    let (alone, its_checkpoint) = plain(0, 1);
    assert_eq!(
        sign(&alone, &its_checkpoint),
        Err(ProofError::PathLength { got: 0 })
    );
    assert!(sign(&receipt, &checkpoint).is_ok());
}

#[test]
fn the_size_is_signed_though_one_path_fits_many() {
    let receipt = cose(5, 9);
    let leaf = leaf_hash(&receipt.entry);
    let mut fitting = 0;
    for size in 6..=32 {
        let Ok(root) = inclusion_root(&leaf, receipt.index, size, &receipt.path) else {
            continue;
        };
        if size == 9 || root != judge(&receipt).unwrap().checkpoint.root {
            continue;
        }
        fitting += 1;
        let mut mutant = receipt.clone();
        mutant.path_size = size;
        assert_eq!(
            judge(&mutant),
            Err(CoseReceiptError::OtherSize {
                signed: 9,
                path: size
            })
        );
        mutant.size = size;
        assert!(matches!(
            judge(&mutant),
            Err(CoseReceiptError::Signature(_))
        ));
    }
    assert!(fitting > 0, "no other size fits this path");
}

#[test]
fn another_log_and_an_unknown_key_are_told_apart() {
    let receipt = cose(5, 9);
    let other: KeyName = "jangbu/other/0123456789abcdef".parse().unwrap();
    assert!(matches!(
        receipt.verify(&other, [public(1)]),
        Err(CoseReceiptError::OtherOrigin { .. })
    ));
    assert_eq!(
        receipt.verify(&origin(), [public(2), public(3)]),
        Err(CoseReceiptError::UnknownKey(receipt.key_id))
    );
    assert!(matches!(
        receipt.verify(&origin(), []),
        Err(CoseReceiptError::UnknownKey(_))
    ));
}

#[test]
fn a_checkpoint_signature_does_not_pass_for_a_receipt() {
    let (receipt, checkpoint) = plain(5, 9);
    let mut mutant = cose(5, 9);
    let line = receipt.checkpoint.signatures().first().unwrap();
    mutant.signature = Signature(line.signature.clone().try_into().unwrap());
    assert!(matches!(
        judge(&mutant),
        Err(CoseReceiptError::Signature(_))
    ));
    assert_eq!(checkpoint.size, mutant.size);
}

#[test]
fn no_receipt_with_one_changed_bit_is_believed() {
    let bytes = cose(5, 9).to_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut mutant = bytes.clone();
            mutant[at] ^= 1 << bit;
            let believed = CoseReceipt::parse(&mutant).is_ok_and(|receipt| judge(&receipt).is_ok());
            assert!(!believed, "byte {at}, bit {bit}");
        }
        assert!(CoseReceipt::parse(&bytes[..at]).is_err());
    }
}

/// The receipt as a CBOR value, changed and encoded again.
fn respelled(change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let bytes = cose(5, 9).to_bytes();
    let value: Value = coset::cbor::de::from_reader(&bytes[..]).unwrap();
    let Value::Tag(tag, sign1) = value else {
        panic!("no tag")
    };
    let mut parts = sign1.into_array().unwrap();
    change(&mut parts);
    let mut bytes = Vec::new();
    let value = Value::Tag(tag, Box::new(Value::Array(parts)));
    coset::cbor::ser::into_writer(&value, &mut bytes).unwrap();
    bytes
}

#[test]
fn another_spelling_is_refused() {
    assert_eq!(respelled(|_| ()), cose(5, 9).to_bytes());
    let more = respelled(|parts| {
        let unprotected = parts[1].as_map_mut().unwrap();
        unprotected.push((Value::from(-80_000), Value::Null));
    });
    assert_eq!(CoseReceipt::parse(&more), Err(CoseFormatError::Spelling));
    let swapped = respelled(|parts| parts[1].as_map_mut().unwrap().reverse());
    assert_eq!(CoseReceipt::parse(&swapped), Err(CoseFormatError::Spelling));
    let doubled = respelled(|parts| {
        let unprotected = parts[1].as_map_mut().unwrap();
        unprotected.push(unprotected[1].clone());
    });
    assert_eq!(CoseReceipt::parse(&doubled), Err(CoseFormatError::Spelling));
    let attached = respelled(|parts| parts[2] = Value::Bytes(vec![0; 32]));
    assert!(matches!(
        CoseReceipt::parse(&attached),
        Err(CoseFormatError::Part(_))
    ));
    let mut trailing = cose(5, 9).to_bytes();
    trailing.push(0);
    assert_eq!(
        CoseReceipt::parse(&trailing),
        Err(CoseFormatError::Spelling)
    );
}

#[test]
fn a_hostile_depth_is_refused_before_it_is_a_stack() {
    let mut nested = vec![0xd2, 0x84, 0x40];
    nested.resize(COSE_BYTES_MAX, 0x81);
    assert_eq!(CoseReceipt::parse(&nested), Err(CoseFormatError::NotCbor));
    // Counter signatures (label 7) inside the protected header of each other.
    let mut header = vec![0xa0];
    while header.len() < COSE_BYTES_MAX / 2 {
        let mut outer = vec![0xa1, 0x07, 0x83];
        coset::cbor::ser::into_writer(&Value::Bytes(header), &mut outer).unwrap();
        outer.extend([0xa0, 0x40]);
        header = outer;
    }
    let mut message = vec![0xd2, 0x84];
    coset::cbor::ser::into_writer(&Value::Bytes(header), &mut message).unwrap();
    message.extend([0xa0, 0xf6, 0x40]);
    assert!(matches!(
        CoseReceipt::parse(&message),
        Err(CoseFormatError::Part(_))
    ));
    let long = vec![FIRST_BYTE; COSE_BYTES_MAX + 1];
    assert!(matches!(
        CoseReceipt::parse(&long),
        Err(CoseFormatError::TooLong { .. })
    ));
}

proptest! {
    #[test]
    fn every_receipt_parses_back_and_holds(size in 2_u64..300, at in any::<u64>(), key in 1_u8..3) {
        let index = at % size;
        let (receipt, checkpoint) = plain(index, size);
        let statement = StatementId([at.to_le_bytes()[0]; 32]);
        let signed =
            CoseReceipt::sign(&receipt, &checkpoint, statement, at, &log_key(key)).unwrap();
        let read = CoseReceipt::parse(&signed.to_bytes());
        prop_assert_eq!(read.as_ref(), Ok(&signed));
        let verified = judge(&signed).unwrap();
        prop_assert_eq!(verified.checkpoint, checkpoint);
        prop_assert_eq!(verified.key, public(key));
    }

    #[test]
    fn any_bytes_parse_to_what_encodes_them(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(receipt) = CoseReceipt::parse(&bytes) {
            prop_assert_eq!(receipt.to_bytes(), bytes);
        }
    }
}
