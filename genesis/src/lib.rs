//! Founding a consortium: the genesis document, the ceremony that makes it without any key
//! leaving home, the keystore, and the trust anchor a verifier makes of the document.

pub mod anchor;
pub mod ceremony;
pub mod document;
mod error;
pub mod files;
pub mod founding;
pub mod key_file;
pub mod keystore;
mod member;
mod parameters;
pub mod party;

pub use anchor::TrustAnchor;
pub use document::{Genesis, GenesisError};
pub use keystore::{Keystore, Passphrase};
