"""What the tests of hooks share: files to load, records to feed."""

import json
from pathlib import Path

CAR_1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
CAR_2 = "cz.icecars.iot4cps-wp5-CarFleet.Car2"
CONSTANTS = f"""STREAM_NAME = "distance"
KAFKA_BOOTSTRAP_SERVERS = "localhost:9092"
SOURCE_SYSTEMS = "{CAR_1},{CAR_2}"
TARGET_SYSTEM = "{CAR_1}"
TIME_DELTA = 1
ADDITIONAL_ATTRIBUTES = "longitude, latitude"
"""
FUNCTIONS = """
def ingest_fct(record, stream_buffer):
    if record.get("topic").endswith("Car1.int"):
        stream_buffer.ingest_left(record)
    elif record.get("topic").endswith("Car2.int"):
        stream_buffer.ingest_right(record)

def on_join(record_left, record_right):
    return {
        "thing": record_left.get("thing"),
        "quantity": "sum",
        "result": record_left.get_result() + record_right.get_result(),
        "phenomenonTime": (record_left.get_time() + record_right.get_time()) / 2,
        "latitude": record_left.get("latitude"),
    }
"""


def write(folder: Path, functions: str = FUNCTIONS, constants: str = CONSTANTS) -> Path:
    path = folder / "custom_fct.py"
    path.write_text(constants + functions, encoding="utf-8")
    return path


def value(time: object = "2026-01-02T03:04:05Z", result: object = 1, **attributes: object) -> bytes:
    return json.dumps({"phenomenonTime": time, "result": result, **attributes}).encode()
