"""Units: asked once, kept for a while, unknown ones for a shorter while."""

import httpx2

from platform_ui.systems.units import KNOWN_S, UNKNOWN_S, UnitDirectory


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Service:
    """A SensorThings service that knows one Datastream."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        wanted = request.url.params["$filter"]
        self.asked.append(wanted)
        unit = {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}
        found = [{"name": "x", "unitOfMeasurement": unit}] if "Temperature" in wanted else []
        return httpx2.Response(self.status, json={"value": found})


def directory(service: Service, clock: Clock) -> UnitDirectory:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(service))
    return UnitDirectory("http://metadata/", client=client, clock=clock)


async def test_a_unit_is_asked_once_and_again_after_its_time() -> None:
    service, clock = Service(), Clock()
    units = directory(service, clock)
    assert units.known("a.Temperature") is None
    assert await units.resolve(["a.Temperature"]) == {"a.Temperature": "°C"}
    assert units.known("a.Temperature") == "°C"
    assert await units.resolve(["a.Temperature"]) == {}
    clock.now = KNOWN_S + 1
    await units.resolve(["a.Temperature"])
    assert len(service.asked) == 2


async def test_an_unknown_datastream_is_not_asked_for_at_once_again() -> None:
    service, clock = Service(), Clock()
    units = directory(service, clock)
    assert await units.resolve(["a.Pressure"]) == {}
    assert units.known("a.Pressure") == ""
    await units.resolve(["a.Pressure"])
    assert len(service.asked) == 1
    clock.now = UNKNOWN_S + 1
    assert units.known("a.Pressure") is None


async def test_a_quote_in_a_name_stays_inside_the_filter() -> None:
    service = Service()
    await directory(service, Clock()).resolve(["a.b' or name eq 'c"])
    assert service.asked == ["name eq 'a.b'' or name eq ''c'"]


async def test_a_service_that_fails_gives_no_unit_and_no_error() -> None:
    service = Service()
    service.status = 500
    assert await directory(service, Clock()).resolve(["a.Temperature"]) == {}
