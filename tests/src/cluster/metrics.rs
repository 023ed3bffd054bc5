//! A node's numbers as it serves them, and what they say it holds against others.
//!
//! Names are taken as they are documented: one that is missing is a failure, so that none can be
//! renamed and its check go blind.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::NodeProcess;

/// What correct nodes never do to each other, so that none of it is ever counted among them.
const CHARGES: [&str; 4] = [
    "jangbu_equivocations_total",
    "jangbu_misbehaviour_total",
    "jangbu_cut_off_total",
    "jangbu_quarantined_envelopes_total",
];
/// Connections refused or closed, by member and reason.
const REFUSED: &str = "jangbu_mesh_refused_total";
/// Reasons for that which a bad line or a restart gives a correct member.
const BAD_LINE: [&str; 5] = [
    "handshake",
    "handshake_timeout",
    "silent",
    "stalled",
    "too_many_connections",
];

/// The answer to `/metrics`.
#[derive(Debug, Clone)]
pub struct Metrics(String);

/// Something that no correct node does to another, and how often it was counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Charge {
    /// The counter, with its labels.
    pub counter: String,
    /// Its number.
    pub times: u64,
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.counter, self.times)
    }
}

impl Metrics {
    /// The numbers in this text.
    #[must_use]
    pub const fn of(text: String) -> Self {
        Self(text)
    }

    /// A number without labels.
    ///
    /// # Errors
    ///
    /// That the node does not tell it.
    pub fn number(&self, name: &str) -> Result<u64, String> {
        self.series()
            .find(|(series, _)| *series == name)
            .ok_or_else(|| format!("the node tells no {name}"))
            .and_then(|(_, value)| whole(name, value))
    }

    /// What the node counted against others.
    ///
    /// # Errors
    ///
    /// That a counter which would tell it is not there.
    pub fn charges(&self) -> Result<Vec<Charge>, String> {
        let mut charges = Vec::new();
        for name in CHARGES {
            charges.push((name, self.number(name)?));
        }
        if !self.0.contains(&format!("# TYPE {REFUSED} counter\n")) {
            return Err(format!("the node tells no {REFUSED}"));
        }
        let on_a_bad_line = |series: &str| {
            let reasons = BAD_LINE.map(|reason| format!("reason=\"{reason}\""));
            reasons.iter().any(|reason| series.contains(reason))
        };
        for (series, value) in self.series() {
            if series.starts_with(&format!("{REFUSED}{{")) && !on_a_bad_line(series) {
                charges.push((series, whole(series, value)?));
            }
        }
        charges.retain(|(_, times)| *times > 0);
        let charge = |(counter, times): (&str, u64)| Charge {
            counter: counter.to_owned(),
            times,
        };
        Ok(charges.into_iter().map(charge).collect())
    }

    fn series(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.rsplit_once(' '))
    }
}

fn whole(name: &str, value: &str) -> Result<u64, String> {
    value
        .parse()
        .map_err(|_| format!("{name} is {value:?}, which is no whole number"))
}

impl NodeProcess {
    /// Its numbers now.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::of(self.client().get("/metrics").text())
    }

    /// The evidence it has kept, oldest height first.
    #[must_use]
    pub fn evidence(&self) -> Vec<PathBuf> {
        let files = match fs::read_dir(self.data.join("evidence")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            files => files.unwrap(),
        };
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
        paths.sort();
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(against: &str) -> Metrics {
        let counters = CHARGES.map(|name| format!("# TYPE {name} counter\n{name} 0\n"));
        Metrics::of(format!(
            "{}# TYPE {REFUSED} counter\n{against}",
            counters.concat()
        ))
    }

    #[test]
    fn what_befalls_a_correct_member_on_a_bad_line_is_no_charge_and_the_rest_is() {
        let series = |reason| format!("{REFUSED}{{member=\"soyu\",reason=\"{reason}\"}} 2\n");
        assert_eq!(metrics(&series("stalled")).charges(), Ok(Vec::new()));
        let found = metrics(&series("flood")).charges().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].times, 2);
        assert!(found[0].counter.contains("flood"), "{found:?}");
    }

    #[test]
    fn a_counter_that_is_not_there_is_a_failure_and_not_a_zero() {
        for name in CHARGES {
            let without = Metrics::of(metrics("").0.replace(&format!("\n{name} 0"), ""));
            let error = without.charges().unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        let renamed = Metrics::of(metrics("").0.replace(REFUSED, "jangbu_refused_total"));
        assert!(renamed.charges().unwrap_err().contains(REFUSED));
    }
}
