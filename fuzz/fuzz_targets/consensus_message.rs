#![no_main]

jangbu_fuzz::target!("consensus_message");
