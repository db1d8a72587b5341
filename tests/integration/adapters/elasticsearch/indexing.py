"""What the tests of the Elasticsearch sink share: sinks of one system, what Elasticsearch holds."""

from pathlib import Path
from typing import Any

from confluent_kafka import Message

from benchmarks.elasticsearch.content import ask, count, index_content, topic_content
from benchmarks.measuring.content import Content
from benchmarks.measuring.topics import fill
from benchmarks.recorder.plant import records
from setup.local.processes import ProcessIdentity
from tests.integration.adapters.sinks import TIME, SinkSite


class Plant(SinkSite):
    """One system with its documents."""

    def __init__(self, bootstrap: str, url: str, system: str, folder: Path) -> None:
        super().__init__(bootstrap, system, folder, "sink")
        self.url = url
        self.alias = f"dtwin-{system.lower()}"

    @property
    def name(self) -> str:
        return f"{self.system}.Mill1.Speed"

    def start(self, verb: str = "run", *arguments: str, copy: int = 0, **environment: str) -> ProcessIdentity:
        """Start a sink of this system."""
        numbered = ("--copy", str(copy)) if verb == "run" else ()
        options = (
            "--system",
            self.system,
            "--client",
            "sink",
            "--progress-file",
            str(self.progress_file(copy)),
        )
        own = {"DTWIN_ELASTICSEARCH__URL": self.url, "DTWIN_ELASTICSEARCH__REPLICAS": "0"}
        command = ("adapters.elasticsearch", verb, *options, *numbered, *arguments)
        return self._start(*command, copy=copy, environment=own | environment)

    def remove(self) -> None:
        """Leave nothing in Elasticsearch."""
        for index in ask(self.url, "GET", f"/_cat/indices/{self.alias}*?format=json&h=index"):
            ask(self.url, "DELETE", f"/{index['index']}")

    def wait_for_documents(self, number: int, timeout_s: float = 120.0) -> None:
        self.wait(lambda: self.count() >= number, f"{number} documents", timeout_s)

    def wait_for_the_end(self, copy: int = 0) -> None:
        self.wait(lambda: (p := self.progress(copy)) is not None and p.lag == 0 and p.held == 0, "no lag")

    def count(self) -> int:
        return count(self.url, self.alias)

    def documents(self) -> list[dict[str, Any]]:
        ask(self.url, "POST", f"/{self.alias}/_refresh")
        hits = ask(self.url, "POST", f"/{self.alias}/_search", {"size": 1000})["hits"]["hits"]
        return [hit["_source"] for hit in hits]

    def fill(self, number: int, *, repeat: float = 0.01) -> int:
        names = {
            f"{self.system}.Mill{mill}.{quantity}": mill for mill in (1, 2, 3) for quantity in ("A", "B")
        }
        made = records(names, number, partitions=3, repeat=repeat)
        return fill(self.bootstrap, [self.topic], made)

    def contents(self) -> tuple[Content, Content]:
        ask(self.url, "POST", f"/{self.alias}/_refresh")
        return topic_content(self.bootstrap, [self.topic]), index_content(self.url, self.alias)


def observation(result: object, **more: object) -> dict[str, object]:
    return {"phenomenonTime": TIME, "resultTime": TIME, "result": result} | more


def reason(letter: Message) -> str:
    headers = dict(letter.headers() or ())
    text = headers["dt-error"]
    assert isinstance(text, bytes)
    return text.decode()
