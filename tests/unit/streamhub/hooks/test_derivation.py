import json
import logging
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from client.errors import RecordFormatError
from streamhub.hooks import HookDerivation, load_hooks, stand_in
from streamhub.hooks.record import HookRecord, record_reader
from streamhub.join.series import SeriesJoin
from streamhub.query import Derivation, compile_statement
from tests.unit.streamhub.hooks.files import CAR_1, CAR_2, FUNCTIONS, value, write

STAMP = "2026-01-02T03:05:00.000000Z"
ON_JOIN = "\ndef on_join(record_left, record_right):\n    return "
INGEST = FUNCTIONS.split("def on_join")[0]


def made(folder: Path, functions: str = FUNCTIONS) -> HookDerivation:
    return HookDerivation(load_hooks(write(folder, functions)), (CAR_1, CAR_2))


def answering(folder: Path, answer: str) -> HookDerivation:
    return made(folder, INGEST + ON_JOIN + answer)


def record(system: str = CAR_1, time: object = 0, result: object = 1, **more: object) -> HookRecord:
    read = record_reader(system, f"{system}.Main.Speed", ("longitude", "latitude"))
    return read(value(time, result, **more))


def derived(hooks: HookDerivation, *pairs: tuple[HookRecord, HookRecord]) -> list[tuple[Any, str]]:
    outputs: Any = defaultdict(lambda: SimpleNamespace(tail="}"))
    results: list[tuple[Any, str]] = []
    hooks.derive(pairs, STAMP, outputs, results)
    return results


def sides(hooks: HookDerivation, system: str = CAR_1) -> tuple[int, ...]:
    (route,) = hooks.routes(system, f"{system}.Main.Speed".encode())
    return hooks.choose(route.read(value()))


def test_records_are_sent_to_the_side_that_ingest_fct_chooses(tmp_path: Path) -> None:
    hooks = made(tmp_path)
    assert (sides(hooks, CAR_1), sides(hooks, CAR_2)) == ((0,), (1,))
    neither = "\ndef ingest_fct(r, b):\n    pass\n"
    assert sides(made(tmp_path, neither + ON_JOIN + "None")) == ()
    both = "\ndef ingest_fct(r, b):\n    b.ingest_right(r)\n    b.ingest_left(r)\n"
    assert sides(made(tmp_path, both + ON_JOIN + "None")) == (0, 1)


def test_only_the_sources_have_a_route(tmp_path: Path) -> None:
    hooks = made(tmp_path)
    assert hooks.routes("aa.bb.cc.dd", b"aa.bb.cc.dd.T.D") == ()
    (route,) = hooks.routes(CAR_2, f"{CAR_2}.Main.Speed".encode())
    read = route.read(value(7, 3, latitude=2))
    assert (read.time, read.get_result(), read.get("latitude"), read.topic) == (7000000, 3, 2, f"{CAR_2}.int")
    (nameless,) = hooks.routes(CAR_1, None)
    assert nameless.read(value()).name is None
    with pytest.raises(UnicodeDecodeError):
        hooks.routes(CAR_1, b"\xff")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("b.ingest_left(1 / 0)", "ZeroDivisionError"),
        ("b.ingest_left(object())", "ValueError: ingest the record that ingest_fct was given"),
        ("b.ingest_left(r); b.ingest_left(r)", "ValueError: a record was ingested twice"),
    ],
)
def test_a_failure_of_ingest_fct_refuses_the_record(tmp_path: Path, body: str, words: str) -> None:
    hooks = made(tmp_path, f"\ndef ingest_fct(r, b):\n    {body}\n{ON_JOIN}None")
    with pytest.raises(RecordFormatError) as refused:
        sides(hooks)
    assert refused.value.code == "record.processing_failed"
    assert words in refused.value.detail
    assert "line 9" in refused.value.detail


def test_a_pair_becomes_the_value_of_a_record(tmp_path: Path) -> None:
    hooks = made(tmp_path)
    outputs: Any = {(0, "Main"): SimpleNamespace(tail=',"Datastream":{"@iot.id":7}}')}
    results: list[tuple[Any, str]] = []
    pair = (record(CAR_1, "2026-01-02T03:04:05Z", 2, latitude=47), record(CAR_2, "2026-01-02T03:04:06Z", 3))
    hooks.derive([pair], STAMP, outputs, results)
    ((output, text),) = results
    assert output is outputs[0, "Main"]
    assert json.loads(text) == {
        "phenomenonTime": "2026-01-02T03:04:05.500000Z",
        "resultTime": STAMP,
        "result": 5,
        "latitude": 47,
        "Datastream": {"@iot.id": 7},
    }
    assert [column.name for column in hooks.columns] == ["sum"]


def test_each_quantity_becomes_a_column_when_it_is_first_named(tmp_path: Path) -> None:
    hooks = answering(
        tmp_path,
        '{"quantity": record_left.get_result(), "result": 0, "phenomenonTime": 0} '
        "if record_left.get_result() else None",
    )
    pairs = [(record(result=name), record(CAR_2)) for name in ("b", "a", None, "b")]
    assert len(derived(hooks, *pairs)) == 3
    assert [column.name for column in hooks.columns] == ["b", "a"]
    assert hooks.take_failed() == 0


