"""What the engine needs of a statement that makes new records: protocols only.

What lives here: the shape of a compiled statement with computed columns or joins, and of Python functions in
its place. What does not: the language (`streamhub.query`), functions of self-run apps (`streamhub.hooks`).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Protocol

from client.errors import ConfigurationError
from streamhub.engine.topics import Memory


class Route(Protocol):
    """How the records of one Datastream go into a statement."""

    @property
    def source(self) -> int:
        """Number of the source, in the order of the statement."""

    @property
    def read(self) -> Callable[[bytes | None], Any]:
        """Read a value; gives a record with its `time` [us]."""

    @property
    def key(self) -> Hashable | None:
        """The join key of all records of this Datastream."""

    @property
    def key_of(self) -> Callable[[Any], Hashable | None] | None:
        """The join key of a record, when its value decides; None: the record has none."""

    @property
    def admits(self) -> Callable[[bytes | None], bool] | None:
        """Whether a record may go in at all, by its value; None: all may."""


class Column(Protocol):
    """A column that becomes a Datastream."""

    @property
    def name(self) -> str:
        """Name of the Datastream within its Thing."""


class Derivation(Protocol):
    """A statement that makes new records of those of one or several sources."""

    @property
    def width(self) -> int:
        """Number of joined sources."""

    @property
    def withins(self) -> tuple[int | None, ...]:
        """Largest distance in time of each join [us]; None: no limit."""

    @property
    def max_latency(self) -> int | None:
        """How long a silent source is waited for [us]."""

    @property
    def lateness(self) -> int:
        """How far out of order a record may come [us]."""

    @property
    def is_co_partitioned(self) -> bool:
        """Whether records that can meet always lie in the same partition."""

    @property
    def columns(self) -> Sequence[Column]:
        """What becomes Datastreams."""

    @property
    def fingerprint(self) -> str:
        """Identifies what remembered records mean."""

    @property
    def record_types(self) -> Sequence[type]:
        """Type of the records of each source."""

    def routes(self, system: str, key: bytes | None) -> Sequence[Route]:
        """Say how records with a key go in; none: they are of no interest.

        Raises:
            UnicodeDecodeError: the key is not UTF-8.
        """

    def derive(
        self,
        tuples: Sequence[tuple[Any, ...]],
        stamp: str,
        outputs: Mapping[tuple[int, str | None], Any],
        results: list[tuple[Any, str]],
    ) -> None:
        """Append where it goes and its value for each output record."""

    def take_counts(self) -> tuple[int, int]:
        """Give how often something was missing or did not fit, since the last call."""


class ChoosingDerivation(Derivation, Protocol):
    """A derivation that decides by the record into which streams it goes."""

    def take_failed(self) -> int:
        """Give for how many groups the function of the user failed, since the last call."""

    def choose(self, record: Any) -> Sequence[int]:  # noqa: ANN401 - of its own record type
        """Name the streams that a record goes into."""


def admitting_reader(route: Route) -> Callable[[bytes | None], Any]:
    """Give the reader of a route; of a record that may not go in it makes None."""
    read, admits = route.read, route.admits
    if admits is None:
        return read

    def read_if_admitted(value: bytes | None) -> Any:  # noqa: ANN401 - of the derivation's record type
        return read(value) if admits(value) else None

    return read_if_admitted


def memory_of(derivation: Derivation, *, spread: bool) -> Memory:
    """Say what a statement makes an app remember, and so how its work is spread over copies.

    Args:
        derivation: The compiled statement.
        spread: Whether it may be spread by partition, if it can be.

    Raises:
        ConfigurationError: it cannot be spread.
    """
    if derivation.width == 1:
        return Memory.NONE
    if not spread:
        return Memory.WHOLE
    if not derivation.is_co_partitioned:
        raise ConfigurationError(
            "stream app: spread needs a join of one system with itself ON l.thing = r.thing, since only then "
            "records that can meet lie in one partition",
            setting="spread",
        )
    return Memory.BY_PARTITION
