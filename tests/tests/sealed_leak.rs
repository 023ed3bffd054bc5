//! What a stranger with the whole ledger, every public key and a dictionary of everything that the
//! members ever speak of learns from sealed statements: their authors, times and number. Nothing links
//! the content of any two, and nothing names the other party.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::codec;
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::{Digest, MemberId, Sequence, Slot, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::sealed::{SealedBody, StreamKey};
use jangbu_ledger::share::{Deed, Input, Party, Sent, Usage, UseCode};
use jangbu_ledger::statement::{Kind, Statement, Stream};
use jangbu_tests::world::{Key, World, seed};
use serde_json::Value;
use x25519_dalek::{PublicKey, StaticSecret};

const MEMBERS: [&str; 4] = ["amperia", "cml1", "nordwind", "soyu"];
const NAMES: [&str; 2] = [
    "urn:uuid:e8dcaccd-d5a3-48d8-b7f2-8e9f4b0a4f15",
    "https://soyu.example/agreements/7",
];
/// Longest text that is not something a member speaks of, but prose.
const TERM_BYTES_MAX: usize = 200;
/// Shorter texts occur in random bytes by chance.
const TERM_BYTES_MIN: usize = 6;

/// Every text of the members' real documents: product and serial numbers, business partner numbers,
/// names, dates, URLs.
fn dictionary() -> BTreeSet<String> {
    fn collect(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                let _ = into.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(fields) => fields.values().for_each(|field| collect(field, into)),
            _ => {}
        }
    }
    let mut terms = BTreeSet::new();
    for document in [
        include_str!("../data/tractusx-traceability/CX_Testdata_MessagingTest_v0.0.14.json"),
        include_str!("../data/openepcis-dpp-ready/examples/amperia-staxwall-model.jsonld"),
        include_str!("../data/openepcis-dpp-ready/examples/amperia-staxwall-batch.jsonld"),
        include_str!("../data/openepcis-dpp-ready/examples/amperia-staxwall-item.jsonld"),
    ] {
        collect(&serde_json::from_str(document).unwrap(), &mut terms);
    }
    // The last part of a Digital Link or an URN is a serial.
    let parts: Vec<String> = terms
        .iter()
        .flat_map(|term| term.split(['/', ':']).map(str::to_owned))
        .collect();
    terms.extend(parts);
    terms.extend(MEMBERS.map(str::to_owned));
    terms.extend(NAMES.map(str::to_owned));
    terms.insert("ai-training".to_owned());
    terms.retain(|term| (TERM_BYTES_MIN..=TERM_BYTES_MAX).contains(&term.len()));
    terms
}

fn secret(member: &str) -> StaticSecret {
    StaticSecret::from(seed(member, Key::Encryption).unwrap())
}

fn pairs() -> Vec<(&'static str, &'static str)> {
    let mut pairs = Vec::new();
    for (at, one) in MEMBERS.iter().enumerate() {
        pairs.extend(MEMBERS.iter().skip(at + 1).map(|other| (*one, *other)));
    }
    pairs
}

/// The steps of a share: the same ones in each, as if all shared the same data on the same terms.
fn deeds(terms: &BTreeSet<String>) -> Vec<(Party, Deed)> {
    let product = |text: &&String| text.parse::<Identifier>().ok();
    let inputs: Vec<Identifier> = terms
        .iter()
        .rev()
        .filter_map(|text| product(&text))
        .take(2)
        .collect();
    assert_eq!(inputs.len(), 2, "the dictionary has identifiers");
    let data = vec![inputs[0].clone()];
    let inputs: Vec<Input> = inputs.into_iter().map(Input::under).collect();
    let permits: Vec<UseCode> = vec!["ai-training".parse().unwrap()];
    let root = Digest([0x44; 32]);
    let sent = Some(Sent {
        root,
        sealing: None,
    });
    vec![
        (Party::Consumer, Deed::Requested),
        (
            Party::Provider,
            Deed::Offered {
                permits: permits.clone(),
                data: data.clone(),
            },
        ),
        (Party::Consumer, Deed::Accepted),
        (
            Party::Provider,
            Deed::Agreed {
                permits: permits.clone(),
                data: data.clone(),
            },
        ),
        (Party::Consumer, Deed::Verified),
        (Party::Provider, Deed::Finalized),
        (Party::Consumer, Deed::TransferRequested),
        (Party::Provider, Deed::TransferStarted { sent }),
        (Party::Consumer, Deed::Received { root }),
        (
            Party::Consumer,
            Deed::Used(Usage {
                codes: permits,
                ..Usage::new("fine-tuning".parse().unwrap(), inputs, Vec::new())
            }),
        ),
        (
            Party::Provider,
            Deed::Granted {
                to: MemberId::of("veritas"),
            },
        ),
    ]
}

