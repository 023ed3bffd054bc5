//! The founding ceremony: every member makes its keys at home and hands in public halves only.
//!
//! ```text
//!   template ─▶ each member: join ─▶ assemble ─▶ each member: approve ─▶ genesis.json
//! ```
//!
//! Each Ed25519 key signs the member's record to prove that the member holds it; the admin key
//! vouches for the X25519 key, which cannot sign. When all is assembled, every member's admin key
//! signs the chain id.

use ed25519_dalek::Signer as _;
use jangbu_ledger::codec;
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::{ChainId, Digest};
use jangbu_ledger::identifier::Prefix;
use jangbu_ledger::signature::{PublicKey, Signature};

use crate::document::{
    Content, FORMAT_VERSION, Genesis, GenesisError, Member, MemberKeys, MemberRole,
    MemberSignature, Parameters, ValidatorKeys,
};
use crate::error::field;
use crate::key_file::{Purpose, SecretKey};
use crate::keystore::{Keystore, KeystoreError, Passphrase};
use crate::party::PartyIdentifier;

const POSSESSION: Domain = Domain::new("jangbu/genesis-possession/v1");
const APPROVAL: Domain = Domain::new("jangbu/genesis-approval/v1");

/// What one member fixes before the others join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The consortium's name.
    pub consortium: String,
    /// When, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// The rules of agreement.
    pub parameters: Parameters,
}

/// Who joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name: 2 to 32 of `a-z`, `0-9`, `-`.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// What it may do.
    pub role: MemberRole,
    /// Who it is to others, as people write it.
    pub identifiers: Vec<String>,
    /// Identifier prefixes it asks for.
    pub prefixes: Vec<Prefix>,
    /// Where peers reach its node; operators only.
    pub addresses: Vec<String>,
}

/// Why a member could not join or approve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// A key is missing or locked.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The document is not acceptable.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The member is not in the document.
    #[error("no member of the genesis has the admin key of this keystore")]
    NotAMember,
}

/// The keys of a member of this role.
#[must_use]
pub fn purposes(role: MemberRole) -> &'static [Purpose] {
    use Purpose::{Admin, Attestor, Consensus, Encryption, Log, Peer, Vault, Witness};
    match role {
        MemberRole::Operator => &[
            Admin, Attestor, Encryption, Vault, Consensus, Witness, Log, Peer,
        ],
        _ => &[Admin, Attestor, Encryption, Vault],
    }
}

/// Makes a member's entry from its keystore. No secret leaves it.
///
/// # Errors
///
/// [`CeremonyError`] if a key is missing or the identity is not acceptable.
pub fn join(
    consortium: &str,
    identity: Identity,
    keystore: &Keystore,
    passphrase: &Passphrase,
) -> Result<Member, CeremonyError> {
    let secret = |purpose| keystore.unlock(purpose, passphrase);
    let public = |key: &SecretKey| PublicKey(key.signing().verifying_key().to_bytes());
    let mut signers = vec![secret(Purpose::Admin)?, secret(Purpose::Attestor)?];
    let encryption = secret(Purpose::Encryption)?.public(Purpose::Encryption);
    let validator = if identity.role == MemberRole::Operator {
        for purpose in [
            Purpose::Consensus,
            Purpose::Witness,
            Purpose::Log,
            Purpose::Peer,
        ] {
            signers.push(secret(purpose)?);
        }
        Some(ValidatorKeys {
            consensus: public(&signers[2]),
            witness: public(&signers[3]),
            log: public(&signers[4]),
            peer: public(&signers[5]),
            addresses: identity.addresses,
        })
    } else {
        None
    };
    let identifiers = identity
        .identifiers
        .iter()
        .map(|text| {
            PartyIdentifier::parse(text)
                .map(|identifier| identifier.to_string())
                .map_err(|error| field("identifiers", error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    let mut member = Member {
        name: identity.name,
        display_name: identity.display_name,
        role: identity.role,
        identifiers,
        prefixes: identity.prefixes,
        keys: MemberKeys {
            admin: public(&signers[0]),
            attestor: public(&signers[1]),
            encryption: Digest(encryption),
        },
        validator,
        possession: Vec::new(),
    };
    let digest = possession_digest(consortium, &member);
    member.possession = signers
        .iter()
        .map(|key| Signature(key.signing().sign(&digest).to_bytes()))
        .collect();
    // What others would refuse is refused at home, where it can be mended.
    member.check()?;
    Ok(member)
}

/// Puts the members' entries together and checks everything but their approval.
///
/// # Errors
///
/// [`GenesisError`] naming the member and what is wrong.
pub fn assemble(template: Template, mut members: Vec<Member>) -> Result<Content, GenesisError> {
    members.sort_by(|a, b| a.name.cmp(&b.name));
    let content = Content {
        format: FORMAT_VERSION,
        consortium: template.consortium,
        created_at_ms: template.created_at_ms,
        parameters: template.parameters,
        members,
    };
    content.check()?;
    Ok(content)
}

/// Signs the assembled document as the member whose admin key this keystore holds.
///
/// # Errors
///
/// [`CeremonyError`] if the content is not acceptable or the member is not in it.
pub fn approve(
    content: &Content,
    keystore: &Keystore,
    passphrase: &Passphrase,
) -> Result<MemberSignature, CeremonyError> {
    content.check()?;
    let admin = keystore.unlock(Purpose::Admin, passphrase)?.signing();
    let public = PublicKey(admin.verifying_key().to_bytes());
    let member = content
        .members
        .iter()
        .find(|member| member.keys.admin == public)
        .ok_or(CeremonyError::NotAMember)?;
    let signature = Signature(admin.sign(&approval_digest(&content.chain_id())).to_bytes());
    Ok(MemberSignature {
        member: member.name.clone(),
        signature,
    })
}

/// The finished document, once every member has approved.
///
/// # Errors
///
/// [`GenesisError::Signature`] if one is missing or does not verify.
pub fn finish(
    content: Content,
    mut signatures: Vec<MemberSignature>,
) -> Result<Genesis, GenesisError> {
    signatures.sort_by(|a, b| a.member.cmp(&b.member));
    let genesis = Genesis {
        content,
        signatures,
    };
    genesis.check()?;
    Ok(genesis)
}

/// What every key of a member signs to prove possession: its record without the proofs.
fn possession_digest(consortium: &str, member: &Member) -> [u8; 32] {
    let bare = Member {
        possession: Vec::new(),
        ..member.clone()
    };
    POSSESSION.hash(&codec::encode(&(consortium, bare)))
}

/// What every member's admin key signs to approve the whole.
pub(crate) fn approval_digest(chain: &ChainId) -> [u8; 32] {
    APPROVAL.hash_of(chain)
}

pub(crate) fn check_possession(consortium: &str, member: &Member) -> Result<(), GenesisError> {
    let digest = possession_digest(consortium, member);
    let keys = member.signing_keys();
    let at = member.at("possession");
    if keys.len() != member.possession.len() {
        let reason = format!(
            "{} proofs for {} keys; the member must join again",
            member.possession.len(),
            keys.len()
        );
        return Err(field(at, reason));
    }
    for ((name, key), proof) in keys.iter().zip(&member.possession) {
        key.verify(&digest, proof).map_err(|_| {
            let reason = format!(
                "the proof for the {name} key does not verify: the entry was changed after {} \
                 signed it for the consortium {consortium:?}, or the key is not its own",
                member.name
            );
            field(&at, reason)
        })?;
    }
    Ok(())
}
