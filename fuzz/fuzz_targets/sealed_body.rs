#![no_main]

jangbu_fuzz::target!("sealed_body");
