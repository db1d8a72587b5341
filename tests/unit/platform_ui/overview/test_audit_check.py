"""Whether what is shown of the audit log is as it was written."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from platform_ui.audit.chain import BEGINNING, facts_of, facts_of_seal, hash_of, sign
from platform_ui.audit.keys import key_id
from platform_ui.audit.models import AuditEntry, AuditSeal
from platform_ui.overview.audit_reading import check_shown

KEY = Ed25519PrivateKey.generate()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def entry(position: int) -> AuditEntry:
    made = AuditEntry(
        id=position,
        at=NOON,
        user_email="sue@example.com",
        actor_kind="person",
        action="system.created",
        object_name="cz.icecars",
        detail={},
        position=position,
        previous_hash=BEGINNING,
        hash="",
    )
    made.hash = hash_of(facts_of(made))
    return made


def seal() -> AuditSeal:
    made = AuditSeal(
        position=9,
        hash="0" * 64,
        at=NOON,
        key_id=key_id(KEY.public_key()),
        previous_signature="",
        signature="",
    )
    made.signature = sign(facts_of_seal(made), KEY)
    return made


def test_entries_of_a_page_are_checked_each_by_itself() -> None:
    found = check_shown([entry(7), entry(3)], seal(), KEY.public_key())
    assert (found.entries, found.broken, found.sealed, found.is_verified) == (2, "", 9, True)


def test_an_entry_that_was_changed_is_named() -> None:
    changed = entry(3)
    changed.user_email = "somebody.else@example.com"
    assert "broken at entry 3" in check_shown([entry(7), changed], None, None).broken


def test_a_seal_of_another_key_is_no_seal() -> None:
    other = Ed25519PrivateKey.generate().public_key()
    assert "by the key" in check_shown([entry(1)], seal(), other).broken


@pytest.mark.parametrize("made", [None, seal()])
def test_without_a_key_a_seal_is_shown_but_not_verified(made: AuditSeal | None) -> None:
    found = check_shown([], made, None)
    assert (found.broken, found.sealed, found.is_verified) == ("", made.position if made else 0, False)
