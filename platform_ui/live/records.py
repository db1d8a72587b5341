"""A record as the live browser shows it: from Kafka's bytes to members, headers and links; pure.

What lives here: plain data and what follows from it. What does not: reading from Kafka (``reading``,
``following``), which records match (``sieve``), who may see them (``scope``). Records come from other
people's programs, so nothing about them is taken for granted.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final
from urllib.parse import quote

from client.errors import InvalidTimeError
from client.messaging.records import (
    HEADER_APP,
    HEADER_CONTRACT,
    HEADER_ERROR,
    HEADER_ERROR_DETAIL,
    HEADER_ID,
    HEADER_ORIGIN,
)
from client.metadata.times import parse_time
from platform_ui.systems.records import TopicRecord
from platform_ui.systems.sight import Sight, kafka_time, see

MAX_VALUE: Final = 65_536
"""So much of a value is looked at and shown [bytes]; the rest stays in Kafka."""
MAX_TEXT: Final = 120
_APART: Final = frozenset({"phenomenonTime", "resultTime", "result", "Datastream"})


@dataclass(frozen=True)
class LiveRecord:
    """One record as it is shown.

    Attributes:
        raw: What Kafka gave, without what the person may not see.
        sight: Its parts as a line of a table.
        document: The members of its value; nothing when that is no JSON object.
        headers: Names and texts of its headers.
        unit: Symbol of its unit, as far as it is known.
    """

    raw: TopicRecord
    sight: Sight
    document: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    unit: str = ""

    @property
    def position(self) -> str:
        """``<partition>:<offset>``."""
        return f"{self.raw.partition}:{self.raw.offset}"

    @property
    def moment(self) -> datetime | None:
        """Its phenomenonTime; nothing when that is no time."""
        try:
            return parse_time(self.sight.time, now=lambda: datetime.now(UTC))
        except (InvalidTimeError, OverflowError):
            return None

    @property
    def arrived_at(self) -> datetime:
        """When its writer gave it to Kafka, or Kafka got it, as the topic is set."""
        return kafka_time(self.raw.timestamp_ms)

    @property
    def attributes(self) -> dict[str, object]:
        """Members of its value besides time, result and Datastream."""
        return {name: value for name, value in self.document.items() if name not in _APART}

    @property
    def attribute_texts(self) -> list[tuple[str, str]]:
        """The same as short texts."""
        return [(name, short(value)) for name, value in self.attributes.items()]

    @property
    def record_id(self) -> str:
        """Its ``dt-id``."""
        return self.headers.get(HEADER_ID, "")

    @property
    def app(self) -> str:
        """The stream app that forwarded it, ``<system>.<name>``."""
        return self.headers.get(HEADER_APP, "")

    @property
    def contract(self) -> str:
        """The contract by which it came."""
        return self.headers.get(HEADER_CONTRACT, "")

    @property
    def origin(self) -> str:
        """Where it was before: ``<topic>/<partition>/<offset>``."""
        return self.headers.get(HEADER_ORIGIN, "")

    @property
    def reason(self) -> str:
        """Why it was refused or cannot be used, with the detail; empty for a good one."""
        detail = self.headers.get(HEADER_ERROR_DETAIL, "")
        code = self.headers.get(HEADER_ERROR, "") or self.sight.problem
        return f"{code}: {detail}" if code and detail else code

    @property
    def home(self) -> str:
        """Full name of the system of its Datastream; empty when its key names none."""
        return ".".join(self.sight.name.split(".")[:4]) if self.sight.thing else ""

    @property
    def datastream_url(self) -> str:
        """The address of its Datastream's page; empty when its key names none."""
        return f"/systems/{self.home}/datastreams/{quote(self.sight.name, safe='')}" if self.home else ""

    @property
    def app_url(self) -> str:
        """The address of the page of the app that forwarded it."""
        system, _, name = self.app.rpartition(".")
        return f"/systems/{quote(system)}/apps/{quote(name, safe='')}" if system else ""

    @cached_property
    def text(self) -> str:
        """Its value as people read it: JSON with one member a line, or the text as it is."""
        if self.document:
            return json.dumps(self.document, ensure_ascii=False, indent=2)
        return (self.raw.value or b"")[:MAX_VALUE].decode("utf-8", "replace")

    @property
    def line(self) -> str:
        """Its value in one short line."""
        return short(self.document or self.text)

    @property
    def is_cut(self) -> bool:
        """Whether the value is larger than what is shown."""
        return len(self.raw.value or b"") > MAX_VALUE


def show(record: TopicRecord, tab: str) -> LiveRecord:
    """Return a record as it is shown; never fails, whatever the bytes are.

    Args:
        record: what Kafka gave.
        tab: ``int``, ``ext``, ``log`` or ``dlq``.
    """
    sight = see(
        tab=tab,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )
    headers = {name: (text or b"").decode("utf-8", "replace") for name, text in record.headers}
    return LiveRecord(record, sight, _document(record.value), headers)


def _document(value: bytes | None) -> dict[str, object]:
    if not value or len(value) > MAX_VALUE:
        return {}
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def short(value: object) -> str:
    """Return a value as a short text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
