//! The command line of the Jangbu provenance ledger.
