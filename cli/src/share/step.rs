//! Takes one step: judged first, then said in the next free slot, or in the open.

use std::collections::BTreeMap;
use std::path::Path;

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::sealed::{SealedBody, StreamKey};
use jangbu_ledger::share::{Deed, Party, Sender, ShareError, Step};
use jangbu_ledger::state::Role;
use jangbu_ledger::statement::{Kind, Statement, Stream};
use serde_json::{Value, json};

use super::history::{self, History};
use super::stream::{Channel, ShareStream};
use crate::context::Context;
use crate::document::{self, Opening, WHOLE};
use crate::error::{CliError, Code};
use crate::ingest::dsp;
use crate::submit::{Draft, Outcome, Status, SubmitOptions, submit};

/// Schema of a step's document.
const SCHEMA: &str = "jangbu/share-step/v1";
/// How often a slot that another process of the same member took is replaced by the next.
const SLOT_ATTEMPTS_MAX: usize = 8;

/// A step to take.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What it is to people.
    pub label: String,
    /// The step, and what it states.
    pub deed: Deed,
    /// Its document.
    pub document: Value,
    /// What else is committed to beside the document, and kept in the vault.
    pub section: Option<(&'static str, Value)>,
    /// 0, or which repetition this is.
    pub occurrence: u32,
}

/// Takes a step, and tells `each` what became of it.
///
/// # Errors
///
/// [`CliError`]: refused, naming the rule, if the step is not this party's to take now; nothing
/// is sent then.
pub fn take(
    ctx: &Context,
    stream: &ShareStream,
    taken: &Taken,
    options: &SubmitOptions,
    each: &mut dyn FnMut(&Outcome),
) -> Result<(), CliError> {
    taken.deed.check().map_err(CliError::input)?;
    let _lock = ctx.vault()?.lock_stream(&stream.name)?;
    let mut sections = BTreeMap::from([(WHOLE.to_owned(), taken.document.clone())]);
    if let Some((name, section)) = &taken.section {
        sections.insert((*name).to_owned(), section.clone());
    }
    let (commitment, opening) =
        document::commit_sections(ctx, &stream.subject(), 1, SCHEMA, sections)?;
    let mut said = Saying {
        ctx,
        stream,
        taken,
        options,
        opening,
        each,
    };
    match &stream.channel {
        Channel::Sealed(key) => said.sealed(key, commitment),
        Channel::Open(identifier) => said.in_the_open(identifier, commitment),
    }
}

/// One step on its way.
struct Saying<'a> {
    ctx: &'a Context,
    stream: &'a ShareStream,
    taken: &'a Taken,
    options: &'a SubmitOptions,
    opening: Opening,
    each: &'a mut dyn FnMut(&Outcome),
}

