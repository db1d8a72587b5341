"""Prometheus figures of apps, made of what each has said of its progress.

What lives here: names, labels and help texts, the same for one app and for all apps of a runner. What does
not: measuring (`observer`), serving (`sinks.metrics`), which apps there are (`streamhub.runner`).

Source: Prometheus, "Metric and label naming"; an app and an error code are the only labels.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamhub.engine.progress import AppProgress

MOST_CODES: Final = 50
"""Error codes of one app that get a series of their own [1]; all others are counted as `OTHER`."""
OTHER: Final = "other"
_APP: Final = "app"
_COUNTERS: Final = (
    ("consumed", "Records read in committed transactions."),
    ("forwarded", "Records written to the target."),
    ("mismatched", "Comparisons false for another type."),
    ("missing", "Comparisons false for a missing attribute."),
    ("joined", "Records that went into a join."),
    ("late", "Records that came too late for their join."),
    ("dropped", "Records that a join gave up after its latency."),
    ("tuples_found", "Groups of records that a join has found."),
    ("failed", "Groups that a function could not be computed for."),
)
_FIELDS: Final = {"mismatched": "mismatches", "tuples_found": "tuples"}


def _moved_at(progress: AppProgress) -> float | None:
    return None if progress.last_progress is None else progress.last_progress.timestamp()


_GAUGES: Final[tuple[tuple[str, str, Callable[[AppProgress], float | None]], ...]] = (
    ("held_records", "Records that joins remember now.", lambda one: one.held),
    ("lag_seconds", "Age of the record read last.", lambda one: one.lag_s),
    ("join_hit_rate", "Groups found per record joined.", lambda one: one.hit_rate),
    ("lag_records", "Records that wait in the assigned partitions.", lambda one: one.lag),
    ("last_progress_timestamp_seconds", "When the app last moved.", _moved_at),
)


def progress_families(latest: Mapping[str, AppProgress]) -> Iterator[Metric]:
    """Make the metric families of some apps.

    Args:
        latest: What each app has said last, by its id.
    """
    for name, text in _COUNTERS:
        counter = CounterMetricFamily(f"dtwin_app_records_{name}", text, labels=[_APP])
        for app_id, progress in latest.items():
            counter.add_metric([app_id], getattr(progress, _FIELDS.get(name, name)))
        yield counter
    dead = CounterMetricFamily(
        "dtwin_app_records_dead_lettered", "Records set aside, by error code.", labels=[_APP, "code"]
    )
    for app_id, progress in latest.items():
        for code, number in _bounded(progress.dead_letters).items():
            dead.add_metric([app_id, code], number)
    yield dead
    for name, text, measure in _GAUGES:
        gauge = GaugeMetricFamily(f"dtwin_app_{name}", text, labels=[_APP])
        for app_id, progress in latest.items():
            value = measure(progress)
            if value is not None:
                gauge.add_metric([app_id], value)
        if gauge.samples:
            yield gauge


def _bounded(codes: Mapping[str, int]) -> dict[str, int]:
    """Keep the first codes by name: a series that was there stays, as long as no new code comes before it."""
    kept = sorted(codes)[:MOST_CODES]
    rest = sum(codes.values()) - sum(codes[code] for code in kept)
    return {code: codes[code] for code in kept} | ({OTHER: rest} if rest else {})
