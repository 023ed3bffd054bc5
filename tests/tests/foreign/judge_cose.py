"""Lets PyPI's scitt-cose judge COSE receipts: one JSON object a line in, one verdict a line out."""

import json
import sys

import cbor2
from scitt_cose import verify_receipt

ENTRY = -75002


def entry_of(receipt):
    """The entry that stands in the receipt's unprotected header, if one does."""
    try:
        return bytes(cbor2.loads(receipt).value[1][ENTRY])
    except Exception:  # whatever is wrong with it, there is no entry
        return None


for line in sys.stdin:
    asked = json.loads(line)
    receipt = bytes.fromhex(asked["receipt"])
    entry = entry_of(receipt)
    if entry is None:
        print(json.dumps({"ok": False, "errors": ["no entry in the receipt"]}))
        continue
    found = verify_receipt(receipt, leaf_entry_hex=entry.hex(), log_public_key_pem=asked["key"])
    verdict = {
        "ok": found.ok,
        "entry": entry.hex(),
        "root": found.root,
        "size": found.tree_size,
        "index": found.leaf_index,
        "issuer": found.issuer,
        "subject": found.subject,
        "time_s": found.iat,
        "key_id": found.protected_header_ext.get(4, b"").hex(),
        "signed_size": found.protected_header_ext.get(-75001),
        "errors": found.errors,
    }
    print(json.dumps(verdict))
