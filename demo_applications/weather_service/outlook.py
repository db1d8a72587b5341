"""A simple outlook: the mean of the last 24 hours.

What lives here: which temperatures count and when a new outlook is due. What does not: Kafka (`forecast`).
"""

from collections import deque
from datetime import datetime, timedelta

LOOK_BACK = timedelta(hours=24)
EVERY = timedelta(hours=6)
"""Time of the data set between two outlooks of a station."""


class Outlook:
    """The outlook of one station.

    Keeps true: it holds at most the observations of the last 24 hours, counted in the time of the data set.
    Hours that were not shared are left out of the mean. When the replay starts anew (time goes back), it
    starts anew too.
    """

    def __init__(self) -> None:
        self._hours: deque[tuple[datetime, float]] = deque()
        self._last_outlook: datetime | None = None

    def observe(self, recorded_at: datetime, temperature: float) -> float | None:
        """Take in one temperature.

        Args:
            recorded_at: Its time in the data set.
            temperature: Air temperature [degC].

        Returns:
            A new outlook [degC], two decimals, when six hours have passed since the last one; else None.
        """
        if self._hours and recorded_at < self._hours[-1][0]:
            self._hours.clear()
            self._last_outlook = None
        self._hours.append((recorded_at, temperature))
        while self._hours[0][0] <= recorded_at - LOOK_BACK:
            self._hours.popleft()
        if self._last_outlook is not None and recorded_at - self._last_outlook < EVERY:
            return None
        self._last_outlook = recorded_at
        return round(sum(value for _, value in self._hours) / len(self._hours), 2)
