"""Changing what is registered: Things, Datastreams with what they link to, whole instances files.

What lives here: what is written to the SensorThings service, in the name of one person, and the entry of the
audit log. What does not: who may (the callers ask ``systems.service`` for an agent of the system).

How it works: everything that belongs together is one atomic group of one batch (OGC 18-088, clause 11.2): it
is kept whole or not at all. What is made is made by name, so that doing it twice makes nothing twice.
"""

import json
from collections.abc import Sequence
from http import HTTPMethod, HTTPStatus
from typing import Final

from client.metadata.entities import Datastream, ObservedProperty, Sensor, Thing, UnitOfMeasurement
from client.metadata.instances import Instances
from client.metadata.wire import LOCATIONS, JsonObject, place_name
from platform_ui.assets.comparing import Plan, Present, compare, local_name
from platform_ui.assets.forms import DatastreamChangeForm, DatastreamForm, ThingChangeForm, ThingForm
from platform_ui.assets.reading import AssetReader, key, literal, read_answer, refusal
from platform_ui.assets.views import DatastreamView, ThingView
from platform_ui.assets.vocabulary import COMMON_BY_NAME
from platform_ui.errors import ConflictError, FormError
from platform_ui.metadata.gateway import BATCH, Answer
from streamhub.outputs import unit_of

_PLAIN_TEXT: Final = "text/plain"
_GEO_JSON: Final = "application/geo+json"


async def read_present(reader: AssetReader) -> Present:
    """Return what the system has in service.

    Raises:
        MetadataError: The service does not answer.
    """
    things = await reader.everything("Things", LOCATIONS)
    sensors = await reader.everything("Sensors")
    observed = await reader.everything("ObservedProperties")
    datastreams = await reader.datastreams()
    return Present(
        reader.system,
        _by_name(things, reader.system),
        _by_name([*sensors, *_linked(datastreams, "Sensor")], reader.system),
        _by_name([*observed, *_linked(datastreams, "ObservedProperty")], reader.system),
        _by_name(datastreams, reader.system),
    )


async def apply(reader: AssetReader, plan: Plan) -> None:
    """Bring a plan about, whole or not at all.

    Raises:
        ConflictError: The service refuses a part of it; nothing has changed.
        MetadataError: The service does not answer.
    """
    await _run(reader, plan.requests)


async def create_thing(reader: AssetReader, form: ThingForm) -> str:
    """Register a Thing; return its full name.

    Raises:
        FormError: There is one of this name.
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    name = f"{reader.system}.{form.name}"
    if await reader.count("Things", f"name eq {literal(name)}"):
        raise FormError({"name": f"There is a Thing named {form.name} already."}, code="asset.exists")
    body: JsonObject = {"name": name, "description": form.description, "properties": form.properties}
    if form.latitude is not None:
        body["Locations"] = [_location(name, form)]
    await reader.write(HTTPMethod.POST, "Things", body)
    return name


async def change_thing(reader: AssetReader, thing: ThingView, form: ThingChangeForm) -> None:
    """Change a Thing; where it was before stays in its history.

    Raises:
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    address = f"Things({key(thing.iot_id)})"
    body: JsonObject = {"description": form.description, "properties": form.properties}
    requests = [_request("1", "patch", address, body)]
    place = thing.place
    moved = place is None or (form.latitude, form.longitude) != (place.latitude, place.longitude)
    if form.latitude is not None and moved:
        requests.append(_request("2", "post", f"{address}/Locations", _location(thing.name, form)))
    await _run(reader, requests)


async def create_datastream(reader: AssetReader, form: DatastreamForm) -> str:
    """Register a Datastream with its Sensor and ObservedProperty; return its full name.

    Raises:
        FormError: There is one of this name, or no Thing of that name.
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    present = await read_present(reader)
    name = f"{form.thing}.{form.name}"
    if name in present.datastreams:
        raise FormError(
            {"name": f"{form.thing} has a Datastream named {form.name} already."}, code="asset.exists"
        )
    if form.thing not in present.things:
        raise FormError({"thing": f"There is no Thing named {form.thing}: register it first."})
    await apply(reader, compare(_instances(present, form, form.thing, form.name), present))
    return f"{reader.system}.{name}"


async def change_datastream(
    reader: AssetReader, datastream: DatastreamView, form: DatastreamChangeForm
) -> None:
    """Change what a Datastream means; its name and its Observations stay.

    Raises:
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    present = await read_present(reader)
    thing = datastream.thing_name.removeprefix(f"{reader.system}.")
    if thing not in present.things or f"{thing}.{datastream.local_name}" not in present.datastreams:
        raise ConflictError(
            f"{datastream.name} is not named after its Thing, so no form can change it.",
            code="asset.irregular_name",
            hint="Change it by a PATCH of the SensorThings service.",
        )
    wanted = _instances(present, form, thing, datastream.local_name)
    requests = compare(wanted, present).requests
    # A client's file says nothing of properties that it does not have; a form that is empty means none.
    if not form.properties and datastream.document.get("properties"):
        address = f"Datastreams({key(datastream.iot_id)})"
        requests.append(_request("properties", "patch", address, {"properties": {}}))
    await _run(reader, requests)


