use super::*;
use crate::merkle::leaf_hash;
use crate::note::Note;

const TIME_S: u64 = 1_764_000_000;

fn checkpoint() -> Checkpoint {
    let origin = "jangbu/acme/0123456789abcdef".parse().unwrap();
    Checkpoint {
        origin,
        size: 20_852_163,
        root: leaf_hash(b"root"),
    }
}

fn secret(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn name(n: u8) -> KeyName {
    format!("acme.example/validator-{n}").parse().unwrap()
}

fn witnesses(n: u8) -> Vec<Witness> {
    let key = |n| PublicKey(secret(n).verifying_key().to_bytes());
    (1..=n)
        .map(|n| Witness {
            name: name(n),
            key: key(n),
        })
        .collect()
}

fn cosign(n: u8) -> Cosignature {
    checkpoint().cosign(name(n), &secret(n), TIME_S + u64::from(n))
}

fn signed(by: &[u8]) -> SignedCheckpoint {
    let cosignatures: Vec<_> = by.iter().map(|n| cosign(*n)).collect();
    let line = checkpoint().sign(&secret(99));
    SignedCheckpoint::assemble(checkpoint(), line, &cosignatures, by.len()).unwrap()
}

fn verify(note: &str) -> Result<FinalCheckpoint, QuorumError> {
    verify_quorum(note, &checkpoint().origin, &witnesses(4), 3)
}

#[test]
fn a_checkpoint_has_one_text() {
    let text = checkpoint().to_string();
    assert_eq!(text.parse(), Ok(checkpoint()));
    let root = text.lines().nth(2).unwrap();
    for wrong in [
        String::new(),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}extension\n"),
        format!("jangbu/a\n01\n{root}\n"),
        format!("jangbu/a\n+1\n{root}\n"),
        format!("jangbu/a\n-1\n{root}\n"),
        format!("jangbu/a\n18446744073709551616\n{root}\n"),
        format!("jangbu/a\n\n{root}\n"),
        format!("\n1\n{root}\n"),
        format!("jangbu a\n1\n{root}\n"),
        "jangbu/a\n1\nAAAA\n".to_owned(),
        "jangbu/a\n1\n".to_owned(),
    ] {
        assert_eq!(
            wrong.parse::<Checkpoint>(),
            Err(CheckpointError),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_quorum_of_witnesses_makes_a_checkpoint_final() {
    let verified = verify(&signed(&[4, 1, 2]).to_string()).unwrap();
    assert_eq!(verified.checkpoint, checkpoint());
    let times: Vec<_> = verified
        .cosignatures
        .iter()
        .map(|c| c.timestamp_s - TIME_S)
        .collect();
    assert_eq!(times, [4, 1, 2]);
}

#[test]
fn two_of_four_are_below_the_quorum() {
    let got = verify(&signed(&[1, 2]).to_string());
    assert_eq!(got, Err(QuorumError::BelowQuorum { got: 2, need: 3 }));
}

#[test]
fn one_witness_counts_once_however_often_it_signs() {
    let lines: Vec<_> = (0..3)
        .map(|at| {
            checkpoint()
                .cosign(name(1), &secret(1), TIME_S + at)
                .to_line()
        })
        .chain([cosign(2).to_line()])
        .collect();
    let note = Note::new(checkpoint().to_string(), lines)
        .unwrap()
        .to_string();
    assert_eq!(
        verify(&note),
        Err(QuorumError::BelowQuorum { got: 2, need: 3 })
    );
    let twice = [cosign(1), cosign(1), cosign(2)];
    assert_eq!(
        SignedCheckpoint::assemble(checkpoint(), cosign(3).to_line(), &twice, 3),
        Err(AssembleError::BelowQuorum { got: 2, need: 3 })
    );
}

#[test]
fn one_key_under_two_names_counts_once() {
    let key = PublicKey(secret(1).verifying_key().to_bytes());
    let witnesses = [
        Witness { name: name(1), key },
        Witness { name: name(2), key },
    ];
    let lines = vec![
        cosign(1).to_line(),
        checkpoint().cosign(name(2), &secret(1), TIME_S).to_line(),
    ];
    let note = Note::new(checkpoint().to_string(), lines).unwrap();
    let origin = checkpoint().origin;
    assert!(verify_quorum_of(&note, &origin, &witnesses, 1).is_ok());
    assert_eq!(
        verify_quorum_of(&note, &origin, &witnesses, 2),
        Err(QuorumError::Demand {
            quorum: 2,
            witnesses: 1
        })
    );
}

#[test]
fn an_unknown_key_is_ignored_and_a_failing_known_one_refuses_the_note() {
    let with = |extra: SignatureLine| {
        let signed = signed(&[1, 2, 3]);
        let lines = [signed.note().signatures(), &[extra]].concat();
        verify(
            &Note::new(checkpoint().to_string(), lines)
                .unwrap()
                .to_string(),
        )
    };
    let mut foreign = cosign(9).to_line();
    foreign.signature = vec![1, 2, 3];
    assert!(with(foreign).is_ok());
    let mut failing = cosign(4).to_line();
    failing.signature[20] ^= 1;
    assert_eq!(
        with(failing),
        Err(QuorumError::BadCosignature { name: name(4) })
    );
    let mut short = cosign(4).to_line();
    short.signature.pop();
    assert_eq!(
        with(short),
        Err(QuorumError::BadCosignature { name: name(4) })
    );
}

#[test]
fn another_logs_checkpoint_is_refused() {
    let other: KeyName = "jangbu/other/0123456789abcdef".parse().unwrap();
    let note = signed(&[1, 2, 3]).to_string();
    assert!(matches!(
        verify_quorum(&note, &other, &witnesses(4), 3),
        Err(QuorumError::OtherOrigin { .. })
    ));
}

#[test]
fn an_empty_quorum_is_no_demand() {
    let note = signed(&[1, 2, 3]).to_string();
    for (known, quorum) in [(4, 0), (0, 0), (2, 3)] {
        let got = verify_quorum(&note, &checkpoint().origin, &witnesses(known), quorum);
        assert!(matches!(got, Err(QuorumError::Demand { .. })));
    }
}

#[test]
fn a_cosignature_binds_checkpoint_and_time() {
    assert_eq!(cosign(1).verify(&checkpoint()), Ok(()));
    let mut later = cosign(1);
    later.timestamp_s += 1;
    assert_eq!(later.verify(&checkpoint()), Err(StrictError::Signature));
    let longer = Checkpoint {
        size: checkpoint().size + 1,
        ..checkpoint()
    };
    assert_eq!(cosign(1).verify(&longer), Err(StrictError::Signature));
}
