#![no_main]

jangbu_fuzz::target!("node_answer");
