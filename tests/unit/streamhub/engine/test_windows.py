"""Times of contracts: which records are inside, and when the app ends."""

from dataclasses import dataclass

import pytest

from streamhub.contracts import ContractTerms
from streamhub.engine.windows import FlowEnd, Windows
from streamhub.errors import ContractEndedError
from streamhub.specification import StreamAppSpecification

OWN, FOREIGN = "aa.bb.cc.dd", "ii.jj.kk.ll"


@dataclass(frozen=True)
class Timed:
    moment_ms: int

    def timestamp(self) -> tuple[int, int]:
        return 1, self.moment_ms


def app(*contracts: ContractTerms) -> StreamAppSpecification:
    return StreamAppSpecification(
        name="app",
        source_system=OWN,
        target_system="ee.ff.gg.hh",
        statement=f"SELECT l.result AS x UNIT '1' FROM {OWN} AS l JOIN {FOREIGN} AS r WITHIN 1 s",
        bootstrap_servers="127.0.0.1:9092",
        contracts=contracts,
    )


def terms(provider: str, starts: str | None = None, ends: str | None = None) -> ContractTerms:
    return ContractTerms(id=f"c-{provider[0]}", provider=provider, starts_at=starts, ends_at=ends)


def test_records_of_a_topic_pass_inside_of_the_window_of_its_contract() -> None:
    windows = Windows(app(terms(FOREIGN, "1970-01-01T00:00:01Z", "2200-01-01T00:00:00Z"), terms(OWN)))
    records = [Timed(moment) for moment in (-1, 0, 999, 1000, 5000, 7258118400000)]
    assert windows.inside(f"{FOREIGN}.int", records) == [Timed(1000), Timed(5000)]
    assert windows.inside(f"{OWN}.int", records) is records


def test_an_app_ends_with_the_first_of_its_contracts() -> None:
    now = [0.0]
    end = FlowEnd(
        app(terms(OWN, ends="1970-01-01T00:01:40Z"), terms(FOREIGN, ends="1970-01-01T00:00:50Z")),
        lambda: now[0],
    )
    now[0] = 49.999
    end.check()
    assert not end.is_over
    now[0] = 50.0
    assert end.is_over
    with pytest.raises(ContractEndedError, match="contract c-i ended at 1970-01-01T00:00:50Z") as ended:
        end.check()
    assert ended.value.contract == "c-i"


def test_an_app_without_an_end_goes_on_for_ever() -> None:
    for contracts in ((), (terms(OWN, starts="2026-01-02T00:00:00Z"),)):
        end = FlowEnd(app(*contracts), lambda: 1e12)
        end.check()
        assert not end.is_over
