"""What a Prometheus on this machine finds of a stack that `dtwin up` has started."""

from setup.local.state import PartState
from setup.provisioning.targets import Found, found_targets

DEAD = 2_000_000_000  # no such process


def test_every_page_of_a_stack_is_found_also_when_its_part_has_died() -> None:
    parts = {
        "kafka": PartState("kafka", "127.0.0.1:9092", 1, ports={"client": 9092, "controller": 40000}),
        "sensorthings": PartState("sensorthings", "http://127.0.0.1:8085", 1, ports={"client": 8085}),
        "platform": PartState("platform", "http://127.0.0.1:1909", 1, ports={"client": 1909}),
        "runner": PartState("runner", "/home/runner", DEAD, ports={"metrics": 9105}),
        "recorder": PartState("recorder", "", DEAD, ports={"metrics": 9096}),
    }
    assert found_targets(parts) == Found(
        "http://127.0.0.1:1909", "http://127.0.0.1:8085", ("127.0.0.1:9096", "127.0.0.1:9105")
    )


def test_nothing_is_found_where_nothing_was_started() -> None:
    assert found_targets({}) == Found()
    given = PartState("recorder", "whoever runs the given SensorThings service records")
    assert found_targets({"recorder": given}) == Found()
