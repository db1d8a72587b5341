"""The sink against real Kafka and Elasticsearch 7.10: every record once, bad ones set aside, nothing lost."""

import pytest

from benchmarks.elasticsearch.content import ask, index_content, topic_content
from client.messaging.records import new_record_id
from tests.integration.adapters.elasticsearch.indexing import Plant, observation, reason
from tests.integration.adapters.sinks import TIME


def test_records_are_indexed_once_although_the_sink_is_killed_and_bad_ones_are_set_aside(
    plant: Plant,
) -> None:
    plant.fill(3_000)
    first = plant.start(DTWIN_ELASTICSEARCH__BULK_BYTES="100000", DTWIN_ELASTICSEARCH__BULKS_IN_FLIGHT="2")
    plant.wait_for_documents(200)
    first.kill()
    plant.fill(3_000)
    expected = topic_content(plant.bootstrap, [plant.topic])
    # Somebody has made an index with other types: Elasticsearch refuses the document, not the sink.
    types = {"mappings": {"properties": {"result": {"type": "boolean"}}}}
    ask(plant.url, "PUT", f"/{plant.alias}_1999.12", types)
    plant.send(observation(1, phenomenonTime="1999-12-31T00:00:00Z"))
    plant.send(observation(1), key=f"{plant.system}.Mill1.{'x' * 33_000}")
    plant.send(b"{")
    plant.start()
    plant.wait_for_documents(6_000)
    plant.wait_for_the_end()
    index = index_content(plant.url, plant.alias)
    assert index.number == 6_000
    assert index == expected
    plant.wait(lambda: len(plant.dead_letters()) >= 3, "dead letters")
    letters = plant.dead_letters()
    assert sorted(reason(letter) for letter in letters) == [
        "document.rejected",
        "record.name_too_long",
        "record.not_json",
    ]
    details = [dict(letter.headers() or ())["dt-error-detail"] for letter in letters]
    assert any(b"mapper_parsing_exception" in (detail or b"") for detail in details)


@pytest.mark.extended
def test_a_replay_makes_nothing_new(plant: Plant) -> None:
    plant.fill(500)
    plant.start()
    plant.wait_for_documents(500)
    replay = plant.start("replay", copy=1)
    assert replay.wait_ended(120)
    said = plant.progress(1)
    assert said is not None
    assert said.consumed >= 500
    assert said.forwarded == 0
    topic, index = plant.contents()
    assert index == topic


def test_a_document_says_what_its_record_means_and_its_id_counts_within_its_datastream(plant: Plant) -> None:
    provider = "de.weather.Service.Stations"
    origin = {"dt-id": new_record_id(), "dt-origin": f"{provider}.int/0/7"}
    repeated = {"dt-id": new_record_id()}
    plant.send(observation("forged"), key=f"{plant.system}.Mill1.Forged", headers=repeated)
    for _ in range(2):
        plant.send(observation(20.5, humidity=40), topic=plant.topic, headers=repeated)
    plant.send(observation("on"), key=f"{provider}.Graz.State", topic=plant.received, headers=origin)
    results = [True, None, [1, 2.5], {"a": "b"}, 7, 2**60, 2**70, "x" * 40_000, ""]
    for result in results:
        plant.send(observation(result), key=f"{plant.system}.Mill1.Kinds")
    plant.start()
    plant.wait_for_documents(3 + len(results))
    plant.wait_for_the_end()
    documents = plant.documents()
    assert len(documents) == 3 + len(results)
    kinds = [document for document in documents if document["datastream"] == "Kinds"]
    (forged,) = (document for document in documents if document["datastream"] == "Forged")
    found = {document["topic"]: document for document in documents if document not in [*kinds, forged]}
    own, received = found[plant.topic], found[plant.received]
    assert own["dt_id"] == forged["dt_id"] == repeated["dt-id"]
    assert (own["result"], own["attributes"]) == (20.5, {"humidity": 40})
    assert (own["hour"], own["weekday"], own["@timestamp"]) == (3, 5, "2026-01-02T03:04:05Z")
    assert (own["thing"], own["datastream"], own["system"]) == ("Mill1", "Speed", plant.system)
    assert received["result_text"] == "on"
    assert (received["system"], received["company"], received["thing"]) == (provider, "de.weather", "Graz")
    indices = ask(plant.url, "GET", f"/_alias/{plant.alias}")
    assert list(indices) == [f"{plant.alias}_{TIME[:4]}.{TIME[5:7]}"]
    assert sorted(one["result"] for one in kinds if "result" in one) == [7, 2**60, 2.0**70]
    assert {one.get("result_json") for one in kinds} == {None, "true", "null", "[1,2.5]", '{"a":"b"}'}
    assert {one.get("result_text") for one in kinds} == {None, "true", "x" * 40_000, ""}
