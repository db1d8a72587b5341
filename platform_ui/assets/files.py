"""Instances files: a text that was uploaded becomes entities, what is in service becomes a text.

What lives here: both directions, and the line of an error. What does not: the format itself
(``client.metadata.instances``, which every client reads with), the comparison (``comparing``).

How it works: a file that is written from what is in service and read again describes the same entities. It
has no place for Locations that are no points, and none for Datastreams whose names do not follow
``<Thing>.<Datastream>``.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from client.errors import InstanceFileError, InvalidNameError
from client.messaging.topics import DatastreamName, SystemName
from client.metadata.instances import Instances, read_instances
from client.metadata.wire import LOCATIONS, JsonObject, location_of, observation_type, place_name
from platform_ui.assets.comparing import Present, local_name
from platform_ui.errors import FormError

MAX_CHARACTERS: Final = 900_000
FILE_NAME: Final = "instances.json"
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
_PLACE: Final = re.compile(r"\(line (\d+), column \d+\)")


class InstancesRefusedError(FormError):
    """An instances file cannot be accepted.

    Attributes:
        pointer: Where it is wrong (RFC 6901); empty for the whole file.
        line: The line of that place, counted from 1.
        problem: What is wrong there.
        remedy: What to do about it.
    """

    default_code = "instances.refused"

    def __init__(self, pointer: str, line: int, problem: str, remedy: str) -> None:
        place = f"line {line}, at {pointer}" if pointer else f"line {line}"
        super().__init__({pointer.removeprefix("/"): f"{place}: {problem}. {remedy}"})
        self.pointer = pointer
        self.line = line
        self.problem = problem
        self.remedy = remedy


def read_text(text: str, system: str) -> Instances:
    """Read an instances file exactly as a client of the system would.

    Args:
        text: What the file holds.
        system: Full name of the system.

    Raises:
        InstancesRefusedError: With pointer, line, problem and remedy.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InstancesRefusedError("", 1, "nothing was sent", "Choose a file, or paste its text.")
    if len(text) > MAX_CHARACTERS:
        problem = f"the file has more than {MAX_CHARACTERS} characters"
        raise InstancesRefusedError("", 1, problem, "Send it in parts: what is not in a file stays as it is.")
    with TemporaryDirectory() as folder:
        path = Path(folder) / FILE_NAME
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            return read_instances(path, SystemName.parse(system))
        except InstanceFileError as error:
            line = _line_told(error.problem) or line_of(text, error.pointer)
            raise InstancesRefusedError(error.pointer, line, error.problem, error.remedy) from None


def line_of(text: str, pointer: str) -> int:
    r"""Return the line on which the key stands that a JSON pointer leads to, counted from 1.

    Args:
        text: JSON, as far as the pointer leads made of objects.
        pointer: As in RFC 6901; where it leads to nothing, the last place on the way counts.

    >>> line_of('{\n "Things": {\n  "car": {}}}', "/Things/car")
    3
    """
    at = value = _after_blank(text, 0)
    for step in pointer.split("/")[1:]:
        found = _member(text, value, step.replace("~1", "/").replace("~0", "~"))
        if found is None:
            break
        at, value = found
    return text.count("\n", 0, at) + 1


def write_text(present: Present) -> str:
    """Write what is in service as an instances file, with names as short as a file has them."""
    keys: dict[object, str] = {iot_id: name for name, iot_id in present.thing_ids.items()}
    datastreams = {
        name: body
        for name, one in present.datastreams.items()
        if (body := _datastream(name, one, keys, present.system)) is not None
    }
    document = {
        "Things": {name: _thing(name, one) for name, one in present.things.items()},
        "Sensors": {name: _sensor(name, one) for name, one in present.sensors.items()},
        "Datastreams": datastreams,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _thing(name: str, one: JsonObject) -> JsonObject:
    place = location_of(one.get(LOCATIONS))
    if place is None:
        return _described(name, one)
    body: JsonObject = {"latitude": place.latitude, "longitude": place.longitude}
    is_named = place.name.strip() and place.name != place_name(str(one.get("name")))
    return _described(name, one) | {"Location": body | ({"name": place.name} if is_named else {})}


def _sensor(name: str, one: JsonObject) -> JsonObject:
    return _described(name, one) | {
        "encodingType": one.get("encodingType") or "text/plain",
        "metadata": one.get("metadata"),
    }


def _observed_property(one: JsonObject, system: str) -> JsonObject:
    name = local_name(one, system)
    return _described(name, one) | {"definition": one.get("definition") or name}


def _datastream(name: str, one: JsonObject, things: Mapping[object, str], system: str) -> JsonObject | None:
    thing, sensor, observed = (_linked(one, kind) for kind in ("Thing", "Sensor", "ObservedProperty"))
    known = things.get(thing.get("@iot.id"))
    if known is None or not is_regular(f"{system}.{name}") or not name.startswith(f"{known}."):
        return None
    unit = _linked(one, "unitOfMeasurement")
    return _described(name.removeprefix(f"{known}."), one) | {
        "observationType": observation_type(one.get("observationType")).uri,
        "unitOfMeasurement": {part: unit.get(part) for part in ("name", "symbol", "definition")},
        "ObservedProperty": _observed_property(observed, system),
        "Thing": known,
        "Sensor": local_name(sensor, system),
    }


def _described(name: str, one: JsonObject) -> JsonObject:
    body: JsonObject = {"name": name, "description": one.get("description") or name}
    return body | ({"properties": one["properties"]} if one.get("properties") else {})


def is_regular(name: str) -> bool:
    """Return whether a Datastream is named as its records are: ``<system>.<Thing>.<Datastream>``."""
    try:
        DatastreamName.parse(name)
    except InvalidNameError:
        return False
    return True


def _linked(document: JsonObject, key: str) -> JsonObject:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _line_told(problem: str) -> int:
    found = _PLACE.search(problem)
    return int(found[1]) if found else 0


def _member(text: str, at: int, step: str) -> tuple[int, int] | None:
    """Return where a key of the object at a place stands, and where its value does."""
    if text[at : at + 1] != "{":
        return None
    at = _after_blank(text, at + 1)
    while text[at : at + 1] == '"':
        name, end = _DECODER.raw_decode(text, at)
        value = _after_blank(text, _after_blank(text, end) + 1)
        if name == step:
            return at, value
        _, end = _DECODER.raw_decode(text, value)
        at = _after_blank(text, _after_blank(text, end) + 1)
    return None


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
