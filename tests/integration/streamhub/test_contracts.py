"""Terms of contracts through the real engine: nothing leaves but what terms and statement both let pass."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import Producer
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from client.messaging.records import ReceivedRecord
from client.messaging.security import KafkaSecurity
from setup.local.kafka import LocalKafka
from streamhub.contracts import ContractTerms
from streamhub.engine.batch import BatchForwarder
from streamhub.engine.forwarding import ForwardingWork
from streamhub.engine.lane import BatchLane
from streamhub.engine.settings import LaneSettings
from streamhub.engine.topics import inspect_topics
from streamhub.query import CompiledStatement, QueryTypeError, compile_condition, nodes
from streamhub.query.rendering import render_expression, render_statement
from streamhub.specification import StreamAppSpecification
from tests.conformance.random_statements import as_bytes, conditions, keys, records
from tests.conformance.reference_evaluator import judged
from tests.integration.streamhub.conftest import Daemon
from tests.integration.streamhub.flows import RESULTS, Flow, eventually, headers_of, number_of
from tests.integration.streamhub.joins import JoinFlow, alternating, expected_pairs
from tests.kafka_clients import connection

MILL = "at.srfg.Mill.M1"
"""The system whose Datastreams random statements and keys name."""
ALWAYS = {"phenomenonTime", "resultTime", "result", "Datastream"}
# Near the present: a broker deletes what is old, and refuses what is of the future.
BEGINNING = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


class Arrival(NamedTuple):
    """A record, and whether Kafka got it before the contract began."""

    key: str | None
    record: dict[str, Any]
    is_early: bool


@dataclass(frozen=True)
class Case:
    """One app: the terms that bind it, and what its statement asks for."""

    predicate: nodes.Expression | None
    where: nodes.Expression | None
    fields: frozenset[str] | None
    begins: bool

    def specification(self, flow: Flow, number: int) -> StreamAppSpecification:
        terms = ContractTerms(
            id=f"c-{number}",
            provider=str(flow.source),
            predicate="" if self.predicate is None else render_expression(self.predicate),
            fields=() if self.fields is None else tuple(sorted(self.fields)),
            starts_at=BEGINNING.isoformat() if self.begins else None,
        )
        return flow.specification(
            name=f"app{number}-{uuid.uuid4().hex[:8]}",  # a group of its own for each example
            target_system=f"tt.uu.vv.t{uuid.uuid4().hex[:12]}",
            statement=render_statement(nodes.Statement(None, (nodes.Source("*"),), (), self.where)),
            contracts=(terms,),
        )

    def passes(self, arrival: Arrival) -> bool:
        if self.begins and arrival.is_early:
            return False
        # A key may hold any name: a contract lets out those of its provider.
        own = nodes.Membership(nodes.Attribute("system"), (nodes.Text(MILL),), negated=False)
        asked = [own, *(condition for condition in (self.predicate, self.where) if condition is not None)]
        return all(judged(condition, arrival.key, arrival.record)[0] for condition in asked)

    def leaving(self, record: dict[str, Any]) -> dict[str, Any]:
        allowed = None if self.fields is None else self.fields | ALWAYS
        return {name: held for name, held in record.items() if allowed is None or name in allowed}


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    predicate, where = draw(st.none() | conditions), draw(st.none() | conditions)
    fields = None
    if draw(st.booleans()):
        # What the statement looks at must be allowed, or it would be refused before it runs.
        looked_at = frozenset() if where is None else nodes.attributes(where) - {"name", "thing", "system"}
        fields = looked_at | {"quality"}
    case = Case(predicate, where, fields, draw(st.booleans()))
    for condition in (predicate, where):
        try:
            compile_condition("TRUE" if condition is None else render_expression(condition))
        except QueryTypeError:
            assume(False)  # the generator cannot avoid what can never be computed, such as 1 / 0
    return case


arrivals = st.lists(st.builds(Arrival, keys, records, st.booleans()), min_size=200, max_size=300)


def _run(app: StreamAppSpecification, number: int) -> None:
    """Run the engine itself until it has read so many records."""
    lane_settings = LaneSettings(specification=app, security=KafkaSecurity.from_environment())
    topics = inspect_topics(lane_settings, 30)
    compiled = app.compile()
    assert isinstance(compiled, CompiledStatement)
    lane = BatchLane(
        lane_settings,
        topics,
        lambda producer: ForwardingWork(BatchForwarder(app, compiled, producer, topics)),
    )
    thread = threading.Thread(target=lane.run)
    thread.start()
    try:
        eventually(lambda: lane.committed.consumed >= number, 120, f"{number} records in {app.name}")
    finally:
        lane.stop()
        thread.join(120)


@pytest.mark.extended
@pytest.mark.slow
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_leaves_are_exactly_the_records_for_which_predicate_and_statement_hold(
    kafka_bootstrap: str, unique_system: Callable[[], str]
) -> None:
    seen: Counter[str] = Counter()

    @given(some=arrivals, cases=st.lists(_cases(), min_size=6, max_size=6))
    @settings(
        max_examples=4,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def check(some: Sequence[Arrival], cases: Sequence[Case]) -> None:
        flow = Flow(kafka_bootstrap, MILL, unique_system())
        apps = [case.specification(flow, number) for number, case in enumerate(cases)]
        flow.create(apps[0].dead_letter_topic)
        for app in apps:
            flow.create(app.target_topic)
        _produce(flow, some)
        threads = [threading.Thread(target=_run, args=(app, len(some))) for app in apps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for app, case in zip(apps, cases, strict=True):
            received = flow.read(app.target_topic)
            expected = [offset for offset, arrival in enumerate(some) if case.passes(arrival)]
            assert [_offset_of(record) for record in received] == expected, app
            for record in received:
                original = some[_offset_of(record)].record
                assert json.loads(record.value or b"") == case.leaving(original)
                assert headers_of(record)["dt-contract"] == app.contracts[0].id
            seen["passed"] += len(expected)
            seen["refused"] += len(some) - len(expected)
            seen["apps"] += 1
        assert flow.dead_letters() == []
        flow.delete(apps[0].source_topic, apps[0].dead_letter_topic)

    check()
    assert seen["passed"] > 500
    assert seen["refused"] > 500


def _produce(flow: Flow, some: Sequence[Arrival]) -> None:
    producer = Producer({**connection(flow.bootstrap), "enable.idempotence": True, "log_level": 0})
    begins_ms = int(BEGINNING.timestamp() * 1000)
    for number, arrival in enumerate(some):
        moment = begins_ms - 1 if arrival.is_early else begins_ms + number
        key = None if arrival.key is None else arrival.key.encode()
        producer.produce(flow.source.topics.internal, as_bytes(arrival.record), key, 0, timestamp=moment)
    assert producer.flush(30) == 0


def _offset_of(record: ReceivedRecord) -> int:
    return int(headers_of(record)["dt-origin"].rpartition("/")[2])


def _terms(flow: Flow, predicate: str, **others: Any) -> ContractTerms:  # noqa: ANN401 - fields of the class
    return ContractTerms(**{"id": "c-1", "provider": str(flow.source), "predicate": predicate, **others})


def _is_done(daemon: Daemon, app_id: str, killed: set[int]) -> bool:
    status = daemon.directory.status(app_id)
    assert status is not None
    progress = status.progress
    is_fresh = status.state == "running" and status.pid not in killed
    return is_fresh and progress is not None and progress.pid == status.pid and progress.lag == 0


@pytest.mark.extended
def test_nothing_that_the_predicate_refuses_leaves_although_the_app_is_killed(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow(partitions=2)
    daemon.start()
    app = flow.specification(
        statement="SELECT * FROM * WHERE result < 2 OR TRUE; ",
        contracts=(_terms(flow, "result < 8 OR result = 12"),),
    )
    daemon.directory.deploy(app)
    moments, killed = random.Random(20260103), set[int]()
    for number in range(3):
        pid = eventually(lambda: _pid(daemon, app.app_id, killed), what="a process that runs")
        feeding = threading.Thread(
            target=flow.produce, args=(range(number * 8_000, (number + 1) * 8_000), 8_000.0)
        )
        feeding.start()
        time.sleep(moments.uniform(0.2, 1.0))
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
        feeding.join()
    flow.produce(range(24_000, 25_000))
    eventually(lambda: _is_done(daemon, app.app_id, killed), 120, "the end of the lag")
    allowed = [number for number in range(25_000) if number % RESULTS < 8 or number % RESULTS == 12]
    eventually(lambda: len(flow.received_numbers()) >= len(allowed), what="all records")
    assert sorted(flow.received_numbers()) == allowed


def test_terms_that_change_while_the_app_runs_decide_about_every_record_by_one_version(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    versions: dict[str, tuple[Callable[[int], bool], ContractTerms]] = {
        "c-1:v1": (lambda result: result < 8, _terms(flow, "result < 8", id="c-1:v1")),
        "c-1:v2": (lambda result: 4 <= result < 12, _terms(flow, "result BETWEEN 4 AND 11", id="c-1:v2")),
    }
    first, second = (terms for _, terms in versions.values())
    app = flow.specification(statement="SELECT * FROM *;", contracts=(first,))
    daemon.directory.deploy(app)
    flow.produce(range(4_000))
    eventually(flow.received_numbers, what="records by the first version")
    pid = eventually(lambda: _pid(daemon, app.app_id, set()), what="a process that runs")
    feeding = threading.Thread(target=flow.produce, args=(range(4_000, 19_000), 8_000.0))
    feeding.start()
    time.sleep(0.7)
    daemon.directory.deploy(flow.specification(statement="SELECT * FROM *;", contracts=(second,)))
    feeding.join()
    eventually(lambda: _pid(daemon, app.app_id, {pid}), what="a process with the second version")
    flow.produce(range(19_000, 20_000))  # for it, whenever it has come
    eventually(lambda: _is_done(daemon, app.app_id, {pid}), 90, "the end of the lag")
    eventually(
        lambda: 19_995 in flow.received_numbers(), what="the last record that the second version lets go"
    )
    received = {number_of(record): headers_of(record)["dt-contract"] for record in flow.received()}
    assert len(received) == len(flow.received())
    assert set(received.values()) == set(versions)
    for number in range(20_000):
        allowed_by = {name for name, (holds, _) in versions.items() if holds(number % RESULTS)}
        if number in received:
            assert received[number] in allowed_by
        else:
            assert allowed_by != set(versions)


@pytest.mark.extended
def test_an_app_ends_by_itself_when_its_contract_ends_and_is_not_started_again(
    new_flow: Callable[..., Flow], daemon: Daemon
) -> None:
    flow = new_flow()
    daemon.start()
    ends = datetime.now(UTC) + timedelta(seconds=30)
    app = flow.specification(
        statement="SELECT * FROM *;", contracts=(_terms(flow, "", ends_at=ends.isoformat()),)
    )
    daemon.directory.deploy(app)
    flow.produce(range(100))
    eventually(lambda: len(flow.received_numbers()) == 100, what="records before the end")
    status = daemon.directory.wait(app.app_id, {"failed"}, 120)
    assert datetime.now(UTC) >= ends
    assert status.cause is not None
    assert status.cause.startswith(f"contract c-1 ended at {ends.isoformat()}")
    flow.produce(range(100, 200))
    time.sleep(2)
    assert sorted(flow.received_numbers()) == list(range(100))
    after = daemon.directory.status(app.app_id)
    assert after is not None
    assert (after.state, after.restarts) == ("failed", 0)
    # Asked again it says the same again, and passes nothing.
    daemon.directory.start(app.app_id)
    assert daemon.directory.wait(app.app_id, {"failed"}, 120).cause == status.cause
    assert len(flow.received_numbers()) == 100


def test_a_join_sees_a_foreign_source_as_its_contract_shows_it(
    new_flow: Callable[..., Flow], daemon: Daemon, unique_system: Callable[[], str]
) -> None:
    flow = new_flow()
    join = JoinFlow(flow, unique_system())
    daemon.start()
    foreign = ContractTerms(
        id="c-foreign",
        provider=join.right_system,
        predicate="number % 3 > 0 OR name IS NULL",
        fields=("number",),
    )
    app = flow.specification(
        statement=join.statement(), contracts=(_terms(flow, "result < 1000", id="c-own"), foreign)
    )
    daemon.directory.deploy(app)
    samples = alternating(300)
    join.produce(samples)
    shown = [sample for sample in samples if sample.side == "Speed" or sample.number % 3 > 0]
    expected = expected_pairs(shown, 50)
    eventually(lambda: len(join.received_pairs()) >= len(expected), what="all pairs")
    assert set(join.received_pairs()) == set(expected)
    assert {headers_of(record)["dt-contract"] for record in flow.received()} == {"c-own,c-foreign"}


def _pid(daemon: Daemon, app_id: str, killed: set[int]) -> int | None:
    status = daemon.directory.status(app_id)
    if status is None or status.state != "running" or status.pid in killed or status.progress is None:
        return None
    return cast("int | None", status.pid) if status.progress.pid == status.pid else None


@pytest.mark.extended
@pytest.mark.kafka
def test_an_app_ends_with_its_contract_also_while_kafka_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unique_system: Callable[[], str]
) -> None:
    broker = LocalKafka(tmp_path / "kafka")
    broker.start()
    try:
        for name, value in broker.environment().items():
            monkeypatch.setenv(name, value)
        broker.wait_ready()
        flow = Flow(broker.bootstrap_servers, unique_system(), unique_system())
        flow.produce(range(160))
        ends = datetime.now(UTC) + timedelta(seconds=40)
        file, log = tmp_path / "app.json", tmp_path / "app.log"
        file.write_text(flow.specification(contracts=(_terms(flow, "", ends_at=ends.isoformat()),)).to_json())
        command = [sys.executable, "-m", "streamhub", "app", "run", "--specification", str(file)]
        with log.open("wb") as output:
            app = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            eventually(flow.received_numbers, what="records before the end")
            broker.kill()
            assert app.wait(180) == 7, log.read_text()
        finally:
            app.kill()
        assert datetime.now(UTC) >= ends
        assert f"error: contract c-1 ended at {ends.isoformat()}" in log.read_text()
    finally:
        broker.kill()
