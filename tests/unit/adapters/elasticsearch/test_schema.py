"""Templates and lifecycles, by server."""

import json

import pytest

from adapters.elasticsearch.documents import StreamMetadata, document_tail
from adapters.elasticsearch.schema import (
    Kind,
    Server,
    Shape,
    index_template,
    lifecycle_policy,
    mappings,
    read_server,
)
from tests.unit.adapters.records import SYSTEM

ALIAS = f"dtwin-{SYSTEM.lower()}"


@pytest.mark.parametrize(
    ("version", "name", "kind"),
    [
        ({"number": "9.1.2", "build_flavor": "default"}, "Elasticsearch 9.1", Kind.STREAM),
        ({"number": "8.0.0", "build_flavor": "default"}, "Elasticsearch 8.0", Kind.STREAM),
        ({"number": "7.17.0", "build_flavor": "default"}, "Elasticsearch 7.17", Kind.DATED),
        ({"number": "7.10.2", "build_flavor": "oss"}, "Elasticsearch 7.10", Kind.DATED),
        ({"number": "7.10.2", "build_flavor": "unknown"}, "Elasticsearch 7.10", Kind.DATED),
        ({"number": "3.1.0", "distribution": "opensearch"}, "OpenSearch 3.1", Kind.DATED),
    ],
)
def test_the_server_decides_how_documents_are_kept(version: dict[str, str], name: str, kind: Kind) -> None:
    server = read_server({"version": version})
    assert (str(server), server.kind) == (name, kind)


@pytest.mark.parametrize("answer", [{}, {"version": "1.0"}, {"version": {"number": "x.y"}}, {"version": {}}])
def test_what_is_neither_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="neither"):
        read_server(answer)


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (Server("elasticsearch", (9, 1), is_complete=True), "flattened"),
        (Server("elasticsearch", (7, 10), is_complete=False), "object"),
        (Server("opensearch", (3, 0), is_complete=False), "flat_object"),
        (Server("opensearch", (2, 6), is_complete=False), "object"),
    ],
)
def test_attributes_of_users_do_not_become_fields(server: Server, kind: str) -> None:
    found = mappings(server)
    assert found["dynamic"] is False
    assert found["properties"]["attributes"]["type"] == kind


def test_every_field_of_a_tail_has_a_type() -> None:
    tail = document_tail(f"{SYSTEM}.T.D", SYSTEM, "t", StreamMetadata("m", "p", "here", (1.0, 2.0)))
    assert json.loads(b"{" + tail[1:]).keys() <= mappings(read_old())["properties"].keys()


def read_old() -> Server:
    return read_server({"version": {"number": "7.10.2", "build_flavor": "oss"}})


def test_dated_indices_get_the_alias_and_only_those_of_the_system() -> None:
    template = index_template(SYSTEM, read_old(), Kind.DATED, Shape(replicas=0, shards=2))
    assert template["index_patterns"] == [f"{ALIAS}_*"]
    assert template["template"]["aliases"] == {ALIAS: {}}
    settings = template["template"]["settings"]
    assert (settings["index.number_of_shards"], settings["index.number_of_replicas"]) == (2, 0)
    assert "index.auto_expand_replicas" not in settings
    assert "data_stream" not in template


def test_one_node_alone_is_not_asked_for_copies() -> None:
    template = index_template(SYSTEM, read_old(), Kind.DATED, Shape())
    assert template["template"]["settings"]["index.auto_expand_replicas"] == "0-1"


def test_a_data_stream_has_a_lifecycle_where_the_server_knows_one() -> None:
    new = Server("elasticsearch", (9, 0), is_complete=True)
    template = index_template(SYSTEM, new, Kind.STREAM, Shape())
    assert (template["index_patterns"], template["data_stream"]) == ([ALIAS], {})
    assert template["template"]["settings"]["index.lifecycle.name"] == ALIAS
    assert "index.number_of_replicas" not in template["template"]["settings"]
    other = index_template(SYSTEM, Server("opensearch", (3, 0), is_complete=False), Kind.STREAM, Shape())
    assert "index.lifecycle.name" not in other["template"]["settings"]


def test_documents_are_removed_only_when_that_was_asked_for() -> None:
    assert set(lifecycle_policy(Shape())["policy"]["phases"]) == {"hot"}
    phases = lifecycle_policy(Shape(keep_days=90))["policy"]["phases"]
    assert phases["delete"]["min_age"] == "90d"
