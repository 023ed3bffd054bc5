#![no_main]

jangbu_fuzz::target!("peer_message");
