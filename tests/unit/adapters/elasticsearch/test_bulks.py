"""Sending bulks: what is taken, refused, there already, and tried again."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from elastic_transport import ConnectionError as NoConnectionError

import adapters.elasticsearch.indices
from adapters.elasticsearch.bulks import BulkWriter, Item, StoppedError
from adapters.elasticsearch.indices import Indices, may_be_older
from adapters.elasticsearch.schema import Kind
from tests.unit.adapters.elasticsearch.doubles import Answer, FakeServer, dt_id, record, refusal
from tests.unit.adapters.records import NEW_MS, SYSTEM, FakeRecord

OLD_MS = NEW_MS - 86_400_000


class Waits(threading.Event):
    """Never waits; says that it was stopped after so many waits."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        return len(self.waited) > self._most


def items(*numbers: int, milliseconds: int = NEW_MS) -> list[Item]:
    return [
        Item(
            record(number, timestamp=milliseconds),
            dt_id(number, milliseconds=milliseconds),
            (2026, number % 12 + 1, 1),
            b'{"result":%d}' % number,
        )
        for number in numbers
    ]


def writer(
    server: FakeServer, waits: Waits | None = None, *, kind: Kind | None = None, is_replay: bool = False
) -> BulkWriter:
    # The clock goes on by more than the memory of a data stream's state, whenever it is asked.
    times = iter(range(0, 10**6, 10))
    indices = Indices(server, SYSTEM, kind=kind, monotonic=lambda: float(next(times)))
    return BulkWriter(server, indices, waits or Waits(), is_replay=is_replay, jitter=lambda: 1.0)


def raising(error: Exception) -> Callable[[], None]:
    def event() -> None:
        raise error

    return event


def test_documents_come_to_the_indices_of_their_own_time_once() -> None:
    server = FakeServer()
    first = writer(server)
    assert (first.write(items(1, 2, 13)).created, len(server.indices)) == (3, 2)
    again = writer(server).write(items(1, 2, 3))
    assert (again.created, again.present) == (1, 2)
    assert server.results == [1, 2, 3, 13]


@pytest.mark.parametrize(
    "error", [NoConnectionError("refused"), refusal(503), refusal(429), refusal(401), refusal(404)]
)
def test_an_outage_is_waited_for_and_said(error: Exception) -> None:
    server, waits = FakeServer(), Waits()
    server.events = [raising(error)] * 8
    told: list[str | None] = []
    subject = writer(server, waits)
    server.events.append(lambda: told.append(subject.trouble))
    outcome = subject.write(items(1, 2))
    assert outcome.created == 2
    assert (told[0] or "").startswith("waiting for Elasticsearch")
    assert subject.trouble is None
    assert subject.repetitions == 8
    assert waits.waited == sorted(waits.waited)
    assert max(waits.waited) == 5.0


def test_a_server_that_comes_back_is_told_everything_again() -> None:
    server = FakeServer()
    server.events = [raising(refusal(503))]
    writer(server).write(items(1))
    assert [path for method, path in server.asked if method == "PUT"] == [
        f"/_index_template/dtwin-{SYSTEM.lower()}"
    ] * 2


def test_a_sink_that_is_stopped_does_not_wait_any_more() -> None:
    server = FakeServer()
    server.events = [raising(refusal(503))] * 5
    with pytest.raises(StoppedError):
        writer(server, Waits(2)).write(items(1))


def _refuses(*results: int, status: int, kind: str, times: int = 1000) -> Callable[..., Any]:
    left = [times]

    def refuse(document: Mapping[str, Any]) -> tuple[int, str] | None:
        if document["result"] not in results or not left[0]:
            return None
        left[0] -= 1
        return status, kind

    return refuse


