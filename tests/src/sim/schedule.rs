//! One heap of what will happen, and the virtual clock.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;

/// Events by time; those of one moment in the order they were put in.
#[derive(Debug)]
pub struct Schedule<E> {
    now_us: u64,
    count: u64,
    due: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, E>,
}

impl<E> Default for Schedule<E> {
    fn default() -> Self {
        Self {
            now_us: 0,
            count: 0,
            due: BinaryHeap::new(),
            events: BTreeMap::new(),
        }
    }
}

impl<E> Schedule<E> {
    /// Microseconds since the beginning.
    #[must_use]
    pub const fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Number of events put in so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Lets `event` happen after `delay_us`.
    pub fn after(&mut self, delay_us: u64, event: E) {
        self.at(self.now_us.saturating_add(delay_us), event);
    }

    /// Lets `event` happen at a time, or now if that is past.
    pub fn at(&mut self, at_us: u64, event: E) {
        self.count += 1;
        self.due.push(Reverse((at_us.max(self.now_us), self.count)));
        self.events.insert(self.count, event);
    }

    /// Takes the next event and moves the clock to it.
    pub fn advance(&mut self) -> Option<E> {
        let Reverse((at, number)) = self.due.pop()?;
        self.now_us = at;
        self.events.remove(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_they_were_put_in() {
        let mut schedule = Schedule::default();
        schedule.after(20, "c");
        schedule.after(10, "a");
        schedule.after(10, "b");
        let order: Vec<&str> = std::iter::from_fn(|| schedule.advance()).collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(schedule.now_us(), 20);
    }
}
