//! `share use`: what data was used for, what was run, and what came of it.

use std::str::FromStr;

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Deed, Fingerprint, Input, Output, Part, Share, Span, Usage, UseCode};

use super::{StepArgs, find, history, said, sorted};
use crate::context::Context;
use crate::error::CliError;

/// Arguments of `share use`.
#[derive(Debug, clap::Args)]
pub struct UseArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// What it was used for
    #[arg(long, value_name = "CODE", default_value = UseCode::AI_TRAINING)]
    pub activity: UseCode,
    /// A further use that must be permitted; repeatable
    #[arg(long = "use-code", value_name = "CODE")]
    pub codes: Vec<UseCode>,
    /// Which of the share's data [default: what the agreement is about]
    #[arg(long, value_name = "ID")]
    pub data: Option<Identifier>,
    /// Only these chunks of what was last sent: 0-811,815
    #[arg(long, value_name = "LIST")]
    pub chunks: Option<Chunks>,
    /// Other data that went in: "DATA [under AGREEMENT] [chunks LIST of ROOT]"; repeatable. The
    /// agreement: an open one's name, a sealed one's subject; none for data of your own
    #[arg(long = "input", value_name = "INPUT")]
    pub inputs: Vec<Stated>,
    /// A version that was made, and what its files are: "model:… [as DIGEST]"; repeatable
    #[arg(long = "output", value_name = "OUTPUT")]
    pub outputs: Vec<Made>,
    /// The code that ran: gitCommit:HEX, sha256:HEX or blake3:HEX
    #[arg(long, value_name = "DIGEST")]
    pub code: Option<Fingerprint>,
    /// What it ran in, a container image for instance: sha256:HEX or blake3:HEX
    #[arg(long, value_name = "DIGEST")]
    pub environment: Option<Fingerprint>,
}

/// Chunks by their numbers.
#[derive(Debug, Clone)]
pub struct Chunks(Vec<Span>);

/// An [`Input`] as an argument.
#[derive(Debug, Clone)]
pub struct Stated(Input);

/// An [`Output`] as an argument.
#[derive(Debug, Clone)]
pub struct Made(Output);

impl Chunks {
    /// The chunks one by one, if they are in order, each once, and at most `limit`.
    pub(super) fn numbers(&self, limit: usize) -> Option<Vec<u64>> {
        let mut numbers: Vec<u64> = Vec::new();
        for span in &self.0 {
            let ascending = numbers.last().is_none_or(|last| *last < span.first);
            let run = span.last.checked_sub(span.first)?;
            let left = (limit - numbers.len()) as u64;
            if !ascending || run >= left {
                return None;
            }
            numbers.extend(span.first..=span.last);
        }
        Some(numbers)
    }
}

impl FromStr for Chunks {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().ok();
        let span = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            Some(Span {
                first: number(first)?,
                last: number(last)?,
            })
        };
        let spans = text.split(',').map(span).collect::<Option<_>>();
        spans.map(Self).ok_or_else(|| {
            format!("{text:?}: expected numbers of chunks and runs of them, like 0-811,815")
        })
    }
}

impl FromStr for Stated {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || format!("{text:?}: expected DATA [under AGREEMENT] [chunks LIST of ROOT]");
        let mut words = text.split_whitespace();
        let data = identifier(words.next().ok_or_else(shape)?)?;
        let mut input = Input {
            data,
            agreement: None,
            part: None,
        };
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(shape)?;
            match word {
                "under" if input.agreement.is_none() && input.part.is_none() => {
                    input.agreement = Some(identifier(value)?);
                }
                "chunks" if input.part.is_none() && words.next() == Some("of") => {
                    let root = words.next().and_then(|root| root.parse().ok());
                    input.part = Some(Part {
                        root: root
                            .ok_or_else(|| format!("{text:?}: a root has 64 hexadecimal digits"))?,
                        chunks: value.parse::<Chunks>()?.0,
                    });
                }
                _ => return Err(shape()),
            }
        }
        Ok(Self(input))
    }
}

impl FromStr for Made {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let content = match words.as_slice() {
            [_] => None,
            [_, "as", digest] => Some(digest.parse::<Fingerprint>().map_err(|e| e.to_string())?),
            _ => return Err(format!("{text:?}: expected ID [as DIGEST]")),
        };
        let made = identifier(words.first().copied().unwrap_or_default())?;
        Ok(Self(Output { made, content }))
    }
}

fn identifier(text: &str) -> Result<Identifier, String> {
    text.parse::<Identifier>()
        .map_err(|error| error.to_string())
}

