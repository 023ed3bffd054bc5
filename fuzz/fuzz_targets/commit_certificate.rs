#![no_main]

jangbu_fuzz::target!("commit_certificate");