/// A ledger with one share of every pair under every name, and who holds which key.
struct Ground {
    world: World,
    keys: Vec<(&'static str, &'static str, &'static str, StreamKey)>,
}

fn ground(terms: &BTreeSet<String>) -> Ground {
    let mut world = World::found().unwrap();
    let mut keys = Vec::new();
    for (provider, consumer) in pairs() {
        for name in NAMES {
            let other = PublicKey::from(&secret(consumer));
            let key = StreamKey::agree(&secret(provider), &other, name).unwrap();
            let mut used =
                BTreeMap::from([(Party::Provider.name(), 0), (Party::Consumer.name(), 0)]);
            for (party, deed) in deeds(terms) {
                let body = SealedBody {
                    party,
                    deed,
                    occurrence: 0,
                    // The same document, too.
                    document: Commitment::keyed([12; 32]),
                    references: Vec::new(),
                };
                let slot = used.get_mut(party.name()).unwrap();
                let statement = key.seal(&body, *slot).unwrap();
                *slot += 1;
                let member = match party {
                    Party::Provider => provider,
                    Party::Consumer => consumer,
                };
                let _ = world.say(member, vec![statement]).unwrap();
            }
            keys.push((provider, consumer, name, key));
        }
    }
    Ground { world, keys }
}

/// Every sealed statement on the ledger, with its author.
fn sealed(world: &World) -> Vec<(MemberId, Statement)> {
    let mut found = Vec::new();
    for sequence in 0.. {
        let Ok(bytes) = world.entry_bytes(Sequence(sequence)) else {
            break;
        };
        let entry: Entry = codec::decode(&bytes, 1 << 20).unwrap();
        if let EntryBody::Statement(recorded) = entry.body
            && matches!(recorded.statement.kind, Kind::Sealed)
        {
            found.push((recorded.member, recorded.statement));
        }
    }
    found
}

/// What one statement shows beside its fixed shape.
fn shown(statement: &Statement) -> Vec<u8> {
    [
        codec::encode(&statement.streams),
        codec::encode(&statement.commitment),
        statement.payload.clone(),
    ]
    .concat()
}

/// Everything that can be made of a term without a secret, the term itself first.
fn traces(term: &str) -> Vec<Vec<u8>> {
    let text = term.as_bytes();
    let mut traces = vec![
        text.to_vec(),
        blake3::hash(text).as_bytes().to_vec(),
        MemberId::of(term).as_bytes().to_vec(),
    ];
    if let Ok(identifier) = term.parse::<Identifier>() {
        traces.push(identifier.subject_id().as_bytes().to_vec());
        traces.push(codec::encode(&identifier));
    }
    let hexed = term.replace('-', "");
    if let Ok(bytes) = hex::decode(&hexed) {
        traces.push(bytes);
    }
    traces.retain(|trace| trace.len() >= TERM_BYTES_MIN);
    traces
}

/// The dictionary's terms of which some trace stands in what is shown.
fn named(shown: &[Vec<u8>], terms: &BTreeSet<String>) -> Vec<String> {
    let windows = |length| -> HashSet<&[u8]> {
        shown
            .iter()
            .flat_map(|bytes| bytes.windows(length))
            .collect()
    };
    let by_length: HashMap<usize, HashSet<&[u8]>> = (TERM_BYTES_MIN..=8)
        .map(|length| (length, windows(length)))
        .collect();
    let stands = |trace: &[u8]| {
        let length = trace.len().min(8);
        trace
            .windows(length)
            .any(|part| by_length[&length].contains(part))
    };
    terms
        .iter()
        .filter(|term| traces(term).iter().any(|trace| stands(trace)))
        .cloned()
        .collect()
}

/// How many runs of eight bytes stand in more than one of the statements, or twice in one.
fn repeated(shown: &[Vec<u8>]) -> usize {
    let mut seen = HashSet::new();
    // The lengths before a stream and a payload are alike in all.
    let repeats = |bytes: &&[u8]| !seen.insert(bytes.to_vec());
    shown
        .iter()
        .flat_map(|bytes| bytes.windows(8))
        .filter(repeats)
        .count()
}

#[test]
fn no_two_sealed_statements_can_be_linked_and_no_counterparty_is_named() {
    let terms = dictionary();
    assert!(terms.len() > 500, "{} terms", terms.len());
    let ground = ground(&terms);
    let statements = sealed(&ground.world);
    assert_eq!(statements.len(), 6 * 2 * 11);

    // One shape, one size, and nothing beside stream, commitment and payload.
    let sizes: BTreeSet<usize> = statements
        .iter()
        .map(|(_, statement)| codec::encode(statement).len())
        .collect();
    assert_eq!(sizes.len(), 1, "all have one size");
    for (_, statement) in &statements {
        assert!(matches!(statement.streams.as_slice(), [Stream::Sealed(_)]));
        assert_eq!(statement.occurrence, 0);
        assert_eq!(statement.references, Vec::<StatementId>::new());
    }

    let everything: Vec<Vec<u8>> = statements.iter().map(|(_, said)| shown(said)).collect();
    assert_eq!(named(&everything, &terms), Vec::<String>::new());
    assert_eq!(
        repeated(&everything),
        0,
        "the same in each share looks different in each"
    );

    // The whole of what was looked for would be found.
    let mut leak = everything.clone();
    leak[3][100..109].copy_from_slice(&MEMBERS[2].as_bytes().repeat(2)[..9]);
    assert_eq!(named(&leak, &terms), ["nordwind"]);
    leak[3] = everything[4].clone();
    assert!(repeated(&leak) > 500);
}

#[test]
fn neither_public_keys_nor_a_third_members_secret_find_a_slot() {
    let terms = dictionary();
    let ground = ground(&terms);
    let statements = sealed(&ground.world);
    let used: HashSet<Slot> = statements
        .iter()
        .filter_map(|(_, statement)| match statement.streams.as_slice() {
            [Stream::Sealed(slot)] => Some(*slot),
            _ => None,
        })
        .collect();
    let finds = |key: &StreamKey| {
        [Party::Provider, Party::Consumer]
            .into_iter()
            .any(|party| (0..3).any(|n| used.contains(&key.slot(party, n))))
    };
    for (_, _, _, key) in &ground.keys {
        assert!(finds(key), "who holds the key finds them");
    }

    // Everything that the key's derivation takes is public, but for the shared secret.
    let derivation = Domain::new("jangbu/stream-key/v1");
    let mut guesses = 0;
    for (one, other) in pairs() {
        let [a, b] = [one, other].map(|member| PublicKey::from(&secret(member)).to_bytes());
        let mut keys = [a, b];
        keys.sort_unstable();
        for term in &terms {
            let name = term.as_str();
            for shared in [a, b, *blake3::hash(&keys.concat()).as_bytes(), [0; 32]] {
                let guess = StreamKey::from_bytes(derivation.hash_of(&(&shared, keys, name)));
                assert!(!finds(&guess), "{one} and {other}, {name}");
                guesses += 1;
            }
        }
    }
    assert!(guesses > 10_000);
    // A member derives the keys of its own shares and no other's, with the very names.
    for member in MEMBERS {
        for other in MEMBERS.into_iter().filter(|other| *other != member) {
            for name in NAMES {
                let public = PublicKey::from(&secret(other));
                let key = StreamKey::agree(&secret(member), &public, name).unwrap();
                let opened = statements
                    .iter()
                    .filter(|(author, statement)| {
                        let party = [member, other].map(MemberId::of).contains(author);
                        let opens = key.open(statement).is_ok();
                        assert!(party || !opens, "{member} reads what others say");
                        opens
                    })
                    .count();
                assert_eq!(opened, 11, "{member} with {other}");
            }
        }
    }
}
