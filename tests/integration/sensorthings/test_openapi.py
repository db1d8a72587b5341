"""The OpenAPI document against the service: what it describes is there, and answers are as it says.

`OPENAPI_EXAMPLES=50 pytest tests/integration/sensorthings/test_openapi.py` sends more of each request.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.sensorthings.samples import Json, thing
from tests.sensorthings_service import running_service

_EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "2"))
_CHECKS: list[CheckFunction] = [
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def address(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of its own, because anything may become of its data."""
    folder = tmp_path_factory.mktemp("openapi")
    with running_service(new_database("openapi"), folder) as root:
        for at in range(3):
            httpx2.post(f"{root}/v1.1/Things", json=thing(f"T{at}"), timeout=60).raise_for_status()
        yield root


@pytest.mark.parametrize("version", ["v1.0", "v1.1"])
def test_each_version_describes_itself(address: str, version: str) -> None:
    answer = httpx2.get(f"{address}/{version}/api", timeout=60)

    assert answer.status_code == 200
    document: Json = answer.json()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": f"{address}/{version}"}]
    assert {} in document["security"]


def test_the_landing_page_says_where_the_document_is(address: str) -> None:
    page = httpx2.get(f"{address}/v1.1", timeout=60).json()["serverSettings"]

    document = page["urn:digital-twin-stack:sensorthings:openapi"]["url"]
    assert httpx2.get(document, timeout=60).status_code == 200


def test_every_set_on_the_landing_page_is_described(address: str) -> None:
    document = httpx2.get(f"{address}/v1.1/api", timeout=60).json()

    names = {one["name"] for one in httpx2.get(f"{address}/v1.1", timeout=60).json()["value"]}
    assert {f"/{name}" for name in names} <= document["paths"].keys()


def test_everything_that_is_described_answers_as_described(address: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/v1.1/api", timeout=60)
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(operations) > 200

    for operation in operations:

        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            derandomize="OPENAPI_EXAMPLES" not in os.environ,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: schemathesis.Case[Any]) -> None:
            answer = case.call(timeout=60)
            assert answer.status_code < 500 or answer.status_code == 501, (
                f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}"
            )
            case.validate_response(answer, checks=_CHECKS)

        send()
