"""The chain of the audit log: what an entry's hash covers, what a seal signs, and whether all of it holds.

What lives here: canonical texts, hashes and the check, pure. What does not: making the chain (the database
does, in the migration's triggers, which write the same canonical text) and keys (``keys``).

How it works: an entry's hash covers everything in it, its position and the hash of the entry before it; a
seal signs position and hash of the newest entry, and the seal before it. Whoever changes, removes, adds or
moves an entry must make all later hashes anew, and cannot make the signatures anew without the audit key.

Sources: RFC 8785 (canonical JSON; no entry holds a fraction), FIPS 180-4 (SHA-256), RFC 8032 (Ed25519).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from client.metadata.times import format_time
from platform_ui.audit.keys import key_id
from platform_ui.audit.models import AuditEntry, AuditSeal
from platform_ui.errors import AuditBrokenError

Facts = Mapping[str, Any]
BEGINNING: Final = "0" * 64
"""What stands for the hash before the first entry."""


def canonical(facts: Facts) -> bytes:
    """Write facts so that everybody writes them alike."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def facts_of(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as files show it; its hash covers everything else here."""
    return {
        "id": entry.id,
        "at": format_time(entry.at),
        "user_id": None if entry.user_id is None else str(entry.user_id),
        "user_email": entry.user_email,
        "actor_kind": entry.actor_kind,
        "action": entry.action,
        "object_name": entry.object_name,
        "detail": entry.detail,
        "before": entry.before,
        "after": entry.after,
        "address": entry.address,
        "request_id": None if entry.request_id is None else str(entry.request_id),
        "position": entry.position,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def facts_of_seal(seal: AuditSeal) -> dict[str, Any]:
    """Return a seal as files show it; its signature covers everything else here."""
    return {
        "position": seal.position,
        "hash": seal.hash,
        "at": format_time(seal.at),
        "key_id": seal.key_id,
        "previous_signature": seal.previous_signature,
        "signature": seal.signature,
    }


def hash_of(facts: Facts) -> str:
    """Return the hash that an entry must have."""
    covered = {name: value for name, value in facts.items() if name != "hash"}
    return hashlib.sha256(canonical(covered)).hexdigest()


def sign(facts: Facts, key: Ed25519PrivateKey) -> str:
    """Return the signature that a seal must have, in hexadecimal digits."""
    return key.sign(_signed(facts)).hex()


def _signed(facts: Facts) -> bytes:
    return canonical({name: value for name, value in facts.items() if name != "signature"})


class ChainCheck:
    """Checks a log entry by entry, in the order of their positions.

    Args:
        seals: All seals, in the order of their positions.
        key: The public audit key; None to believe the seals' signatures.
        is_whole: Whether all entries come; in an excerpt, each is checked alone.

    Raises:
        AuditBrokenError: A seal is not what the key signed, or one is missing.
    """

    def __init__(
        self, seals: Sequence[Facts] = (), key: Ed25519PublicKey | None = None, *, is_whole: bool = True
    ) -> None:
        self.entries = 0
        self.sealed = max((seal["position"] for seal in seals), default=0)
        self._is_whole = is_whole
        self._seals = {seal["position"]: seal["hash"] for seal in seals}
        self._position = 0
        self._hash = BEGINNING
        _check_seals(seals, key)

    def take(self, facts: Facts) -> None:
        """Check the next entry.

        Raises:
            AuditBrokenError: It, or one before it, is not as it was written.
        """
        position = facts["position"]
        self._check_place(facts)
        if hash_of(facts) != facts["hash"]:
            raise AuditBrokenError(position, f"it was changed: its hash is not {facts['hash']}")
        sealed = self._seals.get(position)
        if sealed is not None and sealed != facts["hash"]:
            raise AuditBrokenError(position, "it, or one before it, was written anew after it was sealed")
        self.entries += 1
        self._position, self._hash = position, facts["hash"]

    def _check_place(self, facts: Facts) -> None:
        position, expected = facts["position"], self._position + 1
        if position is None:
            raise AuditBrokenError(
                expected, f"the entry with the id {facts['id']} was added beside the chain"
            )
        if position < expected:
            raise AuditBrokenError(position, "it comes twice, or was moved")
        if not self._is_whole:
            return
        if position > expected:
            missing = f"{expected}" if position == expected + 1 else f"{expected} to {position - 1}"
            raise AuditBrokenError(expected, f"removed: {missing}")
        if facts["previous_hash"] != self._hash:
            raise AuditBrokenError(
                position, "it does not follow on the entry before it: one of them was changed"
            )

    def end(self) -> None:
        """Check that nothing is missing at the end.

        Raises:
            AuditBrokenError: Entries that were sealed are not there.
        """
        if self._is_whole and self.sealed > self._position:
            raise AuditBrokenError(
                self._position + 1, f"removed: everything up to {self.sealed}, which is sealed"
            )


def _check_seals(seals: Sequence[Facts], key: Ed25519PublicKey | None) -> None:
    previous = ""
    for seal in seals:
        if seal["previous_signature"] != previous:
            raise AuditBrokenError(seal["position"], "a seal before its seal was removed or changed")
        previous = seal["signature"]
        if key is not None:
            check_signature(seal, key)


def check_signature(seal: Facts, key: Ed25519PublicKey) -> None:
    """Check that a seal is what the audit key signed.

    Raises:
        AuditBrokenError: It was signed by another key, or not at all.
    """
    if seal["key_id"] != key_id(key):
        raise AuditBrokenError(
            seal["position"], f"its seal is by the key {seal['key_id']}, not by {key_id(key)}"
        )
    try:
        key.verify(bytes.fromhex(seal["signature"]), _signed(seal))
    except (InvalidSignature, ValueError):
        raise AuditBrokenError(seal["position"], "its seal was not signed by the audit key") from None
