//! Signature validity is ZIP-215's in every edge case, singly and in every kind of batch.
//!
//! Vectors: C2SP CCTV (`data/ed25519-edge`): 610 signatures that implementations disagree on.
//!
//! What ZIP-215 answers, worked out from the vectors' flags: it multiplies by the cofactor and
//! takes any encoding of a point, so it accepts low-order points, non-canonical encodings and
//! low-order residues. `reencoded_k` vectors were signed over a challenge `k` computed from the
//! *canonical* encoding of a point sent in a non-canonical one, while ZIP-215 hashes the bytes
//! as sent: the equation then has another `k`. That matters only if `[8][k]A` depends on `k`,
//! that is unless `A` itself is of low order. So exactly the vectors that are `reencoded_k` and
//! not `low_order_A` are refused: 55 of 610. (The vectors' own page says that ZIP-215 accepts
//! all; that holds for a verifier that re-encodes. A direct evaluation of the equation in
//! integer arithmetic agrees with the 55.)

use jangbu_ledger::signature::{PublicKey, Signature, SigningKey, sign, verify_batch};
use serde_json::Value;

type Item = (PublicKey, Signature, Vec<u8>);

struct Vector {
    number: u64,
    item: Item,
    valid: bool,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../data/ed25519-edge/ed25519vectors.json");
    let list: Vec<Value> = serde_json::from_str(text).expect("the vectors are JSON");
    list.iter()
        .map(|vector| {
            let text = |name: &str| vector[name].as_str().expect("a text field").to_owned();
            let flags: Vec<&str> = vector["flags"]
                .as_array()
                .map(|flags| flags.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            Vector {
                number: vector["number"].as_u64().expect("a number"),
                item: (
                    text("key").parse().expect("a key"),
                    text("sig").parse().expect("a signature"),
                    text("msg").into_bytes(),
                ),
                valid: !flags.contains(&"reencoded_k") || flags.contains(&"low_order_A"),
            }
        })
        .collect()
}

fn answer(valid: bool) -> &'static str {
    if valid { "valid" } else { "invalid" }
}

#[test]
fn each_vector_gets_zip215s_answer_alone() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 610);
    assert_eq!(vectors.iter().filter(|v| !v.valid).count(), 55);
    for Vector {
        number,
        item: (key, signature, message),
        valid,
    } in vectors
    {
        let got = key.verify(message.as_slice(), &signature).is_ok();
        assert_eq!(got, valid, "vector {number} should be {}", answer(valid));
    }
}

#[test]
fn each_vector_gets_zip215s_answer_as_a_batch_of_one() {
    for Vector {
        number,
        item,
        valid,
    } in vectors()
    {
        assert_eq!(verify_batch(&[item]), [valid], "vector {number}");
    }
}

#[test]
fn each_vector_gets_zip215s_answer_beside_ordinary_signatures() {
    let ordinary = |seed: u8| -> Item {
        let key = SigningKey::from_bytes(&[seed; 32]);
        (PublicKey::of(&key), sign(&key, &[seed]), vec![seed])
    };
    let (first, last) = (ordinary(1), ordinary(2));
    for Vector {
        number,
        item,
        valid,
    } in vectors()
    {
        let batch = [first.clone(), item, last.clone()];
        assert_eq!(verify_batch(&batch), [true, valid, true], "vector {number}");
    }
}

#[test]
fn all_accepted_vectors_hold_in_one_batch() {
    let items: Vec<Item> = vectors()
        .into_iter()
        .filter(|v| v.valid)
        .map(|v| v.item)
        .collect();
    assert_eq!(verify_batch(&items), vec![true; 555]);
}

#[test]
fn one_batch_of_everything_names_exactly_the_refused() {
    let (items, expected): (Vec<Item>, Vec<bool>) =
        vectors().into_iter().map(|v| (v.item, v.valid)).unzip();
    assert_eq!(verify_batch(&items), expected);
}
