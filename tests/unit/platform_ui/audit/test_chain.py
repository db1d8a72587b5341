"""What hashes and seals cover, and what a check of them finds."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from platform_ui.audit.chain import BEGINNING, ChainCheck, canonical, hash_of, sign
from platform_ui.audit.keys import key_id
from platform_ui.errors import AuditBrokenError

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key()


def chain(length: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for position in range(1, length + 1):
        facts: dict[str, Any] = {
            "id": position + 10,
            "action": "system.created",
            "position": position,
            "previous_hash": made[-1]["hash"] if made else BEGINNING,
        }
        made.append(facts | {"hash": hash_of(facts)})
    return made


def seals(entries: list[dict[str, Any]], *positions: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for position in positions:
        facts: dict[str, Any] = {
            "position": position,
            "hash": entries[position - 1]["hash"],
            "at": "2026-11-20T12:00:00.000000Z",
            "key_id": key_id(PUBLIC),
            "previous_signature": made[-1]["signature"] if made else "",
        }
        made.append(facts | {"signature": sign(facts, KEY)})
    return made


def broken_at(entries: list[dict[str, Any]], signed: list[dict[str, Any]], **more: Any) -> int:  # noqa: ANN401 - as the check
    with pytest.raises(AuditBrokenError) as caught:
        check(entries, signed, **more)
    return caught.value.position


def check(entries: list[dict[str, Any]], signed: list[dict[str, Any]], **more: Any) -> ChainCheck:  # noqa: ANN401 - as the check
    made = ChainCheck(signed, PUBLIC, **more)
    for one in entries:
        made.take(one)
    made.end()
    return made


def test_a_log_as_it_was_written_is_whole() -> None:
    entries = chain(9)
    found = check(entries, seals(entries, 3, 9))
    assert (found.entries, found.sealed) == (9, 9)


@given(st.data())
def test_any_change_of_any_entry_is_found_there(data: st.DataObject) -> None:
    entries = chain(6)
    place = data.draw(st.integers(0, 5))
    name = data.draw(st.sampled_from(["id", "action", "hash", "previous_hash"]))
    entries[place] = entries[place] | {name: data.draw(st.text(min_size=1))}
    assert broken_at(entries, []) == place + 1


@given(st.data())
def test_any_removal_and_any_swap_is_found(data: st.DataObject) -> None:
    entries = chain(6)
    signed = seals(entries, 6)
    one, other = sorted(data.draw(st.lists(st.integers(0, 5), min_size=2, max_size=2, unique=True)))
    swapped = list(entries)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    assert broken_at(swapped, signed) == one + 1
    assert broken_at(entries[:one] + entries[one + 1 :], signed) == one + 1
    assert broken_at([*entries[: other + 1], entries[one], *entries[other + 1 :]], signed) == one + 1


def test_a_log_that_was_written_anew_does_not_fit_its_seals() -> None:
    signed = seals(chain(4), 2, 4)
    entries: list[dict[str, Any]] = []
    for one in chain(4):
        facts = {name: value for name, value in one.items() if name != "hash"} | {"action": "x"}
        facts["previous_hash"] = entries[-1]["hash"] if entries else BEGINNING
        entries.append(facts | {"hash": hash_of(facts)})
    assert broken_at(entries, signed) == 2
    assert check(entries, []).entries == 4  # which is why there are seals


def test_seals_by_another_key_do_not_count() -> None:
    entries = chain(2)
    signed = seals(entries, 2)
    forged = signed[0] | {"signature": sign(signed[0], Ed25519PrivateKey.generate())}
    assert broken_at(entries, [forged]) == 2
    assert broken_at(entries, [signed[0] | {"key_id": "0" * 16}]) == 2
    assert broken_at(entries, [signed[0] | {"signature": "no digits"}]) == 2


def test_a_seal_that_was_removed_is_missed_by_the_next_one() -> None:
    entries = chain(4)
    assert broken_at(entries, seals(entries, 1, 2, 4)[1:]) == 2
    first, _, last = seals(entries, 1, 2, 4)
    assert broken_at(entries, [first, last]) == 4


def test_an_excerpt_is_checked_entry_by_entry() -> None:
    entries = [one for one in chain(9) if one["position"] % 3 == 0]
    assert check(entries, [], is_whole=False).entries == 3
    assert broken_at([entries[0], entries[1] | {"action": "x"}], [], is_whole=False) == 6
    assert broken_at([entries[1], entries[0]], [], is_whole=False) == 3


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), _JSON))
def test_canonical_text_does_not_depend_on_the_order_of_names(facts: dict[str, Any]) -> None:
    backwards = dict(reversed(facts.items()))
    assert canonical(facts) == canonical(backwards)
    assert json.loads(canonical(facts)) == facts