def test_without_a_thing_the_name_of_the_app_stands_for_it(tmp_path: Path) -> None:
    hooks = answering(tmp_path, '{"quantity": "q", "result": 0, "phenomenonTime": 0}')
    outputs: Any = {(0, None): SimpleNamespace(tail="}")}
    results: list[tuple[Any, str]] = []
    hooks.derive([(record(), record(CAR_2))], STAMP, outputs, results)
    assert results[0][0] is outputs[0, None]


def test_times_are_numbers_when_the_file_says_so(tmp_path: Path) -> None:
    hooks = made(tmp_path, "USE_ISO_TIMESTAMPS = False\n" + FUNCTIONS)
    ((_, text),) = derived(hooks, (record(time=10), record(CAR_2, 11)))
    assert json.loads(text)["phenomenonTime"] == 10.5
    assert json.loads(text)["resultTime"] == 1767323100.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("[]", "gave back a list"),
        ("{}", "lacks quantity, result, phenomenonTime"),
        ('{"quantity": 1, "result": 0, "phenomenonTime": 0}', "quantity is 1"),
        ('{"quantity": "", "result": 0, "phenomenonTime": 0}', "is no name"),
        ('{"quantity": "a\\n", "result": 0, "phenomenonTime": 0}', "is no name"),
        ('{"quantity": "q", "thing": "a.b", "result": 0, "phenomenonTime": 0}', "has a dot"),
        ('{"quantity": "q", "result": 0, "phenomenonTime": None}', "None as phenomenonTime"),
        ('{"quantity": "q", "result": 0, "phenomenonTime": "noon"}', "phenomenonTime"),
        ('{"quantity": "q", "result": float("nan"), "phenomenonTime": 0}', "written as JSON"),
        ('{"quantity": "q", "result": {1}, "phenomenonTime": 0}', "written as JSON"),
        ('{"quantity": "q", "result": "\\ud800", "phenomenonTime": 0}', "written as JSON"),
        ('{"quantity": "q", "result": 0, "phenomenonTime": 0, "Datastream": {}}', "the app itself writes"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_pair_at_which_on_join_fails_is_counted_and_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: str, words: str
) -> None:
    hooks = answering(tmp_path, answer)
    with caplog.at_level(logging.ERROR):
        pair = (record(), record(CAR_2))
        assert derived(hooks, pair, pair, pair) == []
    assert (hooks.take_failed(), hooks.take_failed()) == (3, 0)
    assert len(caplog.records) == 1
    assert words in caplog.text


def test_the_report_of_a_failure_shows_the_line_of_the_users_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    derived(answering(tmp_path, "1 / 0"), (record(), record(CAR_2)))
    assert "Traceback" in caplog.text
    assert "return 1 / 0" in caplog.text


def test_too_many_quantities_are_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamhub.hooks.derivation._MOST_COLUMNS", 2)
    hooks = answering(tmp_path, '{"quantity": record_left.get_result(), "result": 0, "phenomenonTime": 0}')
    pairs = [(record(result=name), record(CAR_2)) for name in ("a", "b", "c", "a")]
    assert len(derived(hooks, *pairs)) == 3
    assert hooks.take_failed() == 1


def test_another_file_or_other_sources_have_another_fingerprint(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert made(tmp_path).fingerprint == first.fingerprint
    assert HookDerivation(load_hooks(write(tmp_path)), (CAR_1,)).fingerprint != first.fingerprint
    assert made(tmp_path, FUNCTIONS + "# changed\n").fingerprint != first.fingerprint


@pytest.mark.parametrize("sources", [(CAR_1,), (CAR_1, CAR_2), (CAR_2, CAR_1, "aa.bb.cc.dd")])
@pytest.mark.parametrize("within", [None, 0, 1, 1_500_000])
def test_a_statement_stands_for_the_sources_in_a_specification(
    sources: tuple[str, ...], within: int | None
) -> None:
    compiled = compile_statement(stand_in(sources, within))
    assert isinstance(compiled, Derivation)
    assert compiled.sources == sources
    assert set(compiled.withins) == {within}


def test_the_join_of_the_house_runs_hooks_like_a_statement(tmp_path: Path) -> None:
    hooks = made(tmp_path)
    pairs: list[tuple[Any, ...]] = []
    join = SeriesJoin(hooks.withins, pairs.append, hooks.max_latency)
    for system, time, result in ((CAR_1, 10, 1), (CAR_2, 10.5, 2), (CAR_2, 12, 3), (CAR_1, 13, 4)):
        for route in hooks.routes(system, f"{system}.Main.Speed".encode()):
            read = route.read(value(time, result))
            for side in hooks.choose(read):
                assert join.adders[side](read.time, read)
    results = [json.loads(text)["result"] for _, text in derived(hooks, *pairs)]
    assert sorted(results) == [3, 7]
