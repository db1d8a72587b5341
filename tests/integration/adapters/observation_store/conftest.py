"""Sites whose records are recorded."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.adapters.observation_store.recording import Site


@pytest.fixture
def new_site(
    new_database: Callable[[str], str],
    kafka_bootstrap: str,
    unique_system: Callable[[], str],
    tmp_path: Path,
) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def create(**more: bool) -> Site:
        made.append(Site(new_database("recorder"), kafka_bootstrap, unique_system(), tmp_path, **more))
        return made[-1]

    yield create
    for site in made:
        site.end()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    return new_site()
