//! A data share on a devnet.

use serde_json::Value;

use super::{Devnet, Ran};

/// One share, by its name.
#[derive(Debug)]
pub struct Sharing<'a> {
    /// Where.
    pub devnet: &'a Devnet,
    /// Its name.
    pub name: &'a str,
}

impl Sharing<'_> {
    /// Takes a step.
    #[must_use]
    pub fn step(&self, member: &str, verb: &str, more: &[&str]) -> Ran {
        let arguments = [&["share", verb, self.name], more].concat();
        self.devnet.jangbu(member, &arguments)
    }

    /// [`Sharing::step`] that must end well.
    pub fn done(&self, member: &str, verb: &str, more: &[&str]) -> Value {
        let ran = self.step(member, verb, more);
        assert_eq!(ran.code, 0, "{member}: share {verb}: {ran:?}");
        ran.object()
    }

    /// From a request to a final contract on these terms, and the transfer asked for.
    pub fn contract(&self, provider: &str, consumer: &str, first: &[&str], terms: &[&str]) {
        let with = |other| [&["--with", other], first].concat();
        let _ = self.done(consumer, "request", &with(provider));
        let _ = self.done(provider, "offer", &with(consumer));
        let _ = self.done(consumer, "accept", &[]);
        let _ = self.done(provider, "agree", terms);
        let _ = self.done(consumer, "verify", &[]);
        let _ = self.done(provider, "finalize", &[]);
        let _ = self.done(consumer, "request-transfer", &[]);
    }

    /// Refused by this rule, with nothing sent.
    pub fn refused(&self, member: &str, verb: &str, more: &[&str], rule: &str) {
        let size = self.devnet.settle();
        let ran = self.step(member, verb, more);
        assert_eq!(ran.code, 3, "{member}: share {verb}: {ran:?}");
        assert!(ran.err.contains(rule), "{member}: share {verb}: {ran:?}");
        assert_eq!(self.devnet.log_size(member), size, "nothing was sent");
    }

    /// What a member reads of it, once all nodes have what was said.
    #[must_use]
    pub fn show(&self, member: &str, more: &[&str]) -> Value {
        self.devnet.settle();
        self.done(member, "show", more)
    }
}
