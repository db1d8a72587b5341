"""Files for Prometheus: what it asks for figures, and when it raises an alarm.

What lives here: the scrape configuration and the alerting rules. What does not: the figures themselves, which
every part of the stack serves on its ``/metrics``; a test holds this module to those that there are.

Source: Prometheus 2 and later, "Configuration" and "Alerting rules".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from setup.provisioning.files import to_yaml

Json = dict[str, Any]

KIND: Final = "prometheus"
RULES_FILE: Final = "dtwin-rules.yml"
SCRAPE_FILE: Final = "prometheus.yml"
_INTERVAL: Final = "15s"
_PLATFORM: Final = "dtwin-platform"
_SENSORTHINGS: Final = "dtwin-sensorthings"
_APPS: Final = "dtwin-apps"


@dataclass(frozen=True, slots=True)
class Targets:
    """What Prometheus asks, each as `host:port`.

    Attributes:
        platform: The platform.
        sensorthings: The SensorThings service.
        apps: Runners with their stream apps, recorders, bridges and sinks that have a metrics port.
        platform_scheme: How the platform is asked: ``http`` or ``https``.
        sensorthings_scheme: How the SensorThings service is.
    """

    platform: str
    sensorthings: str
    apps: Sequence[str] = ()
    platform_scheme: str = "http"
    sensorthings_scheme: str = "http"


@dataclass(frozen=True, slots=True)
class _Alert:
    """One rule.

    Attributes:
        name: What the alarm is called.
        expression: PromQL; the alarm holds where it has a result.
        lasts: How long it must hold first.
        severity: `critical` or `warning`.
        summary: What is so, in a sentence.
        advice: What to do.
    """

    name: str
    expression: str
    lasts: str
    severity: str
    summary: str
    advice: str

    def json(self) -> Json:
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasts,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.advice},
        }


_ALERTS: Final = {
    "dtwin-services": (
        _Alert(
            "DtwinDown",
            f'up{{job=~"{_PLATFORM}|{_SENSORTHINGS}|{_APPS}"}} == 0',
            "1m",
            "critical",
            "{{ $labels.job }} at {{ $labels.instance }} does not answer.",
            "dtwin status says what runs, dtwin logs what it said last.",
        ),
        _Alert(
            "DtwinPlatformErrors",
            'sum by (route) (increase(dtwin_platform_requests_total{status=~"5.."}[5m])) > 0',
            "5m",
            "warning",
            "The platform fails at {{ $labels.route }}.",
            "dtwin logs platform has the reason; the page Platform health what is missing.",
        ),
        _Alert(
            "DtwinSensorThingsErrors",
            'sum by (method) (increase(dtwin_sensorthings_requests_total{status=~"5.."}[5m])) > 0',
            "5m",
            "warning",
            "The SensorThings service fails to answer {{ $labels.method }}.",
            "dtwin logs sensorthings has the reason; often its database is away.",
        ),
        _Alert(
            "DtwinSensorThingsSlow",
            "histogram_quantile(0.95, sum by (le, method) "
            "(rate(dtwin_sensorthings_request_seconds_bucket[5m]))) > 2",
            "10m",
            "warning",
            "One of twenty {{ $labels.method }} requests takes {{ $value | humanizeDuration }} or longer.",
            "Look for queries without a time range, and at the load of the database.",
        ),
    ),
    "dtwin-access-rules": (
        _Alert(
            "DtwinAccessRulesNotCompared",
            "dtwin_platform_acl_compared_timestamp_seconds > 0 "
            "and time() - dtwin_platform_acl_compared_timestamp_seconds > 300",
            "5m",
            "critical",
            "Access rules of the broker have not been compared with the registry for "
            "{{ $value | humanizeDuration }}.",
            "dtwin acl diff compares them now; until then a revoked right may still count at the broker.",
        ),
        _Alert(
            "DtwinAccessRulesDrift",
            "increase(dtwin_platform_acl_drift_total[10m]) > 0",
            "0m",
            "warning",
            "Somebody else has changed access rules of the broker; they were mended.",
            "Find out who has an administrator's certificate of the broker.",
        ),
    ),
    "dtwin-apps": (
        _Alert(
            "DtwinAppNotRunning",
            "dtwin_app_running == 0",
            "2m",
            "critical",
            "{{ $labels.app }} should run and does not.",
            "Its page says why, and its log; dtwin app restart starts it when its runner has given up.",
        ),
        _Alert(
            "DtwinAppStuck",
            "dtwin_app_lag_records > 0 and time() - dtwin_app_last_progress_timestamp_seconds > 120",
            "1m",
            "critical",
            "{{ $labels.app }} has records to read and has not moved for two minutes.",
            "Its log says why; its dead letters hold what it could not use.",
        ),
        _Alert(
            "DtwinAppBehind",
            "dtwin_app_lag_seconds > 60 and dtwin_app_lag_records > 1000",
            "10m",
            "warning",
            "{{ $labels.app }} is {{ $value | humanizeDuration }} behind.",
            "Let more workers of the same app run, or narrow its statement.",
        ),
        _Alert(
            "DtwinRecordsSetAside",
            "sum by (app, code) (increase(dtwin_app_records_dead_lettered_total[10m])) > 0",
            "0m",
            "warning",
            "{{ $labels.app }} sets records aside: {{ $labels.code }}.",
            "They are in <topic>.dlq with the reason; repair the cause and replay them.",
        ),
        _Alert(
            "DtwinJoinDrops",
            "rate(dtwin_app_records_late_total[15m]) + rate(dtwin_app_records_dropped_total[15m]) "
            "> 0.05 * rate(dtwin_app_records_joined_total[15m]) "
            "and rate(dtwin_app_records_joined_total[15m]) > 0",
            "15m",
            "warning",
            "{{ $labels.app }} gives up more than one of twenty records of its join.",
            "One of its sources is silent or late: raise its latency, or look at that source.",
        ),
    ),
}


def prometheus_files(targets: Targets) -> dict[str, str]:
    """Make all files.

    Args:
        targets: What Prometheus asks.
    """
    jobs = [
        _job(_PLATFORM, [targets.platform], targets.platform_scheme),
        _job(_SENSORTHINGS, [targets.sensorthings], targets.sensorthings_scheme),
        _job(_APPS, sorted(targets.apps)),
    ]
    configuration = {
        "global": {"scrape_interval": _INTERVAL, "evaluation_interval": _INTERVAL},
        "rule_files": [RULES_FILE],
        "scrape_configs": jobs,
    }
    groups = [{"name": name, "rules": [alert.json() for alert in alerts]} for name, alerts in _ALERTS.items()]
    return {SCRAPE_FILE: to_yaml(configuration), RULES_FILE: to_yaml({"groups": groups})}


def expressions() -> list[str]:
    """Return the PromQL of all rules."""
    return [alert.expression for alerts in _ALERTS.values() for alert in alerts]


def _job(name: str, targets: Sequence[str], scheme: str = "http") -> Json:
    return {
        "job_name": name,
        "scheme": scheme,
        "metrics_path": "/metrics",
        "static_configs": [{"targets": list(targets)}],
    }