def test_a_refused_document_is_set_aside_with_the_reason_and_the_others_are_kept() -> None:
    server = FakeServer()
    server.refuse = _refuses(2, status=400, kind="mapper_parsing_exception")
    outcome = writer(server).write(items(1, 2, 3))
    assert (outcome.created, server.results) == (2, [1, 3])
    (refused,) = outcome.refusals
    assert (refused.code, refused.detail) == ("document.rejected", "mapper_parsing_exception: because")
    assert refused.message.offset() == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "es_rejected_execution_exception"),
        (403, "cluster_block_exception"),
        (503, "unavailable_shards_exception"),
        (400, "validation_exception"),
    ],
)
def test_only_what_was_turned_away_is_sent_again(status: int, kind: str) -> None:
    server = FakeServer()
    server.refuse = _refuses(2, status=status, kind=kind, times=2)
    outcome = writer(server).write(items(1, 2, 3))
    assert (outcome.created, outcome.present, outcome.refusals) == (3, 0, [])
    sent = [body.count(b"create") for body in server.bodies if isinstance(body, bytes)]
    assert sent == [3, 1, 1]


def test_a_bulk_that_is_refused_as_a_whole_is_halved_until_the_reason_is_found() -> None:
    server = FakeServer()
    whole = server.perform_request

    def perform(method: str, path: str, *, body: object = None, **more: object) -> Answer:
        if isinstance(body, bytes) and b'"result":5' in body:
            raise refusal(413)
        return whole(method, path, body=body, **more)

    server.perform_request = perform  # type: ignore[method-assign]
    outcome = writer(server).write(items(*range(1, 9)))
    assert (outcome.created, len(outcome.refusals)) == (7, 1)
    assert outcome.refusals[0].message.offset() == 5


def _refusing_wholly(server: FakeServer, status: int, *, is_down: Callable[[], bool]) -> None:
    """Answer bulks with one status, and everything else too while it is down."""
    asked = server.perform_request

    def perform(method: str, path: str, *, body: object = None, **more: object) -> Answer:
        if is_down():
            raise refusal(status)
        if isinstance(body, bytes) and b'"result":5' in body:
            raise refusal(status)
        return asked(method, path, body=body, **more)

    server.perform_request = perform  # type: ignore[method-assign]


@pytest.mark.parametrize("status", [400, 413])
def test_a_proxy_that_refuses_everything_costs_no_document(status: int) -> None:
    server, waits = FakeServer(), Waits()
    subject = writer(server, waits)
    subject.write(items(20))
    _refusing_wholly(server, status, is_down=lambda: len(waits.waited) < 6)
    outcome = subject.write(items(1, 2, 3, 4))
    assert (outcome.created, outcome.present, outcome.refusals) == (4, 0, [])
    assert len(waits.waited) == 6


def test_an_outage_in_the_middle_of_halving_counts_nothing_twice() -> None:
    server, waits = FakeServer(), Waits()
    subject = writer(server, waits)
    asked, sent = server.perform_request, [0]

    def perform(method: str, path: str, *, body: object = None, **more: object) -> Answer:
        if isinstance(body, bytes):
            sent[0] += 1
            if b'"result":1}' in body:
                raise refusal(413)
            if sent[0] in {5, 6}:
                raise NoConnectionError("away")
        return asked(method, path, body=body, **more)

    server.perform_request = perform  # type: ignore[method-assign]
    outcome = subject.write(items(*range(1, 9)))
    assert waits.waited
    assert (outcome.created, outcome.present, len(outcome.refusals)) == (7, 0, 1)
    assert server.results == list(range(2, 9))


@pytest.mark.parametrize(
    "body",
    [
        "<html>Log in</html>",
        [],
        {},
        {"items": "no", "errors": False},
        {"errors": True, "items": [{}, {}]},
        {"errors": True, "items": [None, {"create": {"status": "201"}}]},
        {"errors": False, "items": [{"create": {"status": 201}}]},
    ],
)
def test_an_answer_that_is_none_of_elasticsearch_is_waited_out(body: object) -> None:
    server = FakeServer()
    asked, left = server.perform_request, [2]

    def perform(method: str, path: str, *, body_: object = body, **more: object) -> Answer:
        if isinstance(more.get("body"), bytes) and left[0]:
            left[0] -= 1
            return Answer(body_)
        return asked(method, path, **more)

    server.perform_request = perform  # type: ignore[method-assign]
    outcome = writer(server).write(items(1, 2))
    assert (outcome.created, outcome.present, outcome.refusals) == (2, 0, [])


