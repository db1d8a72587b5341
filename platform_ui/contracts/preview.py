"""What would leave by a contract: its terms over the last records of the provider, before anybody signs.

What lives here: reading the ends of a topic, judging, and masking what the other side must not see yet. What
does not: who may look (``views``), and letting records leave (``streamhub.engine``). Nothing is written, no
consumer group is joined, and the terms' times are not looked at: it shows what would leave if they held now.

Masked, a record shows its Datastream, its times, its unit and the names of its attributes; values are
replaced by signs that tell their kind alone, neither how many digits nor which sign they have.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from client.errors import DigitalTwinError, RecordFormatError
from client.messaging.security import KafkaSecurity
from client.messaging.topics import SystemName
from platform_ui.errors import BrokerError
from streamhub.contracts import ContractTerms
from streamhub.preview import LastRecords, read_last
from streamhub.query import CompiledStatement

MOST: Final = 200  # records that are judged
SHOWN: Final = 20  # of those that would leave, the newest
WAIT_S: Final = 5.0
MAX_TEXT: Final = 60
_KEPT: Final = ("phenomenonTime", "resultTime", "result", "Datastream")
_MASKS: Final[Mapping[type, str]] = {
    bool: "true | false",
    int: "##",
    float: "##.#",
    str: "abc",
    list: "[ ]",
    dict: "{ }",
    type(None): "–",  # noqa: RUF001 - an en dash is what is meant
}


class RecordReader(Protocol):
    """What a preview needs of the broker."""

    def last(self, system: str, most: int, /) -> LastRecords:
        """Read the last records of a system's own topic.

        Args:
            system: its full name.
            most: at most so many.

        Raises:
            BrokerError: the broker does not give them.
        """


class KafkaRecords:
    """Reads the last records of a real broker; blocking, so it is called in a thread."""

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._security = security

    def last(self, system: str, most: int, /) -> LastRecords:
        """Read the last records of a system's own topic; see `RecordReader.last`."""
        topic = SystemName.parse(system).topics.internal
        try:
            return read_last(self._bootstrap_servers, self._security, [topic], most, wait_s=WAIT_S)
        except DigitalTwinError as error:
            raise BrokerError(f"The last records of {system} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class PreviewRecord:
    """A record that would leave.

    Attributes:
        datastream: Full name.
        time: Its phenomenonTime as written.
        result: Its result, or what stands for it.
        attributes: Names and values of what else would leave.
    """

    datastream: str
    time: str
    result: str
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Preview:
    """What would leave now.

    Attributes:
        is_masked: Whether values are replaced.
        read: Records that were looked at [1].
        leaving: Records that would leave [1].
        held_back: Records that the terms keep back [1].
        unusable: Records that cannot be read at all [1].
        datastreams: Records that would leave, by Datastream [1].
        records: The newest of those that would leave, the newest first.
        is_complete: Whether the end of the topic was reached in time.
    """

    is_masked: bool
    read: int = 0
    leaving: int = 0
    held_back: int = 0
    unusable: int = 0
    datastreams: Counter[str] = field(default_factory=Counter)
    records: list[PreviewRecord] = field(default_factory=list)
    is_complete: bool = True


class _Line(msgspec.Struct):
    key: str | None = None
    value: str | None = None


def preview(terms: ContractTerms, found: LastRecords, *, is_masked: bool) -> Preview:
    """Judge records by terms.

    Args:
        terms: what would let them leave.
        found: the last records of the provider.
        is_masked: show that there are values, not which.
    """
    lines = msgspec.json.Decoder(_Line)
    pairs = [(line.key, line.value) for line in map(lines.decode, found.lines)]
    keys = [None if key is None else key.encode() for key, _ in pairs]
    values = [None if value is None else value.encode() for _, value in pairs]
    compiled = terms.compile()
    decision = compiled.filter_batch(keys, values)
    unreadable = sum(found.unreadable.values())
    result = Preview(is_masked, read=len(pairs) + unreadable, is_complete=found.is_complete)
    result.unusable = len(decision.rejected) + unreadable
    for index in reversed(decision.accepted):
        _take(result, compiled, keys[index], values[index])
    result.held_back = result.read - result.leaving - result.unusable
    return result


def _take(result: Preview, compiled: CompiledStatement, key: bytes | None, value: bytes | None) -> None:
    """Count a record that would leave, and show it where there is room."""
    try:
        written = compiled.rewrite(key, value)
    except RecordFormatError:  # something has to be taken out of what is no object
        result.unusable += 1
        return
    name = (key or b"").decode()
    result.leaving += 1
    result.datastreams[name] += 1
    if len(result.records) < SHOWN:
        result.records.append(_shown(name, written, is_masked=result.is_masked))


def _shown(datastream: str, value: bytes | None, *, is_masked: bool) -> PreviewRecord:
    try:
        document = msgspec.json.decode(value or b"{}")
    except msgspec.DecodeError:  # where the key alone decides, whatever it holds would leave
        document = {}
    members: dict[str, Any] = document if isinstance(document, dict) else {}
    write = mask if is_masked else _text
    return PreviewRecord(
        datastream,
        str(members.get("phenomenonTime", "")),
        write(members.get("result")),
        tuple((name, write(held)) for name, held in members.items() if name not in _KEPT),
    )


def mask(value: Any) -> str:  # noqa: ANN401 - whatever a record holds
    """Return what stands for a value: its kind and nothing else."""
    return _MASKS.get(type(value), "…")


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a record holds
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
