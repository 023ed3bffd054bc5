//! RFC 8785: the published documents byte for byte, and 10,000 numbers.

use std::fs;
use std::path::PathBuf;

use jangbu_ledger::json;
use serde_json::Value;

fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data/jcs")
        .join(path)
}

#[test]
fn the_six_documents_become_the_published_bytes() {
    for name in [
        "arrays",
        "french",
        "structures",
        "unicode",
        "values",
        "weird",
    ] {
        let input = fs::read(data(&format!("input/{name}.json"))).expect("the input is there");
        let output = fs::read(data(&format!("output/{name}.json"))).expect("the output is there");
        let hex =
            fs::read_to_string(data(&format!("outhex/{name}.txt"))).expect("the hex is there");
        let expected: Vec<u8> = hex
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
            .collect();
        let value = json::parse(&input).unwrap_or_else(|error| panic!("{name}: {error}"));
        let canonical = json::canonicalize(&value).expect("the document is canonicalizable");
        assert_eq!(canonical, expected, "{name}");
        assert_eq!(canonical, output.trim_ascii_end(), "{name}");
    }
}

#[test]
fn ten_thousand_numbers_are_written_as_published() {
    let text = fs::read_to_string(data("es6numbers-10000.txt")).expect("the numbers are there");
    let mut count = 0;
    for line in text.lines() {
        let (bits, expected) = line.split_once(',').expect("bits, comma, number");
        let bits = u64::from_str_radix(bits, 16).expect("hexadecimal bits");
        let value = Value::from(f64::from_bits(bits));
        let canonical = json::canonicalize(&value).expect("a finite number");
        assert_eq!(canonical, expected.as_bytes(), "{bits:016x}");
        count += 1;
    }
    assert_eq!(count, 10_000);
}
