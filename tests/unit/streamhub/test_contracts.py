"""Terms of contracts: what is refused when they are written, and what they mean."""

import pytest

from client.errors import ConfigurationError
from streamhub.contracts import ContractTerms, TimeWindow, check_terms
from streamhub.errors import QuerySyntaxError, QueryTypeError

PROVIDER = "at.srfg.Mill.M1"
SPEED = f"{PROVIDER}.Spindle.Speed"


def terms(**changes: object) -> ContractTerms:
    return ContractTerms(**({"id": "c-1", "provider": PROVIDER} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("id", "", "1 to 300 letters"),
        ("id", "c-1,c-2", "1 to 300 letters"),
        ("id", "c 1", "1 to 300 letters"),
        ("id", "c-1\n", "1 to 300 letters"),
        ("provider", "at.srfg", "needs four"),
        ("datastreams", ("Speed",), "names no Datastream"),
        ("datastreams", ("at.srfg.Mill.M2.Spindle.Speed",), "belongs to at.srfg.Mill.M2"),
        ("datastreams", (SPEED, SPEED), "twice"),
        ("fields", ("",), "no attribute"),
        ("fields", ('a"b',), "no attribute"),
        ("fields", ("a", "a"), "twice"),
        ("starts_at", "tomorrow", "starts_at is no time"),
        ("ends_at", "2026-01-02", "ends_at is no time"),
        ("ends_at", "2026-01-02T03:04:05", "ends_at is no time"),
    ],
)
def test_a_wrong_field_is_refused_with_the_rule(field: str, value: object, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part) as refusal:
        terms(**{field: value})
    assert refusal.value.setting == f"contract.{field}"


def test_a_contract_ends_after_it_begins() -> None:
    with pytest.raises(ConfigurationError, match="not after the start"):
        terms(starts_at="2026-01-02T00:00:00Z", ends_at="2026-01-02T01:00:00+01:00")


@pytest.mark.parametrize(
    ("predicate", "line", "column"),
    [
        ("result < 4; DROP", 1, 11),
        ("result < 4) OR (TRUE", 1, 11),
        ("result < 4\nOR", 2, 3),
        ("result < 4 -- OR TRUE", 1, 15),
        ("result < 4 /* */", 1, 13),
        ("name = 'it's'", 1, 12),
        ("result < 4 JOIN a.bb.cc.dd", 1, 12),
        ("SELECT * FROM *", 1, 1),
        ("(" * 65 + "result < 4" + ")" * 65, 1, 65),
    ],
)
def test_what_is_more_or_less_than_a_condition_is_refused_with_its_place(
    predicate: str, line: int, column: int
) -> None:
    with pytest.raises(QuerySyntaxError) as refusal:
        terms(predicate=predicate)
    assert (refusal.value.line, refusal.value.column) == (line, column)
    (fault,) = check_terms(provider=PROVIDER, predicate=predicate)
    assert (fault.field, fault.line, fault.column) == ("predicate", line, column)
    assert fault.drawing.endswith("^")


@pytest.mark.parametrize(
    "predicate", ["result", "l.result < 4", "abs(result) < 'a'", "1 / 0 < result", "1 < 2"]
)
def test_a_condition_that_cannot_mean_anything_is_refused(predicate: str) -> None:
    with pytest.raises(QueryTypeError):
        terms(predicate=predicate)


def test_all_faults_are_found_at_once() -> None:
    faults = check_terms(
        provider="at", datastreams=["x"], predicate="result <", fields=[""], starts_at="x", ends_at="y"
    )
    assert [fault.field for fault in faults] == [
        "provider",
        "datastreams",
        "predicate",
        "fields",
        "starts_at",
    ]
    assert all(fault.message and fault.drawing for fault in faults)
    assert check_terms(provider=PROVIDER, datastreams=[SPEED], predicate=" ", fields=["quality"]) == ()


def test_terms_alone_say_what_would_leave() -> None:
    compiled = terms(
        datastreams=(SPEED,), predicate="result < 4 OR quality = 'x'", fields=("unit",)
    ).compile()
    key = SPEED.encode()
    values = [b'{"result":3}', b'{"result":5,"quality":"x"}', b'{"result":5}']
    assert compiled.filter_batch([key] * 3, values).accepted == [0, 1]
    assert compiled.filter_batch([b"at.srfg.Mill.M1.Spindle.Torque", None], values[:2]).accepted == []
    assert compiled.rewrite(key, values[1]) == b'{"result":5}'


def test_a_list_of_datastreams_is_decided_by_the_key_alone() -> None:
    compiled = terms(datastreams=(SPEED,)).compile()
    assert not compiled.needs_value
    assert compiled.filter_batch([SPEED.encode(), b"x"], [b"never looked at", b"nor this"]).accepted == [0]


def test_the_window_is_cut_to_milliseconds_and_open_at_its_end() -> None:
    window = terms(starts_at="1970-01-01T00:00:01.000999Z", ends_at="1970-01-01T00:00:02Z").window
    assert window == TimeWindow(1_000, 2_000)
    assert [window.holds(moment) for moment in (999, 1_000, 1_999, 2_000)] == [False, True, True, False]
    assert terms().window is None
    assert not TimeWindow(None, 2_000).holds(-1)


def test_the_json_form_is_read_with_its_types_checked() -> None:
    document = {"id": "c-1", "provider": PROVIDER, "datastreams": [SPEED], "fields": ["unit"]}
    assert ContractTerms.from_document(document) == terms(datastreams=(SPEED,), fields=("unit",))
    several: list[object] = [{"id": "c-1"}, {**document, "more": 1}, {**document, "fields": "unit"}, [], None]
    for wrong in several:
        with pytest.raises(ConfigurationError, match="contract"):
            ContractTerms.from_document(wrong)


def test_a_key_with_the_name_of_another_system_does_not_leave() -> None:
    keys = [SPEED.encode(), b"at.srfg.Mill.M2.Spindle.Speed", b"at.srfg.Mill.M1x.Spindle.Speed", None]
    assert terms().compile().filter_batch(keys, [b'{"result": 1}'] * 4).accepted == [0]
