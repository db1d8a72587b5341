"""The bytes of requests and answers, as Kafka's message definitions have them."""

import struct

import pytest

from platform_ui.acls import wire
from platform_ui.acls.entries import DENY, LITERAL, PREFIXED, READ, TOPIC, Entry

ENTRY = Entry("User:a", TOPIC, "t", PREFIXED, READ)
OTHER = Entry("User:ö", "TRANSACTIONAL_ID", "x", LITERAL, "ALL", DENY, "10.0.0.1")
THROTTLE = b"\0\0\0\0"
FINE = b"\0\0\xff\xff"


def text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def test_a_rule_is_written_as_the_protocol_has_it() -> None:
    call = wire.create_acls([ENTRY])
    assert (call.key, call.version) == (30, 1)
    assert (
        call.body == b"\0\0\0\x01" + b"\x02" + text("t") + b"\x04" + text("User:a") + text("*") + b"\x03\x03"
    )


def test_a_removal_matches_just_that_rule() -> None:
    assert wire.delete_acls([ENTRY])[2] == wire.create_acls([ENTRY])[2]
    assert wire.delete_acls([ENTRY]).key == 31


def test_filters_leave_open_what_is_not_asked_for() -> None:
    assert wire.describe_acls(None).body == b"\x01\xff\xff\x01\xff\xff\xff\xff\x01\x01"
    assert wire.delete_allowed_acls(["User:a"]).body == (
        b"\0\0\0\x01" + b"\x01\xff\xff\x01" + text("User:a") + b"\xff\xff\x01\x03"
    )


def test_described_rules_are_read() -> None:
    first = b"\x02" + text("t") + b"\x04" + b"\0\0\0\x01" + text("User:a") + text("*") + b"\x03\x03"
    second = b"\x05" + text("x") + b"\x03" + b"\0\0\0\x01" + text("User:ö") + text("10.0.0.1") + b"\x02\x02"
    outcome, found = wire.read_described(THROTTLE + FINE + b"\0\0\0\x02" + first + second)
    assert outcome == (0, "")
    assert found == {ENTRY, OTHER}


def test_a_refusal_is_read_with_its_words() -> None:
    outcome, found = wire.read_described(
        THROTTLE + b"\0\x36" + text("No Authorizer is configured.") + b"\0\0\0\0"
    )
    assert outcome == (54, "No Authorizer is configured.")
    assert not found


def test_outcomes_keep_their_order() -> None:
    data = THROTTLE + b"\0\0\0\x02" + FINE + b"\0\x1f" + text("no")
    assert wire.read_created(data) == [(0, ""), (31, "no")]


def test_a_removal_that_failed_for_one_of_its_rules_has_failed() -> None:
    rule = b"\x02" + text("t") + b"\x03" + text("User:a") + text("*") + b"\x03\x03"
    fine, broken = FINE + rule, b"\0\x07" + text("late") + rule
    data = THROTTLE + b"\0\0\0\x02" + FINE + b"\0\0\0\x02" + fine + broken + FINE + b"\0\0\0\x01" + fine
    assert wire.read_deleted(data) == [(7, "late"), (0, "")]


def test_quotas_are_written_and_read() -> None:
    call = wire.alter_user_quotas({None: {"producer_byte_rate": 1.5, "request_percentage": None}})
    assert (call.key, call.version) == (49, 0)
    assert call.body == (
        b"\0\0\0\x01\0\0\0\x01" + text("user") + b"\xff\xff" + b"\0\0\0\x02"
        + text("producer_byte_rate") + struct.pack(">d", 1.5) + b"\0"
        + text("request_percentage") + struct.pack(">d", 0) + b"\x01"
        + b"\0"
    )  # fmt: skip
    assert wire.describe_user_quotas().body == b"\0\0\0\x01" + text("user") + b"\x02\xff\xff\x01"
    values = b"\0\0\0\x01" + text("producer_byte_rate") + struct.pack(">d", 1.5)
    default = b"\0\0\0\x01" + text("user") + b"\xff\xff" + values
    single = b"\0\0\0\x01" + text("user") + text("me") + values
    outcome, found = wire.read_quotas(THROTTLE + FINE + b"\0\0\0\x02" + default + single)
    assert outcome == (0, "")
    assert found == {None: {"producer_byte_rate": 1.5}, "me": {"producer_byte_rate": 1.5}}


def test_outcomes_of_quotas_are_read() -> None:
    entity = b"\0\0\0\x01" + text("user") + b"\xff\xff"
    assert wire.read_altered(THROTTLE + b"\0\0\0\x02" + FINE + entity + b"\0\x1f" + text("no") + entity) == [
        (0, ""),
        (31, "no"),
    ]


@pytest.mark.parametrize("operation", ["READ", "TWO_PHASE_COMMIT", "IDEMPOTENT_WRITE"])
def test_every_word_survives_the_way_there_and_back(operation: str) -> None:
    entry = ENTRY._replace(operation=operation)
    body = wire.create_acls([entry]).body[4:]
    head, rest = body[: 1 + 2 + 1 + 1], body[5:]
    found = wire.read_described(THROTTLE + FINE + b"\0\0\0\x01" + head + b"\0\0\0\x01" + rest)[1]
    assert found == {entry}
