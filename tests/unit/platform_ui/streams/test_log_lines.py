"""What a line of a log says about itself, and which lines somebody wants."""

from datetime import UTC, datetime

from platform_ui.streams.detail.log_lines import LogSearch, read_lines, search

LOG = [
    "--- started 2026-01-02T03:04:00.000+00:00",
    "a.b.c.d.app: a.b.c.d.int -> a.b.c.e.ext, Ctrl-C stops",
    "2026-01-02 03:04:05,250 WARNING streamhub.engine.lane Kafka is away",
    "2026-01-02 03:05:00,000 ERROR streamhub.engine.lane broken",
    "Traceback (most recent call last):",
    "ValueError: thirteen",
    "--- ended 2026-01-02T03:05:01.500+00:00 killed by signal 9 (SIGKILL)",
    "--- started 2026-01-02T03:05:02.000+00:00",
    "error: no Kafka broker answered",
]


def texts(wanted: LogSearch) -> list[str]:
    return [line.text for line in search(LOG, wanted)]


def test_lines_without_a_time_belong_to_the_one_before() -> None:
    lines = list(read_lines(LOG))
    assert [line.level for line in lines[1:6]] == ["INFO", "WARNING", "ERROR", "ERROR", "ERROR"]
    assert lines[5].at == datetime(2026, 1, 2, 3, 5, tzinfo=UTC)
    assert lines[6].at == datetime(2026, 1, 2, 3, 5, 1, 500_000, tzinfo=UTC)
    assert [line.is_mark for line in lines].count(True) == 3


def test_a_new_process_forgets_the_trouble_of_the_one_before() -> None:
    assert next(read_lines(LOG[7:])).level == "INFO"
    assert [line.level for line in read_lines(LOG)][7:] == ["INFO", "ERROR"]


def test_a_search_finds_text_in_any_case() -> None:
    assert texts(LogSearch(text="KAFKA")) == [LOG[2], LOG[8]]


def test_a_level_keeps_what_is_worse_and_the_marks_between_processes() -> None:
    assert texts(LogSearch(level="ERROR")) == [LOG[0], *LOG[3:9]]


def test_a_time_keeps_what_was_logged_in_it() -> None:
    since = datetime(2026, 1, 2, 3, 4, 30, tzinfo=UTC)
    until = datetime(2026, 1, 2, 3, 5, 1, tzinfo=UTC)
    assert texts(LogSearch(since=since, until=until)) == LOG[3:6]
    assert search(["no time"], LogSearch(since=since)) == []


def test_an_empty_search_keeps_everything() -> None:
    assert LogSearch().is_empty
    assert texts(LogSearch()) == LOG
