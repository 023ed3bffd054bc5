#![no_main]

jangbu_fuzz::target!("peer_talk");