@pytest.mark.parametrize("path", ["/", "/_index_template/", "/_data_stream/", "/_refresh", "/_search"])
def test_a_page_for_people_is_waited_out_whatever_was_asked_for(path: str) -> None:
    server, waits = RolledOver(), Waits()
    _in(server, ".ds-1", items(1, milliseconds=OLD_MS))
    asked = server.perform_request

    def perform(method: str, asked_for: str, **more: object) -> Answer:
        is_meant = asked_for == "/" if path == "/" else path in asked_for
        if is_meant and not waits.waited:
            return Answer("<html>Log in</html>")
        return asked(method, asked_for, **more)

    server.perform_request = perform  # type: ignore[assignment, method-assign]
    outcome = writer(server, waits).write(items(1, 2, milliseconds=OLD_MS))
    assert (outcome.created, outcome.present, len(waits.waited)) == (1, 1, 1)
    assert server.results == [1, 2]


def test_one_answer_may_say_everything_at_once() -> None:
    server = FakeServer()
    said = {
        2: (400, "mapper_parsing_exception"),
        3: (429, "es_rejected_execution_exception"),
        4: (403, "cluster_block_exception"),
    }
    server.refuse = lambda document: said.get(document["result"])
    subject = writer(server)
    subject.write(items(5))
    server.events = [lambda: None, said.clear]
    outcome = subject.write(items(1, 2, 3, 4, 5))
    assert (outcome.created, outcome.present, len(outcome.refusals)) == (3, 1, 1)
    assert server.results == [1, 3, 4, 5]


@pytest.mark.parametrize(
    "reason",
    [
        "no write index is defined for alias [dtwin-x]",
        "pipeline with id [geo] does not exist",
        "Validation Failed: 1: this action would add [2] shards, but this cluster has [1000]/[1000];",
    ],
)
def test_what_is_wrong_with_the_site_is_not_the_fault_of_the_documents(reason: str) -> None:
    server = FakeServer()
    left = [1]

    server.refuse = lambda _document: (400, "illegal_argument_exception") if left else None
    server.reason = reason
    server.events = [lambda: None, left.clear]
    outcome = writer(server).write(items(1, 2))
    assert (outcome.created, outcome.refusals) == (2, [])


def test_several_bulks_that_wait_are_told_of_once_and_until_the_last_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeServer()
    server.refuse = lambda document: (429, "x") if document["result"] == 1 else None
    subject, done = writer(server, Waits(10**6)), threading.Event()

    def wait_on() -> None:
        subject.write(items(1))
        done.set()

    thread = threading.Thread(target=wait_on)
    thread.start()
    while subject.trouble is None:
        pass
    for number in range(2, 6):
        subject.write(items(number))
        assert subject.trouble is not None
    server.refuse = lambda _document: None
    thread.join(60)
    assert done.is_set()
    assert subject.trouble is None
    assert caplog.text.count("waiting for Elasticsearch") == 1


def test_documents_of_one_id_in_one_bulk_are_one() -> None:
    server = FakeServer()
    outcome = writer(server).write(items(1, 1))
    assert (outcome.created, outcome.present) == (1, 1)


class RolledOver(FakeServer):
    """Elasticsearch 9 whose data stream has begun a second index."""

    def __init__(self) -> None:
        super().__init__("9.1.0", "default")
        self.stream = [".ds-1", ".ds-2"]
        self.created_ms = NEW_MS - 7_200_000


def _in(server: FakeServer, index: str, sent: Sequence[Item]) -> None:
    server.indices.setdefault(index, {}).update({item.identifier: item.body for item in sent})


def test_a_data_stream_gets_policy_template_and_documents() -> None:
    server = FakeServer("9.1.0", "default")
    assert writer(server).write(items(1, 2)).created == 2
    alias = f"dtwin-{SYSTEM.lower()}"
    puts = [path for method, path in server.asked if method == "PUT"]
    assert puts == [f"/_ilm/policy/{alias}", f"/_index_template/{alias}"]
    assert ("POST", f"/{alias}/_bulk") in server.asked
    assert not any(path.endswith("_search") for _, path in server.asked)


def test_what_an_older_index_of_a_data_stream_holds_is_not_made_again() -> None:
    server = RolledOver()
    old = items(1, 2, milliseconds=OLD_MS)
    _in(server, ".ds-1", old[:1])
    outcome = writer(server).write([*old, *items(3)])
    assert (outcome.created, outcome.present) == (2, 1)
    assert server.results == [1, 2, 3]


