#![no_main]

jangbu_fuzz::target!("chunks");
