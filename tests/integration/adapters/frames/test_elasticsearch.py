"""Frames from a real Elasticsearch 7.10, out of documents as the sink writes them."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

import adapters.frames as dtwin
from adapters.elasticsearch.documents import index_alias
from adapters.elasticsearch.schema import mappings, read_server
from adapters.frames import search_engine
from adapters.frames.errors import NoDataError

START = datetime(2026, 1, 2, tzinfo=UTC)
COUNT = 25


@pytest.fixture
def system(elasticsearch_url: str, unique_system: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A system whose speed is indexed, each record by its own sink and the first ten by a consumer's, too."""
    owner = unique_system()
    monkeypatch.setenv("DTWIN_ELASTICSEARCH__URL", elasticsearch_url)
    monkeypatch.setenv("DTWIN_ELASTICSEARCH__INDEX", f"{index_alias(owner)}*")
    monkeypatch.setattr(search_engine, "_PAGE", 7)
    with httpx2.Client(base_url=elasticsearch_url, timeout=60) as http:
        server = read_server(http.get("/").json())
        indices = (index_alias(owner), f"{index_alias(owner)}-consumer")
        for index in indices:
            http.put(f"/{index}", json={"mappings": mappings(server)}).raise_for_status()
        lines = []
        for number in range(COUNT):
            moment = START + timedelta(seconds=number, microseconds=number)
            identifier = str(uuid.UUID(int=number))
            time = moment.isoformat().replace("+00:00", "Z")
            document = {
                "@timestamp": time,
                "phenomenon_time": time,
                "result": number / 2,
                "name": f"{owner}.Main.Speed",
                "thing": "Main",
                "datastream": "Speed",
                "system": owner,
                "unit": "m/s",
                "attributes": {"gear": number},
            }
            for index in indices if number < 10 else indices[:1]:
                action = {"index": {"_index": index, "_id": identifier}}
                lines += [json.dumps(action), json.dumps(document)]
        body = "\n".join([*lines, ""])
        done = http.post(
            "/_bulk?refresh=true", content=body, headers={"Content-Type": "application/x-ndjson"}
        ).json()
        assert not done["errors"], done
    return owner


def test_each_record_is_in_the_frame_once_and_to_the_microsecond(system: str) -> None:
    station = system.rpartition(".")[2]
    frame = dtwin.frame(
        f"{station}.Main.*",
        START,
        START + timedelta(seconds=COUNT),
        source="elasticsearch",
        columns=["result", "unit", "gear", "dt_id"],
    )
    assert frame["result"].tolist() == [number / 2 for number in range(COUNT)]
    assert frame["gear"].tolist() == list(range(COUNT))
    assert frame.index[-1] == START + timedelta(seconds=COUNT - 1, microseconds=COUNT - 1)
    assert frame.attrs["units"] == {f"{system}.Main.Speed": "m/s"}
    assert frame["dt_id"].is_unique
    minute = dtwin.frame("*.Speed", START, START + timedelta(hours=1), source="elasticsearch", every="1min")
    assert minute["result"].tolist() == [6.0], "doubled documents do not weigh twice"


def test_the_end_of_an_interval_is_outside_it_within_a_millisecond_too(system: str) -> None:
    end = START + timedelta(seconds=3, microseconds=3)
    assert len(dtwin.frame("*.Speed", START, end, source="elasticsearch")) == 3
    with pytest.raises(NoDataError, match="There are some from 2026-01-02T00:00:00Z"):
        dtwin.frame("*.Speed", "2025-01-01T00:00:00Z", START, source="elasticsearch")


def test_datastreams_are_listed_from_the_index(system: str) -> None:
    listed = dtwin.datastreams("*.Main.*", source="elasticsearch")
    assert listed["name"].tolist() == [f"{system}.Main.Speed"]
    assert listed["unit"].tolist() == ["m/s"]
