//! Evidence against validators, kept as files that anyone can verify.
//!
//! ```text
//!   <data_dir>/evidence/<height>-<round>-<what>-<consensus key>.json
//! ```
//!
//! A file is written whole or not at all, once for each offence: its name says what it shows.
//! `jangbu verify FILE` checks it offline, `jangbu evidence record FILE` puts it on the ledger.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jangbu_ledger::equivocation::{Equivocation, Evidence, EvidenceError};
use jangbu_ledger::id::ChainId;

/// Most files kept: by then nobody doubts, and a disk is not for an offender to fill.
const FILES_MAX: usize = 1_000;

/// The directory of a node's evidence.
#[derive(Debug)]
pub struct EvidenceFiles {
    directory: PathBuf,
    chain_id: ChainId,
}

/// What became of a piece of evidence.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is in this file now.
    New(PathBuf),
    /// There is a file about this offence.
    Known,
    /// There are too many files already.
    TooMany,
}

/// Why evidence could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceFileError {
    /// The file system.
    #[error("{file}: {source}")]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It does not become a file.
    #[error(transparent)]
    Format(#[from] EvidenceError),
}

impl EvidenceFiles {
    /// Evidence of the ledger, in `evidence/` under the data directory. Touches no disk yet.
    #[must_use]
    pub fn under(data_dir: &Path, chain_id: ChainId) -> Self {
        Self {
            directory: data_dir.join("evidence"),
            chain_id,
        }
    }

    /// Keeps it, unless the offence is known. Synced when it returns.
    ///
    /// # Errors
    ///
    /// [`EvidenceFileError`] naming the file that could not be written.
    pub fn keep(&self, equivocation: Equivocation) -> Result<Kept, EvidenceFileError> {
        let offence = equivocation.offence();
        let what = offence.said_twice.name();
        let (height, round, who) = (offence.height.0, offence.round, offence.validator);
        let name = format!("{height:010}-{round}-{what}-{who}.json");
        let path = self.directory.join(&name);
        if path.exists() {
            return Ok(Kept::Known);
        }
        let failed = |file: &Path| {
            let file = file.to_owned();
            |source| EvidenceFileError::Io { file, source }
        };
        fs::create_dir_all(&self.directory).map_err(failed(&self.directory))?;
        let kept = fs::read_dir(&self.directory).map_err(failed(&self.directory))?;
        if kept.count() >= FILES_MAX {
            return Ok(Kept::TooMany);
        }
        let text = Evidence::new(self.chain_id, equivocation).to_json()?;
        let partial = self.directory.join(format!("{name}.partial"));
        let mut file = File::create(&partial).map_err(failed(&partial))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed(&partial))?;
        fs::rename(&partial, &path).map_err(failed(&path))?;
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(failed(&self.directory))?;
        Ok(Kept::New(path))
    }
}

#[cfg(test)]
mod tests {
    use jangbu_ledger::id::{BlockId, Height, KeyId};
    use jangbu_ledger::signature::Signature;
    use jangbu_ledger::vote::{SignedVote, Vote, VoteType};

    use super::*;

    fn equivocation(height: u64, second: u8) -> Equivocation {
        let vote = |block: u8| SignedVote {
            vote: Vote {
                vote_type: VoteType::Precommit,
                height: Height(height),
                round: 2,
                block_id: Some(BlockId([block; 32])),
                validator: KeyId([0xab; 16]),
            },
            signature: Signature([block; 64]),
        };
        Equivocation::votes(vote(1), vote(second))
    }

    #[test]
    fn each_offence_becomes_one_file_that_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let files = EvidenceFiles::under(directory.path(), ChainId([7; 32]));
        let Kept::New(path) = files.keep(equivocation(5, 2)).unwrap() else {
            panic!("it is news");
        };
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("0000000005-2-precommit-abab"), "{name}");
        let evidence = Evidence::parse(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(evidence.chain_id, ChainId([7; 32]));
        assert_eq!(evidence.equivocation, equivocation(5, 2));
        assert_eq!(files.keep(equivocation(5, 3)).unwrap(), Kept::Known);
        assert!(matches!(files.keep(equivocation(6, 3)), Ok(Kept::New(_))));
        assert_eq!(
            fs::read_dir(directory.path().join("evidence"))
                .unwrap()
                .count(),
            2
        );
    }

    #[test]
    fn there_is_an_end_to_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let files = EvidenceFiles::under(directory.path(), ChainId([7; 32]));
        fs::create_dir(directory.path().join("evidence")).unwrap();
        for n in 0..FILES_MAX {
            File::create(directory.path().join(format!("evidence/{n}"))).unwrap();
        }
        assert_eq!(files.keep(equivocation(5, 2)).unwrap(), Kept::TooMany);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("evidence"), "a file").unwrap();
        let files = EvidenceFiles::under(directory.path(), ChainId([7; 32]));
        let error = files.keep(equivocation(5, 2)).unwrap_err().to_string();
        assert!(error.contains("evidence"), "{error}");
    }
}
