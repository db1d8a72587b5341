from pathlib import Path

from streamhub.runner.logs import last_complaint, rotate_log, tail


def test_a_large_log_is_moved_aside_and_its_end_stays_readable(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert not rotate_log(log, 10_000)
    assert rotate_log(log, 100)
    assert log.read_text() == ""
    with log.open("a") as more:
        more.write("after\n")
    assert tail(log, 3) == ["line 98", "line 99", "after"]


def test_an_open_log_goes_on_at_the_beginning_after_rotation(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 200 + b"\n")
        rotate_log(log, 100)
        writer.write(b"next\n")
    assert log.read_bytes() == b"next\n"


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "app.log", 10) == []
    assert not rotate_log(tmp_path / "app.log")


def test_the_complaint_is_the_last_error_of_the_latest_process() -> None:
    lines = [
        "--- started 1",
        "error: of an older process",
        "--- started 2",
        "2026-01-01 ERROR lane: broken",
        "error: topic a.int does not exist",
        "",
        "bye",
    ]
    assert last_complaint(lines) == "topic a.int does not exist"
    assert last_complaint([*lines, "--- started 3", "hello"]) == "hello"
    assert last_complaint([*lines, "--- started 3"]) is None


def test_the_last_line_of_a_traceback_is_a_complaint() -> None:
    lines = ["Traceback (most recent call last):", '  File "x.py"', "ZeroDivisionError: division by zero"]
    assert last_complaint(lines) == "ZeroDivisionError: division by zero"
