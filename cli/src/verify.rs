//! Checks receipts and bundles, offline.
