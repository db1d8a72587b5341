"""What the landing page claims is tested here, and every test names the requirement it is for."""

import ast
from pathlib import Path

import pytest

from tests.integration.sensorthings.samples import Api

FOLDER = Path(__file__).parent
PREFIX = "http://www.opengis.net/spec/iot_sensing/1.1/"


def docstrings() -> dict[str, str]:
    """Name to docstring of every test of this folder."""
    return {
        f"{file.stem}::{node.name}": ast.get_docstring(node) or ""
        for file in FOLDER.glob("test_*.py")
        if file.name not in {"test_requirements.py", "test_ogc_suite.py"}
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_names_its_requirement() -> None:
    named = ("req/", "RFC ", "OData ", "FROST ", "WHATWG ", "Robustness", "Beyond ", "Columns ", "A table ")

    assert [name for name, text in docstrings().items() if not text.startswith(named)] == []


@pytest.mark.parametrize(
    "requirement",
    [
        "req/resource-path/resource-path-to-entities",
        "req/create-update-delete/create-entity",
        "req/create-update-delete/link-to-existing-entities",
        "req/create-update-delete/deep-insert",
        "req/create-update-delete/deep-insert-status-code",
        "req/create-update-delete/update-entity",
        "req/create-update-delete/update-entity-put",
        "req/create-update-delete/update-entity-jsonpatch",
        "req/create-update-delete/delete-entity",
        "req/create-update-delete/historical-location-auto-creation",
        "req/create-update-delete/historical-location-manual-creation",
        *(
            "req/request-data/order",
            "req/request-data/expand",
            "req/request-data/select",
            "req/request-data/status-codes",
        ),
        *(
            "req/request-data/query-status-code",
            "req/request-data/orderby",
            "req/request-data/top",
            "req/request-data/skip",
        ),
        *("req/request-data/count", "req/request-data/filter", "req/request-data/built-in-filter-operations"),
        *("req/request-data/built-in-query-functions", "req/request-data/pagination"),
        "req/batch-request/batch-request",
        *(
            "req/multi-datastream/properties",
            "req/multi-datastream/relations",
            "req/multi-datastream/constraints",
        ),
        "req/data-array/data-array",
    ],
)
def test_requirement_is_claimed_and_tested(api: Api, requirement: str) -> None:
    claimed = api.read("")["serverSettings"]["conformance"]

    assert any(requirement in text for text in docstrings().values())
    whole = requirement.split("/")
    assert any(f"{PREFIX}{'/'.join(whole[:length])}" in claimed for length in (2, 3)), claimed


def test_every_claim_has_a_test(api: Api) -> None:
    told = "\n".join(docstrings().values())

    claims = [
        one.removeprefix(PREFIX)
        for one in api.read("")["serverSettings"]["conformance"]
        if one.startswith(PREFIX)
    ]

    assert [claim for claim in claims if claim not in told] == []