def test_what_is_there_already_is_counted_once_although_the_rest_is_tried_again() -> None:
    server = RolledOver()
    old = items(1, 2, milliseconds=OLD_MS)
    _in(server, ".ds-1", old[:1])
    server.events = [raising(refusal(503))] * 3
    outcome = writer(server).write(old)
    assert (outcome.created, outcome.present) == (1, 1)


@pytest.mark.parametrize("part", ["_refresh", "_search"])
def test_nothing_is_made_while_a_shard_does_not_say_what_it_holds(part: str) -> None:
    server, waits = RolledOver(), Waits()
    old = items(1, milliseconds=OLD_MS)
    _in(server, ".ds-1", old)
    asked = server.perform_request

    def perform(method: str, path: str, **more: object) -> Answer:
        if path.endswith(part) and len(waits.waited) < 2:
            return Answer({"_shards": {"failed": 1}})
        return asked(method, path, **more)

    server.perform_request = perform  # type: ignore[method-assign]
    outcome = writer(server, waits).write(old)
    assert (outcome.created, outcome.present, len(waits.waited)) == (0, 1, 2)
    assert server.results == [1]


def test_more_finds_than_one_answer_holds_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.elasticsearch.indices, "_MOST_FOUND", 3)
    server = RolledOver()
    server.stream.insert(0, ".ds-0")
    old = items(1, 2, 3, milliseconds=OLD_MS)
    for index, held in ((".ds-0", old[:2]), (".ds-1", old[:2]), (".ds-2", old[:2])):
        _in(server, index, held)
    _in(server, ".ds-1", old)
    asked = server.perform_request

    def perform(method: str, path: str, *, body: object = None, **more: object) -> Answer:
        answer = asked(method, path, body=body, **more)
        if path.endswith("_search") and answer.body:
            assert isinstance(body, dict)
            assert isinstance(answer.body, dict)
            answer.body["hits"]["hits"] = answer.body["hits"]["hits"][: body["size"]]
        return answer

    server.perform_request = perform  # type: ignore[method-assign]
    outcome = writer(server).write(old)
    assert (outcome.created, outcome.present) == (0, 3)
    assert server.results == [1, 2, 3]


def test_however_many_indices_there_are_a_request_is_no_longer_than_servers_take() -> None:
    server = RolledOver()
    server.stream = [f".ds-dtwin-{SYSTEM.lower()}-2026.01.01-{number:06}" for number in range(200)]
    old = items(1, 2, milliseconds=OLD_MS)
    _in(server, server.stream[0], old[:1])
    outcome = writer(server).write(old)
    assert (outcome.created, outcome.present) == (1, 1)
    assert max(len(path) for _, path in server.asked) < 500


def test_what_elasticsearch_keeps_in_a_failure_store_is_set_aside_as_refused() -> None:
    server = FakeServer("9.1.0", "default")
    asked = server.perform_request

    def perform(method: str, path: str, *, body: object = None, **more: object) -> Answer:
        if not isinstance(body, bytes):
            return asked(method, path, body=body, **more)
        kept = {"_index": ".ds-000001", "status": 201}
        failed = {"_index": ".fs-000002", "status": 201, "failure_store": "used"}
        return Answer({"errors": False, "items": [{"create": kept}, {"create": failed}]})

    server.perform_request = perform  # type: ignore[method-assign]
    outcome = writer(server).write(items(1, 2))
    assert outcome.created == 1
    (refused,) = outcome.refusals
    assert (refused.message.offset(), refused.code) == (2, "document.rejected")
    assert ".fs-000002" in refused.detail


def test_new_records_are_not_looked_up() -> None:
    server = RolledOver()
    writer(server).write(items(1))
    assert not any(path.endswith("_search") for _, path in server.asked)


def test_a_copy_sent_again_later_is_known_by_the_time_in_its_id() -> None:
    server = RolledOver()
    (old,) = items(1, milliseconds=OLD_MS)
    _in(server, ".ds-1", [old])
    resent = old._replace(message=FakeRecord(b"{}", timestamp=NEW_MS))
    assert writer(server).write([resent]).present == 1
    assert server.results == [1]


