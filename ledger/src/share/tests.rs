//! Every step by everyone wherever a share may stand, against the same rules written down apart;
//! and any sequence of deeds.

use proptest::prelude::*;

use super::*;
use crate::content;
use crate::id::Digest;

const CONTRACTS: [Contract; 11] = [
    Contract::None,
    Contract::Requested,
    Contract::Offered,
    Contract::Accepted,
    Contract::Agreed,
    Contract::Verified,
    Contract::Finalized,
    Contract::Terminated,
    Contract::ProviderRetired,
    Contract::ConsumerRetired,
    Contract::Closed,
];
const TRANSFERS: [Transfer; 6] = [
    Transfer::None,
    Transfer::Requested,
    Transfer::Started,
    Transfer::Suspended,
    Transfer::Completed,
    Transfer::Terminated,
];
const DELIVERIES: [Delivery; 6] = [
    Delivery::None,
    Delivery::Sent,
    Delivery::Received,
    Delivery::Released,
    Delivery::Confirmed,
    Delivery::Rejected,
];
const HOLDINGS: [Holding; 2] = [Holding::Nothing, Holding::Data];
const DISPUTES: [Dispute; 3] = [Dispute::None, Dispute::ByProvider, Dispute::ByConsumer];

/// The Dataspace Protocol's negotiation and what follows it: per state, what each party may say
/// and what the contract is then. Column by column after the figures of its sections 7.3.
fn contract_said(at: Contract, by: Sender, step: Step) -> Option<Contract> {
    use Contract as S;
    let provider = by == Sender::Provider;
    let consumer = by == Sender::Consumer;
    match step {
        Step::Requested => (consumer && matches!(at, S::None | S::Offered)).then_some(S::Requested),
        Step::Offered => (provider && matches!(at, S::None | S::Requested)).then_some(S::Offered),
        Step::Accepted => (consumer && at == S::Offered).then_some(S::Accepted),
        Step::Agreed => (provider && matches!(at, S::Requested | S::Accepted)).then_some(S::Agreed),
        Step::Verified => (consumer && at == S::Agreed).then_some(S::Verified),
        Step::Finalized => (provider && at == S::Verified).then_some(S::Finalized),
        Step::Terminated => {
            let whose = match at {
                S::Requested | S::Offered => provider || consumer,
                S::Accepted | S::Verified => provider,
                S::Agreed => consumer,
                _ => false,
            };
            whose.then_some(S::Terminated)
        }
        Step::Retired if at == S::Finalized && provider => Some(S::ProviderRetired),
        Step::Retired if at == S::Finalized && consumer => Some(S::ConsumerRetired),
        Step::RetirementAcknowledged => {
            let whose =
                (at == S::ProviderRetired && consumer) || (at == S::ConsumerRetired && provider);
            whose.then_some(S::Closed)
        }
        _ => None,
    }
}

