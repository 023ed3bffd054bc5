//! Clients that hand in envelopes.

use jangbu_replica::replica::{Input, Token};

use super::super::oracle::Violation;
use super::{Event, World};

impl World {
    /// Lets the client hand in an envelope ever so often; `None` lets it stop.
    pub fn submit_every(&mut self, range_us: Option<(u64, u64)>) {
        let idle = self.submit_every_us.is_none();
        self.submit_every_us = range_us;
        if idle {
            self.plan_submission();
        }
    }

    /// Hands an envelope to a member now.
    ///
    /// # Errors
    ///
    /// [`Violation`] if the oracle saw one.
    pub fn submit_to(&mut self, n: usize, number: u64) -> Result<(), Violation> {
        let (id, bytes) = self.consortium.envelope(number);
        self.client.hands_in(number, id, n);
        self.step(n, Input::Submit(vec![(Token(number), bytes)]))
    }

    fn plan_submission(&mut self) {
        if let Some(range) = self.submit_every_us {
            let delay = self.dice.between(range);
            self.schedule
                .after(delay, Event::Submit(self.next_envelope));
            self.next_envelope += 1;
        }
    }

    pub(super) fn submit(&mut self, number: u64) -> Result<(), Violation> {
        if number + 1 == self.next_envelope {
            self.plan_submission();
        }
        let up: Vec<usize> = (0..self.members.len())
            .filter(|n| {
                let member = &self.members[*n];
                member.replica().is_some() && member.listens()
            })
            .collect();
        if up.is_empty() {
            self.schedule.after(50_000, Event::Submit(number));
            return Ok(());
        }
        let n = up[self.dice.index(up.len())];
        self.submit_to(n, number)
    }
}
