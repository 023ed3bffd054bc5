//! COSE receipts: CBOR from a stranger, which could nest without end and spell one thing in many
//! ways.

use jangbu_ledger::bundle::verify_cose;
use jangbu_ledger::id::Sequence;
use jangbu_ledger::receipt::cose::{COSE_BYTES_MAX, CoseReceipt};

use super::known::{known, vector};
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};

/// A CBOR item of one byte becomes a value of 32, in a list that grows by doubling; then the same
/// once more, as it is encoded again.
const CBOR: Allowance = Allowance {
    per_byte: 256,
    base: 32 * 1024,
};

/// A COSE receipt has one spelling, and shows a statement of the small ledger or nothing.
pub(super) fn body(bytes: &[u8]) -> Seen {
    let receipt = match frugal(bytes.len(), CBOR, || CoseReceipt::parse(bytes)) {
        Ok(receipt) => receipt,
        Err(error) => return refused(error),
    };
    assert_eq!(receipt.to_bytes(), bytes);
    assert!(bytes.len() <= COSE_BYTES_MAX);
    match verify_cose(&receipt, &known().anchor) {
        Ok(report) => {
            let world = &known().story.world;
            let recorded = world.entry_bytes(Sequence(receipt.index));
            assert_eq!(recorded.unwrap(), receipt.entry);
            // The node may sign another time or an older log; a stranger can do neither.
            let true_one = world.cose(&receipt.statement).unwrap();
            assert_eq!(receipt, true_one);
            assert!(report.checkpoint.cosigners.is_empty());
            let node = report.checkpoint.one_node.unwrap();
            assert_eq!(node.name, "test/amperia");
            Seen::Held
        }
        Err(failure) => {
            refused(failure);
            Seen::Read
        }
    }
}

pub(super) fn seeds() -> Vec<Seed> {
    let good = vector("receipt.cose");
    let receipt = CoseReceipt::parse(&good).unwrap();
    let changed = |name: &str, change: fn(&mut CoseReceipt)| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        Seed::new(name, receipt.to_bytes(), Seen::Read)
    };
    let counter_signed = |levels: usize| {
        let mut header = vec![0xa0];
        for _ in 0..levels {
            let len = u16::try_from(header.len()).unwrap().to_be_bytes();
            let mut outer = vec![0xa1, 0x07, 0x83, 0x59, len[0], len[1]];
            outer.append(&mut header);
            outer.extend([0xa0, 0x40]);
            header = outer;
        }
        let len = u16::try_from(header.len()).unwrap().to_be_bytes();
        let mut message = vec![0xd2, 0x84, 0x59, len[0], len[1]];
        message.append(&mut header);
        message.extend([0xa0, 0xf6, 0x40]);
        message
    };
    let mut deep = vec![0xd2, 0x84, 0x40];
    deep.resize(4_096, 0x81);
    vec![
        Seed::new("passport", good.clone(), Seen::Held),
        Seed::new("cut", &good[..good.len() / 2], Seen::Refused),
        Seed::new("trailing", [&good[..], &[0]].concat(), Seen::Refused),
        Seed::new("untagged", &good[1..], Seen::Refused),
        Seed::new("another-tag", [&[0xd1], &good[1..]].concat(), Seen::Refused),
        Seed::new("deep", deep, Seen::Refused),
        Seed::new("deep-in-bytes", counter_signed(900), Seen::Refused),
        Seed::new(
            "four-billion-bytes",
            [0xd2, 0x84, 0x5a, 0xff, 0xff, 0xff, 0xff],
            Seen::Refused,
        ),
        Seed::new(
            "an-endless-list",
            [0xd2, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            Seen::Refused,
        ),
        Seed::new("an-open-list", [0xd2, 0x9f], Seen::Refused),
        changed("another-index", |r| r.index += 1),
        changed("last-index", |r| r.index = u64::MAX),
        changed("another-path-size", |r| r.path_size += 1),
        changed("another-size", |r| {
            r.size += 1;
            r.path_size += 1;
        }),
        changed("another-entry", |r| r.entry[0] ^= 1),
        changed("another-statement", |r| r.statement.0[0] ^= 1),
        changed("another-time", |r| r.time_s += 1),
        changed("another-key", |r| r.key_id.0[0] ^= 1),
        changed("short-path", |r| r.path.truncate(1)),
        changed("longest-path", |r| r.path.resize(65, r.path[0])),
    ]
}
