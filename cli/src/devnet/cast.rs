//! Who founds a devnet: operators of four validators, the three companies of the Tractus-X test
//! data, an auditor and a regulator.

use jangbu_genesis::document::MemberRole;

/// The consortium's name.
pub(super) const CONSORTIUM: &str = "devnet";

/// One member.
pub(super) struct Player {
    pub(super) name: &'static str,
    pub(super) display_name: &'static str,
    pub(super) role: MemberRole,
    /// Who it is to others.
    pub(super) identifiers: &'static [&'static str],
    /// What only it issues.
    pub(super) prefixes: &'static [&'static str],
}

/// All members. Amperia's numbers are those of the openEPCIS example data, the BPNs those of
/// the Tractus-X test data; the other names are made up.
pub(super) const CAST: [Player; 9] = [
    Player {
        name: "amperia",
        display_name: "Amperia Energy Systems AB",
        role: MemberRole::Operator,
        identifiers: &["gln:9521234000006"],
        prefixes: &["gs1:9521234", "domain:amperia.example"],
    },
    Player {
        name: "hanbit",
        display_name: "한빛셀 Hanbit Cell Co., Ltd.",
        role: MemberRole::Operator,
        identifiers: &["kr-brn:9998600005"],
        prefixes: &["domain:hanbit.example"],
    },
    Player {
        name: "nordwind",
        display_name: "Nordwind Recycling GmbH",
        role: MemberRole::Operator,
        identifiers: &["eori:DE999999900000001"],
        prefixes: &["domain:nordwind.example"],
    },
    Player {
        name: "soyu",
        display_name: "Soyu Mobility K.K.",
        role: MemberRole::Operator,
        identifiers: &["jp-cn:8990001000000"],
        prefixes: &["domain:soyu.example"],
    },
    Player {
        name: "cml1",
        display_name: "Company CML1 (vehicle maker)",
        role: MemberRole::Participant,
        identifiers: &["bpn:BPNL00000003CML1"],
        prefixes: &["bpn:BPNL00000003CML1"],
    },
    Player {
        name: "cnkc",
        display_name: "Company CNKC (tier 1 supplier)",
        role: MemberRole::Participant,
        identifiers: &["bpn:BPNL00000003CNKC"],
        prefixes: &["bpn:BPNL00000003CNKC"],
    },
    Player {
        name: "csgv",
        display_name: "Company CSGV (tier 2 supplier)",
        role: MemberRole::Participant,
        identifiers: &["bpn:BPNL00000003CSGV"],
        prefixes: &["bpn:BPNL00000003CSGV"],
    },
    Player {
        name: "veritas",
        display_name: "Veritas Audit",
        role: MemberRole::Auditor,
        identifiers: &["did:web:veritas.example"],
        prefixes: &["domain:veritas.example"],
    },
    Player {
        name: "marktamt",
        display_name: "Marktüberwachungsamt",
        role: MemberRole::Regulator,
        identifiers: &["did:web:marktamt.example"],
        prefixes: &["domain:marktamt.example"],
    },
];
