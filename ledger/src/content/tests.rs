//! Chunking and wrapping; what a wrong, cut or swapped record shows.

use proptest::prelude::*;

use super::*;
use crate::tree;

const KEY: ContentKey = ContentKey([7; 32]);

fn records(content: &[u8]) -> Vec<Vec<u8>> {
    let chunks = content.chunks(CHUNK_BYTES);
    (0..)
        .zip(chunks)
        .map(|(index, chunk)| KEY.chunk(index).seal(chunk).unwrap())
        .collect()
}

fn content(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes)
        .map(|n| u8::try_from((n * 31 + n / 251) % 256).unwrap() ^ seed)
        .collect()
}

/// The content, or the first record that does not open.
fn opened(records: &[Vec<u8>]) -> Result<Vec<u8>, (u64, RecordFault)> {
    let mut content = Vec::new();
    for (index, bytes) in (0..).zip(records) {
        let record = Record::parse(bytes).ok_or((index, RecordFault::Cipher))?;
        let chunk = KEY
            .chunk(index)
            .open(&record)
            .map_err(|fault| (index, fault))?;
        content.extend(chunk);
    }
    Ok(content)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn content_of_any_length_comes_back_and_no_change_of_a_record_is_missed(
        near in 0usize..4,
        off in 0usize..3,
        seed in any::<u8>(),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let length = (near * CHUNK_BYTES + off).saturating_sub(1);
        let content = content(length, seed);
        let records = records(&content);
        prop_assert_eq!(records.len() as u64, chunks(length as u64));
        for (index, record) in (0..).zip(&records) {
            prop_assert_eq!(record_bytes(length as u64, index), Some(record.len()));
        }
        prop_assert_eq!(record_bytes(length as u64, records.len() as u64), None);
        prop_assert_eq!(opened(&records), Ok(content));
        if records.is_empty() {
            return Ok(());
        }
        let root = tree::DELIVERY.root(records.iter().map(Vec::as_slice));
        let (mut changed, which) = (records.clone(), at.index(records.len()));
        let byte = at.index(changed[which].len());
        changed[which][byte] ^= 1 << bit;
        prop_assert_ne!(tree::DELIVERY.root(changed.iter().map(Vec::as_slice)), root);
        prop_assert_eq!(opened(&changed).map_err(|(index, _)| index), Err(which as u64));
    }
}

#[test]
fn swapped_and_cut_records_do_not_open() {
    let mut swapped = records(&content(3 * CHUNK_BYTES, 1));
    swapped.swap(0, 1);
    assert_eq!(opened(&swapped), Err((0, RecordFault::Key)));
    let mut cut = records(&content(CHUNK_BYTES, 1));
    cut[0].pop();
    assert_eq!(opened(&cut), Err((0, RecordFault::Cipher)));
    assert!(Record::parse(&cut[0][..63]).is_none());
}

#[test]
fn what_a_provider_gets_wrong_is_told_apart() {
    let key = KEY.chunk(0);
    let good = key.seal(b"content").unwrap();
    let other = key.seal(b"contend").unwrap();
    let open = |bytes: &[u8]| key.open(&Record::parse(bytes).unwrap());
    assert_eq!(open(&good).unwrap(), b"content");
    // The hash of one content over the ciphertext of another.
    let lie = [&good[..64], &other[64..]].concat();
    assert_eq!(open(&lie), Err(RecordFault::Content));
    let noise = [&good[..64], &[0; 23]].concat();
    assert_eq!(open(&noise), Err(RecordFault::Cipher));
    let stranger = KEY.chunk(1).seal(b"content").unwrap();
    assert_eq!(open(&stranger), Err(RecordFault::Key));
}

#[test]
fn both_parties_wrap_alike_and_a_third_does_not() {
    let [a, b, c] = [1u8, 2, 3].map(|i| x25519_dalek::StaticSecret::from([i; 32]));
    let public = |s: &x25519_dalek::StaticSecret| x25519_dalek::PublicKey::from(s);
    let (subject, delivery) = (SubjectId([4; 32]), Digest([5; 32]));
    let agree = |own, other: &x25519_dalek::StaticSecret, delivery: &Digest| {
        WrappingKey::agree(own, &public(other), &subject, delivery).unwrap()
    };
    let key = agree(&a, &b, &delivery);
    assert_eq!(key, agree(&b, &a, &delivery));
    assert_ne!(key, agree(&c, &b, &delivery));
    assert_ne!(key, agree(&a, &b, &Digest([6; 32])));
    let nothing = x25519_dalek::PublicKey::from([0; 32]);
    assert!(WrappingKey::agree(&a, &nothing, &subject, &delivery).is_none());
    let wrapped = key.wrap(&KEY).unwrap();
    assert_eq!(key.wrap(&KEY), Some(wrapped));
    assert_eq!(key.unwrap(&wrapped), Some(KEY));
    assert_eq!(agree(&c, &b, &delivery).unwrap(&wrapped), None);
    for at in 0..72 {
        let mut changed = wrapped;
        changed.0[at] ^= 1;
        assert_eq!(key.unwrap(&changed), None, "byte {at}");
    }
}

#[test]
fn the_key_of_a_content_is_its_own() {
    let derive = |secret, subject, content| {
        ContentKey::derive(
            &[secret; 32],
            &SubjectId([subject; 32]),
            &Digest([content; 32]),
        )
    };
    let key = derive(1, 2, 3);
    assert_eq!(key, derive(1, 2, 3));
    for other in [derive(9, 2, 3), derive(1, 9, 3), derive(1, 2, 9)] {
        assert_ne!(key, other);
    }
}
