"""The observation store as the rest of the service, and its tests, see it.

What lives here: the interface and its plain data. What does not: where Observations are kept
(`sensorthings.store.postgres`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sensorthings.database import Session
from sensorthings.store.batches import Appended, NewObservation
from sensorthings.store.buckets import Bucket


@dataclass(frozen=True, slots=True)
class Span:
    """A range of phenomenonTimes, by their starts.

    Attributes:
        since: First time in it; None for no bound.
        until: First time after it; None for no bound.
    """

    since: datetime | None = None
    until: datetime | None = None


ALWAYS = Span()
"""No bounds."""


class Sample(NamedTuple):
    """An Observation as charts need it.

    Attributes:
        datastream_id: Of its Datastream.
        id: Its own.
        phenomenon_start: Start of its phenomenonTime.
        phenomenon_end: End of it; equal for an instant.
        result: Any JSON value.
        result_time: None when it is not known.
    """

    datastream_id: int
    id: int
    phenomenon_start: datetime
    phenomenon_end: datetime
    result: Any
    result_time: datetime | None


class Aggregate(NamedTuple):
    """The numbers among the results of a Datastream in one time bucket.

    Attributes:
        datastream_id: Of the Datastream.
        start: Of the bucket.
        end: Of the bucket; outside it.
        values: In the order of the functions asked for.
    """

    datastream_id: int
    start: datetime
    end: datetime
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Retained:
    """What retention removed.

    Attributes:
        deleted: Number of Observations deleted one by one.
        dropped: Names of the partitions dropped as a whole.
        datastreams: Ids of the Datastreams that have lost Observations.
    """

    deleted: int
    dropped: tuple[str, ...]
    datastreams: tuple[int, ...]


class ObservationStore(Protocol):
    """Keeps Observations."""

    async def append(
        self, session: Session, batch: Sequence[NewObservation], *, may_repeat: bool = True
    ) -> Appended:
        """Store a batch and widen its Datastreams; all of it or nothing.

        Args:
            session: Inside a transaction.
            batch: Rows whose Datastreams and features are there.
            may_repeat: Whether rows with a `dt_id` may be there already, or twice in the batch; they are
                stored once then. Where they are new for certain the batch is stored faster, and ids are told.

        Raises:
            psycopg.errors.CheckViolation: A partition went at this moment: begin the transaction again.
            psycopg.Error: What the database says, such as a ForeignKeyViolation.
            BusyError: No connection became free in time.
        """
        ...

    async def query(
        self, session: Session, datastream_ids: Sequence[int], *, limit: int, span: Span = ALWAYS
    ) -> list[Sample]:
        """Read the newest Observations of each Datastream; in one statement.

        Args:
            session: Any.
            datastream_ids: Ids that the one who asks may see.
            limit: Most Observations of each Datastream; 1 for the latest ones.
            span: Where to look.

        Returns:
            By Datastream, in the order asked for; the newest first.

        Raises:
            psycopg.Error: What the database says.
        """
        ...

    async def aggregate(
        self,
        session: Session,
        datastream_ids: Sequence[int],
        bucket: Bucket,
        functions: Sequence[str],
        span: Span = ALWAYS,
    ) -> list[Aggregate]:
        """Sum up the numbers among the results by time buckets.

        Args:
            session: Any.
            datastream_ids: Ids that the one who asks may see.
            bucket: Length of the buckets.
            functions: Of `sensorthings.store.buckets.FUNCTIONS`.
            span: Where to look.

        Returns:
            Buckets with at least one number, by Datastream and time.

        Raises:
            QueryTypeError: An unknown function.
            psycopg.Error: What the database says.
        """
        ...

    async def retain(self, now: datetime) -> Retained:
        """Remove what is older than the retention of its Datastream, in transactions of its own.

        Args:
            now: Time to count back from; aware.

        Raises:
            psycopg.Error: What the database says.
            BusyError: No connection became free in time.
        """
        ...
