"""The figures of all apps of a runner on one Prometheus page, made of the files that each app writes anyway.

What lives here: which apps are told of, and what only a runner knows of them. What does not: the figures that
an app has of itself (`streamhub.engine.metrics`, the same as on a page of its own), serving
(`streamhub.engine.sinks.metrics`).

An app that somebody has stopped is left out, as it would have no page of its own: what it last said of
records that wait is no reason for an alarm.
"""

import threading
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamhub.engine.metrics import progress_families
from streamhub.runner.directory import AppStatus, RunnerDirectory

_APP: Final = "app"


class RunnerCollector(Collector):
    """Prometheus metrics of a runner's apps, read when they are asked for."""

    def __init__(self, directory: RunnerDirectory) -> None:
        """Look at a directory.

        Args:
            directory: Where the apps are.
        """
        self._directory = directory
        # The page is answered by several threads; the directory remembers files for one.
        self._guard = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Make the metric families."""
        with self._guard:
            wanted = [app for app in self._directory.list() if app.desired == "running"]
        yield from _supervised(wanted)
        yield from progress_families({app.app_id: app.progress for app in wanted if app.progress is not None})


def _supervised(apps: list[AppStatus]) -> Iterator[Metric]:
    running = GaugeMetricFamily("dtwin_app_running", "Whether the app runs and has its group.", labels=[_APP])
    restarts = CounterMetricFamily(
        "dtwin_app_restarts", "Times the app was started again since it was asked to run.", labels=[_APP]
    )
    for app in apps:
        running.add_metric([app.app_id], app.state == "running")
        restarts.add_metric([app.app_id], app.restarts)
    yield running
    yield restarts
