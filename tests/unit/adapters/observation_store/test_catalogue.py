"""Which Datastream a record means."""

from adapters.observation_store.catalogue import Stream, choose, system_of

OWNER = "a.bb.cc.dd"


def _stream(identifier: int, name: str, owner: str = OWNER) -> Stream:
    return Stream(identifier, name, owner, False, 0, 1, 1)


def test_the_name_counts_more_than_the_id() -> None:
    found = [_stream(1, "x"), _stream(2, "y")]
    assert choose(("y", 1, OWNER), found) == found[1]


def test_of_several_with_one_name_the_id_decides() -> None:
    found = [_stream(1, "x"), _stream(2, "x")]
    assert choose(("x", 2, OWNER), found) == found[1]
    assert choose(("x", None, OWNER), found) == found[0]


def test_a_changed_name_is_found_by_the_id() -> None:
    found = [_stream(1, "new")]
    assert choose(("old", 1, OWNER), found) == found[0]


def test_a_datastream_of_another_system_is_never_meant() -> None:
    assert choose(("x", 1, OWNER), [_stream(1, "x", "other")]) is None


def test_the_system_of_a_name_is_its_first_four_levels() -> None:
    assert system_of("a.bb.cc.dd.Thing.Speed") == "a.bb.cc.dd"
    assert system_of("Speed") == ""
