"""A client of a running SensorThings service, and what most tests need to be there."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.integration.sensorthings.samples import Api, Json, thing


@pytest.fixture(scope="session")
def api(sensorthings_url: str) -> Iterator[Api]:
    with httpx2.Client(timeout=30) as client:
        yield Api(client, f"{sensorthings_url}/v1.1")


@pytest.fixture
def new_thing(api: Api) -> Callable[..., tuple[str, str]]:
    """A function that creates a Thing and returns the paths of it and of its first Datastream."""

    def create(**more: Json) -> tuple[str, str]:
        made = api.create("Things", thing(**more))
        path = f"Things({made['@iot.id']})"
        streams = api.read(f"{path}/Datastreams?$select=id")["value"]
        return path, f"Datastreams({streams[0]['@iot.id']})"

    return create
