//! Members say things, each twice, as a script does.

use std::fs;

use super::Devnet;

impl Devnet {
    /// Says it once; a second run says nothing twice and names the same statement, whose id this is.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn says(&self, member: &str, arguments: &[&str]) -> String {
        let first = self.done(member, arguments).object();
        assert_eq!(first["duplicate"], false, "{arguments:?}: {first}");
        let second = self.done(member, arguments).object();
        assert_eq!(second["duplicate"], true, "{arguments:?}: {second}");
        let id = &first["statement_id"];
        assert_eq!(id, &second["statement_id"], "{arguments:?}");
        id.as_str().unwrap_or_default().to_owned()
    }

    /// Tries it: a rule refuses, by its id.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn refuses(&self, member: &str, arguments: &[&str], rule: &str) {
        let before = self.log_size(member);
        let ran = self.jangbu(member, arguments);
        assert_eq!(ran.code, 3, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(rule), "{arguments:?}: {ran:?}");
        // A refusal is agreed in a block of its own, which has its seal and nothing else.
        assert!(self.log_size(member) <= before + 1);
    }

    /// Issues the passport of a product with a small document.
    ///
    /// # Panics
    ///
    /// If the member may not.
    pub fn issues(&self, member: &str, product: &str, granularity: &str) {
        let file = self.home(member).join("document.json");
        let written = fs::write(&file, format!(r#"{{"product": "{product}"}}"#));
        assert!(written.is_ok(), "{written:?}");
        let file = file.to_string_lossy();
        let issue = ["passport", "issue", &file, "--granularity", granularity];
        let _id = self.says(member, &[&issue[..], &["--product", product]].concat());
    }
}
