"""A broker killed while records pass: the app waits, goes on by itself, loses and doubles nothing."""

import collections
import signal
import threading
import time
from collections.abc import Callable

import pytest

from setup.local.kafka import LocalKafka
from tests.integration.streamhub.flows import AppProcess, Flow, eventually, matching

RECORDS = 20_000


@pytest.mark.slow
@pytest.mark.kafka
def test_an_app_waits_for_a_killed_broker_and_goes_on_exactly_once(
    own_broker: LocalKafka, unique_system: Callable[[], str], start_app: Callable[..., AppProcess]
) -> None:
    flow = Flow(own_broker.bootstrap_servers, unique_system(), unique_system(), 2)
    app = start_app(flow)
    flow.produce(range(1000))
    app.wait_consumed(1000)
    producing = threading.Thread(target=flow.produce, args=(range(1000, RECORDS), 1000.0))
    producing.start()
    time.sleep(2.0)
    own_broker.kill()

    def is_waiting() -> bool:
        said = app.progress()
        age = said["turn_age_s"]
        assert isinstance(age, float)
        return said["lag"] is None and bool(said["trouble"]) and age < 5.0

    # What was measured last counts for some seconds.
    eventually(is_waiting, what="a loop that turns, says what is wrong, and knows no lag")
    assert app.process.poll() is None, app.log.read_text()
    own_broker.start()
    own_broker.wait_ready()
    producing.join()
    app.wait_consumed(RECORDS, 300)
    # Known again soon: while it is unknown nobody would notice a stall.
    eventually(lambda: app.progress()["lag"] == 0, 120, "a measured lag")
    assert app.end(signal.SIGTERM) == 0, app.log.read_text()
    counts = collections.Counter(flow.received_numbers())
    assert [number for number, count in counts.items() if count > 1] == []
    assert sorted(counts) == matching(range(RECORDS))
