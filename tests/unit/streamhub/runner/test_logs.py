from pathlib import Path

from streamhub.runner.logs import (
    MAX_LOG_BYTES,
    append_mark,
    last_complaint,
    read_on,
    rotate_log,
    tail,
)


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


def test_a_log_is_followed_line_by_line(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("one\ntwo\nhal")
    first = read_on(log, "", 1)
    assert first.lines == ["two"], "half a line is not one yet"
    assert read_on(log, first.cursor, 1).lines == []
    with log.open("a") as more:
        more.write("f\nthree\n")
    second = read_on(log, first.cursor, 1)
    assert second.lines == ["half", "three"]
    assert read_on(log, second.cursor, 1).lines == []


def test_a_follower_misses_nothing_when_the_log_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("one\n")
    first = read_on(log, "", 10)
    with log.open("a") as more:
        more.write("two\n")
        more.flush()
        rotate_log(log, 1)
        more.write("three\n")
    assert read_on(log, first.cursor, 10).lines == ["two", "three"]


def test_a_follower_may_come_before_the_log_and_with_a_cursor_that_is_none(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    first = read_on(log, "", 10)
    assert first.lines == []
    log.write_text("one\n")
    assert read_on(log, first.cursor, 10).lines == ["one"]
    assert read_on(log, "nonsense-", 10).lines == ["one"]
    assert read_on(log, f"0-{10**30}", 10).lines == []
    assert read_on(log, "9" * 5000 + "-1", 10).lines == ["one"]


def test_more_than_ten_million_bytes_of_a_log_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("ab") as writer:
        for _ in range(3):
            writer.truncate(0)
            writer.write(b"x" * (MAX_LOG_BYTES + 1))
            writer.flush()
            assert rotate_log(log)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 10_000_000


def test_marks_are_no_complaints(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append_mark(log, "started 1")
    append_mark(log, "ended 2 killed by signal 9 (SIGKILL)")
    assert log.read_text().splitlines() == ["--- started 1", "--- ended 2 killed by signal 9 (SIGKILL)"]
    assert last_complaint(tail(log, 10)) is None
