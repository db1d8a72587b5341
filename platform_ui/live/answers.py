"""Records as JSON, for programs and for files."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from platform_ui.live.forms import write_positions
from platform_ui.live.records import LiveRecord
from platform_ui.live.service import Found


class LiveRecordAnswer(BaseModel):
    """One record as you may see it."""

    position: str = Field(description="`partition:offset`.")
    topic: str
    partition: int
    offset: int
    time: str = Field(description="Its phenomenonTime, or Kafka's time where it has none.")
    arrived_at: datetime = Field(description="The time that Kafka keeps with it.")
    key: str
    thing: str
    datastream: str = Field(description="Name without those of system and Thing.")
    result: Any = None
    unit: str
    attributes: dict[str, Any] = Field(description="Members besides times, result and Datastream.")
    value: dict[str, Any] | None = Field(description="The whole value, where it is a JSON object.")
    text: str | None = Field(description="The value where it is no JSON object, or is too long.")
    is_cut: bool = Field(description="Whether `text` holds the first 65,536 bytes only.")
    headers: dict[str, str]
    id: str = Field(description="`dt-id`.")
    app: str = Field(description="The stream app that forwarded it.")
    contract: str = Field(description="The contract by which it came.")
    origin: str = Field(description="Where it was before: `topic/partition/offset`.")
    reason: str = Field(description="Why it was refused or cannot be used.")

    @classmethod
    def of(cls, record: LiveRecord) -> "LiveRecordAnswer":
        """Return the public form of a record."""
        return cls(
            position=record.position,
            topic=record.raw.topic,
            partition=record.raw.partition,
            offset=record.raw.offset,
            time=record.sight.time,
            arrived_at=record.arrived_at,
            key=(record.raw.key or b"").decode("utf-8", "replace"),
            thing=record.sight.thing,
            datastream=record.sight.datastream,
            result=record.document.get("result"),
            unit=record.unit,
            attributes=record.attributes,
            value=record.document or None,
            text=None if record.document else record.text,
            is_cut=record.is_cut,
            headers=record.headers,
            id=record.record_id,
            app=record.app,
            contract=record.contract,
            origin=record.origin,
            reason=record.reason,
        )


class LiveRecordList(BaseModel):
    """Records, the oldest first, and how far was looked."""

    items: list[LiveRecordAnswer]
    read: int = Field(description="Records that were looked at.")
    matched: int = Field(description="Those of them that match the filter.")
    unusable: int = Field(description="Those of them that the filter cannot judge.")
    is_whole: bool = Field(description="Whether the topic holds none before the first that was looked at.")
    is_cut: bool = Field(description="Whether there are more behind the last that was looked at.")
    looked_back_to: datetime | None = Field(description="When Kafka got the first of them.")
    positions: str = Field(
        description="Where to go on: as `from` of the next call, or as `Last-Event-ID` of the tail."
    )

    @classmethod
    def of(cls, found: Found) -> "LiveRecordList":
        """Return the public form of what was found."""
        return cls(
            items=[LiveRecordAnswer.of(record) for record in found.records],
            read=found.read,
            matched=found.matched,
            unusable=found.unusable,
            is_whole=found.is_whole,
            is_cut=found.is_cut,
            looked_back_to=found.looked_back_to,
            positions=write_positions(found.positions),
        )


def as_json(record: LiveRecord) -> Mapping[str, Any]:
    """Return a record as an object of JSON."""
    return LiveRecordAnswer.of(record).model_dump(mode="json")
