"""A client of a running SensorThings service, and what most tests need to be there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.certificates import TestAuthority
from tests.integration.sensorthings.samples import Api, Json, thing
from tests.integration.sensorthings.tenants import ADMIN_TOKEN, World
from tests.sensorthings_service import running_service


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


@pytest.fixture(scope="module")
def world(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three companies with entities of every type, on a service that is closed to strangers."""
    folder: Path = tmp_path_factory.mktemp("tenancy")
    authority = TestAuthority()
    client_ca, _ = authority.own.write(folder, "ca")
    settings = {
        "anonymous": "none",
        "admin_token": ADMIN_TOKEN,
        "client_ca": str(client_ca),
        "trusted_proxies": "127.0.0.1",
        "filtered_delete": "true",
        "ids": "both",
    }
    with (
        running_service(new_database("tenancy"), folder, **settings) as url,
        httpx2.Client(timeout=30) as http,
    ):
        made = World(url, http, authority)
        made.populate()
        yield made
