"""The record that the functions of a hooks file are given.

Lives here: ``HookRecord`` with its accessors, and how one is read from the bytes of a record. Does not live
here: what the functions do with it.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from streamhub.query.derivation.times import event_time
from streamhub.query.execution.rows import key_parts

__all__ = ["LEFT", "RIGHT", "HookRecord", "record_reader"]

LEFT: Final = 1
RIGHT: Final = 2

_TIME: Final = "phenomenonTime"
_RESULT: Final = "result"
_INTERNAL: Final = ".int"
_NEVER_TOO_LARGE: Final = frozenset({float, str, bool, type(None)})


class HookRecord(msgspec.Struct, array_like=True, gc=False):
    """One record of a source; what a record does not have is None.

    Attributes:
        time: phenomenonTime [us since 1970-01-01T00:00:00Z]; of an interval the start.
        source: The system from whose topic the record was read.
        name: The full Datastream name, from the key.
        result: The result.
        attributes: Those of ADDITIONAL_ATTRIBUTES that the record has.
        sides: Streams that the record goes into: the sum of `LEFT` and `RIGHT`, or 0.
    """

    time: int
    source: str
    name: str | None
    result: Any
    attributes: dict[str, Any]
    sides: int = 0

    @property
    def topic(self) -> str:
        """The topic that the record was read from."""
        return self.source + _INTERNAL

    @property
    def thing(self) -> str | None:
        """The Thing: the fifth level of the name."""
        return None if self.name is None else key_parts(self.name.encode())[1]

    @property
    def system(self) -> str | None:
        """The system that produced the record: the first four levels of the name."""
        return None if self.name is None else key_parts(self.name.encode())[2]

    def get_quantity(self) -> str | None:
        """Give the Datastream's own name: what follows the Thing in the full name."""
        thing, system = self.thing, self.system
        if self.name is None or thing is None or system is None:
            return None
        return self.name[len(system) + len(thing) + 2 :] or None

    def get_time(self) -> float:
        """Give the phenomenonTime [s since 1970-01-01T00:00:00Z]."""
        return self.time / 1e6

    def get_result(self) -> Any:  # noqa: ANN401 - whatever the record holds
        """Give the result."""
        return self.result

    def get_metadata(self) -> dict[str, Any]:
        """Give everything besides quantity, time and result: where it is from, and the attributes."""
        origin = {"topic": self.topic, "system": self.system, "thing": self.thing, "name": self.name}
        return {**origin, **self.attributes}

    def get(self, attribute: str) -> Any:  # noqa: ANN401 - whatever the record holds
        """Give an attribute by its name: an additional one, or one of those that every record has."""
        if attribute in self.attributes:
            return self.attributes[attribute]
        own = _OWN.get(attribute)
        return None if own is None else own(self)


_OWN: Final[dict[str, Callable[[HookRecord], Any]]] = {
    "name": lambda record: record.name,
    "thing": lambda record: record.thing,
    "system": lambda record: record.system,
    "topic": lambda record: record.topic,
    "quantity": HookRecord.get_quantity,
    "result": HookRecord.get_result,
    "phenomenonTime": HookRecord.get_time,
}


def record_reader(
    source: str, name: str | None, attributes: tuple[str, ...]
) -> Callable[[bytes | None], HookRecord]:
    """Make the function that reads the values of one key.

    Args:
        source: The system from whose topic the values are read.
        name: What the key says.
        attributes: The additional attributes to keep.

    Returns:
        A function that raises the same errors as the readers of a statement, when the value is no object, or
        has no usable phenomenonTime.
    """
    decode = msgspec.json.Decoder(dict[str, Any]).decode

    def read(value: bytes | None) -> HookRecord:
        members = decode(value)  # type: ignore[arg-type] # an absent value raises the TypeError it stands for
        time, _ = event_time(members.get(_TIME))
        kept = {attribute: members[attribute] for attribute in attributes if attribute in members}
        record = HookRecord(time, source, name, members.get(_RESULT), kept)
        _check_numbers((record.result, *kept.values()))
        return record

    return read


def _check_numbers(values: tuple[Any, ...]) -> None:
    """Refuse whole numbers that MessagePack, and so the memory of an app, cannot hold.

    Raises:
        ValidationError: there is one beyond 64 bits.
    """
    for value in values:
        if type(value) in _NEVER_TOO_LARGE:
            continue
        try:
            msgspec.msgpack.encode(value)
        except OverflowError as error:
            raise msgspec.ValidationError(f"Number out of range: {error}") from error
