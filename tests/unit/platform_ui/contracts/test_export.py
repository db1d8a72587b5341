"""A contract as an ODCS document: what it says, that the standard's schema takes it, and its YAML."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from platform_ui.contracts.export import to_document, to_json, to_yaml
from platform_ui.contracts.models import Contract, ContractSignature, ContractVersion
from platform_ui.contracts.views import ContractView

jsonschema_rs = pytest.importorskip("jsonschema_rs")
yaml = pytest.importorskip("yaml")
pytest.importorskip("open_data_contract_standard")

PROVIDER, CONSUMER = "is.iceland.weather.Stations", "cz.icecars.fleet.Car1"
TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)


def a_view(state: str = "active", *, is_bare: bool = False) -> ContractView:
    contract = Contract(
        id="c-abcdefghijklmnop",
        provider=PROVIDER,
        consumer=CONSUMER,
        begun_by="consumer",
        state=state,
        version=2,
        created_at=TIME,
        outcome="revoked" if state == "ended" else None,
        ended_at=TIME if state == "ended" else None,
        reason="",
    )
    version = ContractVersion(
        contract_id=contract.id,
        number=2,
        datastreams=[] if is_bare else [f"{PROVIDER}.s1.Air Temperature"],
        predicate="" if is_bare else "result < 4 AND road <> 'A: \"1\" #2'",
        fields=[] if is_bare else ["road", "2026-01-31"],
        purpose="Warn of ice.\nSecond line: yes",
        starts_at=None if is_bare else TIME,
        ends_at=None if is_bare else TIME.replace(year=2027),
        state="in_force",
        digest="ab" * 32,
        side="consumer",
        written_by="sue@example.com",
        written_at=TIME,
    )
    signatures = {
        (2, side): ContractSignature(
            contract_id=contract.id,
            number=2,
            side=side,
            email=f"{side}@example.com",
            full_name="Sue Smith",
            digest=version.digest,
            signed_at=TIME,
        )
        for side in (() if is_bare else ("provider", "consumer"))
    }
    return ContractView(contract, [version], signatures, frozenset(), frozenset())


def a_document(state: str = "active", *, is_bare: bool = False) -> dict[str, Any]:
    view = a_view(state, is_bare=is_bare)
    return to_document(view, view.newest, "kafka.test:9092")


@pytest.mark.parametrize("state", ["draft", "proposed", "active", "ended"])
@pytest.mark.parametrize("is_bare", [False, True], ids=["full", "bare"])
def test_the_standards_schema_takes_the_document(state: str, *, is_bare: bool) -> None:
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    document = a_document(state, is_bare=is_bare)
    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(document)] == []
    broken = document | {"kind": "Something"}
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("is_bare", [False, True], ids=["full", "bare"])
def test_json_and_yaml_say_the_same(*, is_bare: bool) -> None:
    document = a_document(is_bare=is_bare)
    assert json.loads(to_json(document)) == document
    assert yaml.safe_load(to_yaml(document)) == document


def test_terms_and_signatures_are_in_the_document() -> None:
    document = a_document("ended")
    assert document["status"] == "retired"
    assert document["schema"][0]["name"] == f"{PROVIDER}.s1.Air Temperature"
    assert [one["value"] for one in document["slaProperties"]] == [
        "2026-01-31T12:00:00Z",
        "2027-01-31T12:00:00Z",
    ]
    custom = {one["property"]: one["value"] for one in document["customProperties"]}
    assert custom["digest"] == f"sha256:{'ab' * 32}"
    assert [one["side"] for one in custom["signatures"]] == ["provider", "consumer"]
    assert [one["username"] for one in document["team"]["members"]] == [
        "provider@example.com",
        "consumer@example.com",
    ]
