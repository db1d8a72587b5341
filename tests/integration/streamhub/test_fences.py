"""A copy whose place in the group was taken: it hears of it, comes back, and loses and doubles nothing."""

import collections
import signal
from collections.abc import Callable

from tests.integration.streamhub.flows import AppProcess, Flow, eventually, matching
from tests.rivals import take_place


def test_a_copy_that_lost_its_place_while_nothing_passed_comes_back(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess]
) -> None:
    flow = new_flow()
    app = start_app(flow)
    flow.produce(range(100))
    app.wait_consumed(100)
    app_id = flow.specification().app_id
    # What remains of a join whose answer an outage swallowed looks to Kafka like this: another member.
    take_place(flow.bootstrap, app_id, f"{app_id}.0", flow.source.topics.internal)
    eventually(lambda: "coming back with new clients" in app.log.read_text(), what="a copy that comes back")
    flow.produce(range(100, 200))
    app.wait_consumed(200)
    assert app.end(signal.SIGTERM) == 0, app.log.read_text()
    counts = collections.Counter(flow.received_numbers())
    assert counts == dict.fromkeys(matching(range(200)), 1)
