//! A member with real keys that breaks the rules, among real nodes: evidence that anyone can
//! check, and an end to its link.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures::AsyncWriteExt as _;
use jangbu_consensus::ConsensusMessage;
use jangbu_genesis::key_file::{Purpose, SecretKey};
use jangbu_genesis::{Keystore, Passphrase};
use jangbu_ledger::codec;
use jangbu_ledger::equivocation::{Evidence, SaidTwice};
use jangbu_ledger::id::{BlockId, Height};
use jangbu_ledger::signature::{PublicKey, sign};
use jangbu_ledger::vote::{SignedVote, Vote, VoteType};
use jangbu_mesh::{
    Class, Mesh, MeshConfig, MeshEvent, MeshEvents, MeshHandle, MeshLimits, SendOutcome,
    identity_of, peer_id_of,
};
use jangbu_replica::message::Message;
use jangbu_tests::cluster::{Cluster, OPERATORS, PASSPHRASE, issue, item, wait_until};
use jangbu_tests::peer::{Wire, expect};

/// Longer than the node waits for the rest of a frame.
const PATIENCE: Duration = Duration::from_secs(40);

/// The member whose node gives way to this test.
const FAITHLESS: usize = 3;

fn key(cluster: &Cluster, purpose: Purpose) -> SecretKey {
    let home = cluster.consortium.home(OPERATORS[FAITHLESS]);
    let passphrase = Passphrase::new(PASSPHRASE.into());
    Keystore::at(home.join("keys"))
        .unlock(purpose, &passphrase)
        .unwrap()
}

/// Takes the place of that member on the mesh, towards the first node only.
async fn impostor(cluster: &Cluster) -> (MeshHandle, MeshEvents, jangbu_mesh::PeerId) {
    let members = &cluster.consortium.genesis.content.members;
    let first = members.iter().find(|m| m.name == OPERATORS[0]).unwrap();
    let keys = first.validator.as_ref().unwrap();
    let peer_id = peer_id_of(&keys.peer.0).unwrap();
    let addresses = keys.addresses.iter().map(|a| a.parse().unwrap());
    let mut secret = *key(cluster, Purpose::Peer).expose();
    let config = MeshConfig {
        identity: identity_of(&mut secret).unwrap(),
        listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        members: vec![jangbu_mesh::Member {
            peer_id,
            addresses: addresses.collect(),
        }],
        protocol: format!("/jangbu/1/{}", cluster.consortium.anchor.chain_id),
        limits: MeshLimits::default(),
    };
    let (mesh, mut events) = Mesh::start(config).await.unwrap();
    until(&mut events, "a link to the first node", |event| {
        *event == MeshEvent::Connected(peer_id)
    })
    .await;
    (mesh, events, peer_id)
}

async fn until(events: &mut MeshEvents, what: &str, is_it: impl Fn(&MeshEvent) -> bool) {
    expect(what, async {
        while !is_it(&events.recv().await.unwrap()) {}
    })
    .await;
}

