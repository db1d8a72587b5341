"""A SensorThings service that knows its users, with the drive of two cars."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.adapters.frames.cars import ADMIN_TOKEN, World, fill
from tests.sensorthings_service import running_service


@pytest.fixture(scope="session")
def world(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("cars")
    settings = {"anonymous": "none", "admin_token": ADMIN_TOKEN, "max_page_size": "250"}
    with running_service(new_database("cars"), folder, **settings) as address:
        yield fill(address, folder)


@pytest.fixture
def analyst(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The service, with the environment of the analyst's notebook."""
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DTWIN_SENSORTHINGS__TOKEN", raising=False)
    return world
