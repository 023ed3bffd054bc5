#![no_main]

jangbu_fuzz::target!("key_file");
