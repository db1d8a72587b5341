"""Systems whose records are indexed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.adapters.elasticsearch.indexing import Plant


@pytest.fixture
def plant(
    kafka_bootstrap: str, elasticsearch_url: str, unique_system: Callable[[], str], tmp_path: Path
) -> Iterator[Plant]:
    made = Plant(kafka_bootstrap, elasticsearch_url, unique_system(), tmp_path)
    yield made
    made.end()
    made.remove()
