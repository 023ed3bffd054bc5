#![no_main]

jangbu_fuzz::target!("rejection");
