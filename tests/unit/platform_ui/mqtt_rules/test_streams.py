"""Which Datastreams are whose, as the SensorThings service tells it page by page."""

import asyncio
import re

import httpx2

from platform_ui.mqtt_rules.streams import EVERYTHING_AGAIN_S, StreamDirectory

CAR, OTHER = "cz.icecars.CarFleet.Car1", "is.iceland.Weather.Stations"


class Service:
    """A SensorThings service with names by id."""

    def __init__(self) -> None:
        self.names: dict[str, dict[int, str]] = {"Datastreams": {}, "MultiDatastreams": {}}
        self.asked = 0

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        entities = request.url.path.rpartition("/")[2]
        found = re.fullmatch(r"id gt (\d+)", request.url.params["$filter"])
        assert found is not None
        assert request.headers["authorization"] == "Bearer token"
        after = sorted(one for one in self.names[entities] if one > int(found[1]))
        page = after[: int(request.url.params["$top"])]
        rows = [{"@iot.id": one, "name": self.names[entities][one]} for one in page]
        return httpx2.Response(200, json={"value": rows})


def test_new_ones_are_found_and_all_are_asked_for_again_when_it_is_time() -> None:
    service, time_s = Service(), [0.0]
    service.names["Datastreams"] = {one: f"{CAR}.Main.S{one}" for one in range(1, 1003)}
    service.names["Datastreams"][2000] = "no system"

    async def follow() -> None:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(service.answer))
        directory = StreamDirectory("http://sta.test", "token", client=client, clock=lambda: time_s[0])
        assert await directory.refresh()
        assert directory.known["Datastreams"] == {CAR: frozenset(range(1, 1003))}
        assert not await directory.refresh()
        service.names["Datastreams"][2001] = f"{OTHER}.Main.Speed"
        service.names["MultiDatastreams"][5] = f"{CAR}.Main.Both"
        assert await directory.refresh()
        assert directory.known["Datastreams"][OTHER] == {2001}
        assert directory.known["MultiDatastreams"] == {CAR: frozenset({5})}
        del service.names["Datastreams"][7]
        assert not await directory.refresh(), "what has gone is noticed later"
        time_s[0] += EVERYTHING_AGAIN_S
        assert await directory.refresh()
        assert 7 not in directory.known["Datastreams"][CAR]
        await directory.close()

    asyncio.run(follow())
