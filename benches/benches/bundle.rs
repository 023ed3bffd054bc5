//! Verifying the bundle of one product with twenty statements, as `jangbu verify` does: from its
//! bytes to the report.

use jangbu_benches::measure::{Samples, load};
use jangbu_ledger::bundle::{self, Bundle};
use jangbu_tests::world::story;

/// What a typical product has.
const STATEMENTS: u8 = 20;
/// How often it is verified.
const ROUNDS: usize = 200;

fn main() -> anyhow::Result<()> {
    let (world, bundle) = story::typical(STATEMENTS)?;
    let text = bundle.to_json()?;
    let anchor = world.anchor.verifier();
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let report = samples.take(|| -> anyhow::Result<_> {
            let read = Bundle::parse(text.as_bytes())?;
            Ok(bundle::verify(&read, &anchor)?)
        })?;
        anyhow::ensure!(
            report.statements.len() == usize::from(STATEMENTS),
            "{report:?}"
        );
    }
    println!(
        "bundle::verify/statements={STATEMENTS}: {:.2} ms CPU; wall {:.2} ms in the middle, {:.2} ms \
         at 99 %; {} bytes; load {}",
        samples.cpu().as_secs_f64() * 1e3,
        samples.wall(50).as_secs_f64() * 1e3,
        samples.wall(99).as_secs_f64() * 1e3,
        text.len(),
        load()
    );
    Ok(())
}
