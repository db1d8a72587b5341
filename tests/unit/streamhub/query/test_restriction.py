"""Restrictions: joined as a tree, nothing hidden is looked at or leaves."""

import pytest

from client.errors import RecordFormatError
from streamhub.query import CompiledStatement, Derivation, QueryTypeError, Restriction, compile_statement
from streamhub.query.execution.trimming import trimmer
from streamhub.query.parser import parse_condition

MILL, LATHE = "at.srfg.Mill.M1", "at.srfg.Mill.M2"
JOINED = f"{LATHE} AS l JOIN {MILL} AS r"
KEY = f"{MILL}.Spindle.Speed".encode()
VALUES = [b'{"result":%d}' % number for number in range(6)]


def filtered(statement: str, condition: str | None = None, **others: object) -> CompiledStatement:
    parsed = None if condition is None else parse_condition(condition)
    restriction = Restriction("contract c-1", condition=parsed, **others)  # type: ignore[arg-type]
    compiled = compile_statement(statement, {"*": restriction, MILL: restriction})
    assert isinstance(compiled, CompiledStatement)
    return compiled


@pytest.mark.parametrize(
    "where",
    [
        "TRUE",
        "result < 3 OR TRUE",
        "FALSE OR TRUE XOR FALSE",
        "NOT FALSE",
        "name = ''' OR TRUE OR ''' OR result >= 0",
    ],
)
def test_no_statement_loosens_a_restriction(where: str) -> None:
    compiled = filtered(f"SELECT * FROM * WHERE {where}", "result = 1 OR result = 4")
    assert compiled.filter_batch([KEY] * 6, VALUES).accepted == [1, 4]


def test_an_or_inside_a_restriction_does_not_let_a_statement_s_refusals_pass() -> None:
    compiled = filtered("SELECT * FROM * WHERE result < 3", "result = 1 OR TRUE")
    assert compiled.filter_batch([KEY] * 6, VALUES).accepted == [0, 1, 2]


def test_what_the_key_decides_needs_no_value() -> None:
    compiled = filtered("SELECT * FROM * WHERE thing = 'Spindle'", "name LIKE '%.Speed'")
    assert not compiled.needs_value
    assert compiled.filter_batch([KEY, KEY + b"er"], [b"{", b"{"]).accepted == [0]


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("SELECT * FROM * WHERE secret > 5", "secret"),
        ("SELECT result, secret FROM *", "secret"),
        ("SELECT result * secret AS x UNIT '1' FROM *", "secret"),
        (f"SELECT l.result AS x UNIT '1' FROM {JOINED} WITHIN 1 s WHERE r.secret IS NULL", "r.secret"),
        (f"SELECT r.secret AS x UNIT '1' FROM {JOINED} WITHIN 1 s", "r.secret"),
        (f"SELECT l.result AS x UNIT '1' FROM {JOINED} ON l.secret = r.secret", "r.secret"),
    ],
)
def test_looking_at_something_hidden_is_refused_with_its_place(statement: str, place: str) -> None:
    restriction = Restriction("contract c-1", members=frozenset({"quality"}))
    with pytest.raises(QueryTypeError, match=f"{place} may not leave by contract c-1") as refusal:
        compile_statement(statement, {"*": restriction, MILL: restriction})
    assert refusal.value.column == statement.index(place) + 1
    assert "quality" in refusal.value.expected


def test_a_source_without_a_restriction_may_be_looked_at_as_a_whole() -> None:
    statement = f"SELECT l.secret AS x UNIT '1' FROM {LATHE} AS l JOIN {MILL} AS r WITHIN 1 s"
    members = frozenset({"quality"})
    assert isinstance(compile_statement(statement, {MILL: Restriction("c", members=members)}), Derivation)


def test_other_terms_make_what_was_remembered_useless_and_none_leave_it_of_use() -> None:
    statement = f"SELECT l.result AS x UNIT '1' FROM {LATHE} AS l JOIN {MILL} AS r WITHIN 1 s"

    def fingerprint(**terms: object) -> str:
        restrictions = {MILL: Restriction("c", **terms)} if terms else {}  # type: ignore[arg-type]
        compiled = compile_statement(statement, restrictions)
        assert isinstance(compiled, Derivation)
        return compiled.fingerprint

    different = [
        fingerprint(),
        fingerprint(condition=parse_condition("result < 4")),
        fingerprint(condition=parse_condition("result < 5")),
        fingerprint(datastreams=(KEY.decode(),)),
        fingerprint(since="2026-01-01T00:00:00Z"),
    ]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    ("value", "leaving"),
    [
        (b'{"result" : 1.50 }', b'{"result" : 1.50 }'),
        (b'{"secret":1,"result": 1.50}', b'{"result":1.50}'),
        (b'{"result":{"secret":[1, 2]},"secret":0}', b'{"result":{"secret":[1, 2]}}'),
        (b'{"s\\u0065cret":1,"result":1}', b'{"result":1}'),
        (b'{"secret":1,"secret":2}', b"{}"),
        ('{"secret":1,"result":"ä"}'.encode(), '{"result":"ä"}'.encode()),
        (None, None),
    ],
)
def test_what_may_not_leave_is_taken_out_and_the_rest_is_as_it_was(
    value: bytes | None, leaving: bytes | None
) -> None:
    assert trimmer(frozenset({"result"}))(value) == leaving


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "record.empty_value"),
        (b"no JSON", "record.not_json"),
        (b'{"result":1} {"secret":1}', "record.not_json"),
        (b"[1]", "record.not_object"),
        (b'{"result":"\xff"}', "record.not_utf8"),
    ],
)
def test_a_value_that_cannot_be_taken_apart_does_not_leave(value: bytes, code: str) -> None:
    with pytest.raises(RecordFormatError) as refusal:
        trimmer(frozenset({"result"}))(value)
    assert refusal.value.code == code
