"""The requests about access rules and quotas as Kafka's protocol has them.

What lives here: the bytes of five requests and their answers, and the numbers that stand for words. What does
not: how they travel (``connection``), and what an error means (``kafka_port``, ``quotas``).

All of them in their highest version without tagged fields, which brokers since 2.0 and 2.6 (quotas) speak.
``string`` is int16 length and UTF-8, ``?`` may be null (length -1), ``[...]`` is int32 count and the items.

- DescribeAcls v1 (29): ``type:int8 name:?string pattern:int8 principal:?string host:?string operation:int8
  permission:int8`` -> ``throttle:int32 error:int16 message:?string [type:int8 name:string pattern:int8
  [principal:string host:string operation:int8 permission:int8]]``
- CreateAcls v1 (30): ``[type name pattern principal host operation permission]`` -> ``throttle:int32
  [error:int16 message:?string]``
- DeleteAcls v1 (31): ``[the filter of DescribeAcls]`` -> ``throttle:int32 [error:int16 message:?string
  [error:int16 message:?string and the rule that was removed]]``
- DescribeClientQuotas v0 (48): ``[entity:string match:int8 name:?string] strict:bool`` -> ``throttle:int32
  error:int16 message:?string [[entity:string name:?string] [key:string value:float64]]``
- AlterClientQuotas v0 (49): ``[[entity:string name:?string] [key:string value:float64 remove:bool]]
  validate_only:bool`` -> ``throttle:int32 [error:int16 message:?string [entity:string name:?string]]``

Source: Apache Kafka 4.1, "Kafka protocol guide"; clients/src/main/resources/common/message.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from platform_ui.acls.entries import Entry

NO_ERROR: Final = 0

_TYPES: Final = (
    "UNKNOWN",
    "ANY",
    "TOPIC",
    "GROUP",
    "CLUSTER",
    "TRANSACTIONAL_ID",
    "DELEGATION_TOKEN",
    "USER",
)
_PATTERNS: Final = ("UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED")
_OPERATIONS: Final = (
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
)
_PERMISSIONS: Final = ("UNKNOWN", "ANY", "DENY", "ALLOW")
_ANY: Final = 1
_TYPE_OF: Final = {word: number for number, word in enumerate(_TYPES)}
_PATTERN_OF: Final = {word: number for number, word in enumerate(_PATTERNS)}
_OPERATION_OF: Final = {word: number for number, word in enumerate(_OPERATIONS)}
_PERMISSION_OF: Final = {word: number for number, word in enumerate(_PERMISSIONS)}

_SPECIFIED: Final = 2  # match type: whatever name it has, the default included


class Outcome(NamedTuple):
    """What became of one item of a request: an error number of Kafka, 0 for none, and its words."""

    error: int
    message: str


class Reader:
    """Reads an answer from its first byte to its last."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def int8(self) -> int:
        """Read a number of one byte."""
        self._at += 1
        return self._data[self._at - 1]

    def int16(self) -> int:
        """Read a number of two bytes."""
        self._at += 2
        return int.from_bytes(self._data[self._at - 2 : self._at], "big", signed=True)

    def int32(self) -> int:
        """Read a number of four bytes."""
        self._at += 4
        return int.from_bytes(self._data[self._at - 4 : self._at], "big", signed=True)

    def float64(self) -> float:
        """Read a number with a fraction."""
        self._at += 8
        return float(struct.unpack_from(">d", self._data, self._at - 8)[0])

    def string(self) -> str | None:
        """Read a text, or null."""
        length = self.int16()
        if length < 0:
            return None
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def rules(self) -> Iterator[tuple[str, str, str, str]]:
        """Read the rules of one resource: principal, host, operation, permission.

        Written out instead of made of the readers above: a large cluster has a hundred thousand of them.
        """
        data = self._data
        for _ in range(self.int32()):
            at = self._at + 2
            end = at + (data[at - 2] << 8 | data[at - 1])
            after = end + 2 + (data[end] << 8 | data[end + 1])
            self._at = after + 2
            host = "*" if data[end + 2 : after] == b"*" else data[end + 2 : after].decode()
            yield data[at:end].decode(), host, _OPERATIONS[data[after]], _PERMISSIONS[data[after + 1]]

    def outcome(self) -> Outcome:
        """Read an error number and its words."""
        return Outcome(self.int16(), self.string() or "")


def _string(text: str | None) -> bytes:
    if text is None:
        return b"\xff\xff"
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _array(items: Sequence[bytes]) -> bytes:
    return len(items).to_bytes(4, "big") + b"".join(items)


class Call(NamedTuple):
    """A request whose bytes are ready.

    Attributes:
        key: Number of the request in Kafka's protocol.
        version: Its version.
        body: Its bytes, without the header.
    """

    key: int
    version: int
    body: bytes