impl Saying<'_> {
    fn sealed(&mut self, key: &StreamKey, document: Commitment) -> Result<(), CliError> {
        let party = self.stream.party()?;
        let body = SealedBody {
            party,
            deed: self.taken.deed.clone(),
            occurrence: self.taken.occurrence,
            document,
            references: Vec::new(),
        };
        for _ in 0..SLOT_ATTEMPTS_MAX {
            let statement = self.ctx.patiently(|| self.in_a_slot(key, &body))?;
            if self.say(statement, &[Rule::SlotOnce])? {
                return Ok(());
            }
        }
        let rule = Rule::SlotOnce.id();
        Err(CliError::refused(format!(
            "{rule}: other processes of yours took {SLOT_ATTEMPTS_MAX} slots of the share {:?} \
             meanwhile",
            self.stream.name
        ))
        .hint("run the command again"))
    }

    /// The statement in the next free slot, if it is legal now; in its old one, if it was said.
    fn in_a_slot(&self, key: &StreamKey, body: &SealedBody) -> Result<Statement, CliError> {
        let history = history::read(self.ctx, self.stream)?;
        let next = history.next_slot(body.party);
        let statement = key.seal(body, next).map_err(CliError::input)?;
        let id = statement.id(&self.ctx.chain_id()?, &self.ctx.member()?.id());
        // Said before: the same statement goes to its old slot and comes back as a duplicate.
        let before = history.steps.iter().find(|step| step.statement_id == id);
        if let Some(slot) = before.and_then(|step| step.slot) {
            return key.seal(body, slot).map_err(CliError::input);
        }
        self.legal(&history, body.party.into())?;
        Ok(statement)
    }

    fn in_the_open(
        &mut self,
        identifier: &Identifier,
        commitment: Commitment,
    ) -> Result<(), CliError> {
        let statement = self
            .ctx
            .patiently(|| self.in_its_stream(identifier, commitment))?;
        // Who opened the share, or took its subject over, a moment ago decides on the stream. The
        // node that refused knows of it now.
        let of_another = [Rule::SubjectOwner, Rule::ClaimsByOthers];
        if self.say(statement, &of_another)? {
            return Ok(());
        }
        let again = self.in_its_stream(identifier, commitment)?;
        self.say(again, &[]).map(|_| ())
    }

    /// The statement in the stream in which the member speaks, if it is legal now.
    fn in_its_stream(
        &self,
        identifier: &Identifier,
        commitment: Commitment,
    ) -> Result<Statement, CliError> {
        let own = self.ctx.member()?;
        let history = history::read(self.ctx, self.stream)?;
        // Who is no party says it to the consumer, who has the data.
        let role = self.stream.role;
        let with = role.map_or(Party::Consumer, Party::other);
        let by = Sender::of(role, Role::from(own.role).settles_disputes());
        let subject = self.ctx.client()?.subject(identifier)?;
        let others = subject.owner_name.is_some_and(|owner| owner != own.name);
        let name = identifier.clone();
        let statement = Statement {
            kind: Kind::ShareStep {
                with: self.stream.member_of(with),
                deed: Box::new(self.taken.deed.clone()),
            },
            occurrence: self.taken.occurrence,
            streams: vec![if others {
                Stream::Claims(name)
            } else {
                Stream::Open(name)
            }],
            commitment,
            references: Vec::new(),
            payload: Vec::new(),
        };
        let id = statement.id(&self.ctx.chain_id()?, &own.id());
        if !history.steps.iter().any(|step| step.statement_id == id) {
            self.legal(&history, by)?;
        }
        Ok(statement)
    }

    /// Says it; false, without a word, if one of these rules refuses it: the node had shown what
    /// was no longer so.
    fn say(&mut self, statement: Statement, outdated: &[Rule]) -> Result<bool, CliError> {
        let id = statement.id(&self.ctx.chain_id()?, &self.ctx.member()?.id());
        self.stream.remember(self.ctx)?;
        let draft = Draft {
            statement,
            opening: Some(self.opening.clone()),
            label: self.taken.label.clone(),
        };
        let mut last = None;
        let result = submit(self.ctx, vec![draft], self.options, &mut |outcome| {
            last = Some(outcome.clone());
        });
        let rule = last.as_ref().and_then(|outcome| outcome.rule.as_deref());
        let was_outdated = outdated.iter().any(|known| rule == Some(known.id()));
        if was_outdated && matches!(&result, Err(error) if error.code == Code::Refused) {
            return Ok(false);
        }
        if let Some(outcome) = &last {
            (self.each)(outcome);
        }
        result?;
        if last.is_some_and(|outcome| outcome.status == Status::Final) {
            counts(self.ctx, self.stream, id)?;
        }
        Ok(true)
    }

    /// Refuses what the rules refuse, before anything is sent.
    fn legal(&self, history: &History, by: Sender) -> Result<(), CliError> {
        let Err(error) = history.share.after(by, &self.taken.deed) else {
            return Ok(());
        };
        let step = self.taken.deed.step();
        let own = self.ctx.member()?.id();
        let again = history
            .steps
            .iter()
            .filter(|step| step.member == own && step.occurrence == self.taken.occurrence)
            .any(|said| said.deed.as_ref().is_some_and(|deed| deed.step() == step));
        let show = format!("jangbu share show {}", shown(&self.stream.name));
        let hint = match error {
            ShareError::RootMissing => {
                "name what is sent: a FILE to encrypt, --plain FILE, or --root HEX".to_owned()
            }
            _ if again => format!(
                "this step was taken before with another document; to take it once more: \
                 --occurrence {}. {show}",
                self.taken.occurrence.saturating_add(1)
            ),
            _ => show,
        };
        Err(CliError::refused(format!("{error}; nothing was sent")).hint(hint))
    }
}

/// Whether a recorded step counts: the other party may have said something before it meanwhile.
fn counts(ctx: &Context, stream: &ShareStream, id: StatementId) -> Result<(), CliError> {
    let history = history::read(ctx, stream).map_err(|error| {
        CliError::unknown(format!(
            "the step is recorded; whether it counts is not known: {}",
            error.message
        ))
        .hint("run the same command again")
        .about(id)
    })?;
    let step = history.steps.iter().find(|step| step.statement_id == id);
    match step.and_then(|step| step.broken.as_ref()) {
        Some((_, reason)) => Err(CliError::refused(format!(
            "the step is recorded and does not count: {reason}"
        ))
        .hint(format!("jangbu share show {}", shown(&stream.name)))
        .about(id)),
        None => Ok(()),
    }
}

/// A name as a shell takes it.
pub(super) fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// The document of a step: the file's, or a few words where there is none.
pub(super) fn document(file: Option<&Path>, name: &str, step: Step) -> Result<Value, CliError> {
    let Some(file) = file else {
        return Ok(json!({ "share": name, "step": step.name() }));
    };
    let document = document::read(file)?;
    match dsp::step_of(&document).map_err(|error| CliError::file(file, error))? {
        Some((other, _)) if other != step => Err(CliError::file(
            file,
            format!(
                "a {} says that something is {}, not {}",
                document["@type"].as_str().unwrap_or("message"),
                other.name(),
                step.name()
            ),
        )
        .hint("give the document of this step, or take the step of this document")),
        _ => Ok(document),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_another_step_is_not_taken_as_this_ones_document() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("offer.json");
        std::fs::write(&file, r#"{"@type":"ContractOfferMessage"}"#).unwrap();
        assert!(document(Some(&file), "s", Step::Offered).is_ok());
        let error = document(Some(&file), "s", Step::Agreed).unwrap_err();
        assert!(
            error.message.contains("offered, not agreed"),
            "{}",
            error.message
        );
        let without = document(None, "s", Step::Agreed).unwrap();
        assert_eq!(without, json!({"share": "s", "step": "agreed"}));
    }
}
