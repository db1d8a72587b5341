"""The air temperature outside a car: time of day, height, and weather that wanders.

What lives here: a simulation that a seed makes repeatable. What does not: measured data; the records of the
cars are marked as simulated in their Thing's properties.

temperature = mean of a winter day
            + cosine of the hour, highest at 15 h
            - 6.5 K per 1000 m above the reference height (lapse rate of the standard atmosphere, ISO 2533)
            + a random walk that is pulled back to zero, so it stays within a few degrees.
"""

import math
import random
from dataclasses import dataclass, field
from datetime import datetime

LAPSE_RATE_K_PER_M = 0.0065
"""Fall of the temperature with height; ISO 2533, troposphere."""
WARMEST_HOUR = 15.0
REFERENCE_HEIGHT_M = 450.0


@dataclass(slots=True)
class TemperatureModel:
    """The weather around one car.

    Attributes:
        seed: Same seed, same weather.
        mean: Mean of the day at the reference height [degC].
        day_amplitude: Half of the difference between afternoon and night [K].
        wander: Standard deviation of the wandering part [K].
        memory_s: After this time the wandering part has forgotten 63 % of its value [s].
    """

    seed: int
    mean: float = 4.0
    day_amplitude: float = 2.5
    wander: float = 1.5
    memory_s: float = 120.0
    _random: random.Random = field(init=False, repr=False)
    _deviation: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start the walk at a value that is as likely as any later one."""
        self._random = random.Random(self.seed)  # noqa: S311 - weather, not secrets
        self._deviation = self._random.gauss(0.0, self.wander)

    def at(self, moment: datetime, height_m: float, elapsed_s: float) -> float:
        """Let the weather go on and read the thermometer.

        Args:
            moment: Local time of day.
            height_m: Height of the car above sea level [m].
            elapsed_s: Time since the last reading [s], at least 0.

        Returns:
            Air temperature [degC], two decimals.
        """
        kept = math.exp(-elapsed_s / self.memory_s)
        # An Ornstein-Uhlenbeck step: exact for any step length, its spread stays `wander`.
        self._deviation = kept * self._deviation + self._random.gauss(
            0.0, self.wander * math.sqrt(1.0 - kept * kept)
        )
        hour = moment.hour + moment.minute / 60.0 + moment.second / 3600.0
        of_day = self.day_amplitude * math.cos((hour - WARMEST_HOUR) / 24.0 * 2.0 * math.pi)
        of_height = LAPSE_RATE_K_PER_M * (height_m - REFERENCE_HEIGHT_M)
        return round(self.mean + of_day - of_height + self._deviation, 2)
