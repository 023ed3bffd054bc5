//! A whole consortium on this machine.
