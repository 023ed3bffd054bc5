//! Free loopback ports that stay free.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::CliError;

/// The lowest port that is drawn.
const LOWEST: u16 = 16_384;
/// Draws before giving up.
const TRIES: usize = 512;

/// `count` ports that nobody listens on.
///
/// They are drawn below the range from which the system takes the local ports of outgoing
/// connections: a port of that range could be taken while its node is stopped.
pub(super) fn free(count: usize) -> Result<Vec<u16>, CliError> {
    // All are held until the last is found, so that none is drawn twice.
    let mut held: Vec<(u16, TcpListener)> = Vec::new();
    let end = outgoing_start();
    for _ in 0..TRIES {
        if held.len() == count {
            break;
        }
        let candidate = if end > LOWEST + 1024 {
            LOWEST + random()? % (end - LOWEST)
        } else {
            0
        };
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)) else {
            continue;
        };
        let port = listener
            .local_addr()
            .map_err(|error| CliError::internal(format!("a bound port has no address: {error}")))?
            .port();
        held.push((port, listener));
    }
    if held.len() < count {
        return Err(CliError::input(format!(
            "found {} free ports on 127.0.0.1 in {TRIES} tries, {count} are needed; stop what \
             listens there",
            held.len()
        )));
    }
    Ok(held.iter().map(|(port, _)| *port).collect())
}

/// Where the range of outgoing connections starts; Linux's default if it does not say.
fn outgoing_start() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

fn random() -> Result<u16, CliError> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(|error| {
        CliError::internal(format!("the operating system gave no randomness: {error}"))
    })?;
    Ok(u16::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_listened_on() {
        let ports = free(8).unwrap();
        let distinct: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(distinct.len(), 8);
        assert!(ports.iter().all(|port| *port >= LOWEST));
    }
}
