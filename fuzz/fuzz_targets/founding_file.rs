#![no_main]

jangbu_fuzz::target!("founding_file");
