"""Files for Prometheus against the schema of its rules, and against the figures that the code has."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import jsonschema_rs
import yaml
from prometheus_client import CollectorRegistry

from platform_ui.health import SiteMetrics
from sensorthings.http.health import Metrics
from setup.provisioning.grafana import dashboard
from setup.provisioning.panels import Source
from setup.provisioning.prometheus import RULES_FILE, SCRAPE_FILE, Targets, expressions, prometheus_files
from streamhub.engine.observer import LaneObserver, ProgressCollector
from streamhub.engine.progress import AppProgress
from streamhub.runner import AppStatus, RunnerDirectory
from streamhub.runner.metrics import RunnerCollector
from tests.unit.setup.provisioning.worlds import car

_SCHEMA = Path(__file__).parents[3] / "vendor" / "prometheus-rules.schema.json"
_TARGETS = Targets("127.0.0.1:1908", "127.0.0.1:8084", ("127.0.0.1:9096", "127.0.0.1:9095"))
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_METRIC = re.compile(r"\b(?:dtwin_\w+|up)\b")
_SERIES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


class _Apps:
    """A runner with one app, of which nothing is known yet."""

    def list(self) -> list[AppStatus]:
        return [AppStatus(app_id="app", desired="running", state="starting")]


class _Observed:
    """An app that has something to say of everything."""

    latest = AppProgress(
        pid=1,
        state="running",
        updated_at=datetime.now(UTC),
        dead_letters={"record.not_json": 1},
        lag=1,
        lag_s=1.0,
        hit_rate=0.5,
        last_progress=datetime.now(UTC),
    )


def served() -> set[str]:
    """Return the names of all series that the parts of the stack serve, out of their own registries."""
    of_apps = CollectorRegistry()
    of_runner = CollectorRegistry()
    of_apps.register(ProgressCollector("app", cast("LaneObserver", _Observed())))
    of_runner.register(RunnerCollector(cast("RunnerDirectory", _Apps())))
    families = [
        family
        for registry in (SiteMetrics().registry, Metrics().registry, of_apps, of_runner)
        for family in registry.collect()
    ]
    return {f"{one.name}{suffix}" for one in families for suffix in _SERIES.get(one.type, ("",))}


def used(expression: str) -> set[str]:
    """Return the names of series that an expression of PromQL reads."""
    return set(_METRIC.findall(_TEXT.sub('""', expression)))


def test_rules_and_dashboards_use_only_figures_that_there_are() -> None:
    panels = dashboard(car(), Source.SENSORTHINGS, has_metrics=True)["panels"]
    shown = [target["expr"] for panel in panels for target in panel.get("targets", []) if "expr" in target]
    for expression in [*expressions(), *shown]:
        names = used(expression)
        assert names, expression
        assert names <= {*served(), "up"}, expression


def test_the_rules_are_valid_by_the_schema_of_rule_groups() -> None:
    validator = jsonschema_rs.validator_for(json.loads(_SCHEMA.read_text()))
    rules = yaml.safe_load(prometheus_files(_TARGETS)[RULES_FILE])
    assert list(validator.iter_errors(rules)) == []
    rules["groups"][0]["rules"][0]["forr"] = "5m"
    assert list(validator.iter_errors(rules))


def test_alarms_have_names_of_their_own_and_say_what_to_do() -> None:
    rules = yaml.safe_load(prometheus_files(_TARGETS)[RULES_FILE])
    alarms = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({one["alert"] for one in alarms}) == len(alarms) == len(expressions())
    for one in alarms:
        assert one["labels"]["severity"] in {"critical", "warning"}
        assert one["annotations"]["summary"].endswith(".")
        assert one["annotations"]["description"].endswith(".")


def test_everything_that_rules_name_a_job_is_asked_for_figures() -> None:
    configuration = yaml.safe_load(prometheus_files(_TARGETS)[SCRAPE_FILE])
    assert configuration["rule_files"] == [RULES_FILE]
    jobs = {one["job_name"]: one["static_configs"][0]["targets"] for one in configuration["scrape_configs"]}
    assert jobs == {
        "dtwin-platform": ["127.0.0.1:1908"],
        "dtwin-sensorthings": ["127.0.0.1:8084"],
        "dtwin-apps": ["127.0.0.1:9095", "127.0.0.1:9096"],
    }
    named = re.findall(r"dtwin-[a-z]+", " ".join(expressions()))
    assert set(named) == set(jobs)
