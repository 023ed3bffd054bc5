use proptest::prelude::*;

use super::*;

/// The example of c2sp.org/signed-note and golang.org/x/mod/sumdb/note.
const EXAMPLE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const EXAMPLE_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn line(name: &str) -> SignatureLine {
    let (key_id, signature) = (NoteKeyId([1, 2, 3, 4]), vec![9; 64]);
    SignatureLine {
        name: name.parse().unwrap(),
        key_id,
        signature,
    }
}

#[test]
fn the_published_example_parses_and_prints_back() {
    let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(note.to_string(), EXAMPLE);
    let key: VerifierKey = EXAMPLE_KEY.parse().unwrap();
    assert_eq!(key.to_string(), EXAMPLE_KEY);
    assert!(key.is_named_by(&note.signatures()[0]));
}

#[test]
fn a_key_id_of_another_key_is_refused() {
    let wrong = EXAMPLE_KEY.replace("c74f20a3", "c74f20a4");
    assert_eq!(wrong.parse::<VerifierKey>(), Err(VerifierKeyError::OtherId));
    for text in [
        "",
        "a",
        "a+b",
        "a+c74f20a3+",
        "a+c74f20a3+AQ==",
        "+c74f20a3+ARpc",
    ] {
        assert_eq!(
            text.parse::<VerifierKey>(),
            Err(VerifierKeyError::Format),
            "{text}"
        );
    }
}

#[test]
fn a_cosigner_and_a_log_key_of_the_same_name_have_different_ids() {
    let key = |kind| VerifierKey {
        name: "a".parse().unwrap(),
        kind,
        key: PublicKey([1; 32]),
    };
    assert_ne!(key(KeyKind::Ed25519).id(), key(KeyKind::CosignatureV1).id());
    let text = key(KeyKind::CosignatureV1).to_string();
    assert_eq!(text.parse(), Ok(key(KeyKind::CosignatureV1)));
}

#[test]
fn a_malformed_note_is_refused() {
    let good = "text\n\n\u{2014} a AQIDBAk=\n";
    assert_eq!(Note::parse(good.as_bytes()).unwrap().to_string(), good);
    for wrong in [
        "",
        "\n",
        "\n\n",
        "text",
        "text\n",
        "text\n\n",
        "text\n\n\n",
        "text\n\u{2014} a AQIDBAk=\n",
        "text\n\n\u{2014} a AQIDBAk=",
        "text\n\n\u{2014} a AQIDBAk=\n\n",
        "text\n\n- a AQIDBAk=\n",
        "text\n\n\u{2014}  AQIDBAk=\n",
        "text\n\n\u{2014} a\n",
        "text\n\n\u{2014} a AQIDBA==\n",
        "text\n\n\u{2014} a AQIDBAl=\n",
        "text\n\n\u{2014} a AQIDBAk\n",
        "text\n\n\u{2014} a AQIDBAk= \n",
        "text\n\n\u{2014} a+b AQIDBAk=\n",
        "te\txt\n\n\u{2014} a AQIDBAk=\n",
        "text\r\n\n\u{2014} a AQIDBAk=\n",
    ] {
        assert!(Note::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
    assert_eq!(Note::parse(b"te\xffxt\n\n"), Err(NoteError::NotText));
}

#[test]
fn a_note_has_a_bound_on_bytes_and_on_lines() {
    let long = "x".repeat(NOTE_BYTES_MAX) + "\n";
    assert!(matches!(
        Note::new(long, vec![line("a")]),
        Err(NoteError::TooLong { .. })
    ));
    let most = vec![line("a"); SIGNATURE_LINES_MAX];
    assert!(Note::new("x\n".to_owned(), most.clone()).is_ok());
    let more = [&most[..], &[line("b")]].concat();
    assert_eq!(
        Note::new("x\n".to_owned(), more),
        Err(NoteError::TooManySignatures)
    );
}

#[test]
fn a_note_that_would_not_parse_back_is_not_made() {
    assert!(Note::new("no newline".to_owned(), vec![line("a")]).is_err());
    assert!(Note::new("x\n".to_owned(), vec![]).is_err());
    assert!(Note::new("x\n\n".to_owned(), vec![line("a")]).is_ok());
}

proptest! {
    #[test]
    fn what_parses_prints_back(bytes in "([a-z]\n){0,2}\n?(\u{2014} [a+ ]{1,2} ?[A-Da=]{4,8}\n){0,2}\n?") {
        if let Ok(note) = Note::parse(bytes.as_bytes()) {
            prop_assert_eq!(note.to_string(), bytes);
        }
    }
}
