//! What can be said of the world, while it runs and at its end.

use jangbu_ledger::id::Height;
use jangbu_replica::store::Store;

use super::super::faults::Tally;
use super::super::oracle::{Oracle, ROUNDS_MAX, Violation};
use super::World;
use super::member::Member;

impl World {
    /// Microseconds since the beginning.
    #[must_use]
    pub const fn now_us(&self) -> u64 {
        self.schedule.now_us()
    }

    /// Events put in so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.schedule.count()
    }

    /// Crashes so far.
    #[must_use]
    pub const fn crashes(&self) -> u64 {
        self.crashes
    }

    /// The faults so far, by kind.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What the oracle saw.
    #[must_use]
    pub const fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// A hash over every event so far.
    #[must_use]
    pub fn trace(&self) -> [u8; 32] {
        self.trace.digest()
    }

    /// The members that are not Byzantine.
    fn correct(&self) -> impl Iterator<Item = (usize, &Member)> {
        let members = self.members.iter().enumerate();
        members.filter(|(_, member)| !member.is_byzantine)
    }

    /// The least height among the correct members.
    #[must_use]
    pub fn lowest(&self) -> Height {
        let heights = self.correct().map(|(n, _)| self.oracle.height_of(n));
        heights.min().flatten().unwrap_or(Height(0))
    }

    /// Entries in the log of whoever has the longest.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        let running = self.members.iter().filter_map(Member::replica);
        let sizes = running.map(|replica| replica.tip().frontier.size());
        sizes.max().unwrap_or(0)
    }

    /// Whether all is recorded, everywhere, and final, and nothing waits: an envelope whose
    /// execution panics is nobody's to await, and stays in a pool until that member proposes it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.client.waiting() == 0
            && (self.is_among_liars() || self.correct().all(|(_, member)| member.pooled() == 0))
            && self.lowest() == self.oracle.top()
            && self
                .correct()
                .all(|(_, member)| member.is_up() && member.final_height() == self.oracle.top().0)
    }

    /// Whether some member lies, and may leave with a correct one what no block takes.
    fn is_among_liars(&self) -> bool {
        self.members.iter().any(|member| member.is_byzantine)
    }

    /// Rounds from each envelope's acceptance to its decision since the faults healed.
    ///
    /// # Errors
    ///
    /// [`Violation`] if one waited for more than [`ROUNDS_MAX`]; among liars, who may take their
    /// turns for nothing, none is too many.
    pub fn rounds_of_envelopes(&self) -> Result<Vec<u32>, Violation> {
        let most = match self.is_among_liars() {
            true => u32::MAX,
            false => ROUNDS_MAX,
        };
        self.oracle.rounds_of_envelopes(most)
    }

    /// Where everyone stands, for a failure's report.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut lines = format!("{} envelopes wait", self.client.waiting());
        for (n, member) in self.correct() {
            let height = self.oracle.height_of(n).unwrap_or(Height(0)).0;
            let last = member.final_height();
            let pool = member.replica().map(|r| r.pool_size().0);
            lines += &format!("; member {n}: height {height}, final {last}, pool {pool:?}");
        }
        lines
    }

    /// What must hold once all is settled: every envelope that was ever accepted is on every
    /// ledger, and all states are the same.
    ///
    /// # Errors
    ///
    /// [`Violation`] naming what is missing.
    pub fn check_settled(&self) -> Result<(), Violation> {
        let Some((_, first)) = self.correct().next() else {
            return Ok(());
        };
        for (n, member) in self.correct() {
            let contents = member.disk.contents();
            if !contents.records().eq(first.disk.contents().records()) {
                return Err(Violation(format!("member {n} has another state")));
            }
            let waiting = member.pooled();
            if waiting > 0 && !self.is_among_liars() {
                return Err(Violation(format!(
                    "{waiting} envelopes wait at member {n}, and all are on the ledger"
                )));
            }
            for id in self.client.all_accepted() {
                if !matches!(contents.outcomes(id), Ok(Some(_))) {
                    return Err(Violation(format!(
                        "member {n} lost envelope {id}, which was accepted"
                    )));
                }
            }
        }
        Ok(())
    }
}
