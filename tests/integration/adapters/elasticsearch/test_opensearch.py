"""The sink against a real OpenSearch: dated indices, and data streams over a rollover."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.elasticsearch.content import ask
from tests.integration.adapters.elasticsearch.indexing import Plant
from tests.integration.adapters.elasticsearch.opensearch import running_opensearch

_STREAM = "stream"

pytestmark = [pytest.mark.extended, pytest.mark.slow]


@pytest.fixture(scope="module")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_opensearch(tmp_path_factory.mktemp("opensearch")) as url:
        yield url


@pytest.fixture
def site(
    kafka_bootstrap: str, opensearch_url: str, unique_system: Callable[[], str], tmp_path: Path
) -> Iterator[Plant]:
    made = Plant(kafka_bootstrap, opensearch_url, unique_system(), tmp_path)
    yield made
    made.end()


def test_opensearch_keeps_dated_indices(site: Plant) -> None:
    site.fill(2_000)
    site.start()
    site.wait_for_documents(2_000)
    topic, index = site.contents()
    assert index == topic
    assert list(ask(site.url, "GET", f"/_alias/{site.alias}")) == [f"{site.alias}_2026.01"]


def test_a_data_stream_holds_every_record_once_whatever_is_read_again_after_a_rollover(site: Plant) -> None:
    site.fill(2_000)
    first = site.start(DTWIN_ELASTICSEARCH__KIND=_STREAM)
    site.wait_for_documents(2_000)
    ask(site.url, "POST", f"/{site.alias}/_rollover")
    first.kill()
    # As by a sink that was killed before it could take back what a new index had doubled.
    (hit,) = ask(site.url, "POST", f"/{site.alias}/_search", {"size": 1})["hits"]["hits"]
    ask(site.url, "PUT", f"/{site.alias}/_create/{hit['_id']}", hit["_source"])
    site.fill(1_000)
    site.start(copy=1, DTWIN_ELASTICSEARCH__KIND=_STREAM)
    site.wait_for_documents(3_000)
    # Another client's group has committed nothing: it reads everything again, into the newer index.
    site.start("run", "--client", "other", copy=2, DTWIN_ELASTICSEARCH__KIND=_STREAM)
    site.wait_for_the_end(2)
    replay = site.start("replay", copy=3, DTWIN_ELASTICSEARCH__KIND=_STREAM)
    assert replay.wait_ended(120)
    again, replayed = site.progress(2), site.progress(3)
    assert again is not None
    assert replayed is not None
    assert again.consumed >= 3_000
    assert (again.forwarded, replayed.forwarded) == (0, 0)
    topic, index = site.contents()
    assert index.number == 3_000
    assert index == topic
    (described,) = ask(site.url, "GET", f"/_data_stream/{site.alias}")["data_streams"]
    assert len(described["indices"]) == 2