def test_a_replay_looks_everything_up() -> None:
    server = RolledOver()
    _in(server, ".ds-1", items(1))
    assert writer(server, is_replay=True).write(items(1, 2)).present == 1
    assert server.results == [1, 2]


def test_what_a_rollover_in_between_has_doubled_is_taken_back() -> None:
    server = FakeServer("9.1.0", "default")
    server.stream = [".ds-1"]
    sent = items(1, 2, milliseconds=OLD_MS)
    _in(server, ".ds-1", sent[:1])

    def roll_over() -> None:
        server.stream.append(".ds-2")
        server.created_ms = NEW_MS

    server.events = [roll_over]
    times = iter([0.0] * 50)
    indices = Indices(server, SYSTEM, monotonic=lambda: next(times))
    outcome = BulkWriter(server, indices, Waits()).write(sent)
    assert server.results == [1, 2]
    assert (outcome.created, outcome.present) == (1, 1)


def test_indices_from_before_the_server_was_renewed_go_on() -> None:
    server = FakeServer("9.1.0", "default")
    server.has_alias = True
    writer(server).write(items(1))
    assert list(server.indices) == [f"dtwin-{SYSTEM.lower()}_2026.02"]


def test_a_state_that_another_bulk_has_looked_up_meanwhile_does_not_hide_a_rollover() -> None:
    server = FakeServer("9.1.0", "default")
    server.stream = [".ds-1"]
    sent = items(1, 2, milliseconds=OLD_MS)
    _in(server, ".ds-1", sent[:1])
    indices = Indices(server, SYSTEM, monotonic=lambda: 0.0)

    def roll_over() -> None:
        server.stream.append(".ds-2")
        server.created_ms = NEW_MS
        indices.state(now=True)

    server.events = [roll_over]
    outcome = BulkWriter(server, indices, Waits()).write(sent)
    assert server.results == [1, 2]
    assert (outcome.created, outcome.present) == (1, 1)


def test_what_a_sink_that_was_killed_has_doubled_is_taken_back_by_the_next() -> None:
    server = RolledOver()
    sent = items(1, 2, milliseconds=OLD_MS)
    _in(server, ".ds-1", sent)
    _in(server, ".ds-2", sent[:1])
    outcome = writer(server).write(sent)
    assert server.results == [1, 2]
    assert not server.indices[".ds-2"]
    assert (outcome.created, outcome.present) == (0, 2)


@pytest.mark.parametrize(
    ("kafka_ms", "identifier", "is_older"),
    [
        (NEW_MS, dt_id(1), False),
        (OLD_MS, dt_id(1), True),
        (NEW_MS, dt_id(1, milliseconds=OLD_MS), True),
        (-1, dt_id(1), True),
        (NEW_MS, "2f1e7a52-0d2f-5a94-9d5b-8a4d0a8c1c10", True),
    ],
)
def test_a_record_is_looked_up_when_it_may_be_old(kafka_ms: int, identifier: str, *, is_older: bool) -> None:
    assert may_be_older(kafka_ms, identifier, NEW_MS - 7_200_000) is is_older


class AwayServer(FakeServer):
    """Does not answer the first requests."""

    def __init__(self, silent: int) -> None:
        super().__init__()
        self.silent = silent

    def perform_request(self, method: str, path: str, *, body: object = None, **more: object) -> Answer:
        if self.silent:
            self.silent -= 1
            raise NoConnectionError("nobody there")
        return super().perform_request(method, path, body=body, **more)


def test_a_server_that_is_away_is_told_before_there_is_a_document(caplog: pytest.LogCaptureFixture) -> None:
    server, waits = AwayServer(3), Waits()
    subject = writer(server, waits)
    subject.prepare()
    assert len(waits.waited) == 3
    assert [record.message for record in caplog.records if "nobody there" in record.message]
    assert subject.trouble is None
    assert ("GET", "/") in server.asked


def test_preparing_ends_with_the_sink() -> None:
    subject = writer(AwayServer(10**6), Waits(most=2))
    subject.prepare()
    assert subject.trouble is None
