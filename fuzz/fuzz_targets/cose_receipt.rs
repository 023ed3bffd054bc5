#![no_main]

jangbu_fuzz::target!("cose_receipt");
