"""Lineage as other tools read it: OpenLineage events of jobs and datasets, without runs.

What lives here: the documents. What does not: what is known (``world``), HTTP (``api``).

A stream app is a job, in the namespace of its company. A topic is a dataset, named as OpenLineage names those
of Kafka; its fields are the Datastreams whose records it holds, by their full names. Stream apps do not begin
and end as runs do, so what is told is static: one ``JobEvent`` for each app, one ``DatasetEvent`` for each
topic.

Source: OpenLineage 2-0-2, "JobEvent" and "DatasetEvent"; facets "ColumnLineageDatasetFacet" 1-2-0,
"SQLJobFacet" 1-1-0, "JobTypeJobFacet" 2-0-4, "SchemaDatasetFacet" 1-2-0; naming as in its specification.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from platform_ui.flows.graph import company_of
from platform_ui.lineage.world.columns import FEEDS, WHOLE, Feed
from platform_ui.lineage.world.datastreams import feeds_of
from platform_ui.lineage.world.facts import AppFact
from platform_ui.lineage.world.graph import system_of
from platform_ui.lineage.world.truths import World

SCHEMA: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
FACETS: Final = "https://openlineage.io/spec/facets/"
INTEGRATION: Final = "DIGITAL_TWIN_STACK"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells, and of which broker.

    Attributes:
        producer: Address that names the platform.
        broker: First address of the brokers, ``<host>:<port>``.
        at: When it is told.
    """

    producer: str
    broker: str
    at: datetime

    @property
    def namespace(self) -> str:
        """Where the datasets are, as OpenLineage names Kafka."""
        return f"kafka://{self.broker}"

    def facet(self, name: str, version: str, **fields: object) -> Document:
        """Return a facet with its fields."""
        url = f"{FACETS}{version}/{name}.json#/$defs/{name}"
        return {"_producer": self.producer, "_schemaURL": url, **fields}

    def event(self, kind: str, **fields: object) -> Document:
        """Return an event."""
        time = self.at.isoformat().replace("+00:00", "Z")
        return {"eventTime": time, "producer": self.producer, "schemaURL": f"{SCHEMA}{kind}", **fields}


def events_of(
    world: World, apps: Iterable[AppFact], known: Mapping[str, Sequence[str]], teller: Teller
) -> list[Document]:
    """Return the events of some stream apps and of the topics that they read and write.

    Args:
        world: The three truths.
        apps: Those that are told of.
        known: Datastreams that are known, by system.
        teller: Who tells.
    """
    jobs: list[Document] = []
    fields: dict[str, set[str]] = defaultdict(set)
    for app in apps:
        feeds = feeds_of(world, app, known)
        for source in app.sources:
            fields[f"{source}.int"].update(feed.source for feed in feeds if system_of(feed.source) == source)
        fields[f"{app.target}.ext"].update(_field(feed) for feed in feeds)
        jobs.append(_job(app, feeds, teller))
    datasets = [
        teller.event(
            "DatasetEvent",
            dataset={
                "namespace": teller.namespace,
                "name": topic,
                "facets": {"schema": _schema(teller, names)},
            },
        )
        for topic, names in sorted(fields.items())
    ]
    return jobs + datasets


def _job(app: AppFact, feeds: Sequence[Feed], teller: Teller) -> Document:
    facets = {
        "jobType": teller.facet(
            "JobTypeJobFacet",
            "2-0-4",
            processingType="STREAMING",
            integration=INTEGRATION,
            jobType="STREAM_APP",
        )
    }
    if app.is_inside:  # a statement is not for the other side of a contract
        facets["sql"] = teller.facet("SQLJobFacet", "1-1-0", query=app.statement)
    lineage = teller.facet("ColumnLineageDatasetFacet", "1-2-0", fields=_columns(feeds, teller))
    output = {
        "namespace": teller.namespace,
        "name": f"{app.target}.ext",
        "facets": {"columnLineage": lineage},
    }
    return teller.event(
        "JobEvent",
        job={"namespace": company_of(app.sources[0]), "name": app.app_id, "facets": facets},
        inputs=[{"namespace": teller.namespace, "name": f"{source}.int"} for source in app.sources],
        outputs=[output],
    )


def _columns(feeds: Sequence[Feed], teller: Teller) -> Document:
    """Return for each output Datastream which input Datastreams go into it, and how."""
    ways: dict[str, dict[str, list[Document]]] = defaultdict(lambda: defaultdict(list))
    for feed in feeds:
        ways[_field(feed)][feed.source].append(_transformation(feed))
    return {
        output: {
            "inputFields": [
                {
                    "namespace": teller.namespace,
                    "name": f"{system_of(source)}.int",
                    "field": source,
                    "transformations": transformations,
                }
                for source, transformations in sorted(sources.items())
            ]
        }
        for output, sources in sorted(ways.items())
    }


def _transformation(feed: Feed) -> Document:
    if feed.how != FEEDS:
        return {"type": "INDIRECT", "subtype": "FILTER", "description": feed.attribute, "masking": False}
    if feed.attribute == WHOLE:
        return {"type": "DIRECT", "subtype": "IDENTITY", "description": "", "masking": False}
    return {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": feed.expression, "masking": False}


def _field(feed: Feed) -> str:
    return feed.output.rpartition("@")[0] or feed.output


def _schema(teller: Teller, names: Iterable[str]) -> Document:
    fields = [{"name": name, "type": "OBSERVATION"} for name in sorted(names)]
    return teller.facet("SchemaDatasetFacet", "1-2-0", fields=fields)
