"""Publishing schemas, against a double of the two requests that it takes."""

import json
from collections.abc import Callable

import httpx2
import pytest

from client.messaging.topics import SystemName
from client.metadata.entities import ObservationType
from platform_ui.documents.asyncapi import Stream
from platform_ui.documents.registry import MEDIA_TYPE, SchemaRegistry, subjects_of
from platform_ui.errors import SchemaRegistryError

SYSTEM = SystemName.parse("cz.icecars.Fleet.Car1")
STREAM = Stream(
    f"{SYSTEM}.Main.Air Temperature", "Outside", ObservationType.MEASUREMENT, "degree Celsius [°C]", 7
)


class Double:
    """A registry in memory: it knows its subjects and the versions of their schemas."""

    def __init__(self) -> None:
        self.subjects: dict[str, list[str]] = {}
        self.refuses = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert request.method == "POST"
        assert request.headers["content-type"] == MEDIA_TYPE
        sent = json.loads(request.content)
        assert sent["schemaType"] == "JSON"
        _, _, subject, *further = request.url.raw_path.decode().split("/")
        versions = self.subjects.get(subject, [])
        if further == ["versions"]:
            if self.refuses:
                return httpx2.Response(409, json={"error_code": 409, "message": "incompatible"})
            self.subjects[subject] = [*versions, sent["schema"]]
            return httpx2.Response(200, json={"id": 1})
        if sent["schema"] in versions:
            return httpx2.Response(200, json={"id": 1, "version": versions.index(sent["schema"]) + 1})
        return httpx2.Response(404, json={"error_code": 40401, "message": "Subject not found."})


def _registry(handler: Callable[[httpx2.Request], httpx2.Response]) -> SchemaRegistry:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return SchemaRegistry("http://registry.test:8081/", client=client)


async def test_a_schema_is_registered_once_and_again_when_it_changes() -> None:
    double = Double()
    registry = _registry(double)
    subject = f"{SYSTEM}.int-value"
    assert await registry.publish(subject, {"type": "object"})
    assert not await registry.publish(subject, {"type": "object"})
    assert await registry.publish(subject, {"type": "string"})
    assert [json.loads(one) for one in double.subjects[subject]] == [{"type": "object"}, {"type": "string"}]
    await registry.close()


async def test_a_registry_that_refuses_is_told_with_its_words() -> None:
    double = Double()
    double.refuses = True
    with pytest.raises(SchemaRegistryError, match=r"409 .*incompatible"):
        await _registry(double).publish("a-value", {})


async def test_a_registry_that_fails_or_does_not_answer_is_told() -> None:
    with pytest.raises(SchemaRegistryError, match="500"):
        await _registry(lambda _: httpx2.Response(500)).publish("a-value", {})

    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(SchemaRegistryError) as found:
        await _registry(gone).publish("a-value", {})
    assert "DTWIN_SCHEMA_REGISTRY__URL" in found.value.hint


def test_a_topic_holds_the_records_of_all_its_datastreams() -> None:
    subjects = subjects_of(SYSTEM, [STREAM])
    assert list(subjects) == ["cz.icecars.Fleet.Car1.int-value"]
    assert [one["title"] for one in subjects["cz.icecars.Fleet.Car1.int-value"]["anyOf"]] == [STREAM.name]
    assert subjects_of(SYSTEM, []) == {}