/// Dials the first node with that member's key, each stream in our own hand.
async fn wire(cluster: &Cluster) -> Wire {
    let members = &cluster.consortium.genesis.content.members;
    let first = members.iter().find(|m| m.name == OPERATORS[0]).unwrap();
    let address = &first.validator.as_ref().unwrap().addresses[0];
    let mut secret = *key(cluster, Purpose::Peer).expose();
    let identity = identity_of(&mut secret).unwrap();
    let protocol = format!("/jangbu/1/{}", cluster.consortium.anchor.chain_id);
    // After an offence it is kept out for a while, which ends by itself.
    expect("the member is let in", async {
        loop {
            match Wire::dial(&identity, address.parse().unwrap(), &protocol).await {
                Ok(wire) => return wire,
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    })
    .await
}

/// How often the mesh of the first node refused that member for a reason.
fn refused(cluster: &Cluster, reason: &str) -> u64 {
    let text = cluster.nodes[0].client().get("/metrics").text();
    let member = OPERATORS[FAITHLESS];
    let name = format!("jangbu_mesh_refused_total{{member=\"{member}\",reason=\"{reason}\"}} ");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name.as_str()));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// A metric of the first node.
fn metric(cluster: &Cluster, name: &str) -> u64 {
    let text = cluster.nodes[0].client().get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn two_votes_of_a_member_become_a_file_that_proves_it() {
    let mut cluster = Cluster::start();
    cluster.nodes[FAITHLESS].terminate();
    let runtime = runtime();
    let (mesh, _events, node) = runtime.block_on(impostor(&cluster));
    let signing = key(&cluster, Purpose::Consensus).signing();
    let chain_id = cluster.consortium.anchor.chain_id;
    for block in [1, 2] {
        let vote = Vote {
            vote_type: VoteType::Precommit,
            height: Height(1),
            round: 0,
            block_id: Some(BlockId([block; 32])),
            validator: PublicKey::of(&signing).id(),
        };
        let signature = sign(&signing, &vote.signing_digest(&chain_id));
        let vote = ConsensusMessage::Vote(SignedVote { vote, signature });
        let bytes: Arc<[u8]> = codec::encode(&Message::Consensus(vote)).into();
        let sent = mesh.send(node, Class::Agreement, bytes);
        assert_eq!(sent, SendOutcome::Queued);
    }
    let directory = cluster.nodes[0].data.join("evidence");
    let file = wait_until("there is evidence", || {
        let files = fs::read_dir(&directory).map_err(|error| error.to_string())?;
        let mut paths = files.map(|file| file.unwrap().path());
        let whole = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "json");
        paths.find(whole).ok_or_else(|| "no file".to_owned())
    });
    let evidence = Evidence::parse(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(evidence.chain_id, chain_id);
    let members = &cluster.consortium.genesis.content.members;
    let offender = members
        .iter()
        .find(|m| m.name == OPERATORS[FAITHLESS])
        .unwrap();
    let consensus = offender.validator.as_ref().unwrap().consensus;
    let offence = evidence.equivocation.verify(&chain_id, &consensus).unwrap();
    assert_eq!(offence.said_twice, SaidTwice::Precommit);
    wait_until("it is counted", || {
        match metric(&cluster, "jangbu_equivocations_total ") {
            1 => Ok(()),
            other => Err(format!("{other} are")),
        }
    });
    let log = cluster.nodes[0].log_text();
    let line = log
        .lines()
        .find(|line| line.contains("contradicted itself"))
        .unwrap();
    assert!(line.contains(OPERATORS[FAITHLESS]), "{line}");
    assert!(
        line.contains(&*file.file_name().unwrap().to_string_lossy()),
        "{line}"
    );
    runtime.block_on(mesh.shutdown());
}

#[test]
fn what_a_hostile_member_does_to_its_streams_is_named_and_counted_and_the_others_go_on() {
    let mut cluster = Cluster::start();
    cluster.nodes[FAITHLESS].terminate();
    let runtime = runtime();
    let bulk = format!("/jangbu/1/{}/bulk", cluster.consortium.anchor.chain_id);
    runtime.block_on(async {
        let mut oversize = wire(&cluster).await;
        let mut streams = oversize.open_both().await;
        streams[1].write_all(&[255; 4]).await.unwrap();
        oversize.closed().await;

        let mut garbage = wire(&cluster).await;
        let _stream = garbage.open("GET / HTTP/1.1").await;
        garbage.closed().await;

        let mut endless = wire(&cluster).await;
        let mut streams = endless.open_both().await;
        streams.push(endless.open(&bulk).await);
        endless.closed().await;

        let mut flood = wire(&cluster).await;
        let mut streams = flood.open_both().await;
        let signs_of_life = vec![0; 4 * 4_096];
        while streams[0].write_all(&signs_of_life).await.is_ok() {}
        flood.closed().await;

        // The node waits its full 30 s for the rest of this frame, and no longer.
        let mut stall = wire(&cluster).await;
        let mut streams = stall.open_both().await;
        let stalling = async {
            let mut begun = vec![0, 0, 0, 9, 1];
            // Signs of life on the other stream: it is not silence that ends this.
            while streams[1].write_all(&begun).await.is_ok()
                && streams[0].write_all(&[0; 4]).await.is_ok()
                && streams[0].flush().await.is_ok()
            {
                begun.clear();
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        tokio::time::timeout(2 * PATIENCE, stalling).await.unwrap();
        stall.closed().await;
    });
    let reasons = [
        ("oversize", "bytes announced"),
        ("unknown_protocol", "GET / HTTP/1.1"),
        ("too_many_streams", "more streams"),
        ("flood", "flood"),
        ("stalled", "stalled within a frame"),
    ];
    for (reason, words) in reasons {
        wait_until("it is counted", || match refused(&cluster, reason) {
            1 => Ok(()),
            other => Err(format!("{reason}: {other}")),
        });
        let log = cluster.nodes[0].log_text();
        let is_it = |line: &&str| line.contains("closed a connection") && line.contains(words);
        let line = log.lines().find(is_it);
        let line = line.unwrap_or_else(|| panic!("no line in the log says {words:?}"));
        assert!(line.contains(OPERATORS[FAITHLESS]), "{line}");
    }
    let author = cluster.author("cml1");
    let answer = cluster.nodes[0]
        .client()
        .submit(&author.envelope(vec![issue(item(1))]));
    assert_eq!(answer.json()["status"], "final", "{answer}");
}

#[test]
fn a_member_that_sends_garbage_is_cut_off_named_and_counted_and_the_others_go_on() {
    let mut cluster = Cluster::start();
    cluster.nodes[FAITHLESS].terminate();
    let runtime = runtime();
    let (mesh, mut events, node) = runtime.block_on(impostor(&cluster));
    for _ in 0..16 {
        let sent = mesh.send(node, Class::Agreement, vec![0xff; 9].into());
        assert_eq!(sent, SendOutcome::Queued);
    }
    runtime.block_on(until(&mut events, "the link is closed", |event| {
        *event == MeshEvent::Disconnected(node)
    }));
    wait_until("it is counted", || {
        match metric(&cluster, "jangbu_cut_off_total ") {
            1 => Ok(()),
            other => Err(format!("{other} are")),
        }
    });
    let log = cluster.nodes[0].log_text();
    let line = log
        .lines()
        .find(|line| line.contains("is cut off"))
        .unwrap();
    assert!(line.contains(OPERATORS[FAITHLESS]), "{line}");
    let author = cluster.author("cml1");
    let answer = cluster.nodes[0]
        .client()
        .submit(&author.envelope(vec![issue(item(1))]));
    assert_eq!(answer.json()["status"], "final", "{answer}");
    runtime.block_on(mesh.shutdown());
}
