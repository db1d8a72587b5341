import json

import pytest

from client.errors import ConfigurationError
from streamhub.contracts import ContractTerms
from streamhub.errors import QuerySyntaxError, QueryTypeError
from streamhub.query import CompiledStatement
from streamhub.specification import StreamAppSpecification

FIELDS: dict[str, object] = {
    "name": "weather2car1",
    "source_system": "is.iceland.iot4cps-wp5-WeatherService.Stations",
    "target_system": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
    "statement": "SELECT * FROM * WHERE result < 4;",
    "bootstrap_servers": "127.0.0.1:9092",
}


def make(**changes: object) -> StreamAppSpecification:
    return StreamAppSpecification(**(FIELDS | changes))  # type: ignore[arg-type]


def test_the_app_id_is_the_source_system_and_the_name() -> None:
    assert make().app_id == "is.iceland.iot4cps-wp5-WeatherService.Stations.weather2car1"


def test_topics_follow_from_the_systems() -> None:
    specification = make()
    assert specification.source_topic == "is.iceland.iot4cps-wp5-WeatherService.Stations.int"
    assert specification.target_topic == "cz.icecars.iot4cps-wp5-CarFleet.Car1.ext"
    assert specification.dead_letter_topic == "is.iceland.iot4cps-wp5-WeatherService.Stations.int.dlq"


def test_json_form_round_trips() -> None:
    specification = make(contract="contract-7", commit_interval_s=0.05)
    assert StreamAppSpecification.from_json(specification.to_json()) == specification


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("name", "", "1 to 60 letters"),
        ("name", "../../etc/passwd", "1 to 60 letters"),
        ("name", "x" * 61, "1 to 60 letters"),
        ("name", "-x", "1 to 60 letters"),
        ("source_system", "is.iceland", "four"),
        ("target_system", "is.iceland.WeatherService.Sta tions", "station"),
        ("bootstrap_servers", "", "host:port"),
        ("bootstrap_servers", "localhost", "host:port"),
        ("bootstrap_servers", "localhost:9092,", "host:port"),
        ("bootstrap_servers", "localhost:99999", "host:port"),
        ("commit_interval_s", 0.0, "0.005 to 5.0 s"),
        ("commit_interval_s", float("nan"), "0.005 to 5.0 s"),
        ("contract", " ", "empty"),
        ("statement", "SELECT * FROM at.other.Work.Station WHERE result < 4;", "FROM at.other.Work.Station"),
    ],
)
def test_a_wrong_field_is_refused_with_the_rule(field: str, value: object, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        make(**{field: value})


def test_a_statement_may_name_the_source_system() -> None:
    statement = f"SELECT * FROM {FIELDS['source_system']} WHERE result < 4;"
    assert make(statement=statement).statement == statement


def test_a_wrong_statement_is_refused_with_its_position() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        make(statement="SELECT * FROM * WHERE result < ;")
    assert caught.value.column == 32


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("not json", "is not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps(FIELDS | {"extra": 1}), "unknown fields \\['extra'\\]"),
        (json.dumps({"name": "x"}), "lacks"),
        (json.dumps(FIELDS | {"name": 7}), "name has the wrong type: int"),
        (json.dumps(FIELDS | {"commit_interval_s": "1"}), "commit_interval_s has the wrong type: str"),
    ],
)
def test_a_damaged_json_form_is_refused(text: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        StreamAppSpecification.from_json(text)


FOREIGN = "at.srfg.Mill.M1"
JOIN = (
    f"SELECT l.result * r.result AS x UNIT '1' FROM {FIELDS['source_system']} AS l "
    f"JOIN {FOREIGN} AS r WITHIN 1 s"
)


def own_terms(**changes: object) -> ContractTerms:
    return ContractTerms(**({"id": "c-own", "provider": FIELDS["source_system"]} | changes))  # type: ignore[arg-type]


def foreign_terms(**changes: object) -> ContractTerms:
    return ContractTerms(**({"id": "c-foreign", "provider": FOREIGN} | changes))  # type: ignore[arg-type]


def test_terms_of_contracts_round_trip_and_old_files_without_them_load() -> None:
    terms = own_terms(predicate="result < 4 OR TRUE", fields=("quality",), ends_at="2027-01-01T00:00:00Z")
    specification = make(contracts=(terms,), contract="c-own")
    assert StreamAppSpecification.from_json(specification.to_json()) == specification
    old = json.loads(make(contract="c-7").to_json())
    del old["contracts"]
    assert StreamAppSpecification.from_json(json.dumps(old)) == make(contract="c-7")


def test_a_contract_is_named_by_its_source_and_all_of_them_by_what_is_joined() -> None:
    assert make(contract="c-7").contract_header == "c-7"
    assert make(statement=JOIN, contract="c-7").contract_header == "c-7"
    assert make().contract_header is None
    assert make(contracts=(own_terms(),)).contract_header == "c-own"
    joined = make(statement=JOIN, contracts=(foreign_terms(), own_terms()))
    assert joined.contract_header == "c-own,c-foreign"
    assert make(statement=JOIN, contracts=(foreign_terms(),)).contract_header == "c-foreign"
    assert joined.contracts_by_topic == {
        f"{FIELDS['source_system']}.int": "c-own",
        f"{FOREIGN}.int": "c-foreign",
    }


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"contracts": (foreign_terms(),)}, "leave it out"),
        ({"contracts": (own_terms(), own_terms(id="c-2"))}, "has two of"),
        ({"contracts": (own_terms(),), "contract": "c-7"}, "not among its contracts"),
    ],
)
def test_contracts_that_do_not_fit_the_app_are_refused(changes: dict[str, object], part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        make(**changes)


def test_a_statement_that_looks_at_what_its_contract_keeps_back_is_refused_when_it_is_made() -> None:
    with pytest.raises(QueryTypeError, match="secret may not leave by contract c-own"):
        make(statement="SELECT * FROM * WHERE secret = 1", contracts=(own_terms(fields=("quality",)),))
    with pytest.raises(QueryTypeError, match="may not leave by contract c-foreign"):
        make(statement=JOIN.replace("r.result", "r.x"), contracts=(foreign_terms(fields=("quality",)),))


def test_terms_bind_a_source_that_is_named_and_one_that_is_a_star() -> None:
    key = f"{FIELDS['source_system']}.Thing.Datastream".encode()
    for source in ("*", FIELDS["source_system"]):
        statement = f"SELECT * FROM {source} WHERE result < 4"
        compiled = make(statement=statement, contracts=(own_terms(predicate="result > 2"),)).compile()
        assert isinstance(compiled, CompiledStatement)
        values = [b'{"result":%d}' % number for number in range(5)]
        assert compiled.filter_batch([key] * 5, values).accepted == [3]
