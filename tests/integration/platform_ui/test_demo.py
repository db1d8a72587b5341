"""The demo's data: complete, repeatable, and refused outside demo mode."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from client.errors import ConfigurationError
from platform_ui import db
from platform_ui.demo import load_demo
from platform_ui.demo_world import ANALYTICS, APPS, CAR1, CAR2, COMPANIES, CONTRACTS, PEOPLE
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from streamhub.query import compile_statement
from tests.integration.platform_ui.doubles import MemoryMetadata, MemoryRunner, MemoryTopics


async def test_the_demo_is_refused_in_production_with_the_name_of_the_setting(
    settings: PlatformSettings,
) -> None:
    with pytest.raises(ConfigurationError, match="DTWIN_PLATFORM__MODE"):
        await load_demo(settings, topics=MemoryTopics(), runner=MemoryRunner())


async def test_the_demo_is_loaded_twice_without_doing_anything_twice(
    settings: PlatformSettings, new_database: Callable[[str], str]
) -> None:
    url = new_database("demo")
    db.migrate(url)
    demo = replace(settings, mode=Mode.DEMO, database_url=url)
    topics, runner, metadata = MemoryTopics(), MemoryRunner(), MemoryMetadata()
    parts = len(PEOPLE) + len(COMPANIES) + 5 + 6 + len(CONTRACTS) + len(APPS)
    assert (
        await load_demo(demo, topics=topics, runner=runner, metadata=metadata)
        == f"demo: {parts} created, 0 kept"
    )
    assert len(topics.names) == 5 * 4
    assert sorted(runner.statuses) == sorted(f"{app.source}.{app.name}" for app in APPS)
    nearby = runner.specifications[f"{CAR1}.carsnearby"]
    assert list(nearby.datastreams) == [f"{ANALYTICS}.carsnearby.distance"]
    assert {terms.provider for terms in nearby.contracts} == {CAR1, CAR2}
    registered = len(metadata.requests)
    stopped = f"{APPS[0].source}.{APPS[0].name}"
    runner.stop(stopped)
    assert (
        await load_demo(demo, topics=topics, runner=runner, metadata=metadata)
        == f"demo: 0 created, {parts} kept"
    )
    assert runner.statuses[stopped].desired == "stopped"
    assert len(metadata.requests) == registered


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_the_statements_of_the_demo_read_their_source(app: object) -> None:
    statement, source = getattr(app, "statement", ""), getattr(app, "source", "")
    assert source in compile_statement(statement).sources
