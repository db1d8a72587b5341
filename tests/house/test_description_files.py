"""Every instances file and subscriptions file that we show or ship can be read by the client."""

import json
from pathlib import Path

import pytest

from client.messaging.topics import SystemName
from client.metadata.instances import read_instances, read_mappings, read_subscription
from streamhub.specification import StreamAppSpecification
from tests.house.documents import ROOT, Block, blocks, text_files

SYSTEM = SystemName.parse("cz.icecars.iot4cps-wp5-CarFleet.Car1")
SHIPPED = [path for path in text_files() if path.parts[0] != "tests" and path.suffix == ".json"]


def shown(*keys: str) -> list[Block]:
    """The JSON blocks of the pages that have one of these keys."""
    parsed = [(block, json.loads(block.code)) for block in blocks("json")]
    return [block for block, content in parsed if isinstance(content, dict) and set(keys) <= set(content)]


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.name == "instances.json"], ids=str)
def test_shipped_instances_files_are_read(path: Path) -> None:
    assert read_instances(ROOT / path, SYSTEM).datastreams


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.name == "subscriptions.json"], ids=str)
def test_shipped_subscriptions_files_are_read(path: Path) -> None:
    read_subscription(ROOT / path)


@pytest.mark.parametrize("block", shown("Things", "Sensors", "Datastreams"), ids=str)
def test_instances_files_in_pages_are_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "instances.json"
    file.write_text(block.code, encoding="utf-8")
    assert read_instances(file, SYSTEM).datastreams


@pytest.mark.parametrize("block", shown("subscribed_datastreams"), ids=str)
def test_subscriptions_files_in_pages_are_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "subscriptions.json"
    file.write_text(block.code, encoding="utf-8")
    assert read_subscription(file).datastream_names


@pytest.mark.parametrize("block", shown("Datastreams"), ids=str)
def test_mappings_files_in_pages_are_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "ds-mappings.json"
    file.write_text(block.code, encoding="utf-8")
    assert read_mappings(file, SYSTEM)


@pytest.mark.parametrize("block", shown("source_system"), ids=str)
def test_specifications_of_stream_apps_in_pages_are_read(block: Block) -> None:
    assert StreamAppSpecification.from_json(block.code).app_id


def test_every_kind_of_file_is_shown_somewhere() -> None:
    for keys in (("Things", "Sensors"), ("subscribed_datastreams",), ("source_system",)):
        assert shown(*keys)
