"""Times, areas and settings."""

from datetime import UTC, datetime, timedelta

import pytest

from client.errors import ConfigurationError
from sensorthings.model.areas import Area, area_of
from sensorthings.model.times import parse_duration, parse_instant, parse_period
from sensorthings.settings import read_settings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-02T12:00:00Z", "2026-01-02T13:00:00+01:00", "2026-01-02T12:00:00", "20260102T120000Z"]
)
def test_instants_are_utc(text: str) -> None:
    assert parse_instant(text) == NOON


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-01-02T12:00:00Z", NOON),
        ("2026-01-02T12:00:00Z/2026-01-02T13:00:00Z", NOON + timedelta(hours=1)),
        ("2026-01-02T12:00:00Z/P1DT1.5S", NOON + timedelta(days=1, seconds=1.5)),
    ],
)
def test_periods_have_two_ends(text: str, end: datetime) -> None:
    assert parse_period(text) == (NOON, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "infinity",
        "2026-13-01T00:00:00Z",
        "2026-01-02T12:00:00Z/2026-01-01T12:00:00Z",
        "9999-12-31T23:59:59Z/P99D",
        "9999-12-31T23:59:59-05:00",
        "2026-01-02T12:00:00Z/",
        "/2026-01-02T12:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_period(text)


@pytest.mark.parametrize("text", ["", "P", "PT", "P1Y", "1D", "-P", "P99999999999D"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "area"),
    [
        ({"type": "Point", "coordinates": [1, 2, 300]}, Area(1, 2, 1, 2)),
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 1], [2, 5], [0, 0]]]}, Area(0, 0, 4, 5)),
        ({"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}, Area(1, 2, 1, 2)),
        ({"geometries": [{"coordinates": [1, 2]}, {"coordinates": [3, 0]}]}, Area(1, 0, 3, 2)),
        ("POINT(1 2)", None),
        ({"coordinates": ["1", "2"]}, None),
        ({"coordinates": [True, False]}, None),
        ({}, None),
    ],
)
def test_area_is_the_smallest_box(value: object, area: Area | None) -> None:
    assert area_of(value) == area


def test_missing_database_is_told_by_the_name_of_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DTWIN_SENSORTHINGS__DATABASE_URL", raising=False)

    with pytest.raises(ConfigurationError, match="DTWIN_SENSORTHINGS__DATABASE_URL is not set"):
        read_settings()


@pytest.mark.parametrize("url", ["sqlite://", "nonsense", "mysql://a/b"])
def test_other_databases_are_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DTWIN_SENSORTHINGS__DATABASE_URL", url)

    with pytest.raises(ConfigurationError, match="DTWIN_SENSORTHINGS__DATABASE_URL"):
        _ = read_settings().database


def test_plain_postgres_address_gets_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTWIN_SENSORTHINGS__DATABASE_URL", "postgresql://u:secret@h/d")
    settings = read_settings(port=0)

    assert settings.database.drivername == "postgresql+psycopg"
    assert settings.port == 0
    assert "secret" not in repr(settings)