/// Records a use.
pub(super) fn run(ctx: &Context, args: UseArgs) -> Result<(), CliError> {
    let stream = find(ctx, &args.step.share, None)?;
    let share = history::read(ctx, &stream)?.share;
    let own = own(stream.subject(), &share, args.data, args.chunks)?;
    let others = args.inputs.into_iter().map(|Stated(input)| input);
    let usage = Usage {
        codes: sorted(args.codes),
        code: args.code,
        environment: args.environment,
        ..Usage::new(
            args.activity,
            std::iter::once(own).chain(others).collect(),
            args.outputs
                .into_iter()
                .map(|Made(output)| output)
                .collect(),
        )
    };
    said(ctx, &stream, &args.step, Deed::Used(usage), None).map(|_| ())
}

/// What came under the share that the use is recorded in.
fn own(
    agreement: Identifier,
    share: &Share,
    data: Option<Identifier>,
    chunks: Option<Chunks>,
) -> Result<Input, CliError> {
    let data = match (data, share.data.as_slice()) {
        (Some(data), _) => data,
        (None, [only]) => only.clone(),
        (None, []) => agreement.clone(),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(Identifier::as_str).collect();
            return Err(CliError::input("the agreement is about several datasets")
                .hint(format!("say which: --data {}", names.join(", or --data "))));
        }
    };
    let part = match (chunks, share.root()) {
        (None, _) => None,
        (Some(Chunks(chunks)), Some(root)) => Some(Part { root, chunks }),
        (Some(_), None) => {
            return Err(
                CliError::input("--chunks: nothing was sent under this share")
                    .hint("chunks are numbered within a delivery"),
            );
        }
    };
    Ok(Input {
        data,
        agreement: Some(agreement),
        part,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_and_outputs_are_written_as_they_are_read() {
        let root = "0a".repeat(32);
        let part = format!("chunks 0-811,815 of {root}");
        for text in [
            "dataset:example.com/cells".to_owned(),
            "dataset:example.com/cells under https://example.com/a/1".to_owned(),
            format!("dataset:example.com/cells under https://example.com/a/1 {part}"),
            format!("dataset:example.com/cells {part}"),
        ] {
            assert_eq!(text.parse::<Stated>().unwrap().0.to_string(), text);
        }
        for bad in [
            String::new(),
            "cells".to_owned(),
            "dataset:example.com/cells under".to_owned(),
            "dataset:example.com/cells over https://example.com/a/1".to_owned(),
            format!("dataset:example.com/cells chunks 0- of {root}"),
            "dataset:example.com/cells chunks 0 of 0a".to_owned(),
            format!("dataset:example.com/cells {part} under https://example.com/a/1"),
        ] {
            assert!(bad.parse::<Stated>().is_err(), "{bad}");
        }
        let made: Made = format!("model:example.com/m/1 as sha256:{root}")
            .parse()
            .unwrap();
        assert_eq!(made.0.made.as_str(), "model:example.com/m/1");
        assert_eq!(made.0.content.unwrap().hex(), root);
        for bad in [
            "",
            "model:example.com/m as",
            "model:example.com/m as 0a",
            "x",
        ] {
            assert!(bad.parse::<Made>().is_err(), "{bad}");
        }
    }

    #[test]
    fn chunks_are_counted_out_in_order_and_within_a_bound() {
        let numbers = |text: &str| text.parse::<Chunks>().unwrap().numbers(4);
        assert_eq!(numbers("0-2,7"), Some(vec![0, 1, 2, 7]));
        assert_eq!(numbers("5"), Some(vec![5]));
        for bad in [
            "0-4",
            "0-3,9",
            "3,2",
            "1,1",
            "2-1",
            "0-18446744073709551615",
        ] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_the_agreement_is_about_is_what_was_used() {
        let id = |n: u8| Identifier::uuid([n; 16]);
        let about = |data: Vec<Identifier>| Share {
            data,
            ..Share::default()
        };
        let of = |share: &Share, data| own(id(9), share, data, None).map(|input| input.data);
        assert_eq!(of(&about(vec![id(1)]), None).unwrap(), id(1));
        assert_eq!(of(&about(Vec::new()), None).unwrap(), id(9));
        assert_eq!(of(&about(vec![id(1), id(2)]), Some(id(2))).unwrap(), id(2));
        let error = of(&about(vec![id(1), id(2)]), None).unwrap_err();
        assert!(error.message.contains("several"), "{error}");
        let chunks = Some("0-3".parse().unwrap());
        assert!(own(id(9), &Share::default(), None, chunks).is_err());
    }
}
