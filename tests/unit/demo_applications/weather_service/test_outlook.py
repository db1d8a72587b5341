"""The outlook is the mean of the last 24 hours of the data set."""

from datetime import UTC, datetime, timedelta

from demo_applications.weather_service.outlook import Outlook

START = datetime(2010, 1, 1, tzinfo=UTC)


def _observe(outlook: Outlook, temperatures: list[float], start: datetime = START) -> list[float | None]:
    return [
        outlook.observe(start + timedelta(hours=number), temperature)
        for number, temperature in enumerate(temperatures)
    ]


def test_the_first_temperature_is_the_first_outlook() -> None:
    assert Outlook().observe(START, 3.5) == 3.5


def test_a_new_outlook_comes_every_six_hours() -> None:
    outlooks = _observe(Outlook(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])

    assert outlooks == [1.0, None, None, None, None, None, 4.0, None]


def test_only_the_last_24_hours_count() -> None:
    outlooks = _observe(Outlook(), [100.0] * 6 + [2.0] * 25)

    assert outlooks[24] == round((100.0 * 5 + 2.0 * 19) / 24, 2)
    assert outlooks[30] == 2.0


def test_hours_that_were_not_shared_are_left_out_of_the_mean() -> None:
    outlook = Outlook()
    outlook.observe(START, 1.0)

    assert outlook.observe(START + timedelta(hours=10), 4.0) == 2.5


def test_a_replay_that_starts_anew_starts_the_outlook_anew() -> None:
    outlook = Outlook()
    _observe(outlook, [9.0] * 3, START + timedelta(days=364))

    assert outlook.observe(START, 1.0) == 1.0
