//! Whether what was printed is what a document shows.

use std::sync::LazyLock;

use regex::Regex;

/// What stands for anything: within a line, or alone on one for any lines.
const ANYTHING: &str = "…";

/// What is another each time, and what stands for it when the two are compared.
static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // Whole, or shortened as documents do; not a product's number, nor a UUID.
        (
            r"\b[0-9a-f]{64}\b|\b[0-9a-f]{16}\b|\b(?:[0-9a-f]{8}|[0-9a-f]{16})…",
            "HASH",
        ),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"\b\d+ (?:bytes|entries)", "SIZE"),
        (r"\b(?:block|blocks|entry|bytes) +\d+", "PLACE"),
        (r#""(?:sequence|height)": ?\d+"#, "PLACE"),
        (r"^\d+  +(HASH|TIME|[a-z])", "PLACE $1"),
        (r"[34] of 4 validators", "QUORUM"),
        (r"127\.0\.0\.1:\d+", "NODE"),
        (r"\s+", " "),
    ]
    .map(|(pattern, name)| (Regex::new(pattern).unwrap(), name))
    .into()
});

/// Whether `printed` is what these lines show.
pub(super) fn is_shown(shown: &[String], printed: &str) -> bool {
    let plain = |line: &str| {
        VARYING
            .iter()
            .fold(line.trim().to_owned(), |line, (varying, name)| {
                varying.replace_all(&line, *name).into_owned()
            })
    };
    let mut pattern = String::from("^");
    for line in shown {
        match plain(line).as_str() {
            ANYTHING => pattern.push_str("(?:.*\n)*"),
            line => {
                let parts: Vec<String> = line.split(ANYTHING).map(regex::escape).collect();
                pattern.push_str(&parts.join(".*"));
                pattern.push('\n');
            }
        }
    }
    // Blocks end, and some answers begin or end, with empty lines.
    let pattern = format!("{}\n*$", pattern.trim_end_matches('\n'));
    let printed: Vec<String> = printed.lines().map(plain).collect();
    let printed = printed.join("\n") + "\n";
    Regex::new(&pattern).unwrap().is_match(&printed)
}

#[cfg(test)]
mod tests {
    use super::is_shown;

    fn shown(shown: &str, printed: &str) -> bool {
        let lines: Vec<String> = shown.lines().map(str::to_owned).collect();
        is_shown(&lines, printed)
    }

    #[test]
    fn what_varies_may_vary() {
        assert!(shown(
            "recorded  dddb4cf5…, entry 1 in block 1",
            "recorded  9c1fd2dd0145e3ff6c29a6fa3ee09d83f4a5da0f27e3e1a0a35f9a2b1c0d4e5f, entry 71 in block 20\n"
        ));
        assert!(shown(
            "at 2026-11-29T22:09:01.965Z by a",
            "at 2031-01-02T03:04:05.6Z by a"
        ));
        assert!(shown("a\n…\nz", "a\nb\nc\nz"));
        assert!(shown("a\n…\nm\n…", "a\nb\nm\nn\n"));
        assert!(shown("…\nz", "z"));
    }

    #[test]
    fn nothing_else_may() {
        assert!(!shown("14 recorded", "13 recorded"));
        assert!(!shown("a\n…\nz", "a\nb\nc"));
        assert!(!shown("a\n…\nm\n…\nz", "a\nz"));
        assert!(!shown("a", "a\nb"));
        assert!(!shown("a\nb", "a"));
        assert!(!shown("by amperia …", "by hanbit, in force"));
        assert!(!shown("a…a", "a"));
        assert!(!shown("of 09521234002017", "of 09521234002000"));
        assert!(!shown(
            "in urn:uuid:aaaaaaaa-7b69-444d-81e6-655d0f1513bd",
            "in urn:uuid:cccccccc-7b69-444d-81e6-655d0f1513bd"
        ));
        assert!(!shown("3   53392 bytes", "0   53392 bytes"));
        assert!(!shown("3 of 4 validators", "1 of 4 validators"));
    }
}
