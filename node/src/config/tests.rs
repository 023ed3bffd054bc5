use super::*;

const SMALLEST: &str = r#"
    data_dir = "data"
    genesis = "/etc/jangbu/genesis.json"
    keystore = "keys"
    member = "acme"
"#;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/srv/node.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn the_smallest_file_has_safe_defaults() {
    let config = parse(SMALLEST).unwrap();
    assert_eq!(config.data_dir, Path::new("/srv/data"));
    assert_eq!(config.genesis, Path::new("/etc/jangbu/genesis.json"));
    assert!(config.api_listen.ip().is_loopback());
    assert_eq!(config.log_format, LogFormat::Text);
}

#[test]
fn an_unknown_key_is_named() {
    let error = parse(&format!("{SMALLEST}\ncolour = 1")).unwrap_err();
    assert!(error.starts_with("/srv/node.toml: "), "{error}");
    assert!(error.contains("colour"), "{error}");
}

#[test]
fn an_api_beyond_loopback_is_refused_for_want_of_tls() {
    let error = parse(&format!("{SMALLEST}\n[api]\nlisten = \"0.0.0.0:80\"")).unwrap_err();
    for part in [
        "/srv/node.toml",
        "api.listen",
        "0.0.0.0:80",
        "TLS",
        "127.0.0.1",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_bad_value_is_named_with_its_fix() {
    for (table, parts) in [
        (
            "[peers]\nlisten = \"here\"",
            ["peers.listen", "here", "/ip4/"],
        ),
        (
            "[api]\nstream_patience_s = 0",
            ["api.stream_patience_s", "150", "30"],
        ),
        ("[log]\nformat = \"xml\"", ["log.format", "xml", "json"]),
        ("[log]\nlevel = \"a=b=c\"", ["log.level", "a=b=c", "debug"]),
    ] {
        let error = parse(&format!("{SMALLEST}\n{table}")).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