/// Where everything stands after a step, in words instead of tables.
fn said(at: Stand, by: Sender, step: Step) -> Option<Stand> {
    use Delivery as D;
    use Transfer as T;
    let provider = by == Sender::Provider;
    let consumer = by == Sender::Consumer;
    let party = provider || consumer;
    let force = at.contract == Contract::Finalized;
    let retired = matches!(
        at.contract,
        Contract::ProviderRetired | Contract::ConsumerRetired | Contract::Closed
    );
    let mut to = at;
    let legal = match step {
        Step::Used => true,
        Step::Granted => party && at.contract != Contract::None,
        Step::TransferRequested => {
            to.transfer = T::Requested;
            to.delivery = D::None;
            let free = matches!(at.transfer, T::None | T::Completed | T::Terminated);
            let answered = !matches!(at.delivery, D::Received | D::Released);
            force && consumer && free && answered
        }
        Step::TransferStarted => {
            to.transfer = T::Started;
            force
                && ((provider && at.transfer == T::Requested)
                    || (party && at.transfer == T::Suspended))
        }
        Step::TransferSuspended => {
            to.transfer = T::Suspended;
            force && party && at.transfer == T::Started
        }
        Step::TransferCompleted => {
            to.transfer = T::Completed;
            (force || retired) && party && at.transfer == T::Started
        }
        Step::TransferTerminated => {
            to.transfer = T::Terminated;
            let live = matches!(at.transfer, T::Requested | T::Started | T::Suspended);
            (force || retired) && party && live
        }
        Step::Received => {
            to.delivery = D::Received;
            to.holding = Holding::Data;
            let moving = matches!(at.transfer, T::Started | T::Completed);
            force && consumer && moving && at.delivery == D::Sent
        }
        Step::KeyReleased => {
            to.delivery = D::Released;
            let moving = matches!(at.transfer, T::Started | T::Completed);
            force && provider && moving && at.delivery == D::Received
        }
        Step::Confirmed => {
            to.delivery = D::Confirmed;
            (force || retired) && consumer && matches!(at.delivery, D::Received | D::Released)
        }
        Step::Rejected => {
            to.delivery = D::Rejected;
            let open = matches!(at.delivery, D::Sent | D::Received | D::Released);
            (force || retired) && consumer && open
        }
        Step::DeletionConfirmed => {
            to.holding = Holding::Nothing;
            (force || retired) && consumer && at.holding == Holding::Data
        }
        Step::Disputed => {
            to.dispute = if provider {
                Dispute::ByProvider
            } else {
                Dispute::ByConsumer
            };
            (force || retired) && party && at.dispute == Dispute::None
        }
        Step::Resolved => {
            to.dispute = Dispute::None;
            let whose = match at.dispute {
                Dispute::None => false,
                Dispute::ByProvider => provider || by == Sender::Arbiter,
                Dispute::ByConsumer => consumer || by == Sender::Arbiter,
            };
            (force || retired) && whose
        }
        _ => {
            to.contract = contract_said(at.contract, by, step)?;
            true
        }
    };
    legal.then_some(to)
}

/// Whether a refusal says the right thing: never this sender's, over, or not now.
fn refusal(at: Stand, by: Sender, step: Step) -> Refused {
    let never = match by {
        Sender::Other => step != Step::Used,
        Sender::Arbiter => !matches!(step, Step::Used | Step::Resolved),
        Sender::Provider => matches!(
            step,
            Step::Requested
                | Step::Accepted
                | Step::Verified
                | Step::TransferRequested
                | Step::Received
                | Step::Confirmed
                | Step::Rejected
                | Step::DeletionConfirmed
        ),
        Sender::Consumer => matches!(
            step,
            Step::Offered | Step::Agreed | Step::Finalized | Step::KeyReleased
        ),
    };
    if never {
        return Refused::Sender;
    }
    let closing = matches!(
        step,
        Step::RetirementAcknowledged
            | Step::TransferCompleted
            | Step::TransferTerminated
            | Step::Confirmed
            | Step::Rejected
            | Step::DeletionConfirmed
            | Step::Disputed
            | Step::Resolved
    );
    match at.contract {
        Contract::Terminated if step == Step::RetirementAcknowledged => Refused::Order,
        Contract::Terminated => Refused::Closed,
        Contract::ProviderRetired | Contract::ConsumerRetired | Contract::Closed if !closing => {
            Refused::Closed
        }
        _ => Refused::Order,
    }
}

