"""A repeated packet gets the id that it had, also after a crash."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.mqtt.storage import packets
from adapters.mqtt.storage.packets import PacketJournal

Open = Callable[[], PacketJournal]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """A function that opens the journal; an earlier one was killed."""
    made: list[PacketJournal] = []

    def make() -> PacketJournal:
        made.append(PacketJournal(tmp_path / "packets"))
        return made[-1]

    yield make
    for journal in made:
        journal._file.close()


def test_a_repeated_packet_gets_its_id_back_after_a_crash(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    first = journal.id_for(1, "dt/a", b"5", is_repeated=False)
    second = journal.id_for(2, "dt/a", b"5", is_repeated=False)
    journal.sync()
    assert first != second
    again = opened()
    assert again.id_for(2, "dt/a", b"5", is_repeated=True) == second
    assert again.id_for(1, "dt/a", b"5", is_repeated=True) == first


def test_another_message_under_the_same_packet_is_another(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    first = journal.id_for(1, "dt/a", b"5", is_repeated=False)
    assert journal.id_for(1, "dt/a", b"6", is_repeated=True) != first
    assert journal.id_for(1, "dt/a", b"5", is_repeated=False) != first
    assert journal.id_for(7, "dt/a", b"5", is_repeated=True) != first


def test_messages_of_qos_0_leave_nothing(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    journal.id_for(0, "dt/a", b"5", is_repeated=False)
    journal.close()
    assert (tmp_path / "packets").read_bytes() == b""


@pytest.mark.parametrize("damage", [b"\0" * 3, b"\0" * 46, b"\xff" * 50])
def test_a_torn_end_is_cut_off(opened: Open, tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "packets"
    journal = opened()
    first = journal.id_for(1, "dt/a", b"5", is_repeated=False)
    journal.close()
    with path.open("ab") as file:
        file.write(damage)
    again = opened()
    assert again.id_for(1, "dt/a", b"5", is_repeated=True) == first
    third = again.id_for(3, "dt/a", b"5", is_repeated=False)
    again.close()
    assert opened().id_for(3, "dt/a", b"5", is_repeated=True) == third


def test_a_new_session_forgets_everything(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    first = journal.id_for(1, "dt/a", b"5", is_repeated=False)
    journal.sync()
    journal.forget()
    assert journal.id_for(1, "dt/a", b"5", is_repeated=True) != first


def test_the_file_does_not_grow_for_ever(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "_LONGEST", 10)
    path = tmp_path / "packets"
    journal = opened()
    for _ in range(30):
        last = journal.id_for(5, "dt/a", b"5", is_repeated=False)
        journal.sync()
    assert path.stat().st_size < 15 * 46
    assert opened().id_for(5, "dt/a", b"5", is_repeated=True) == last


def test_an_entry_counts_no_longer_when_the_broker_must_have_our_acknowledgement(tmp_path: Path) -> None:
    journal = PacketJournal(tmp_path / "packets", window=4)
    first = journal.id_for(1, "dt/a", b"on", is_repeated=False)
    for packet_id in (2, 3, 4):
        journal.saw(packet_id, is_repeated=False)
    assert journal.id_for(1, "dt/a", b"on", is_repeated=True) == first
    # A fifth message: the broker has the acknowledgement of the first, so that number 1 is another one,
    # whose first delivery was lost.
    journal.id_for(5, "dt/a", b"on", is_repeated=False)
    assert journal.id_for(1, "dt/a", b"on", is_repeated=True) != first
    journal.close()


def test_repetitions_let_no_entry_grow_old_also_over_a_crash(tmp_path: Path) -> None:
    journal = PacketJournal(tmp_path / "packets", window=3)
    ids = [journal.id_for(one, "dt/a", b"on", is_repeated=False) for one in (1, 2, 3)]
    for _ in range(5):
        journal.saw(9, is_repeated=True)
        assert [journal.id_for(one, "dt/a", b"on", is_repeated=True) for one in (1, 2, 3)] == ids
    journal.sync()
    journal._file.close()
    again = PacketJournal(tmp_path / "packets", window=3)
    assert [again.id_for(one, "dt/a", b"on", is_repeated=True) for one in (1, 2, 3)] == ids
    again.close()


def test_messages_with_ids_of_their_own_let_entries_grow_old_also_over_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "_UNTOLD", 2)
    journal = PacketJournal(tmp_path / "packets", window=4)
    first = journal.id_for(1, "dt/a", b"on", is_repeated=False)
    for packet_id in range(2, 9):
        journal.saw(packet_id, is_repeated=False)
    journal.sync()
    journal._file.close()
    again = PacketJournal(tmp_path / "packets", window=4)
    assert again.id_for(1, "dt/a", b"on", is_repeated=True) != first
    again.close()
