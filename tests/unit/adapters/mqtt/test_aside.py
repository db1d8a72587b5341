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
from tests.unit.adapters.mqtt.test_pipeline import Bench, Refusal, headers

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

    def add(self, system: SystemName, *numbers: int, topic: str = "") -> list[Slot | None]:
        topic = topic or f"dt/{system}/Main/Speed"
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


def test_all_who_have_waited_as_long_are_set_aside_at_once(desk: Desk) -> None:
    topics = [f"dt/at.lab.Hall.Mill{number:02}/Main/Speed" for number in range(20)]
    for topic in topics:
        desk.bench.catalogue.found[topic.replace("/", ".").removeprefix("dt.")] = True
        desk.add(BAD, 1, topic=topic)
    desk.add(GOOD, 2)
    desk.turns(5)
    late = "dt/at.lab.Hall.Late/Main/Speed"
    desk.bench.catalogue.found["at.lab.Hall.Late.Main.Speed"] = True
    desk.add(BAD, 1, topic=late)
    desk.turns(8)
    assert len(list(desk.folder.iterdir())) == len(topics), "the late one has not waited as long"
    assert "and 19 more systems" in (desk.aside.trouble or "")


def test_nothing_is_set_aside_nor_refused_while_no_broker_of_kafka_can_be_reached(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "aside", max_bytes=100)
    slots = desk.add(BAD, 1) + desk.add(GOOD, 2)
    desk.turn()
    desk.bench.sender.is_away = True
    desk.turns(20)
    assert [slot.is_done for slot in slots if slot] == [False, True]
    assert not desk.folder.exists(), "what was confirmed before the outage tells nothing about it"
    assert not desk.aside.is_stuck
    desk.bench.sender.is_away = False
    desk.turns(13)
    desk.add(BAD, 3, 4)
    assert not desk.aside.is_stuck, "Kafka refuses this system alone"
    desk.bench.sender.is_away = True
    assert desk.aside.is_stuck, "the broker keeps what comes"
    desk.aside.close()


def test_what_only_sensorthings_takes_holds_up_no_data_while_that_is_away(desk: Desk) -> None:
    topic = "v1.1/Datastreams(1)/Observations"
    (waits,) = desk.add(BAD, 1, topic=topic)
    (data,) = desk.add(GOOD, 2)
    desk.turns(13)
    assert waits is not None
    assert data is not None
    assert (waits.is_done, data.is_done) == (True, True)
    assert "messages of SensorThings topics wait on disk" in (desk.aside.trouble or "")
    assert desk.add(BAD, 3, topic=topic) == [None]
    tokens = desk.bench.elsewhere.tokens
    for _ in range(4):
        desk.bench.elsewhere.outcomes = [(one[2], None) for one in tokens]  # type: ignore[index]
        desk.turn()
    (first, again, last) = [one[1] for one in tokens]  # type: ignore[index]
    assert first == again != last, "the same message, once from memory and once from the disk"
    assert (desk.aside.size_bytes, desk.aside.trouble) == (0, None)


def test_a_dead_letter_that_kafka_refuses_waits_with_its_system_and_holds_up_nobody(desk: Desk) -> None:
    topic = "v1.1/Datastreams(1)/Observations"

    def refuse() -> None:
        desk.bench.elsewhere.outcomes = [
            (one[2], Refusal("body.bad", "it is bad", str(BAD)))  # type: ignore[index]
            for one in desk.bench.elsewhere.tokens
        ]

    desk.add(BAD, 1, topic=topic)
    desk.add(GOOD, 2)
    for _ in range(13):
        refuse()
        desk.turn()
    assert [found.name for found in desk.folder.iterdir()] == [str(BAD)]
    (other,) = desk.add(GOOD, 3, topic="v1.1/Datastreams(2)/Observations")
    assert other is not None, "nothing tells that it is of the system that waits"
    desk.refuses_bad = False
    for _ in range(5):
        refuse()
        desk.turn()
    assert desk.bench.counts.refused["body.bad"] >= 1
    assert [topic for topic, _ in desk.in_kafka].count(f"{BAD}.int.dlq") >= 1
    assert desk.aside.size_bytes == 0


def test_a_system_that_waits_already_joins_its_own_line_and_no_second_one(desk: Desk) -> None:
    desk.max_bytes = 300
    desk.aside = desk.open()
    desk.set_aside()
    line = desk.aside._lines[str(BAD)]
    slots = [desk.bench.add(b"{}", f"dt/{BAD}/Main/Speed") for _ in range(5)]
    desk.aside._set_aside(str(BAD), slots)
    assert desk.aside._lines[str(BAD)] is line
    size = desk.aside.size_bytes
    more = [desk.bench.add(b"{}", f"dt/{BAD}/Main/Speed")]
    desk.aside._set_aside(str(BAD), more)
    assert desk.aside.size_bytes == size, "there is no room for more"
    assert all(slot.is_done for slot in slots + more)
    assert desk.bench.counts.refused == {"mqtt.no_room": 1}


def test_what_is_damaged_is_kept_and_its_system_waits_no_longer_for_it(desk: Desk) -> None:
    desk.set_aside()
    desk.add(BAD, 4)
    desk.aside.close()
    (segment,) = (desk.folder / str(BAD)).glob("*.segment")
    content = bytearray(segment.read_bytes())
    desk.bench = Bench()
    desk.aside = desk.open()
    content[-1] ^= 1
    segment.write_bytes(content)
    desk.refuses_bad = False
    desk.in_kafka.clear()
    desk.turns(10)
    assert [topic for topic, _ in desk.in_kafka] == [f"{BAD}.int"] * 2
    assert desk.aside.trouble is None
    (kept,) = (desk.folder / str(BAD)).iterdir()
    assert (kept.suffix, kept.read_bytes()) == (".damaged", bytes(content))
    assert desk.add(BAD, 5) != [None], "it is a system like the others again"


def test_who_asks_from_another_thread_may_do_so_while_a_system_is_set_aside_or_ends(desk: Desk) -> None:
    desk.set_aside()
    (line,) = desk.aside._lines.values()

    class Meanwhile:
        """Bytes that wait; while they are asked for, the bridge goes on."""

        @property
        def size_bytes(self) -> int:
            lines = desk.aside._lines
            if lines.pop("another", None) is None:
                lines["another"] = line
            return 1

    buffer, line.buffer = line.buffer, Meanwhile()  # type: ignore[assignment]
    assert desk.aside.size_bytes == 1
    assert desk.aside.size_bytes == 2
    assert str(BAD) in (desk.aside.trouble or "")
    line.buffer = buffer
    desk.aside._lines.pop("another", None)