def describe_acls(principal: str | None) -> Call:
    """Ask for all rules, or those of one principal."""
    return Call(29, 1, _filter(principal, _ANY))


def create_acls(entries: Sequence[Entry]) -> Call:
    """Make rules."""
    return Call(30, 1, _array([_rule(entry) for entry in entries]))


def delete_acls(entries: Sequence[Entry]) -> Call:
    """Remove rules that are exactly these."""
    return Call(31, 1, _array([_rule(entry) for entry in entries]))


def delete_allowed_acls(principals: Sequence[str]) -> Call:
    """Remove all ALLOW rules of principals."""
    allowed = _PERMISSION_OF["ALLOW"]
    return Call(31, 1, _array([_filter(principal, allowed) for principal in principals]))


def _rule(entry: Entry) -> bytes:
    """Write a rule; as a filter the same bytes match just this one."""
    return b"".join(
        (
            _TYPE_OF[entry.resource].to_bytes(1, "big"),
            _string(entry.name),
            _PATTERN_OF[entry.pattern].to_bytes(1, "big"),
            _string(entry.principal),
            _string(entry.host),
            bytes((_OPERATION_OF[entry.operation], _PERMISSION_OF[entry.permission])),
        )
    )


def _filter(principal: str | None, permission: int) -> bytes:
    anything = bytes((_ANY,))
    return b"".join(
        (
            anything,
            _string(None),
            anything,
            _string(principal),
            _string(None),
            bytes((_ANY, permission)),
        )
    )


def read_described(data: bytes) -> tuple[Outcome, frozenset[Entry]]:
    """Read the answer to `describe_acls`."""
    reader = Reader(data)
    reader.int32()
    outcome = reader.outcome()
    found: list[Entry] = []
    for _ in range(reader.int32()):
        resource, name, pattern = _TYPES[reader.int8()], reader.string() or "", _PATTERNS[reader.int8()]
        for principal, host, operation, permission in reader.rules():
            found.append(Entry(principal, resource, name, pattern, operation, permission, host))
    return outcome, frozenset(found)


def read_created(data: bytes) -> list[Outcome]:
    """Read the answer to `create_acls`: one outcome for each rule, in order."""
    reader = Reader(data)
    reader.int32()
    return [reader.outcome() for _ in range(reader.int32())]


def read_deleted(data: bytes) -> list[Outcome]:
    """Read the answer to a deletion: one outcome for each filter, in order, of its rules the last error."""
    reader = Reader(data)
    reader.int32()
    outcomes = []
    for _ in range(reader.int32()):
        outcome = reader.outcome()
        for _ in range(reader.int32()):
            one = reader.outcome()
            reader.int8(), reader.string(), reader.int8(), reader.string(), reader.string(), reader.int16()
            outcome = one if one.error != NO_ERROR else outcome
        outcomes.append(outcome)
    return outcomes


def describe_user_quotas() -> Call:
    """Ask for the quotas of users: the default, and those of single ones."""
    everybody = _string("user") + bytes((_SPECIFIED,)) + _string(None)
    return Call(48, 0, _array([everybody]) + b"\x01")


def alter_user_quotas(changes: Mapping[str | None, Mapping[str, float | None]]) -> Call:
    """Change quotas of users.

    Args:
        changes: By the user's name, None for the default: by key the new value, None to remove it.
    """
    items = []
    for name, values in changes.items():
        entity = _array([_string("user") + _string(name)])
        written = [
            _string(key) + struct.pack(">d?", value or 0.0, value is None) for key, value in values.items()
        ]
        items.append(entity + _array(written))
    return Call(49, 0, _array(items) + b"\x00")


def read_quotas(data: bytes) -> tuple[Outcome, dict[str | None, dict[str, float]]]:
    """Read the answer to `describe_user_quotas`: values by key, by the user (None for the default)."""
    reader = Reader(data)
    reader.int32()
    outcome = reader.outcome()
    found: dict[str | None, dict[str, float]] = {}
    for _ in range(reader.int32()):
        entity = [(reader.string(), reader.string()) for _ in range(reader.int32())]
        values = {reader.string() or "": reader.float64() for _ in range(reader.int32())}
        if len(entity) == 1:
            found[entity[0][1]] = values
    return outcome, found


def read_altered(data: bytes) -> list[Outcome]:
    """Read the answer to `alter_user_quotas`: one outcome for each user, in order."""
    reader = Reader(data)
    reader.int32()
    outcomes = []
    for _ in range(reader.int32()):
        outcomes.append(reader.outcome())
        for _ in range(reader.int32()):
            reader.string(), reader.string()
    return outcomes
