//! Members that do not keep to the rules: cut off, named, counted, kept out for a while.

use std::time::Duration;

use futures::AsyncWriteExt;
use jangbu_mesh::{Class, Fault, MeshEvent, MeshLimits, PeerId, Rate, Refusal, SendOutcome};
use jangbu_tests::peer::{Node, Wire, expect, identity, member, members, raw, start, start_within};
use tokio::time::Instant;

/// Numbers of the members that break the rules here, one for each way.
const HOSTILE: [u8; 4] = [20, 21, 22, 23];

async fn node_with_hostile_members() -> Node {
    let members = HOSTILE.map(|seed| member(seed, Vec::new())).to_vec();
    start(1, None, members).await
}

/// A node that waits less long, and a correct member beside the hostile ones.
async fn impatient_node_with_a_friend() -> (Node, Node) {
    let mut members = HOSTILE.map(|seed| member(seed, Vec::new())).to_vec();
    members.push(member(2, Vec::new()));
    let limits = MeshLimits {
        stall: Duration::from_millis(300),
        ..MeshLimits::default()
    };
    let mut node = start_within(1, None, members, limits).await;
    let friend = start(2, None, vec![member(1, vec![node.address()])]).await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer(2)));
    (node, friend)
}

/// The friend's connection never ended, and carries on.
async fn friend_goes_on(node: &mut Node, friend: &Node) {
    let sent = friend
        .mesh
        .send(peer(1), Class::Agreement, b"vote"[..].into());
    assert_eq!(sent, SendOutcome::Queued);
    let vote = MeshEvent::Frame {
        peer: peer(2),
        class: Class::Agreement,
        bytes: b"vote".to_vec(),
    };
    assert_eq!(node.event().await, vote);
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
    let (class, bytes) = (Class::Agreement, u32::MAX);
    assert_eq!(blame(&mut node, 20).await, Fault::Oversize { class, bytes });
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
async fn a_frame_one_byte_above_the_limit_of_its_class_is_refused_before_it_is_sent() {
    let mut node = node_with_hostile_members().await;
    for (seed, stream, class) in [(20, 0, Class::Agreement), (21, 1, Class::Bulk)] {
        let mut wire = Wire::connect(seed, node.address()).await;
        let mut streams = wire.open_both().await;
        assert_eq!(node.connection().await, MeshEvent::Connected(peer(seed)));
        let bytes = u32::try_from(class.frame_bytes_max()).unwrap() + 1;
        streams[stream]
            .write_all(&bytes.to_be_bytes())
            .await
            .unwrap();
        assert_eq!(
            blame(&mut node, seed).await,
            Fault::Oversize { class, bytes }
        );
        assert_eq!(node.connection().await, MeshEvent::Disconnected(peer(seed)));
        wire.closed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_stalls_within_a_frame_is_cut_off_on_either_stream() {
    let (mut node, friend) = impatient_node_with_a_friend().await;
    // In the length, and in the frame.
    for (seed, stream, begun) in [(20, 0, &[0, 0][..]), (21, 1, &[0, 0, 0, 9, 1])] {
        let mut wire = Wire::connect(seed, node.address()).await;
        let mut streams = wire.open_both().await;
        assert_eq!(node.connection().await, MeshEvent::Connected(peer(seed)));
        streams[stream].write_all(begun).await.unwrap();
        streams[stream].flush().await.unwrap();
        assert_eq!(blame(&mut node, seed).await, Fault::Stalled);
        assert_eq!(node.connection().await, MeshEvent::Disconnected(peer(seed)));
        wire.closed().await;
        assert_eq!(counted(&node, seed, "stalled"), 1);
    }
    friend_goes_on(&mut node, &friend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_stalls_while_it_opens_a_stream_is_never_connected() {
    let (mut node, friend) = impatient_node_with_a_friend().await;
    let mut wire = Wire::connect(20, node.address()).await;
    let mut stream = wire.open_unnamed().await;
    stream.write_all(&[0, 0, 0, 22, b'/']).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(blame(&mut node, 20).await, Fault::Stalled);
    wire.closed().await;
    assert_eq!(node.mesh.peers(), [peer(2)]);
    friend_goes_on(&mut node, &friend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_never_opens_its_streams_is_let_go() {
    let mut node = node_with_hostile_members().await;
    let wire = Wire::connect(20, node.address()).await;
    assert_eq!(blame(&mut node, 20).await, Fault::HandshakeTimeout);
    wire.closed().await;
    assert_eq!(counted(&node, 20, "handshake_timeout"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_falls_silent_is_let_go() {
    let limits = MeshLimits {
        silence: Duration::from_millis(300),
        ..MeshLimits::default()
    };
    let members = vec![member(20, Vec::new())];
    let mut node = start_within(1, None, members, limits).await;
    let mut wire = Wire::connect(20, node.address()).await;
    let _streams = wire.open_both().await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer(20)));
    assert_eq!(blame(&mut node, 20).await, Fault::Silent);
    assert_eq!(node.connection().await, MeshEvent::Disconnected(peer(20)));
    wire.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_end_are_cut_off_before_they_say_anything() {
    let (mut node, friend) = impatient_node_with_a_friend().await;
    let mut wire = Wire::connect(20, node.address()).await;
    let mut streams = Vec::new();
    // None of them is named: three are too many all the same.
    for _ in 0..3 {
        streams.push(wire.open_unnamed().await);
        // Yamux announces a stream with its first byte.
        let _closed = streams.last_mut().unwrap().write_all(&[0]).await;
    }
    assert_eq!(blame(&mut node, 20).await, Fault::TooManyStreams);
    wire.closed().await;
    friend_goes_on(&mut node, &friend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bytes_is_cut_off() {
    // Less than the slowest machine sends; what a node takes by default, a busy one may not reach.
    let limits = MeshLimits {
        agreement_volume: Rate {
            per_second: 1024,
            burst: 4 * 1024 * 1024,
        },
        ..MeshLimits::default()
    };
    let members = HOSTILE.map(|seed| member(seed, Vec::new())).to_vec();
    let mut node = start_within(1, None, members, limits).await;
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
async fn a_flood_of_small_frames_is_cut_off_on_the_bulk_stream_too() {
    let mut node = node_with_hostile_members().await;
    let mut wire = Wire::connect(20, node.address()).await;
    let mut streams = wire.open_both().await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer(20)));
    let frames = [0, 0, 0, 1, 7].repeat(4_096);
    let writing = tokio::spawn(async move { while streams[1].write_all(&frames).await.is_ok() {} });
    let class = Class::Bulk;
    assert_eq!(blame(&mut node, 20).await, Fault::Flood { class });
    expect("the connection is closed", writing).await.unwrap();
    assert_eq!(counted(&node, 20, "flood"), 1);
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
