"""Records of one Datastream as a consumer gives them, without a broker."""

import json
from typing import Final

from streamhub.engine.records import Headers

SYSTEM: Final = "cz.icecars.CarFleet.Car1"
NAME: Final = f"{SYSTEM}.Main.Speed"
TIME: Final = "2026-01-02T03:04:05.000006Z"
NEW_MS: Final = 4_102_444_800_000


class FakeRecord:
    """A record as the consumer gives it."""

    def __init__(
        self,
        value: object,
        *,
        topic: str = f"{SYSTEM}.int",
        key: bytes | None = NAME.encode(),
        headers: Headers | None = None,
        offset: int = 7,
        partition: int = 0,
        timestamp: int = NEW_MS,
    ) -> None:
        self._value = value if isinstance(value, bytes | None) else json.dumps(value).encode()
        self._topic, self._key, self._headers = topic, key, headers
        self._partition, self._offset, self._timestamp = partition, offset, timestamp

    def topic(self) -> str:
        return self._topic

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._timestamp


def observation(**more: object) -> dict[str, object]:
    return {"phenomenonTime": TIME, "resultTime": TIME, "result": 1, "Datastream": {"@iot.id": 5}} | more
