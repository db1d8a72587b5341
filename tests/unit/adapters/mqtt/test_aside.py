"""One system whose messages Kafka does not take holds up nobody else, and loses nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.mqtt.bridge.aside import Aside
from adapters.mqtt.bridge.incoming import Incoming
from adapters.mqtt.bridge.pipeline import Slot
from adapters.mqtt.bridge.sender import Outcome
from client.messaging.records import new_record_id
from client.messaging.topics import SystemName
from tests.unit.adapters.mqtt.test_pipeline import Bench, headers

BAD = SystemName.parse("cz.icecars.CarFleet.Car1")
GOOD = SystemName.parse("is.iceland.Weather.Stations")
AFTER_S = 10.0


class Desk:
    """A pipeline before a Kafka that refuses one system while it is told to, and the place aside."""

    def __init__(self, folder: Path, max_bytes: int = 1 << 20) -> None:
        self.bench = Bench()
        self.folder, self.max_bytes = folder, max_bytes
        self.refuses_bad = True
        self.in_kafka: list[tuple[str, bytes]] = []
        self.aside = self.open()

    def open(self) -> Aside:
        return Aside(
            self.folder, self.bench.pipeline, AFTER_S, self.max_bytes, monotonic=lambda: self.bench.now
        )

    def add(self, system: SystemName, *numbers: int, thing: str = "Main") -> list[Slot | None]:
        topic = f"dt/{system}/{thing}/Speed"
        return self.aside.add(
            [
                Incoming(topic, str(number).encode(), new_record_id(), 1_767_355_200_000_000)
                for number in numbers
            ]
        )

    def turn(self, later_s: float = 1.0) -> None:
        """Let time pass; Kafka takes or refuses what was sent."""
        self.bench.work(later_s)
        while self.bench.sender.taken:
            record = self.bench.sender.taken.pop(0)
            is_refused = self.refuses_bad and record.topic.startswith(str(BAD))
            self.bench.sender.settle(Outcome.REFUSED if is_refused else Outcome.DELIVERED, 1)
            if not is_refused:
                self.in_kafka.append((record.topic, headers(record)["dt-id"]))
        self.aside.turn()

    def turns(self, number: int) -> None:
        for _ in range(number):
            self.turn()

    def set_aside(self) -> list[Slot | None]:
        """Let the one system hold up the other until it is set aside."""
        slots = self.add(BAD, 1, 2) + self.add(GOOD, 3)
        self.turns(13)
        return slots


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "aside")
    yield made
    made.aside.close()


def ids(slots: list[Slot | None]) -> list[bytes]:
    return [slot.incoming.dt_id.encode() for slot in slots if slot is not None]


def test_a_system_that_kafka_refuses_waits_on_disk_and_is_done_for_those_behind_it(desk: Desk) -> None:
    slots = desk.add(BAD, 1, 2) + desk.add(GOOD, 3)
    desk.turns(5)
    assert [slot.is_done for slot in slots if slot] == [False, False, True], "it may pass"
    assert desk.aside.size_bytes == 0
    desk.turns(8)
    assert all(slot.is_done for slot in slots if slot)
    assert desk.aside.size_bytes > 0
    assert desk.bench.counts.forwarded == 1, "on disk is not in Kafka"
    assert str(BAD) in (desk.aside.trouble or "")
    assert "what Kafka says" in (desk.aside.trouble or "")
    assert desk.add(BAD, 4) == [None], "what comes later waits behind it"
    (later,) = desk.add(GOOD, 5)
    desk.turn()
    assert later is not None
    assert later.is_done


def test_what_waits_goes_on_in_its_order_once_each_when_kafka_takes_it_again(desk: Desk) -> None:
    slots = desk.set_aside()
    desk.add(BAD, *range(10, 200))
    desk.turns(5)
    assert len(desk.in_kafka) == 1
    desk.refuses_bad = False
    desk.turns(30)
    theirs = [dt_id for topic, dt_id in desk.in_kafka if topic == f"{BAD}.int"]
    assert theirs[:2] == ids(slots)[:2]
    assert len(theirs) == len(set(theirs)) == 192
    assert theirs == sorted(theirs), "ids are made in order"
    assert (desk.aside.size_bytes, desk.aside.trouble, list(desk.folder.iterdir())) == (0, None, [])
    (direct,) = desk.add(BAD, 5)
    assert direct is not None, "it is a system like the others again"


def test_what_waits_goes_on_after_a_restart(desk: Desk) -> None:
    slots = desk.set_aside()
    desk.add(BAD, 4)
    desk.aside.close()
    desk.bench = Bench()
    desk.aside = desk.open()
    assert desk.add(BAD, 5) == [None]
    desk.refuses_bad = False
    desk.in_kafka.clear()
    desk.turns(10)
    assert [topic for topic, _ in desk.in_kafka] == [f"{BAD}.int"] * 4
    assert [dt_id for _, dt_id in desk.in_kafka][:2] == ids(slots)[:2]


def test_nothing_is_set_aside_while_kafka_takes_nothing_of_anybody(desk: Desk) -> None:
    desk.add(BAD, 1, 2)
    desk.turns(100)
    assert (desk.aside.size_bytes, desk.aside.trouble) == (0, None)
    (late,) = desk.add(GOOD, 3)
    desk.turns(5)
    assert late is not None
    assert late.is_done
    assert desk.aside.size_bytes == 0, "the time without Kafka does not count"


def test_what_finds_no_room_on_disk_is_refused_with_its_reason(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.max_bytes = 100
    desk.aside = desk.open()
    desk.set_aside()
    refused = desk.add(BAD, 4) + desk.add(BAD, 5)
    assert [(slot.is_done, slot.reason and slot.reason[0]) for slot in refused if slot] == [
        (True, "mqtt.no_room")
    ] * 2
    assert desk.bench.counts.refused == {"mqtt.no_room": 2}
    assert list(desk.bench.pipeline.refusals) == refused, "the device is told"
    assert caplog.text.count("what comes now is refused") == 1
    (other,) = desk.add(GOOD, 6)
    assert other is not None
    assert other.reason is None


def test_a_message_that_was_set_aside_on_its_way_to_kafka_is_counted_once(desk: Desk) -> None:
    slots = desk.add(BAD, 1) + desk.add(GOOD, 2)
    desk.bench.work()
    desk.bench.sender._open.reverse()
    desk.bench.sender.settle(number=1)
    desk.bench.sender.taken.clear()
    for _ in range(13):
        desk.bench.now += 1
        desk.aside.turn()
    assert all(slot.is_done for slot in slots if slot)
    desk.bench.sender.settle()  # Kafka has it after all
    assert desk.bench.counts.forwarded == 1
    assert desk.bench.pipeline.waiting == desk.aside.on_way == 1
    desk.refuses_bad = False
    desk.turns(3)
    assert (desk.bench.counts.forwarded, desk.bench.pipeline.waiting) == (2, 0)
