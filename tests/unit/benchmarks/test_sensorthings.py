"""The benchmark's own arithmetic and its connections, over a pair of local sockets instead of a service."""

import json
import re
import socket
from unittest.mock import patch

import pytest

from benchmarks.sensorthings.connections import Connection
from benchmarks.sensorthings.measurement import Run, as_json, as_table, median
from benchmarks.sensorthings.peers import BARS_MS, PEERS
from benchmarks.sensorthings.scenarios import MARK, SCENARIOS, Catalogue, Scenario, moment

CATALOGUE = Catalogue("127.0.0.1:1", tuple(range(1, 21)), tuple(range(1, 101)), 500)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_requests_of_a_scenario_are_whole_whatever_number_they_carry(scenario: Scenario) -> None:
    requests = scenario.make(CATALOGUE)

    assert requests
    for request in requests:
        head, _, body = request.replace(MARK.encode(), b"000042").partition(b"\r\n\r\n")
        assert re.match(rb"(GET|POST) /v1\.1/\S+ HTTP/1\.1\r\nHost: 127\.0\.0\.1:1\r\n", head)
        if scenario.rows:
            assert f"Content-Length: {len(body)}".encode() in head
            assert body.count(b".000042Z") == scenario.rows
            json.loads(body)


def test_peers_and_bars_are_of_scenarios_that_exist() -> None:
    assert set(PEERS) | set(BARS_MS) <= set(BY_NAME)


def test_observations_are_a_minute_apart() -> None:
    assert [moment(0), moment(61), moment(1440)] == [
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:01:00Z",
        "2026-01-02T00:00:00Z",
    ]


def test_median_is_of_each_figure_by_itself() -> None:
    runs = [Run(10, 1, 9, 3, 1), Run(30, 2, 8, 2, 3), Run(20, 3, 7, 1, 2)]

    assert median(runs) == Run(20, 2, 8, 2, 2)


def test_table_and_json_relate_to_the_best_peer_and_to_the_bar() -> None:
    scenario = BY_NAME["data-array"]
    run = Run(rate=50, p50_ms=20, p99_ms=40, cpu_ms=5.705, database_ms=2)

    head, line, each = as_table({scenario: run}).splitlines()
    facts = json.loads(as_json({scenario: run}, {scenario: [run]}, workers=2))

    assert head.split()[-5:] == ["/", "best", "bar", "/", "bar"]
    assert line.split()[-3:] == ["0.10", "10.0", "0.57"]
    assert "5,000" in each
    assert facts["scenarios"]["data-array"]["peers"]["FROST"]["cpu_ms"] == 57.05
    assert facts["workers"] == 2


def connect(requests: list[bytes], *, follows: bool = False) -> tuple[Connection, socket.socket]:
    """A connection whose other end the test holds."""
    ours, theirs = socket.socketpair()
    with (
        patch.object(socket, "create_connection", return_value=ours),
        patch.object(ours.__class__, "setsockopt"),
    ):
        return Connection(("127.0.0.1", 1), requests, 0, follows=follows), theirs


def test_connection_collects_an_answer_in_pieces_and_numbers_its_requests() -> None:
    connection, service = connect([b"POST x\r\n\r\n######", b"POST y\r\n\r\n######"])
    with connection.socket, service:
        connection.send(7)
        assert service.recv(100) == b"POST x\r\n\r\n000007"
        service.send(b"HTTP/1.1 201 Created\r\nContent-Le")
        assert connection.receive() is None
        service.send(b"ngth: 4\r\n\r\nab")
        assert connection.receive() is None
        service.send(b"cd")
        assert connection.receive() == 201
        connection.send(8)
        assert service.recv(100) == b"POST y\r\n\r\n000008"


def test_connection_follows_next_links_and_begins_again_at_the_end() -> None:
    first = b"GET /v1.1/Things HTTP/1.1\r\nHost: h:1\r\n\r\n"
    connection, service = connect([first], follows=True)
    with connection.socket, service:
        for body in (
            b'{"@iot.nextLink": "http://h:1/v1.1/Things?$skiptoken=a", "value": []}',
            b'{"value": []}',
        ):
            connection.send(0)
            service.recv(1000)
            service.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            assert connection.receive() == 200
            sent = connection._next
            assert sent is None or sent.startswith(b"GET /v1.1/Things?$skiptoken=a HTTP/1.1\r\nHost: h:1\r\n")
            assert (sent is None) is (b"nextLink" not in body)
