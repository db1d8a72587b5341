"""An instances file of a small car, as users write it."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

PREFIX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"

CAR: dict[str, object] = {
    "Things": {"car": {"name": "Main", "description": "The car's computer", "properties": {"doors": 4}}},
    "Sensors": {
        "pt100": {
            "name": "PT100",
            "description": "Thermometer",
            "encodingType": "application/pdf",
            "metadata": "https://example.com/pt100.pdf",
        }
    },
    "Datastreams": {
        "temperature": {
            "name": "Air Temperature",
            "description": "Air temperature in the car",
            "observationType": PREFIX + "OM_Measurement",
            "unitOfMeasurement": {
                "name": "degree Celsius",
                "symbol": "degC",
                "definition": "ucum:Cel",
                "abbreviation": "°C",
            },
            "ObservedProperty": {
                "name": "Air Temperature",
                "description": "Temperature of the air",
                "definition": "https://example.com/temperature",
            },
            "Thing": "car",
            "Sensor": "pt100",
        },
        "locked": {
            "name": "Locked",
            "description": "Whether the car is locked",
            "observationType": PREFIX + "OM_TruthObservation",
            "unitOfMeasurement": {"name": None, "symbol": None, "definition": None},
            "ObservedProperty": {
                "name": "Locked",
                "description": "Locked or not",
                "definition": "https://example.com/locked",
            },
            "Thing": "car",
            "Sensor": "pt100",
        },
    },
}


@pytest.fixture
def car() -> dict[str, object]:
    return copy.deepcopy(CAR)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[object], Path]:
    def to_file(content: object) -> Path:
        path = tmp_path / "file.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
        return path

    return to_file
