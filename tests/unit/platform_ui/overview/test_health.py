"""How a system is, at a glance."""

import uuid
from datetime import UTC, datetime, timedelta

from platform_ui.flows.figures import AppRate, FlowSnapshot, TopicRate
from platform_ui.overview.health import Belongings, health_of
from platform_ui.streams.models import StreamApp
from platform_ui.streams.permission import AppPermission
from platform_ui.streams.views import AppView
from platform_ui.systems.models import System

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAME = "cz.icecars.Fleet.Car1"


def system(state: str = "active") -> System:
    made = NOW - timedelta(hours=1)
    return System(id=uuid.uuid4(), name=NAME, state=state, description="", created_at=made)


def app(name: str) -> AppView:
    permission = AppPermission(NAME, name, (NAME,), "at.srfg.Hall.Mill", (), ())
    return AppView(StreamApp(id=uuid.uuid4(), name=name, stopped_by=None), permission, None)


def test_what_is_broken_comes_before_what_waits() -> None:
    snapshot = FlowSnapshot(
        NOW,
        topics={f"{NAME}.int.dlq": TopicRate(0.1, 7, NOW, last_hour=3)},
        apps={f"{NAME}.share": AppRate("failed", cause="Kafka does not answer")},
        is_stale=False,
    )
    health = health_of(system(), snapshot, Belongings(apps=[app("share")]), NOW)
    assert [trouble.kind for trouble in health.troubles] == ["app_failed", "dead_letters"]
    assert health.troubles[0].detail == "Kafka does not answer"


def test_each_topic_has_its_figures_and_refused_records_alarm() -> None:
    snapshot = FlowSnapshot(
        NOW,
        topics={
            f"{NAME}.int": TopicRate(2.5, 100, NOW),
            f"{NAME}.int.dlq": TopicRate(0.0, 1, NOW, last_hour=1),
        },
        is_stale=False,
    )
    topics = health_of(system(), snapshot, Belongings(), NOW).topics
    assert [(topic.ending, topic.rate.total, topic.is_alarming) for topic in topics] == [
        ("int", 100, False),
        ("ext", None, False),
        ("log", None, False),
        ("int.dlq", None, True),  # offsets of what is written in transactions are no count of records
    ]
    assert topics[3].rate.last_hour == 1


def test_a_system_whose_topics_are_not_verified_says_so() -> None:
    troubles = health_of(system("creating"), FlowSnapshot(NOW), Belongings(), NOW).troubles
    assert [trouble.kind for trouble in troubles] == ["system_half_made"]


def test_a_system_that_is_well_has_no_trouble() -> None:
    assert health_of(system(), FlowSnapshot(NOW), Belongings(), NOW).troubles == ()
