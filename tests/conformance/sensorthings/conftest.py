"""A client of a running service. Every requirement is asked over HTTP, as a client would."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.integration.sensorthings.samples import Api


@pytest.fixture(scope="session")
def api(sensorthings_url: str) -> Iterator[Api]:
    with httpx2.Client(timeout=30) as client:
        yield Api(client, f"{sensorthings_url}/v1.1")
