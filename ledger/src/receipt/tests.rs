use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;

use super::*;
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::merkle::{Frontier, prove_inclusion};
use crate::signature::PublicKey;

fn origin() -> KeyName {
    "jangbu/acme/0123456789abcdef".parse().unwrap()
}

fn witness(n: u8) -> (KeyName, SigningKey) {
    (
        format!("acme.example/v{n}").parse().unwrap(),
        SigningKey::from_bytes(&[n; 32]),
    )
}

fn witnesses() -> Vec<Witness> {
    let public = |key: &SigningKey| PublicKey(key.verifying_key().to_bytes());
    (1..=4)
        .map(witness)
        .map(|(name, key)| Witness {
            name,
            key: public(&key),
        })
        .collect()
}

fn receipt(index: u64, size: u64) -> Receipt {
    receipt_by(3, index, size)
}

fn receipt_by(cosigners: u8, index: u64, size: u64) -> Receipt {
    let entry = |index: u64| format!("entry {index}").into_bytes();
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
    let cosign = |n| {
        let (name, key) = witness(n);
        checkpoint.cosign(name, &key, 1_764_000_000)
    };
    let cosignatures: Vec<_> = (1..=cosigners).map(cosign).collect();
    let line = checkpoint.sign(&SigningKey::from_bytes(&[9; 32]));
    let signed =
        SignedCheckpoint::assemble(checkpoint, line, &cosignatures, cosignatures.len()).unwrap();
    Receipt {
        entry: entry(index),
        index,
        path: prove_inclusion(&nodes, index, size).unwrap(),
        checkpoint: signed.note().clone(),
    }
}

fn verify(receipt: &Receipt) -> Result<VerifiedReceipt, ReceiptError> {
    receipt.verify(&origin(), &witnesses(), 3)
}

#[test]
fn a_receipt_survives_its_file_and_holds() {
    for (index, size) in [(0, 1), (0, 2), (6, 7), (41, 100)] {
        let made = receipt(index, size);
        let read: Receipt = made.to_string().parse().unwrap();
        assert_eq!(read, made);
        let verified = verify(&read).unwrap();
        assert_eq!(verified.index, index);
        assert_eq!(verified.checkpoint.checkpoint.size, size);
        assert_eq!(verified.entry, format!("entry {index}").into_bytes());
    }
}

#[test]
fn another_entry_index_or_path_does_not_hold() {
    let good = receipt(41, 100);
    let other_entry = Receipt {
        entry: b"entry 42".to_vec(),
        ..good.clone()
    };
    let other_index = Receipt {
        index: 40,
        ..good.clone()
    };
    let beyond = Receipt {
        index: 100,
        ..good.clone()
    };
    let short = Receipt {
        path: good.path[1..].to_vec(),
        ..good.clone()
    };
    for wrong in [other_entry, other_index, beyond, short] {
        let error = verify(&wrong).unwrap_err();
        assert!(matches!(error, ReceiptError::Path(_)) && !error.is_malformed());
    }
}

#[test]
fn every_byte_of_a_receipt_matters() {
    let good = receipt_by(1, 3, 5);
    // Our verifier ignores the log's own line.
    let log_line = good.checkpoint.signatures()[0].to_string();
    let text = good.to_string();
    let log_at = text.find(&log_line).unwrap();
    let ignored = log_at..log_at + log_line.len();
    for at in (0..text.len()).filter(|at| !ignored.contains(at)) {
        let mut wrong = text.clone().into_bytes();
        wrong[at] ^= 1;
        let holds = |receipt: Receipt| receipt.verify(&origin(), &witnesses(), 1).is_ok();
        assert!(
            !Receipt::parse(&wrong).is_ok_and(holds),
            "byte {at} changed unnoticed"
        );
    }
}

#[test]
fn a_malformed_receipt_names_the_line() {
    let good = receipt(3, 5).to_string();
    let replace = |from: &str, to: &str| good.replacen(from, to, 1).parse::<Receipt>();
    for (from, to, at) in [
        ("@v1", "@v2", 1),
        ("extra ", "extra  ", 2),
        ("extra ", "", 2),
        ("index 3", "index 03", 3),
        ("index 3", "index", 3),
        ("index 3\n", "index 3\nAAAA\n", 4),
    ] {
        match replace(from, to) {
            Err(ReceiptFormatError::Line { line, .. }) => assert_eq!(line, at, "{to:?}"),
            other => panic!("{to:?}: {other:?}"),
        }
    }
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".repeat(PATH_LEN_MAX + 1);
    assert!(replace("index 3\n", &format!("index 3\n{hash}")).is_err());
    for end in 0..good.len() {
        // Cut after a whole signature line, it is a receipt still, of less than a quorum.
        if let Ok(cut) = Receipt::parse(&good.as_bytes()[..end]) {
            assert!(matches!(
                verify(&cut),
                Err(ReceiptError::Checkpoint(QuorumError::BelowQuorum { .. }))
            ));
        }
    }
    let long = vec![b'x'; RECEIPT_BYTES_MAX + 1];
    assert!(matches!(
        Receipt::parse(&long),
        Err(ReceiptFormatError::TooLong { .. })
    ));
}

#[test]
fn the_largest_entry_fits_a_receipt() {
    let mut largest = receipt(3, 5);
    largest.entry = vec![0xff; ENTRY_BYTES_MAX];
    assert_eq!(largest.to_string().parse(), Ok(largest.clone()));
    largest.entry.push(0);
    assert!(matches!(
        largest.to_string().parse::<Receipt>(),
        Err(ReceiptFormatError::Entry { .. })
    ));
}
