//! The mesh on loopback: members find each other, strangers get nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use jangbu_mesh::{Class, Fault, MeshEvent, SendOutcome};
use jangbu_tests::peer::{Node, Wire, expect, identity, member, members, quiet, raw, start};
use libp2p::swarm::SwarmEvent;

/// Starts `count` nodes that know each other's addresses, and waits for the mesh.
async fn meshed(count: u8) -> Vec<Node> {
    let mut nodes = Vec::new();
    for seed in 1..=count {
        nodes.push(start(seed, None, Vec::new()).await);
    }
    let all = members(&nodes);
    for node in &nodes {
        node.mesh.set_members(all.clone()).await;
    }
    for node in &mut nodes {
        node.meet(usize::from(count) - 1).await;
    }
    nodes
}

fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn four_members_exchange_frames_of_both_classes_in_order() {
    const FRAMES: u32 = 300;
    let mut nodes = meshed(4).await;
    for node in &nodes {
        for number in 0..FRAMES {
            for class in Class::ALL {
                let frame: Arc<[u8]> = number.to_be_bytes().into();
                let sent = node.mesh.broadcast(class, &frame);
                assert_eq!(sent.len(), 3);
                assert!(
                    sent.iter()
                        .all(|(_, outcome)| *outcome == SendOutcome::Queued)
                );
            }
        }
    }
    for node in &mut nodes {
        let mut next = std::collections::BTreeMap::new();
        for _ in 0..FRAMES * 2 * 3 {
            let (peer, class, bytes) = node.frame().await;
            let next = next.entry((peer, class)).or_insert(0_u32);
            assert_eq!(bytes, next.to_be_bytes());
            *next += 1;
        }
        assert_eq!(next.len(), 6);
        assert!(next.values().all(|count| *count == FRAMES));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_the_largest_size_arrives_whole() {
    let mut nodes = meshed(2).await;
    let to = nodes[1].mesh.peer_id();
    for class in Class::ALL {
        let largest: Arc<[u8]> = (0..=250_u8).cycle().take(class.frame_bytes_max()).collect();
        assert_eq!(
            nodes[0].mesh.send(to, class, Arc::clone(&largest)),
            SendOutcome::Queued
        );
        assert_eq!(nodes[1].frame().await.2, *largest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_is_refused_and_never_connected() {
    let mut nodes = meshed(2).await;
    let mut stranger = raw::swarm(&identity(99));
    let stranger_id = *stranger.local_peer_id();
    stranger.dial(nodes[0].address()).unwrap();
    // libp2p's dialler believes in the multiplexer before the other side has
    // agreed: it may report a connection, and then the loss of it.
    let cause = expect("the stranger's connection fails", async {
        loop {
            match stranger.select_next_some().await {
                SwarmEvent::OutgoingConnectionError { error, .. } => break error.to_string(),
                SwarmEvent::ConnectionClosed { cause, .. } => break cause.unwrap().to_string(),
                _ => {}
            }
        }
    });
    let cause = cause.await;
    assert!(
        !cause.contains("keep-alive"),
        "closed by the stranger itself: {cause}"
    );
    let event = nodes[0].event().await;
    assert!(
        matches!(&event, MeshEvent::Refused { peer_id: Some(peer), reason: Fault::NotAMember, .. }
            if *peer == stranger_id),
        "{event:?}"
    );
    quiet(&mut nodes[0]).await;
    assert_eq!(nodes[0].mesh.peers(), [nodes[1].mesh.peer_id()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_at_a_members_address_is_refused() {
    let mut node = start(1, None, Vec::new()).await;
    let mut stranger = raw::swarm(&identity(99));
    stranger
        .listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap())
        .unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = stranger.select_next_some().await {
            break address;
        }
    };
    tokio::spawn(async move {
        loop {
            let event = stranger.select_next_some().await;
            assert!(
                !matches!(event, SwarmEvent::ConnectionEstablished { .. }),
                "{event:?}"
            );
        }
    });
    node.mesh.set_members(vec![member(2, vec![address])]).await;
    let event = node.event().await;
    assert!(
        matches!(
            event,
            MeshEvent::Refused {
                reason: Fault::NotAMember,
                ..
            }
        ),
        "{event:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_carries_nothing_beyond_noise_to_a_stranger() {
    let mut nodes = meshed(2).await;
    // A full libp2p client with a foreign key, its socket tapped.
    let stranger = raw::tapped_dial(&identity(99), nodes[0].address()).await;
    assert!(
        stranger.upgraded.is_err(),
        "the stranger's connection was multiplexed"
    );
    // "/multistream/1.0.0\n" and "/noise\n" with a length byte each, then one
    // Noise message (`e, ee, s, es` and the signed identity), then the end.
    let negotiation = b"\x13/multistream/1.0.0\n\x07/noise\n";
    let noise = stranger
        .received
        .strip_prefix(negotiation.as_slice())
        .unwrap();
    let length = usize::from(u16::from_be_bytes([noise[0], noise[1]]));
    assert_eq!(noise.len(), 2 + length, "bytes after the Noise handshake");
    assert!(matches!(nodes[0].event().await, MeshEvent::Refused { .. }));

    // The same tap on a member's client does get further: the oracle can fail.
    let member = raw::tapped_dial(&identity(2), nodes[0].address()).await;
    assert!(member.upgraded.is_ok());
    let noise = member
        .received
        .strip_prefix(negotiation.as_slice())
        .unwrap();
    let length = usize::from(u16::from_be_bytes([noise[0], noise[1]]));
    assert!(noise.len() > 2 + length);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_identifies_itself_gets_the_negotiation_only() {
    let mut nodes = meshed(2).await;
    let socket = nodes[0].socket();
    let received = tokio::task::spawn_blocking(move || {
        let mut client = TcpStream::connect(socket).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(15)))
            .unwrap();
        // Ask for the multiplexer at once, without the handshake.
        client
            .write_all(b"\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n")
            .unwrap();
        let mut received = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            received.extend_from_slice(&buffer[..count]);
        }
        received
    });
    let received = expect("the socket is closed", received).await.unwrap();
    // The header, and "na\n": not available.
    assert_eq!(received, b"\x13/multistream/1.0.0\n\x03na\n");
    let event = nodes[0].event().await;
    assert!(
        matches!(event, MeshEvent::Refused { peer_id: None, .. }),
        "{event:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_port_disturbs_nobody() {
    let mut nodes = meshed(2).await;
    let socket = nodes[0].socket();
    tokio::task::spawn_blocking(move || {
        for byte in 0..12_u8 {
            let mut client = TcpStream::connect(socket).unwrap();
            // The mesh may close before all is written.
            let _closed = client.write_all(&vec![byte.wrapping_mul(37); 4096]);
        }
    })
    .await
    .unwrap();
    let (from, to) = (nodes[1].mesh.peer_id(), nodes[0].mesh.peer_id());
    assert_eq!(
        nodes[1].mesh.send(to, Class::Agreement, bytes("vote")),
        SendOutcome::Queued
    );
    assert_eq!(
        nodes[0].frame().await,
        (from, Class::Agreement, b"vote".to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_cut_off_and_a_returning_one_comes_back() {
    let mut nodes = meshed(3).await;
    let all = members(&nodes);
    let gone = nodes[2].mesh.peer_id();
    let rest: Vec<_> = all
        .iter()
        .filter(|member| member.peer_id != gone)
        .cloned()
        .collect();
    nodes[0].mesh.set_members(rest).await;
    assert_eq!(
        nodes[0].mesh.send(gone, Class::Bulk, bytes("late")),
        SendOutcome::NotConnected
    );
    assert_eq!(nodes[0].connection().await, MeshEvent::Disconnected(gone));
    let cut_off = nodes[0].mesh.peer_id();
    assert_eq!(
        nodes[2].connection().await,
        MeshEvent::Disconnected(cut_off)
    );
    // It goes on dialling, and is refused at the handshake.
    let refused = expect("the removed member is refused", async {
        loop {
            if let MeshEvent::Refused {
                peer_id, reason, ..
            } = nodes[0].event().await
            {
                break (peer_id, reason);
            }
        }
    });
    assert_eq!(refused.await, (Some(gone), Fault::NotAMember));
    assert_eq!(nodes[0].mesh.peers(), [nodes[1].mesh.peer_id()]);
    nodes[0].mesh.set_members(all).await;
    assert_eq!(nodes[0].connection().await, MeshEvent::Connected(gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_member_is_connected_again() {
    let mut nodes = meshed(3).await;
    let all = members(&nodes);
    let old = nodes.pop().unwrap();
    let (peer, address) = (old.mesh.peer_id(), old.address());
    old.mesh.shutdown().await;
    assert_eq!(nodes[0].connection().await, MeshEvent::Disconnected(peer));
    let mut new = start(3, Some(address), all).await;
    new.meet(2).await;
    assert_eq!(nodes[0].connection().await, MeshEvent::Connected(peer));
    let us = nodes[0].mesh.peer_id();
    assert_eq!(
        nodes[0].mesh.send(peer, Class::Bulk, bytes("again")),
        SendOutcome::Queued
    );
    assert_eq!(new.frame().await, (us, Class::Bulk, b"again".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_is_refused_bulk_and_cut_on_agreement() {
    let mut node = start(1, None, vec![member(9, Vec::new())]).await;
    let peer = identity(9).public().to_peer_id();
    let mut wire = Wire::connect(9, node.address()).await;
    let _streams = wire.open_both().await;
    assert_eq!(node.connection().await, MeshEvent::Connected(peer));
    let fill = |class: Class| {
        let frame: Arc<[u8]> = vec![0; class.frame_bytes_max()].into();
        loop {
            match node.mesh.send(peer, class, Arc::clone(&frame)) {
                SendOutcome::Queued => {}
                outcome => break outcome,
            }
        }
    };
    assert_eq!(fill(Class::Bulk), SendOutcome::Full);
    assert_eq!(node.mesh.peers(), [peer]);
    assert_eq!(fill(Class::Agreement), SendOutcome::Full);
    assert_eq!(fill(Class::Agreement), SendOutcome::NotConnected);
    assert_eq!(node.connection().await, MeshEvent::Disconnected(peer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_owner_loses_nothing() {
    let mut nodes = meshed(2).await;
    let to = nodes[1].mesh.peer_id();
    let mut frame = vec![0_u8; 512 * 1024];
    let mut sent = 0_u32;
    // Far more than the event lane's 64 MiB: reading has to pause meanwhile.
    while sent < 200 {
        frame[..4].copy_from_slice(&sent.to_be_bytes());
        match nodes[0].mesh.send(to, Class::Bulk, frame.as_slice().into()) {
            SendOutcome::Queued => sent += 1,
            SendOutcome::Full if sent >= 128 => {
                let (_, _, bytes) = nodes[1].frame().await;
                assert_eq!(bytes[..4], nodes[1].taken.to_be_bytes());
                nodes[1].taken += 1;
            }
            SendOutcome::Full => tokio::time::sleep(Duration::from_millis(5)).await,
            other => panic!("{other:?}"),
        }
    }
    while nodes[1].taken < sent {
        let (_, _, bytes) = nodes[1].frame().await;
        assert_eq!(bytes[..4], nodes[1].taken.to_be_bytes());
        nodes[1].taken += 1;
    }
}
