"""Elasticsearch of the local stack, as a real process."""

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from setup.errors import PartNotReadyError
from setup.local.answers import ask_elasticsearch
from setup.local.elasticsearch import LocalElasticsearch

pytestmark = pytest.mark.elasticsearch


def ask(url: str, method: str = "GET", body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 (loopback)
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (loopback)
        told: dict[str, Any] = json.load(answer)
        return told


def test_what_is_written_is_found_by_words_numbers_and_places(elasticsearch_url: str) -> None:
    index = f"{elasticsearch_url}/local-kinds"
    fields = {
        "place": {"type": "geo_point"},
        "result": {"type": "double"},
        "name": {"type": "keyword"},
        "text": {"type": "text"},
    }
    ask(index, "PUT", {"settings": {"number_of_replicas": 0}, "mappings": {"properties": fields}})
    document = {"place": {"lat": 48.1, "lon": 16.3}, "result": 1.5, "name": "Wind", "text": "a windy day"}
    assert ask(f"{index}/_doc/1?refresh=true", "PUT", document)["result"] == "created"
    queries: list[dict[str, object]] = [
        {"match": {"text": "windy"}},
        {"range": {"result": {"gt": 1}}},
        {"term": {"name": "Wind"}},
        {"geo_distance": {"distance": "10km", "place": {"lat": 48.11, "lon": 16.31}}},
    ]
    for query in queries:
        found = ask(f"{index}/_search", "POST", {"query": query})["hits"]["hits"]
        assert [hit["_source"] for hit in found] == [document], query
    changed = ask(f"{index}/_update_by_query?refresh=true", "POST", {"script": "ctx._source.result = 2"})
    assert changed["updated"] == 1
    ask(index, "DELETE")


def test_no_list_of_names_removes_all_indices_at_once(elasticsearch_url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        ask(f"{elasticsearch_url}/_all", "DELETE")


def test_it_answers_as_healthy(elasticsearch_url: str) -> None:
    answer = ask_elasticsearch(elasticsearch_url, {})
    assert answer.ready, answer.detail
    assert not ask_elasticsearch("http://127.0.0.1:1", {}).ready


@pytest.mark.extended
def test_documents_outlive_a_stop_and_a_kill_and_only_loopback_hears_it(tmp_path: Path) -> None:
    node = LocalElasticsearch(tmp_path / "elasticsearch", heap_mb=256)
    node.start()
    try:
        node.wait_ready()
        first = node.process
        assert first is not None
        process = first.process()
        assert process is not None
        heard = {row.laddr.ip for row in process.net_connections("tcp") if row.status == psutil.CONN_LISTEN}
        assert {address.removeprefix("::ffff:") for address in heard} == {"127.0.0.1"}
        with socket.socket() as outside, pytest.raises(ConnectionRefusedError):
            outside.connect(("127.0.0.2", node.port))  # an address of this machine that is not ours

        ask(f"{node.url}/kept/_doc/1", "PUT", {"a": 1})
        node.stop()
        assert not first.is_running()
        node.start()
        node.wait_ready()
        ask(f"{node.url}/kept/_doc/2", "PUT", {"a": 2})
        node.kill()
        node.start()
        node.wait_ready()
        assert ask(f"{node.url}/kept/_count")["count"] == 2, "what was acknowledged is kept"
    finally:
        node.stop()


@pytest.mark.extended
def test_a_node_whose_port_another_program_holds_says_so(tmp_path: Path, elasticsearch_url: str) -> None:
    taken = int(elasticsearch_url.rpartition(":")[2])
    node = LocalElasticsearch(tmp_path / "elasticsearch", taken, heap_mb=256)
    node.start()
    try:
        with pytest.raises(PartNotReadyError, match=f"not answer on http://127.0.0.1:{taken}"):
            node.wait_ready(20)
    finally:
        node.stop()
