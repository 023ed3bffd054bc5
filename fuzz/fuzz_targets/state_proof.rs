#![no_main]

jangbu_fuzz::target!("state_proof");