#[test]
fn every_step_by_everyone_wherever_a_share_stands_is_judged_as_said() {
    let (mut judged, mut legal) = (0, 0);
    for contract in CONTRACTS {
        for transfer in TRANSFERS {
            for delivery in DELIVERIES {
                for holding in HOLDINGS {
                    for dispute in DISPUTES {
                        let stand = Stand {
                            contract,
                            transfer,
                            delivery,
                            holding,
                            dispute,
                        };
                        for by in Sender::ALL {
                            for step in Step::ALL {
                                let expected =
                                    said(stand, by, step).ok_or_else(|| refusal(stand, by, step));
                                assert_eq!(
                                    stand.after(by, step),
                                    expected,
                                    "{stand:?} {by:?} {step:?}"
                                );
                                judged += 1;
                                legal += u32::from(expected.is_ok());
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(judged, 11 * 6 * 6 * 2 * 3 * 4 * 23);
    assert!(legal > 1_000, "{legal}");
}

#[test]
fn the_dataspace_protocols_triples_are_as_its_specification_says() {
    // 8 states of the negotiation × 7 messages × 2 senders, 6 of the transfer × 5 × 2.
    let negotiation = &Step::ALL[..7];
    let allowed: usize = CONTRACTS[..8]
        .iter()
        .flat_map(|at| Sender::ALL[..2].iter().map(move |by| (at, by)))
        .map(|(at, by)| {
            let stand = Stand {
                contract: *at,
                ..Stand::default()
            };
            negotiation
                .iter()
                .filter(|step| stand.after(*by, **step).is_ok())
                .count()
        })
        .sum();
    assert_eq!(allowed, 16);
    let messages = [
        Step::TransferRequested,
        Step::TransferStarted,
        Step::TransferSuspended,
        Step::TransferCompleted,
        Step::TransferTerminated,
    ];
    let mut allowed = 0;
    for transfer in TRANSFERS {
        for by in &Sender::ALL[..2] {
            let stand = Stand {
                contract: Contract::Finalized,
                transfer,
                ..Stand::default()
            };
            allowed += messages
                .iter()
                .filter(|step| stand.after(*by, **step).is_ok())
                .count();
        }
    }
    // 14 of one process, and 2 that begin another one when it is over.
    assert_eq!(allowed, 14 + 2);
}

#[test]
fn no_row_stands_twice() {
    fn distinct<S: Copy + Ord>(rows: &[table::Row<S>]) {
        let mut keys: Vec<_> = rows
            .iter()
            .map(|(at, by, step, _)| (*at, *by, *step))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), rows.len());
    }
    distinct(table::CONTRACT);
    distinct(table::TRANSFER);
    distinct(table::DELIVERY);
    distinct(table::HOLDING);
    distinct(table::DISPUTE);
}

fn root(n: u8) -> Digest {
    Digest([n; 32])
}

fn sent(n: u8, sealed: bool) -> Deed {
    Deed::TransferStarted {
        sent: Some(Sent {
            root: root(n),
            sealing: sealed.then(|| Sealing {
                content_root: root(n),
                wrap: root(n),
                bytes: 1,
            }),
        }),
    }
}

const P: Party = Party::Provider;
const C: Party = Party::Consumer;
const WRAPPED: Deed = Deed::KeyReleased {
    wrapped: WrappedKey([0; 72]),
};

fn agreed(permits: &[&str]) -> Deed {
    let permits = permits.iter().map(|code| UseCode::parse(code).unwrap());
    Deed::Agreed {
        permits: permits.collect(),
        data: Vec::new(),
    }
}

/// A share with a final contract and a transfer that was asked for.
fn asked() -> Share {
    let offered = Deed::Offered {
        permits: Vec::new(),
        data: Vec::new(),
    };
    run(
        Share::default(),
        &[
            (C, Deed::Requested),
            (P, offered),
            (C, Deed::Accepted),
            (P, agreed(&["ai-training"])),
            (C, Deed::Verified),
            (P, Deed::Finalized),
            (C, Deed::TransferRequested),
        ],
    )
}

fn run(share: Share, deeds: &[(Party, Deed)]) -> Share {
    deeds
        .iter()
        .fold(share, |share, (by, deed)| share.after(*by, deed).unwrap())
}

fn rule(share: &Share, by: Party, deed: &Deed) -> Option<Rule> {
    share.after(by, deed).err().map(|error| {
        assert!(error.to_string().starts_with(error.rule().id()), "{error}");
        error.rule()
    })
}

#[test]
fn a_fair_receipt_goes_step_by_step() {
    let share = asked();
    let resumed = Deed::TransferStarted { sent: None };
    assert_eq!(rule(&share, P, &resumed), Some(Rule::ShareRoot));
    let share = run(share, &[(P, sent(1, true))]);
    let other = Deed::Received { root: root(2) };
    assert_eq!(rule(&share, C, &other), Some(Rule::ShareRoot));
    assert_eq!(rule(&share, P, &WRAPPED), Some(Rule::ShareOrder));
    let share = run(share, &[(C, Deed::Received { root: root(1) })]);
    assert_eq!(rule(&share, C, &Deed::Confirmed), Some(Rule::ShareKey));
    assert_eq!(rule(&share, C, &WRAPPED), Some(Rule::ShareParty));
    let share = run(share, &[(P, WRAPPED)]);
    assert_eq!(
        rule(&share, P, &WRAPPED),
        Some(Rule::ShareOrder),
        "released once"
    );
    let share = run(share, &[(C, Deed::Confirmed), (C, Deed::TransferCompleted)]);
    assert_eq!(share.stand.delivery, Delivery::Confirmed);
    assert_eq!(share.stand.transfer, Transfer::Completed);
}

#[test]
fn what_was_not_sealed_has_no_key_and_is_confirmed_at_once() {
    let received = Deed::Received { root: root(1) };
    let share = run(asked(), &[(P, sent(1, false)), (C, received)]);
    assert_eq!(rule(&share, P, &WRAPPED), Some(Rule::ShareKey));
    let owed = Deed::Rejected {
        reason: Rejection::NoKey,
    };
    assert_eq!(rule(&share, C, &owed), Some(Rule::ShareRejection));
    run(share, &[(C, Deed::Confirmed)]);
}

#[test]
fn a_rejection_has_a_reason_that_can_be() {
    let rejected = |reason| Deed::Rejected { reason };
    let share = run(asked(), &[(P, sent(1, true))]);
    let same = rejected(Rejection::Differs { root: root(1) });
    assert_eq!(rule(&share, C, &same), Some(Rule::ShareRejection));
    let chunk = rejected(Rejection::WrongChunk { index: 3 });
    assert_eq!(rule(&share, C, &chunk), Some(Rule::ShareRejection));
    let differs = rejected(Rejection::Differs { root: root(2) });
    let rejected_share = run(share.clone(), &[(C, differs.clone())]);
    assert_eq!(rejected_share.stand.holding, Holding::Nothing);
    let share = run(share, &[(C, Deed::Received { root: root(1) })]);
    assert_eq!(rule(&share, C, &differs), Some(Rule::ShareRejection));
    assert_eq!(rule(&share, C, &chunk), Some(Rule::ShareRejection));
    run(share.clone(), &[(C, rejected(Rejection::NoKey))]);
    let share = run(share, &[(P, WRAPPED)]);
    let owed = rejected(Rejection::NoKey);
    assert_eq!(rule(&share, C, &owed), Some(Rule::ShareRejection));
    // Whoever ends the transfer or the contract does not end the right to say what is wrong.
    let share = run(share, &[(P, Deed::TransferTerminated), (P, Deed::Retired)]);
    let share = run(share, &[(C, chunk)]);
    assert_eq!(share.stand.delivery, Delivery::Rejected);
}

#[test]
fn only_the_provider_says_what_is_sent_and_a_resumed_transfer_goes_on() {
    let received = Deed::Received { root: root(1) };
    let share = run(
        asked(),
        &[
            (P, sent(1, true)),
            (C, received),
            (C, Deed::TransferSuspended),
        ],
    );
    assert_eq!(rule(&share, C, &sent(2, true)), Some(Rule::ShareRoot));
    let resumed = Deed::TransferStarted { sent: None };
    for by in [P, C] {
        let on = run(share.clone(), &[(by, resumed.clone())]);
        assert_eq!(on.stand.delivery, Delivery::Received);
        assert_eq!(on.root(), Some(root(1)));
    }
    let again = run(share, &[(P, sent(1, true))]);
    assert_eq!(
        again.stand.delivery,
        Delivery::Sent,
        "a delivery of its own"
    );
}

#[test]
fn a_use_is_covered_by_an_agreement_in_force_whose_data_is_held() {
    let code = |text: &&str| UseCode::parse(text).unwrap();
    let agreement = Identifier::uuid([1; 16]);
    let input = Input::under(agreement.clone());
    let usage = |codes: &[&str]| Usage {
        codes: codes.iter().map(code).collect(),
        ..Usage::new(code(&"ai-training"), vec![input.clone()], Vec::new())
    };
    let training = usage(&[]);
    let by = |share: &Share, user| Covered::of(&training, &input, Some((share, user)));
    let asked = asked();
    assert_eq!(Covered::of(&training, &input, None), Covered::Unknown);
    assert_eq!(by(&asked, User::Stranger), Covered::Foreign);
    assert_eq!(by(&asked, User::Provider), Covered::Permitted);
    assert_eq!(by(&asked, User::Consumer), Covered::NotHeld);
    assert_eq!(by(&Share::default(), User::Consumer), Covered::NotFinal);
    let received = Deed::Received { root: root(1) };
    let held = run(asked, &[(P, sent(1, true)), (C, received)]);
    assert_eq!(by(&held, User::Consumer), Covered::Permitted);
    let resold = |share| {
        let resale = usage(&["resale"]);
        Covered::of(&resale, &input, Some((share, User::Consumer)))
    };
    assert_eq!(resold(&held), Covered::NotPermitted);
    let free = Share {
        permits: Vec::new(),
        ..held.clone()
    };
    assert_eq!(
        resold(&free),
        Covered::Permitted,
        "no codes: the document says"
    );

    // Which data, and which of it.
    let of =
        |share: &Share, input: &Input| Covered::of(&training, input, Some((share, User::Consumer)));
    let data = Input {
        data: Identifier::uuid([2; 16]),
        ..input.clone()
    };
    assert_eq!(of(&held, &data), Covered::Permitted, "the document says");
    let about = |n| Share {
        data: vec![Identifier::uuid([n; 16])],
        ..held.clone()
    };
    assert_eq!(of(&about(2), &data), Covered::Permitted);
    assert_eq!(of(&about(3), &data), Covered::OtherData);
    assert_eq!(of(&about(3), &input), Covered::Permitted, "whatever it is");
    let without = Input {
        agreement: None,
        ..data.clone()
    };
    let named = Covered::of(&training, &without, None);
    assert_eq!(named, Covered::NoAgreement);
    let part = |n, last| Input {
        part: Some(Part {
            root: root(n),
            chunks: vec![Span { first: 0, last }],
        }),
        ..data.clone()
    };
    let chunks = content::chunks(held.sealing().unwrap().bytes);
    assert_eq!(of(&held, &part(1, chunks - 1)), Covered::Permitted);
    assert_eq!(of(&held, &part(1, chunks)), Covered::NotSent);
    assert_eq!(of(&held, &part(2, 0)), Covered::NotSent);

    let deleted = run(held.clone(), &[(C, Deed::DeletionConfirmed)]);
    assert_eq!(by(&deleted, User::Consumer), Covered::NotHeld);
    let ended = run(held, &[(P, Deed::Retired)]);
    assert_eq!(by(&ended, User::Consumer), Covered::Ended);
    // Evidence is never refused.
    for share in [Share::default(), ended, deleted] {
        for by in Sender::ALL {
            assert_eq!(
                share.after(by, &Deed::Used(training.clone())),
                Ok(share.clone())
            );
        }
    }
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let digest = || (1u8..3).prop_map(root);
    let reason = prop_oneof![
        digest().prop_map(|root| Rejection::Differs { root }),
        Just(Rejection::NoKey),
        Just(Rejection::WrongKey),
        (0u64..3).prop_map(|index| Rejection::WrongChunk { index }),
        Just(Rejection::Unfit),
    ];
    prop_oneof![
        6 => prop::sample::select(vec![
            Deed::Requested,
            Deed::Offered { permits: Vec::new(), data: Vec::new() },
            Deed::Accepted,
            agreed(&[]),
            agreed(&["ai-training"]),
            Deed::Verified,
            Deed::Finalized,
            Deed::TransferRequested,
            WRAPPED,
            Deed::Confirmed,
            Deed::TransferSuspended,
            Deed::TransferCompleted,
            Deed::DeletionConfirmed,
            Deed::Disputed,
            Deed::Resolved,
            Deed::TransferStarted { sent: None },
        ]),
        1 => prop::sample::select(vec![
            Deed::Terminated,
            Deed::TransferTerminated,
            Deed::Retired,
            Deed::RetirementAcknowledged,
        ]),
        2 => (1u8..3, any::<bool>()).prop_map(|(n, sealed)| sent(n, sealed)),
        1 => digest().prop_map(|root| Deed::Received { root }),
        1 => reason.prop_map(|reason| Deed::Rejected { reason }),
    ]
}

fn any_sender() -> impl Strategy<Value = Sender> {
    prop::sample::select(vec![
        Sender::Provider,
        Sender::Provider,
        Sender::Consumer,
        Sender::Consumer,
        Sender::Arbiter,
        Sender::Other,
    ])
}

/// What no sequence may bring about, from what was said so far.
fn check(share: &Share, said: &[(Sender, Deed)]) {
    let was = |step: Step| said.iter().any(|(_, deed)| deed.step() == step);
    let stand = share.stand;
    let phase = stand.contract.phase();
    let concluded = matches!(phase, Phase::InForce | Phase::Closing);
    assert!(
        concluded
            || (stand.transfer, stand.delivery, stand.holding, stand.dispute) == Default::default(),
        "{stand:?}"
    );
    assert!(!concluded || (was(Step::Agreed) && was(Step::Verified) && was(Step::Finalized)));
    assert_eq!(
        stand.delivery != Delivery::None,
        share.sent.is_some(),
        "{stand:?}"
    );
    assert!(stand.transfer != Transfer::None || stand.delivery == Delivery::None);
    if stand.delivery == Delivery::Released {
        assert!(share.sealing().is_some() && was(Step::Received) && was(Step::KeyReleased));
    }
    if stand.holding == Holding::Data {
        assert!(was(Step::Received));
    }
    if stand.contract == Contract::Closed {
        assert!(was(Step::Retired) && was(Step::RetirementAcknowledged));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_sequence_of_deeds_reaches_an_illegal_state(
        all in prop::collection::vec((any_sender(), any_deed()), 1..80),
        head_start in any::<bool>(),
    ) {
        let mut share = Share::default();
        let mut said = Vec::new();
        if head_start {
            share = asked();
            said.extend([Step::Agreed, Step::Verified, Step::Finalized].map(|step| match step {
                Step::Agreed => (Sender::Provider, agreed(&[])),
                Step::Verified => (Sender::Consumer, Deed::Verified),
                _ => (Sender::Provider, Deed::Finalized),
            }));
        }
        for (by, deed) in all {
            let Ok(next) = share.after(by, &deed) else { continue };
            // Over is over.
            if share.stand.contract.phase() == Phase::Over {
                prop_assert_eq!(&next, &share);
            }
            if share.stand.contract.phase() == Phase::Closing {
                prop_assert_eq!(next.stand.contract.phase(), Phase::Closing);
                prop_assert_eq!(&next.sent, &share.sent);
                prop_assert!(next.stand.holding <= share.stand.holding);
            }
            said.push((by, deed));
            share = next;
            check(&share, &said);
        }
    }
}

#[test]
fn the_sequences_reach_every_step() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec((any_sender(), any_deed()), 100);
    let mut taken = std::collections::BTreeSet::new();
    for _ in 0..2_000 {
        let all = strategy.new_tree(&mut runner).unwrap().current();
        let mut share = asked();
        for (by, deed) in all {
            if let Ok(next) = share.after(by, &deed) {
                taken.insert(deed.step());
                share = next;
            }
        }
    }
    let late: Vec<Step> = Step::ALL[7..]
        .iter()
        .copied()
        .filter(|step| !matches!(step, Step::Used | Step::Granted))
        .collect();
    for step in late {
        assert!(taken.contains(&step), "{step:?} was never taken: {taken:?}");
    }
}
