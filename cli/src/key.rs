//! The member's keys.
