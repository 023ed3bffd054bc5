//! `jangbu link transform`: what went into what, and how much of it.

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Kind, Portion, Quantity, Stream};

use crate::context::Context;
use crate::drafting::{Remark, draft_of};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions};

/// Schema of what a transformation has for a body.
const SCHEMA: &str = "jangbu/transformed/v1";
/// Unit of an amount that names none.
const PIECE: &str = "unit:piece";

/// Arguments of `link transform`.
#[derive(Debug, clap::Args)]
pub struct Transform {
    /// What went in, alone or with how much of it: "2.5 KGM ID", "3 ID". May be repeated; without
    /// any, this states how much of your product there is
    #[arg(long = "in", value_name = "[NUMBER [UNIT]] ID", value_parser = portion)]
    inputs: Vec<Portion>,
    /// What came out, likewise: products of yours
    #[arg(long = "out", value_name = "[NUMBER [UNIT]] ID", value_parser = portion, required = true)]
    outputs: Vec<Portion>,
    /// Which repetition this is of the very same, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    occurrence: u32,
    #[command(flatten)]
    remark: Remark,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Reads "ID", "NUMBER ID" or "NUMBER UNIT ID".
fn portion(text: &str) -> Result<Portion, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (of, amount) = match words.as_slice() {
        [of] => (of, None),
        [number, of] => (of, Some((number, PIECE))),
        [number, unit, of] => (of, Some((number, *unit))),
        _ => return Err("expected ID, \"NUMBER ID\" or \"NUMBER UNIT ID\"".to_owned()),
    };
    let quantity = amount.map(|(number, unit)| {
        Quantity::parse(number, unit).ok_or_else(|| {
            format!(
                "{number} {unit} is no amount: a decimal number that is not negative, at most 9 \
                 decimal places, and a unit of at most 32 bytes"
            )
        })
    });
    Ok(Portion {
        of: of
            .parse::<Identifier>()
            .map_err(|error| error.to_string())?,
        quantity: quantity.transpose()?,
    })
}

pub(super) fn draft(args: &Transform, ctx: &Context) -> Result<Draft, CliError> {
    let (inputs, outputs) = (args.inputs.clone(), args.outputs.clone());
    let streams: Vec<Stream> = outputs
        .iter()
        .map(|output| Stream::Open(output.of.clone()))
        .collect();
    let names = |portions: &[Portion]| {
        let names: Vec<String> = portions.iter().map(|one| one.of.to_string()).collect();
        names.join(" and ")
    };
    let label = match inputs.as_slice() {
        [] => format!("how much there is of {}", names(&outputs)),
        inputs => format!("{} made of {}", names(&outputs), names(inputs)),
    };
    let first = args.outputs.first();
    let subject = first.ok_or_else(|| CliError::input("name what came out with --out"))?;
    let kind = Kind::Transformed { inputs, outputs };
    let body = args.remark.body(SCHEMA);
    let mut draft = draft_of(ctx, streams, &subject.of, kind, body, label)?;
    draft.statement.occurrence = args.occurrence;
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_read_as_people_say_it() {
        const ID: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";
        let read = |amount: &str| portion(&format!("{amount} {ID}")).map(|one| one.quantity);
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("3"), Ok(Quantity::parse("3", PIECE)));
        assert_eq!(read("2.5 KGM"), Ok(Quantity::parse("2.5", "KGM")));
        for bad in ["-1", "x KGM", "1e3 KGM", "1 KGM of"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(portion("").is_err());
        assert!(portion("2 KGM no-identifier").is_err());
    }
}
