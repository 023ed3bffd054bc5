//! Takes one step: judged first, then said in the next free slot.

use std::fs::File;
use std::path::Path;

use jangbu_ledger::id::{Digest, StatementId};
use jangbu_ledger::sealed::SealedBody;
use jangbu_ledger::share::{ShareError, Step};
use serde_json::{Value, json};

use super::history::{self, History};
use super::stream::ShareStream;
use crate::context::Context;
use crate::document;
use crate::error::{CliError, Code};
use crate::ingest::dsp;
use crate::submit::{Draft, Outcome, Status, SubmitOptions, submit};

/// Schema of a step's document.
const SCHEMA: &str = "jangbu/share-step/v1";
/// How often a slot that another process of the same member took is replaced by the next.
const SLOT_ATTEMPTS_MAX: usize = 8;
/// The rule that a used slot breaks.
const SLOT_ONCE: &str = "slot.once";

/// A step to take.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What it is to people.
    pub label: String,
    /// The step.
    pub step: Step,
    /// Its document.
    pub document: Value,
    /// BLAKE3 root of the data, for steps that state one.
    pub root: Option<Digest>,
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
    let _lock = ctx.vault()?.lock_stream(&stream.name)?;
    let (chain, member) = (ctx.chain_id()?, ctx.member()?.id());
    let (commitment, opening) = document::commit(
        ctx,
        &stream.key.subject(),
        1,
        SCHEMA,
        taken.document.clone(),
    )?;
    let body = SealedBody {
        party: stream.role,
        step: taken.step,
        occurrence: taken.occurrence,
        document: commitment,
        ciphertext_root: taken.root,
        references: Vec::new(),
    };
    for _ in 0..SLOT_ATTEMPTS_MAX {
        let history = history::read(ctx, stream)?;
        let next = history.next_slot(stream.role);
        let statement = stream.key.seal(&body, next).map_err(CliError::input)?;
        let id = statement.id(&chain, &member);
        // Said before: the same statement goes to its old slot and comes back as a duplicate.
        let before = history.steps.iter().find(|step| step.statement_id == id);
        let statement = match before {
            Some(step) => stream.key.seal(&body, step.slot).map_err(CliError::input)?,
            None => {
                legal(&history, stream, taken)?;
                statement
            }
        };
        stream.remember(ctx)?;
        let draft = Draft {
            statement,
            opening: Some(opening.clone()),
            label: taken.label.clone(),
        };
        let mut last = None;
        let result = submit(ctx, vec![draft], options, &mut |outcome| {
            last = Some(outcome.clone());
        });
        let slot_taken = matches!(&result, Err(error) if error.code == Code::Refused)
            && last
                .as_ref()
                .is_some_and(|outcome| outcome.rule.as_deref() == Some(SLOT_ONCE));
        if slot_taken {
            continue;
        }
        if let Some(outcome) = &last {
            each(outcome);
        }
        result?;
        return match last.map(|outcome| outcome.status) {
            Some(Status::Final) => counts(ctx, stream, id),
            _ => Ok(()),
        };
    }
    Err(CliError::refused(format!(
        "{SLOT_ONCE}: other processes of yours took {SLOT_ATTEMPTS_MAX} slots of the share {:?} \
         meanwhile",
        stream.name
    ))
    .hint("run the command again"))
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

/// Refuses what the rules refuse, before anything is sent.
fn legal(history: &History, stream: &ShareStream, taken: &Taken) -> Result<(), CliError> {
    let Err(error) = history.share.after(stream.role, taken.step, taken.root) else {
        return Ok(());
    };
    let again = history
        .steps
        .iter()
        .filter_map(|step| step.body.as_ref().filter(|_| step.party == stream.role))
        .any(|body| body.step == taken.step && body.occurrence == taken.occurrence);
    let show = format!("jangbu share show {}", shown(&stream.name));
    let hint = match error {
        ShareError::RootMissing(_) => "name what is sent: --file FILE, or --root HEX".to_owned(),
        _ if again => format!("this step was taken before with another document: {show}"),
        _ => show,
    };
    Err(CliError::refused(format!("{error}; nothing was sent")).hint(hint))
}

/// A name as a shell takes it.
fn shown(name: &str) -> String {
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

/// The BLAKE3 root of a file's bytes.
pub(super) fn root_of(file: &Path) -> Result<Digest, CliError> {
    let mut hasher = blake3::Hasher::new();
    File::open(file)
        .and_then(|open| hasher.update_reader(open).map(|_| ()))
        .map_err(|error| CliError::io(file, &error))?;
    Ok(Digest(*hasher.finalize().as_bytes()))
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

    #[test]
    fn the_root_of_a_file_is_its_blake3_hash() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("data");
        std::fs::write(&file, vec![7; 100_000]).unwrap();
        let expected = blake3::hash(&vec![7; 100_000]);
        assert_eq!(root_of(&file).unwrap().as_bytes(), expected.as_bytes());
    }
}
