"""A single-source stream app end to end: what arrives, how it is marked, and what happens to bad records."""

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable

from streamhub.engine.batch import Headers
from tests.integration.streamhub.flows import (
    STATEMENT,
    AppProcess,
    Flow,
    eventually,
    headers_of,
    matching,
    number_of,
)


def test_every_matching_record_arrives_once_with_its_bytes_in_the_order_of_its_thing(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess]
) -> None:
    flow = new_flow(partitions=3)
    flow.produce(range(3000))
    app = start_app(flow)
    app.wait_consumed(3000)
    assert app.end(signal.SIGTERM) == 0, app.log.read_text()

    sent = {number_of(record): record for record in flow.read(flow.source.topics.internal)}
    received = flow.received()
    numbers = [number_of(record) for record in received]
    assert sorted(numbers) == matching(range(3000))
    for record, number in zip(received, numbers, strict=True):
        assert (record.key, record.value) == (sent[number].key, sent[number].value)
    for remainder in range(3):
        of_one_thing = [number for number in numbers if number % 3 == remainder]
        assert of_one_thing == sorted(of_one_thing)


def test_a_forwarded_record_says_where_it_comes_from_and_keeps_its_id(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess]
) -> None:
    flow = new_flow()
    headers: Headers = [
        ("dt-id", b"id-1"),
        ("traceparent", b"00-a-b-01"),
        ("internal", b"secret"),
        ("dt-app", b"forged"),
    ]
    flow.send(flow.key(0), b'{"result":1}', headers)
    flow.send(flow.key(1), b'{"result":2}')
    flow.flush()
    app = start_app(flow, "--contract", "contract-7")
    app.wait_consumed(2)

    first, second = flow.received()
    topic = flow.source.topics.internal
    added = {"dt-app": f"{flow.source}.app1", "dt-contract": "contract-7"}
    assert headers_of(first) == {
        "dt-id": "id-1",
        "traceparent": "00-a-b-01",
        "dt-origin": f"{topic}/0/0",
        **added,
    }
    assert headers_of(second) == {"dt-origin": f"{topic}/0/1", **added}
    assert len(first.headers) == 5


def test_records_that_cannot_be_used_are_dead_lettered_with_reason_and_position_and_the_app_goes_on(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess]
) -> None:
    flow = new_flow()
    bad: list[bytes | None] = [b"not json", b'{"result":', b"\xff\xfe\x00", None, b"", b"[" * 100_000, b"17"]
    flow.produce(range(16))
    for value in bad:
        flow.send(flow.key(0), value, [("dt-id", b"bad")])
    flow.produce(range(16, 32))
    app = start_app(flow)
    app.wait_consumed(32 + len(bad))
    assert app.end(signal.SIGTERM) == 0

    assert sorted(flow.received_numbers()) == matching(range(32))
    letters = flow.dead_letters()
    assert [letter.value for letter in letters] == bad
    for number, letter in enumerate(letters):
        found = headers_of(letter)
        assert found["dt-error"].startswith("record.")
        assert found["dt-error-detail"]
        assert found["dt-origin"] == f"{flow.source.topics.internal}/0/{16 + number}"
        assert found["dt-id"] == "bad"
        assert letter.key == flow.key(0)
    assert app.progress()["dead_lettered"] == len(bad)


def test_a_record_too_large_for_the_target_is_dead_lettered(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess]
) -> None:
    flow = new_flow()
    flow.limit(flow.target.topics.external, 5000)
    large = b'{"result":1,"note":"' + b"x" * 50_000 + b'"}'
    flow.produce(range(16))
    flow.send(flow.key(0), large)
    flow.produce(range(16, 32))
    app = start_app(flow)
    app.wait_consumed(33)

    assert sorted(flow.received_numbers()) == matching(range(32))
    (letter,) = flow.dead_letters()
    assert headers_of(letter)["dt-error"] == "record.too_large"
    assert headers_of(letter)["dt-origin"] == f"{flow.source.topics.internal}/0/16"


def test_a_dead_letter_topic_that_takes_little_keeps_nothing_from_the_target(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess]
) -> None:
    flow = new_flow()
    flow.create(flow.source.topics.dead_letters, config={"max.message.bytes": "5000"})
    large = b'{"number":99,"result":1,"note":"' + b"x" * 50_000 + b'"}'
    flow.send(flow.key(0), large)
    for _ in range(5):
        flow.send(flow.key(0), large[:-1])
    for _ in range(20):
        flow.send(flow.key(0), b"x" * 1000)
    flow.produce(range(16))
    app = start_app(flow)
    app.wait_consumed(42)

    assert sorted(flow.received_numbers()) == [*matching(range(16)), 99]
    assert [letter.value for letter in flow.dead_letters()] == [None] * 5 + [b"x" * 1000] * 20


def test_an_interrupt_commits_what_was_read_and_a_second_run_goes_on_behind_it(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess]
) -> None:
    flow = new_flow()
    flow.produce(range(1000))
    first = start_app(flow)
    first.wait_consumed(1000)
    assert first.end(signal.SIGINT) == 0
    flow.produce(range(1000, 2000))
    second = start_app(flow)
    second.wait_consumed(1000)
    assert second.end(signal.SIGINT) == 0
    assert second.progress()["consumed"] == 1000
    assert sorted(flow.received_numbers()) == matching(range(2000))


def test_metrics_tell_counts_and_lag(
    new_flow: Callable[..., Flow], start_app: Callable[..., AppProcess], free_port: int
) -> None:
    flow = new_flow()
    flow.produce(range(160))
    app = start_app(flow, "--metrics-port", str(free_port))
    app.wait_consumed(160)

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    lag = f'dtwin_app_lag_records{{app="{flow.source}.app1"}}'
    # Measured again and again: what it was before the records were read comes first.
    eventually(lambda: f"{lag} 0.0" in page(), what="a measured lag of nothing")
    text = page()
    assert f'dtwin_app_records_consumed_total{{app="{flow.source}.app1"}} 160.0' in text
    assert f'dtwin_app_records_forwarded_total{{app="{flow.source}.app1"}} 40.0' in text


def test_a_metrics_port_that_is_taken_is_named(new_flow: Callable[..., Flow]) -> None:
    flow = new_flow()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _run(
            *("--source-system", str(flow.source), "--target-system", str(flow.target)),
            *("--metrics-port", str(port)),
            bootstrap=flow.bootstrap,
        )
    assert done.returncode == 2
    assert f"metrics cannot be served on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_topic_is_named_with_the_next_step_and_exit_code_5(
    kafka_bootstrap: str, unique_system: Callable[[], str]
) -> None:
    source = unique_system()
    done = _run("--source-system", source, "--target-system", unique_system(), bootstrap=kafka_bootstrap)
    assert done.returncode == 5
    assert f"the source topic {source}.int does not exist" in done.stderr
    assert "Create the system" in done.stderr


def test_an_unreachable_broker_is_exit_code_6_after_a_bounded_wait(
    unique_system: Callable[[], str], free_port: int
) -> None:
    done = _run(
        *("--source-system", unique_system(), "--target-system", unique_system(), "--broker-wait", "1"),
        bootstrap=f"127.0.0.1:{free_port}",
    )
    assert done.returncode == 6
    assert f"no Kafka broker answered at 127.0.0.1:{free_port}" in done.stderr


def _run(*more: str, bootstrap: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "streamhub", "app", "run", "--stream-name", "app1"]
    return subprocess.run(
        [*command, "--filter-logic", STATEMENT, "--bootstrap-server", bootstrap, *more],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
