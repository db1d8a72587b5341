"""What Elasticsearch is told about documents: types of fields, templates, lifecycle; pure.

What lives here: JSON documents, and which of them a server understands. What does not: sending them
(`indices`), the documents themselves (`documents`).

Two kinds of storage. Elasticsearch from 8 on keeps a data stream, which its lifecycle rolls over.
Elasticsearch 7.10 and OpenSearch keep plain indices, each of a time that its name tells, behind one alias.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from adapters.elasticsearch.documents import dated_pattern, index_alias

JsonObject = dict[str, Any]

OPENSEARCH: Final = "opensearch"
ELASTICSEARCH: Final = "elasticsearch"
LONGEST_TERM: Final = 8191
"""Terms may have 32,766 bytes: so many characters of up to four bytes always fit."""
_FIRST_WITH_LIFECYCLE: Final = (8, 0)
_FIRST_FLAT_OBJECT: Final = (2, 7)
# Ours are specific: they count more than those of others.
_PRIORITY: Final = 500


class Kind(StrEnum):
    """How documents are kept."""

    STREAM = "stream"
    DATED = "dated"


class Server(NamedTuple):
    """Which server answers.

    Attributes:
        product: `elasticsearch` or `opensearch`.
        version: Major and minor number.
        is_complete: Whether it has what the free licence of Elasticsearch brings, such as lifecycles.
    """

    product: str
    version: tuple[int, int]
    is_complete: bool

    def __str__(self) -> str:
        name = {OPENSEARCH: "OpenSearch", ELASTICSEARCH: "Elasticsearch"}[self.product]
        return f"{name} {self.version[0]}.{self.version[1]}"

    @property
    def kind(self) -> Kind:
        """How documents are kept there, unless a setting says otherwise."""
        has_lifecycle = self.product == ELASTICSEARCH and self.version >= _FIRST_WITH_LIFECYCLE
        return Kind.STREAM if has_lifecycle and self.is_complete else Kind.DATED


def read_server(answer: Mapping[str, Any]) -> Server:
    """Read what `GET /` answers.

    Raises:
        ValueError: It is neither Elasticsearch nor OpenSearch.
    """
    version = answer.get("version")
    number = version.get("number") if isinstance(version, dict) else None
    levels = str(number).split(".")
    if not isinstance(version, dict) or len(levels) < 2 or not all(level.isdigit() for level in levels[:2]):  # noqa: PLR2004 - major and minor
        raise ValueError("it answers, but neither as Elasticsearch nor as OpenSearch does")
    product = OPENSEARCH if version.get("distribution") == OPENSEARCH else ELASTICSEARCH
    is_complete = product == ELASTICSEARCH and version.get("build_flavor") == "default"
    return Server(product, (int(levels[0]), int(levels[1])), is_complete)


def mappings(server: Server) -> JsonObject:
    """Say of which type each field of a document is; fields beyond these are kept and not searched."""
    keyword = {"type": "keyword", "ignore_above": LONGEST_TERM}
    return {
        "dynamic": False,
        "properties": {
            "@timestamp": {"type": "date"},
            "phenomenon_time": {"type": "keyword", "index": False, "doc_values": False},
            "result_time": {"type": "date"},
            "result": {"type": "double"},
            "result_text": keyword,
            "result_json": {"type": "keyword", "index": False, "doc_values": False},
            # No bound: records with longer names are refused before they come here.
            "name": {"type": "keyword"},
            "thing": {"type": "keyword"},
            "datastream": {"type": "keyword"},
            "system": {"type": "keyword"},
            "company": {"type": "keyword"},
            "unit": keyword,
            "observed_property": keyword,
            "place": keyword,
            "location": {"type": "geo_point"},
            "hour": {"type": "byte"},
            "weekday": {"type": "byte"},
            "topic": {"type": "keyword"},
            "dt_id": {"type": "keyword", "index": False, "doc_values": False},
            "attributes": _attributes_type(server),
        },
    }


def _attributes_type(server: Server) -> JsonObject:
    """One field for whatever users add, so that their names do not become fields of the index."""
    if server.product == OPENSEARCH:
        return {"type": "flat_object"} if server.version >= _FIRST_FLAT_OBJECT else _UNSEARCHED
    return {"type": "flattened", "ignore_above": LONGEST_TERM} if server.is_complete else _UNSEARCHED


_UNSEARCHED: Final[JsonObject] = {"type": "object", "enabled": False}


class Shape(NamedTuple):
    """What of the indices can be chosen.

    Attributes:
        shards: Primary shards of each index.
        replicas: Copies of each shard; None for one where there is a second node, and in a data stream for
            what the server does.
        refresh_interval: Time until a document can be found, in Elasticsearch's form.
        rollover_age: When a data stream begins a new index.
        rollover_size: Size of a shard at which it does so before.
        keep_days: How long a data stream keeps documents [d]; None for ever.
    """

    shards: int = 1
    replicas: int | None = None
    refresh_interval: str = "1s"
    rollover_age: str = "30d"
    rollover_size: str = "50gb"
    keep_days: int | None = None


def index_template(system: str, server: Server, kind: Kind, shape: Shape) -> JsonObject:
    """Write the composable template of a system's indices.

    Source: Elasticsearch, "Create or update index template API"; OpenSearch, "Index templates".
    """
    settings: JsonObject = {
        "index.number_of_shards": shape.shards,
        # Set, so that a shard that nobody has searched for a while is refreshed all the same.
        "index.refresh_interval": shape.refresh_interval,
    }
    if shape.replicas is not None:
        settings["index.number_of_replicas"] = shape.replicas
    elif kind is Kind.DATED:
        # A single node has nowhere to put a copy.
        settings["index.auto_expand_replicas"] = "0-1"
    template: JsonObject = {"settings": settings, "mappings": mappings(server)}
    whole: JsonObject = {"priority": _PRIORITY, "template": template, "_meta": {"managed_by": "dtwin"}}
    if kind is Kind.STREAM:
        if server.kind is Kind.STREAM:
            settings["index.lifecycle.name"] = policy_name(system)
        return whole | {"index_patterns": [index_alias(system)], "data_stream": {}}
    template["aliases"] = {index_alias(system): {}}
    return whole | {"index_patterns": [dated_pattern(system)]}


def template_name(system: str) -> str:
    """Name the template of a system."""
    return index_alias(system)


def policy_name(system: str) -> str:
    """Name the lifecycle policy of a system."""
    return index_alias(system)


def lifecycle_policy(shape: Shape) -> JsonObject:
    """Write the policy of a data stream's life.

    Source: Elasticsearch, "Create or update lifecycle policy API".
    """
    rollover = {"max_age": shape.rollover_age, "max_primary_shard_size": shape.rollover_size}
    phases: JsonObject = {"hot": {"actions": {"rollover": rollover}}}
    if shape.keep_days is not None:
        phases["delete"] = {"min_age": f"{shape.keep_days}d", "actions": {"delete": {}}}
    return {"policy": {"phases": phases}}
