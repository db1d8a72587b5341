from setup.remote.topics import Event, events


def test_events_are_read_and_comments_left_out() -> None:
    lines = [
        ": alive",
        "",
        "id: 0:8",
        "event: record",
        'data: {"result": 7}',
        "",
        "event: closed",
        "data: {}",
        "",
        "event: cut off",
    ]
    assert list(events(lines)) == [Event("record", "0:8", {"result": 7}), Event("closed", "", {})]
