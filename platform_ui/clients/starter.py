"""The first Datastream of a client app: what every snippet sends to, as files and as bodies of requests.

What lives here: the entities, the program and the files of a ready folder. What does not: the snippets
themselves (``snippets``), certificates and keys (``platform_ui.pki.archive``, which packs these files too).

Each way has a Thing of its own, named after the client app: so they can be tried one after the other, and a
record of theirs shows by its key alone whose it is.

The files are in a folder of their own: whoever unpacks another archive over an older one must not lose what
they have written beside it.
"""

import json
from typing import Any, Final

PROGRAM_FILE: Final = "example/first_records.py"
INSTANCE_FILE: Final = "example/instances.json"
SUBSCRIPTION_FILE: Final = "example/subscriptions.json"
QUANTITY: Final = "temperature"
DATASTREAM: Final = "Air Temperature"
BY_HTTP: Final = "-http"
"""What is added to the client app's name for the Thing that is described by plain HTTP."""
BY_MQTT: Final = "-mqtt"
"""What is added for the Thing whose records come by MQTT."""
_MEASUREMENT: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_UNIT: Final = {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}
_DEFINITION: Final = "http://vocab.nerc.ac.uk/standard_name/air_temperature/"
_PROGRAM: Final = '''"""Send five records, and read them back."""

import json
from pathlib import Path

from client.digital_twin_client import DigitalTwinClient

here = Path(__file__).parent
configuration = json.loads((here.parent / "configuration.json").read_text(encoding="utf-8"))
with DigitalTwinClient(**configuration) as client:
    client.register(here / "instances.json")
    client.subscribe(here / "subscriptions.json")
    for result in (20.5, 20.7, 21.0, 21.2, 21.5):
        client.produce("temperature", result).result(30)
        print("sent", result)
    received = []
    while len(received) < 5 and (records := client.consume(timeout=20)):
        received += records
        for record in records:
            print("received", record["name"], record["result"])
'''


def datastream_names(system: str, client: str) -> frozenset[str]:
    """Return the full names of the Datastreams that the snippets of a client app send to."""
    things = (client, f"{client}{BY_HTTP}", f"{client}{BY_MQTT}")
    return frozenset(f"{system}.{thing}.{DATASTREAM}" for thing in things)


def starter_files(system: str, client: str) -> dict[str, str]:
    """Return what a ready folder holds beside credentials, by file name.

    Args:
        system: full name of the system.
        client: name of the client app.
    """
    names = {"subscribed_datastreams": [f"{system}.{client}.{DATASTREAM}"]}
    return {
        PROGRAM_FILE: _PROGRAM,
        INSTANCE_FILE: _json(_instances(client)),
        SUBSCRIPTION_FILE: _json(names),
    }


def described(system: str, thing_name: str) -> str:
    """Return the body of a request that makes the Datastream of a Thing with all that belongs to it.

    Source: OGC 18-088, clause 10.2.1.1 "Link to existing entities when creating an entity" and 10.2.1.2
    "Create related entities when creating an entity".
    """
    thing = f"{system}.{thing_name}"
    parts = _instances(thing_name)
    datastream = dict(parts["Datastreams"][QUANTITY])
    body = {
        **datastream,
        "name": f"{thing}.{DATASTREAM}",
        "Thing": {**parts["Things"]["device"], "name": thing, "Locations": [_nowhere(thing)]},
        "Sensor": {**parts["Sensors"]["thermometer"], "name": f"{thing}.Thermometer"},
        "ObservedProperty": {**datastream["ObservedProperty"], "name": f"{thing}.{DATASTREAM}"},
    }
    return _json(body).rstrip("\n")


def _nowhere(thing: str) -> dict[str, str]:
    """Return a place that says that none is known: an Observation needs one, to make its feature of."""
    return {
        "name": f"{thing}.Location",
        "description": "Where the device is",
        "encodingType": "text/plain",
        "location": "not known yet",
    }


def _instances(thing: str) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        "Things": {"device": {"name": thing, "description": f"The device {thing}"}},
        "Sensors": {
            "thermometer": {
                "name": f"{thing} Thermometer",
                "description": "A thermometer to begin with",
                "encodingType": "text/plain",
                "metadata": "none",
            }
        },
        "Datastreams": {
            QUANTITY: {
                "name": DATASTREAM,
                "description": f"Temperature of the air at {thing}",
                "observationType": _MEASUREMENT,
                "unitOfMeasurement": _UNIT,
                "ObservedProperty": {
                    "name": DATASTREAM,
                    "description": "Temperature of the air",
                    "definition": _DEFINITION,
                },
                "Thing": "device",
                "Sensor": "thermometer",
            }
        },
    }


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
