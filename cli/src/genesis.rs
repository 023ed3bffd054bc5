//! `jangbu genesis`: the founding ceremony as files that members hand each other. No secret
//! leaves a member's keystore.
//!
//! ```text
//!   one member:   new ─▶ template.json
//!   each member:  join ─▶ <member>.join.json
//!   one member:   assemble ─▶ content.json
//!   each member:  approve ─▶ <member>.approval.json
//!   one member:   finish ─▶ genesis.json        everyone: verify
//! ```

mod files;
mod summary;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use jangbu_genesis::ceremony::{self, Identity};
use jangbu_genesis::document::{Content, GenesisError, MemberRole, Parameters};
use jangbu_genesis::files::{ApprovalFile, Invitation, JoinFile, TemplateFile};
use jangbu_genesis::{Genesis, TrustAnchor};
use jangbu_ledger::id::ChainId;
use jangbu_ledger::identifier::Prefix;
use jangbu_ledger::policy::policy_text;

use crate::context::Context;
use crate::error::{CliError, Code};
use crate::vault::write_atomic;
use summary::Summary;

/// What to do in the ceremony.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fix the consortium's name, its rules and who is invited
    New {
        /// Name of the consortium: 3 to 40 of a-z, 0-9 and -
        #[arg(long, value_name = "NAME")]
        consortium: String,
        /// Who joins, as which role: operator, participant, auditor, regulator, observer
        #[arg(long, value_name = "NAME:ROLE", required = true, value_parser = invitation)]
        invite: Vec<Invitation>,
        /// A rule of agreement that differs from its default, like propose_ms=800
        #[arg(long, value_name = "KEY=MS", value_parser = parameter)]
        param: Vec<(String, u64)>,
        /// Where to write the template
        #[arg(short, long, value_name = "FILE", default_value = "template.json")]
        output: PathBuf,
    },
    /// Make this member's entry; --member names it, its keys must exist
    Join(Join),
    /// Put the members' entries together
    Assemble {
        /// The template
        template: PathBuf,
        /// Each member's entry
        #[arg(required = true)]
        joins: Vec<PathBuf>,
        /// Where to write the content
        #[arg(short, long, value_name = "FILE", default_value = "content.json")]
        output: PathBuf,
    },
    /// Show the assembled content and sign it as the member whose keys these are
    #[command(visible_alias = "sign")]
    Approve {
        /// The content
        content: PathBuf,
        /// The chain id that the members agreed on by another way; any other is refused
        #[arg(long, value_name = "HEX")]
        chain_id: Option<ChainId>,
        /// Where to write the approval [default: MEMBER.approval.json]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Join content and approvals to the genesis file
    Finish {
        /// The content
        content: PathBuf,
        /// Each member's approval
        #[arg(required = true)]
        approvals: Vec<PathBuf>,
        /// Where to write the genesis file
        #[arg(short, long, value_name = "FILE", default_value = "genesis.json")]
        output: PathBuf,
    },
    /// Check a genesis file and show what it founds
    Verify {
        /// The genesis file
        file: PathBuf,
        /// The chain id it must have
        #[arg(long, value_name = "HEX")]
        chain_id: Option<ChainId>,
    },
    /// Write who must have signed a checkpoint, as a C2SP tlog-policy for programs of others
    Policy {
        /// The genesis file
        file: PathBuf,
        /// Where to write it [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// A member's entry.
#[derive(Debug, clap::Args)]
pub struct Join {
    /// The template
    template: PathBuf,
    /// The member's name for people
    #[arg(long, value_name = "TEXT")]
    display_name: String,
    /// Who it is to others: lei:, gln:, bpn:, eori:, kr-brn:, jp-cn:, did:web: or did:key:
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// Identifiers that only it issues: gs1:, bpn:, domain: or lei:
    #[arg(long = "prefix", value_name = "PREFIX", value_parser = Prefix::parse)]
    prefixes: Vec<Prefix>,
    /// Where peers reach its node, like /dns4/node.example.com/tcp/7401; operators only
    #[arg(long = "address", value_name = "MULTIADDR")]
    addresses: Vec<String>,
    /// Where to write the entry [default: MEMBER.join.json]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Does what the command line asks.
///
/// # Errors
///
/// [`CliError`] naming the file, the field, what is wrong with it and what would be right.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    match command {
        Command::New {
            consortium,
            invite,
            param,
            output,
        } => new(consortium, invite, &param, &output, ctx),
        Command::Join(arguments) => join(arguments, ctx),
        Command::Assemble {
            template,
            joins,
            output,
        } => assemble(&template, &joins, &output, ctx),
        Command::Approve {
            content,
            chain_id,
            output,
        } => approve(&content, chain_id, output, ctx),
        Command::Finish {
            content,
            approvals,
            output,
        } => finish(&content, &approvals, &output, ctx),
        Command::Verify { file, chain_id } => verify(&file, chain_id, ctx),
        Command::Policy { file, output } => policy(&file, output.as_deref(), ctx),
    }
}

fn new(
    consortium: String,
    mut invited: Vec<Invitation>,
    params: &[(String, u64)],
    output: &Path,
    ctx: &Context,
) -> Result<(), CliError> {
    invited.sort_by(|a, b| a.name.cmp(&b.name));
    let template = TemplateFile {
        consortium,
        created_at_ms: now_ms()?,
        parameters: with_changes(Parameters::default(), params)?,
        invited,
    };
    template.check().map_err(CliError::input)?;
    files::write(output, &template)?;
    let next = format!(
        "each of the {} members: `jangbu key new --role ROLE`, then `jangbu genesis join {}`",
        template.invited.len(),
        output.display()
    );
    files::report(ctx, output, None, &next);
    Ok(())
}

fn join(arguments: Join, ctx: &Context) -> Result<(), CliError> {
    let template = files::read(&arguments.template, TemplateFile::parse)?;
    let name = ctx.config()?.member()?.to_owned();
    let role = template
        .role_of(&name)
        .map_err(|error| CliError::file(&arguments.template, error))?;
    if role == MemberRole::Operator && arguments.addresses.is_empty() {
        return Err(
            CliError::input("an operator says where peers reach its node")
                .hint("give --address, like /dns4/node.example.com/tcp/7401"),
        );
    }
    if role != MemberRole::Operator && !arguments.addresses.is_empty() {
        return Err(CliError::input(format!(
            "{name} joins as {role} and runs no node, so that it has no --address"
        )));
    }
    let identity = Identity {
        name: name.clone(),
        display_name: arguments.display_name,
        role,
        identifiers: arguments.ids,
        prefixes: arguments.prefixes,
        addresses: arguments.addresses,
    };
    let keystore = ctx.keystore()?;
    let member = ceremony::join(&template.consortium, identity, &keystore, ctx.passphrase()?)?;
    let output = arguments
        .output
        .unwrap_or_else(|| PathBuf::from(format!("{name}.join.json")));
    let entry = JoinFile {
        consortium: template.consortium,
        member,
    };
    files::write(&output, &entry)?;
    let next = "send it to the member who assembles; it holds no secret";
    files::report(ctx, &output, None, next);
    Ok(())
}

fn assemble(
    template: &Path,
    joins: &[PathBuf],
    output: &Path,
    ctx: &Context,
) -> Result<(), CliError> {
    let parsed = files::read(template, TemplateFile::parse)?;
    let joined = joins
        .iter()
        .map(|file| files::read(file, JoinFile::parse))
        .collect::<Result<_, _>>()?;
    let content = parsed.assemble(joined).map_err(CliError::input)?;
    files::write(output, &content)?;
    let next = format!(
        "each member: `jangbu genesis approve {}`, after comparing the chain id with the others \
         by another way, such as a call",
        output.display()
    );
    files::report(ctx, output, Some(content.chain_id()), &next);
    Ok(())
}

fn approve(
    file: &Path,
    expected: Option<ChainId>,
    output: Option<PathBuf>,
    ctx: &Context,
) -> Result<(), CliError> {
    let content = files::read(file, Content::parse)?;
    check_chain_id(file, content.chain_id(), expected)?;
    ctx.output.note(&Summary::of(&content).to_string());
    let keystore = ctx.keystore()?;
    let approval = ceremony::approve(&content, &keystore, ctx.passphrase()?)?;
    let output =
        output.unwrap_or_else(|| PathBuf::from(format!("{}.approval.json", approval.member)));
    let approval = ApprovalFile {
        chain_id: content.chain_id(),
        approval,
    };
    files::write(&output, &approval)?;
    let next = "send it to the member who finishes; it holds no secret";
    files::report(ctx, &output, Some(approval.chain_id), next);
    Ok(())
}

fn finish(
    file: &Path,
    approvals: &[PathBuf],
    output: &Path,
    ctx: &Context,
) -> Result<(), CliError> {
    let content = files::read(file, Content::parse)?;
    let mut signatures = Vec::new();
    for path in approvals {
        let approval = files::read(path, ApprovalFile::parse)?;
        let signature = approval.of(&content);
        signatures.push(signature.map_err(|error| CliError::file(path, error))?);
    }
    let genesis = ceremony::finish(content, signatures).map_err(CliError::input)?;
    files::write(output, &genesis)?;
    let next = format!(
        "give it to every member and to whoever verifies; each checks it with `jangbu genesis \
         verify {}`",
        output.display()
    );
    files::report(ctx, output, Some(genesis.content.chain_id()), &next);
    Ok(())
}

/// What is unreadable is bad input; what is readable and wrong does not hold.
/// The same text that every node serves, from the file that a verifier trusts.
fn policy(file: &Path, output: Option<&Path>, ctx: &Context) -> Result<(), CliError> {
    let anchor = TrustAnchor::of(&read(file)?).map_err(CliError::input)?;
    let (logs, witnesses) = (&anchor.log_keys, &anchor.witnesses);
    let text = policy_text(&anchor.origin, logs, witnesses, anchor.quorum)
        .map_err(|error| CliError::file(file, error))?;
    match output {
        Some(output) => write_atomic(output, text.as_bytes())?,
        None => ctx.output.raw(&text),
    }
    Ok(())
}

/// Reads a genesis file and checks all of it.
fn read(file: &Path) -> Result<Genesis, CliError> {
    let bytes = files::read_bytes(file)?;
    Genesis::parse(&bytes).map_err(|error| {
        let code = match error {
            GenesisError::Field { .. } | GenesisError::Signature(_) => Code::Refused,
            _ => Code::Input,
        };
        CliError::new(code, format!("{}: {error}", file.display()))
    })
}

fn verify(file: &Path, expected: Option<ChainId>, ctx: &Context) -> Result<(), CliError> {
    let genesis = read(file)?;
    check_chain_id(file, genesis.content.chain_id(), expected)?;
    let summary = Summary::of(&genesis.content);
    ctx.output.object(&summary, || {
        format!(
            "{summary}\nSigned by all {} members. Compare the chain id with another member's.",
            genesis.signatures.len()
        )
    });
    Ok(())
}

fn check_chain_id(file: &Path, got: ChainId, wanted: Option<ChainId>) -> Result<(), CliError> {
    match wanted {
        Some(wanted) if wanted != got => Err(CliError::refused(format!(
            "{}: its chain id is {got}, not {wanted}: it founds another ledger",
            file.display()
        ))),
        _ => Ok(()),
    }
}

fn now_ms() -> Result<u64, CliError> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .ok_or_else(|| CliError::input("this machine's clock is wrong; set it"))
}

fn invitation(text: &str) -> Result<Invitation, String> {
    let (name, role) = text
        .split_once(':')
        .ok_or("write NAME:ROLE, like acme:operator")?;
    Ok(Invitation {
        name: name.to_owned(),
        role: role.parse()?,
    })
}

fn parameter(text: &str) -> Result<(String, u64), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write KEY=MILLISECONDS, like propose_ms=800")?;
    let value = value
        .parse()
        .map_err(|_| format!("{value:?} is no number of milliseconds"))?;
    Ok((key.to_owned(), value))
}

/// The rules with some of them changed, by the names that the file gives them.
fn with_changes(rules: Parameters, changes: &[(String, u64)]) -> Result<Parameters, CliError> {
    let mut value = serde_json::to_value(rules).map_err(CliError::internal)?;
    for (key, ms) in changes {
        let known: Vec<String> = value
            .as_object()
            .map(|fields| fields.keys().cloned().collect())
            .unwrap_or_default();
        let slot = value.get_mut(key).ok_or_else(|| {
            CliError::input(format!("there is no rule {key:?}"))
                .hint(format!("the rules are {}", known.join(", ")))
        })?;
        *slot = (*ms).into();
    }
    serde_json::from_value(value).map_err(CliError::internal)
}
