"""What contracts and offers answer to programs about terms that are tried, as JSON models.

What lives here: the public forms of faults, samples and differences. What does not: routes (``api``).
"""

from pydantic import BaseModel

from platform_ui.contracts.negotiation import Change
from platform_ui.contracts.trials import Sampled
from streamhub.contracts import TermsFault


class FaultAnswer(BaseModel):
    """Something that is wrong with terms; line and column, counted from 1, are places in the predicate."""

    field: str
    message: str
    line: int | None
    column: int | None
    drawing: str


class CheckedTermsAnswer(BaseModel):
    """What is wrong with terms; nothing when it is empty."""

    faults: list[FaultAnswer]

    @classmethod
    def of(cls, faults: tuple[TermsFault, ...]) -> "CheckedTermsAnswer":
        """Return the public form of faults."""
        found = [
            FaultAnswer(
                field=one.field,
                message=one.message,
                line=one.line,
                column=one.column,
                drawing=one.drawing,
            )
            for one in faults
        ]
        return cls(faults=found)


class SampleRecordAnswer(BaseModel):
    """A record that would leave; `result` and `attributes` are signs of their kinds where they are masked."""

    datastream: str
    time: str
    result: str
    unit: str
    attributes: dict[str, str]


class SampleAnswer(BaseModel):
    """What would leave of the last records of the provider; the newest come first."""

    is_masked: bool
    read: int
    leaving: int
    held_back: int
    unusable: int
    is_complete: bool
    records: list[SampleRecordAnswer]

    @classmethod
    def of(cls, found: Sampled) -> "SampleAnswer":
        """Return the public form of what would leave."""
        preview = found.preview
        records = [
            SampleRecordAnswer(
                datastream=one.datastream,
                time=one.time,
                result=one.result,
                unit=found.units.get(one.datastream, ""),
                attributes=dict(one.attributes),
            )
            for one in preview.records
        ]
        return cls(
            is_masked=preview.is_masked,
            read=preview.read,
            leaving=preview.leaving,
            held_back=preview.held_back,
            unusable=preview.unusable,
            is_complete=preview.is_complete,
            records=records,
        )


class ChangeAnswer(BaseModel):
    """One field of the terms that differs between two versions."""

    field: str
    removed: list[str]
    added: list[str]
    kept: list[str]

    @classmethod
    def of(cls, change: Change) -> "ChangeAnswer":
        """Return the public form of a difference."""
        return cls(
            field=change.field,
            removed=list(change.removed),
            added=list(change.added),
            kept=list(change.kept),
        )


class DifferenceAnswer(BaseModel):
    """What differs between two versions of a contract, field by field; an open end is ``revoked``."""

    older: int | None
    newer: int
    changes: list[ChangeAnswer]
