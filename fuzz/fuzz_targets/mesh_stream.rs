#![no_main]

jangbu_fuzz::target!("mesh_stream");
