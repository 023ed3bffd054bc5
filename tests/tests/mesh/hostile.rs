//! Members that do not keep to the rules: cut off, named, counted, kept out for a while.

use std::time::Duration;

use futures::AsyncWriteExt;
use jangbu_mesh::{Class, Fault, MeshEvent, PeerId, Refusal, SendOutcome};
use jangbu_tests::peer::{Node, Wire, expect, identity, member, members, raw, start};
use tokio::time::Instant;

/// Numbers of the members that break the rules here, one for each way.
const HOSTILE: [u8; 4] = [20, 21, 22, 23];

async fn node_with_hostile_members() -> Node {
    let members = HOSTILE.map(|seed| member(seed, Vec::new())).to_vec();
    start(1, None, members).await
}

fn peer(seed: u8) -> PeerId {
    identity(seed).public().to_peer_id()
}

/// What that member is blamed for next.
async fn blame(node: &mut Node, seed: u8) -> Fault {
    loop {
        match node.event().await {
            MeshEvent::Refused {
                peer_id, reason, ..
            } if peer_id == Some(peer(seed)) => return reason,
            MeshEvent::Refused { .. } => panic!("another one is blamed"),
            _ => {}
        }
    }
}

fn counted(node: &Node, seed: u8, reason: &str) -> u64 {
    let is_it = |refusal: &&Refusal| refusal.peer == Some(peer(seed)) && refusal.reason == reason;
    node.mesh
        .refusals()
        .iter()
        .find(is_it)
        .map_or(0, |refusal| refusal.count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_above_the_limit_or_a_stream_too_many_ends_the_connection() {
    let mut node = node_with_hostile_members().await;

    let mut wire = Wire::connect(20, node.address()).await;
    let mut streams = wire.open_both().await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer(20)));
    streams[0].write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    let reason = blame(&mut node, 20).await;
    assert!(matches!(reason, Fault::Oversize { .. }), "{reason}");
    assert_eq!(node.connection().await, MeshEvent::Disconnected(peer(20)));
    wire.closed().await;

    // A stream of another chain.
    let mut wire = Wire::connect(21, node.address()).await;
    let _stream = wire.open("/jangbu/1/ffff/agreement").await;
    assert_eq!(
        blame(&mut node, 21).await,
        Fault::UnknownProtocol("/jangbu/1/ffff/agreement".to_owned())
    );
    wire.closed().await;

    // A third stream, and one class twice.
    let mut wire = Wire::connect(22, node.address()).await;
    let mut streams = wire.open_both().await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer(22)));
    streams.push(wire.open("anything").await);
    assert_eq!(blame(&mut node, 22).await, Fault::TooManyStreams);
    wire.closed().await;
    let mut wire = Wire::connect(23, node.address()).await;
    let _first = wire.open("/jangbu/1/00/bulk").await;
    let _second = wire.open("/jangbu/1/00/bulk").await;
    assert_eq!(blame(&mut node, 23).await, Fault::TooManyStreams);
    wire.closed().await;

    assert_eq!(counted(&node, 20, "oversize"), 1);
    assert_eq!(counted(&node, 21, "unknown_protocol"), 1);
    assert_eq!(counted(&node, 22, "too_many_streams"), 1);
    assert_eq!(counted(&node, 23, "too_many_streams"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_offence_a_member_is_kept_out_and_then_let_in_again() {
    let mut node = node_with_hostile_members().await;
    let mut wire = Wire::connect(20, node.address()).await;
    let _stream = wire.open("GET / HTTP/1.1").await;
    assert!(matches!(
        blame(&mut node, 20).await,
        Fault::UnknownProtocol(_)
    ));
    wire.closed().await;

    let early = raw::tapped_dial(&identity(20), node.address()).await;
    assert!(early.upgraded.is_err(), "let in at once");
    assert_eq!(blame(&mut node, 20).await, Fault::KeptOut);
    let again = async {
        while raw::tapped_dial(&identity(20), node.address())
            .await
            .upgraded
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    expect("the member is let in again", again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sent_away_is_met_again_by_itself_when_the_time_is_over() {
    const AWAY: Duration = Duration::from_secs(2);
    let mut nodes = vec![
        start(1, None, Vec::new()).await,
        start(2, None, Vec::new()).await,
    ];
    let all = members(&nodes);
    for node in &nodes {
        node.mesh.set_members(all.clone()).await;
    }
    for node in &mut nodes {
        node.meet(1).await;
    }
    let them = nodes[1].mesh.peer_id();
    let sent_away = Instant::now();
    nodes[0].mesh.disconnect(them, AWAY);
    assert_eq!(nodes[0].connection().await, MeshEvent::Disconnected(them));
    assert_eq!(
        nodes[0].mesh.send(them, Class::Bulk, vec![1].into()),
        SendOutcome::NotConnected
    );
    assert_eq!(nodes[0].connection().await, MeshEvent::Connected(them));
    assert!(sent_away.elapsed() >= AWAY);
    assert_eq!(
        nodes[0].mesh.send(them, Class::Bulk, vec![1].into()),
        SendOutcome::Queued
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_signs_of_life_is_cut_off_though_its_owner_never_hears_of_it() {
    let mut node = node_with_hostile_members().await;
    let mut wire = Wire::connect(20, node.address()).await;
    let mut streams = wire.open_both().await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer(20)));
    let flood = async {
        let empty_frames = vec![0; 4 * 4_096];
        while streams[0].write_all(&empty_frames).await.is_ok() {}
    };
    expect("the connection is closed", flood).await;
    let class = Class::Agreement;
    assert_eq!(blame(&mut node, 20).await, Fault::Flood { class });
    assert_eq!(counted(&node, 20, "flood"), 1);
    wire.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bytes_is_cut_off() {
    let mut node = node_with_hostile_members().await;
    let mut wire = Wire::connect(20, node.address()).await;
    let mut streams = wire.open_both().await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer(20)));
    let length = Class::Agreement.frame_bytes_max();
    let mut frame = u32::try_from(length).unwrap().to_be_bytes().to_vec();
    frame.resize(4 + length, 7);
    let writing = tokio::spawn(async move { while streams[0].write_all(&frame).await.is_ok() {} });
    let class = Class::Agreement;
    assert_eq!(blame(&mut node, 20).await, Fault::Flood { class });
    expect("the connection is closed", writing).await.unwrap();
    wire.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_connects_again_and_again_is_kept_out() {
    let mut node = node_with_hostile_members().await;
    let knocking = async {
        loop {
            let tapped = raw::tapped_dial(&identity(20), node.address()).await;
            if tapped.upgraded.is_err() {
                break;
            }
        }
    };
    expect("the member is refused", knocking).await;
    assert!(counted(&node, 20, "connects_too_often") >= 1);
    assert_eq!(blame(&mut node, 20).await, Fault::ConnectsTooOften);
}
