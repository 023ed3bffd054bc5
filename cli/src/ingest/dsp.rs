//! Eclipse Dataspace Protocol messages: steps of a data share.
//!
//! Source: Dataspace Protocol 2025-1, sections 8.2 (negotiation) and 10.2 (transfer).

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Party, Step};
use serde_json::Value;

use super::cursor::{At, ReadError};
use super::said::{Reading, SaidStep, SkipReason, Skipped};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    /// A step by this party, or by either.
    Step(Step, Option<Party>),
    /// `ContractNegotiationEventMessage`, whose event type says which step.
    Event,
    /// An answer about a state or an error, which is nobody's step.
    NotAStep,
}

/// Whether the document is a message of the protocol.
pub(super) fn is_message(document: &Value) -> bool {
    document["@type"]
        .as_str()
        .is_some_and(|name| message(name).is_some())
}

/// Which step a document is, if it is a message of the protocol that is one.
///
/// # Errors
///
/// If it is such a message but malformed.
pub fn step_of(document: &Value) -> Result<Option<(Step, Option<Party>)>, ReadError> {
    let root = At::root(document);
    let Some(kind) = document["@type"].as_str().and_then(message) else {
        return Ok(None);
    };
    match kind {
        Message::Step(step, party) => Ok(Some((step, party))),
        Message::NotAStep => Ok(None),
        Message::Event => {
            let event = root.need("eventType")?;
            match event.text()? {
                "ACCEPTED" => Ok(Some((Step::Accepted, Some(Party::Consumer)))),
                "FINALIZED" => Ok(Some((Step::Finalized, Some(Party::Provider)))),
                other => Err(event.wrong(format!(
                    "{other:?} is no event type; expected ACCEPTED or FINALIZED"
                ))),
            }
        }
    }
}

/// Reads a message.
pub(super) fn read(file: &str, document: &Value) -> Result<Reading, ReadError> {
    let root = At::root(document);
    let name = root.need("@type")?.text()?;
    let label = format!("{file}: {name}");
    let mut reading = Reading::default();
    let Some((step, party)) = step_of(document)? else {
        reading.skipped.push(Skipped {
            label,
            reason: SkipReason::NotAStatement,
            message: format!("a {name} reports a state or an error; it is nobody's step"),
        });
        return Ok(reading);
    };
    if let Some(agreement) = root.get("agreement") {
        agreement.need("@id")?.text()?;
    }
    let mut data = Vec::new();
    for target in targets(&root) {
        match target.text()?.parse::<Identifier>() {
            Ok(identifier) => data.push(identifier),
            Err(error) => reading.notes.push(format!(
                "{label}: the target is left out of the data that the step states, for it names \
                 nothing that the ledger knows an identifier for: {error}"
            )),
        }
    }
    // The consumer's process id stands in all messages but a provider's first offer.
    let name = ["consumerPid", "providerPid"]
        .iter()
        .find_map(|key| root.get(key))
        .map(|pid| pid.text().map(str::to_owned))
        .transpose()?;
    reading.steps.push(SaidStep {
        label,
        step,
        party,
        name,
        data,
        document: document.clone(),
    });
    Ok(reading)
}

/// The dataset that an agreement or an offer is about.
///
/// Source: Dataspace Protocol 2025-1, section 8.2: an Agreement, and an Offer that begins a
/// negotiation, name their `target`.
fn targets<'d>(root: &At<'d>) -> impl Iterator<Item = At<'d>> {
    let policies = ["agreement", "offer"].into_iter();
    policies.filter_map(move |policy| root.get(policy)?.get("target"))
}

fn message(name: &str) -> Option<Message> {
    use Party::{Consumer, Provider};
    Some(match name {
        "ContractRequestMessage" => Message::Step(Step::Requested, Some(Consumer)),
        "ContractOfferMessage" => Message::Step(Step::Offered, Some(Provider)),
        "ContractAgreementMessage" => Message::Step(Step::Agreed, Some(Provider)),
        "ContractAgreementVerificationMessage" => Message::Step(Step::Verified, Some(Consumer)),
        "ContractNegotiationEventMessage" => Message::Event,
        "ContractNegotiationTerminationMessage" => Message::Step(Step::Terminated, None),
        "TransferRequestMessage" => Message::Step(Step::TransferRequested, Some(Consumer)),
        "TransferStartMessage" => Message::Step(Step::TransferStarted, None),
        "TransferSuspensionMessage" => Message::Step(Step::TransferSuspended, None),
        "TransferCompletionMessage" => Message::Step(Step::TransferCompleted, None),
        "TransferTerminationMessage" => Message::Step(Step::TransferTerminated, None),
        "ContractNegotiation"
        | "ContractNegotiationError"
        | "TransferProcess"
        | "TransferError"
        | "CatalogError" => Message::NotAStep,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_message_is_a_step_of_the_party_that_sends_such_events() {
        let event =
            |kind: &str| json!({"@type": "ContractNegotiationEventMessage", "eventType": kind});
        let accepted = step_of(&event("ACCEPTED"));
        assert_eq!(accepted, Ok(Some((Step::Accepted, Some(Party::Consumer)))));
        let finalized = step_of(&event("FINALIZED"));
        assert_eq!(
            finalized,
            Ok(Some((Step::Finalized, Some(Party::Provider))))
        );
        assert!(step_of(&event("SIGNED")).is_err());
        assert_eq!(step_of(&json!({"@type": "TransferError"})), Ok(None));
        assert_eq!(step_of(&json!({"some": "document"})), Ok(None));
    }

    #[test]
    fn an_agreement_is_about_its_target() {
        let agreed = |target: &str| {
            let agreement = json!({"@id": "urn:uuid:1", "target": target});
            let message = json!({"@type": "ContractAgreementMessage", "agreement": agreement});
            let reading = read("message.json", &message).unwrap();
            let data: Vec<String> = reading.steps[0]
                .data
                .iter()
                .map(|d| d.to_string())
                .collect();
            (data, reading.notes.len())
        };
        let cells = "dataset:hanbit.example/cells/1";
        assert_eq!(agreed(cells), (vec![cells.to_owned()], 0));
        assert_eq!(agreed("our cells"), (Vec::new(), 1), "noted, and left out");
        let wrong = json!({"@type": "ContractAgreementMessage",
            "agreement": {"@id": "urn:uuid:1", "target": 7}});
        assert!(read("message.json", &wrong).is_err());
        let offer = json!({"@type": "ContractOfferMessage", "offer": {"target": cells}});
        assert_eq!(read("message.json", &offer).unwrap().steps[0].data.len(), 1);
    }
}