async def delete(reader: AssetReader, entities: str, iot_id: int | str) -> None:
    """Delete a Thing or a Datastream with everything that hangs on it.

    Raises:
        NotFoundError: It is gone already.
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    await reader.write(HTTPMethod.DELETE, f"{entities}({key(iot_id)})")


async def count_lost(reader: AssetReader, thing: ThingView) -> int:
    """Return how many Observations are lost with a Thing.

    Raises:
        MetadataError: The service does not answer.
    """
    if not thing.datastreams:
        return 0
    return await reader.count("Observations", f"Datastream/Thing/id eq {key(thing.iot_id)}")


def _instances(present: Present, form: DatastreamChangeForm, thing: str, name: str) -> Instances:
    """Describe one Datastream as an instances file would; what is there already stays as it is."""
    system = present.system
    known = present.things[thing]
    whole = Thing(f"{system}.{thing}", str(known.get("description")), _properties(known))
    sensor = _sensor(present, form)
    made = Datastream(
        name=f"{whole.name}.{name}",
        description=form.description,
        observation_type=form.observation_type,
        unit_of_measurement=unit_of(form.unit) if form.unit else UnitOfMeasurement(None, None, None),
        thing=whole,
        sensor=sensor,
        observed_property=_observed_property(present, form),
        properties=form.properties,
    )
    return Instances({thing: whole}, {sensor.name: sensor}, {name: made})


def _sensor(present: Present, form: DatastreamChangeForm) -> Sensor:
    name, known = f"{present.system}.{form.sensor}", present.sensors.get(form.sensor)
    if known is None:
        about = form.sensor_description or form.sensor
        return Sensor(name, about, _PLAIN_TEXT, form.sensor_metadata or about)
    return Sensor(
        name,
        str(known.get("description")),
        str(known.get("encodingType")),
        known.get("metadata"),
        _properties(known),
    )


def _observed_property(present: Present, form: DatastreamChangeForm) -> ObservedProperty:
    name, known = (
        f"{present.system}.{form.observed_property}",
        present.observed_properties.get(form.observed_property),
    )
    if known is not None:
        return ObservedProperty(
            name, str(known.get("description")), str(known.get("definition")), _properties(known)
        )
    common = COMMON_BY_NAME.get(form.observed_property)
    definition = form.definition or (common.definition if common else f"urn:dtwin:{form.observed_property}")
    return ObservedProperty(name, common.description if common else form.observed_property, definition)


def _properties(document: JsonObject) -> dict[str, object]:
    found = document.get("properties")
    return found if isinstance(found, dict) else {}


def _location(thing: str, form: ThingChangeForm) -> JsonObject:
    """Write a place (RFC 7946, clause 3.1.1: longitude first)."""
    point = {"type": "Point", "coordinates": [form.longitude, form.latitude]}
    about = f"Where {thing} is"
    return {"name": place_name(thing), "description": about, "encodingType": _GEO_JSON, "location": point}


def _request(number: str, method: str, url: str, body: JsonObject) -> JsonObject:
    return {"id": number, "atomicityGroup": "change", "method": method, "url": url, "body": body}


async def _run(reader: AssetReader, requests: Sequence[JsonObject]) -> None:
    if not requests:
        return
    body: JsonObject = {"requests": [request | {"atomicityGroup": "change"} for request in requests]}
    answers = read_answer(await reader.write(HTTPMethod.POST, BATCH, body)).get("responses")
    for answer in answers if isinstance(answers, list) else []:
        _check(answer)


def _check(answer: JsonObject) -> None:
    """Raise the error of a part of a batch; those that failed because of another one are left aside."""
    status = answer.get("status")
    if not isinstance(status, int) or status < HTTPStatus.BAD_REQUEST:
        return
    if status == HTTPStatus.FAILED_DEPENDENCY:
        return
    error = refusal(Answer(status, json.dumps(answer.get("body")).encode(), "application/json"))
    if status == HTTPStatus.FORBIDDEN:
        raise ConflictError(
            "The SensorThings service does not let you change this yet.",
            code="asset.refused",
            hint="Your rights may still be on their way there; try again in a moment.",
        )
    raise error


def _by_name(documents: Sequence[JsonObject], system: str) -> dict[str, JsonObject]:
    """Index by name without the system's; the first one counts, as for clients, who take the lowest id."""
    found: dict[str, JsonObject] = {}
    for one in documents:
        found.setdefault(local_name(one, system), one)
    return found


def _linked(documents: Sequence[JsonObject], link: str) -> list[JsonObject]:
    return [linked for one in documents if isinstance(linked := one.get(link), dict)]
