"""A car on a track: how fast it goes, where it is and which acceleration its passengers feel.

What lives here: the motion, step by step; time comes in as the length of a step. What does not: the track's
geometry (`track`), the weather (`temperature`) and Kafka (`car`).
"""

import math
import random
from dataclasses import dataclass, field

from demo_applications.car_fleet.track import Position, Track

LARGEST_SIDEWAYS = 3.0
"""Acceleration across the track that a driver accepts on a dry road [m/s^2]."""
SLIPPERY_SHARE = 0.4
"""Share of the dry road's accelerations that a driver uses when warned."""
CAREFUL_SPEED_SHARE = 0.7
"""Share of the cruising speed that a driver wants when warned."""
STRONGEST_PULL = 2.0
"""Acceleration along the track at most [m/s^2]; braking may be twice as strong."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What the car's instruments show.

    Attributes:
        position: Where the car is.
        speed: Speed [m/s].
        acceleration: Amount of the horizontal acceleration [m/s^2], three decimals.
    """

    position: Position
    speed: float
    acceleration: float


@dataclass(slots=True)
class Drive:
    """One car driving round after round.

    Attributes:
        track: Where it drives.
        seed: Same seed, same driver.
        cruising_speed: Speed that the driver wants on a straight road [m/s].
        start_m: Where on the track the drive begins [m].
        is_warned: True while the driver knows of a slippery road and drives carefully.
    """

    track: Track
    seed: int
    cruising_speed: float = 14.0
    start_m: float = 0.0
    is_warned: bool = False
    _random: random.Random = field(init=False, repr=False)
    _travelled_m: float = field(init=False, repr=False)
    _speed: float = field(init=False, default=0.0, repr=False)

    def __post_init__(self) -> None:
        """Put the car at its start, standing."""
        self._random = random.Random(self.seed)  # noqa: S311 - a driver, not secrets
        self._travelled_m = self.start_m

    def go(self, elapsed_s: float) -> Motion:
        """Drive on.

        Args:
            elapsed_s: Length of the step [s], above 0.

        Returns:
            The car's motion at the end of the step.
        """
        caution = SLIPPERY_SHARE if self.is_warned else 1.0
        radius_m = self.track.curve_radius_m(self._travelled_m)
        bend_limit = math.sqrt(caution * LARGEST_SIDEWAYS * radius_m)
        mood = self._random.uniform(0.85, 1.1) * (CAREFUL_SPEED_SHARE if self.is_warned else 1.0)
        wanted = min(self.cruising_speed * mood, bend_limit)
        along = (wanted - self._speed) / elapsed_s
        along = max(-2.0 * STRONGEST_PULL * caution, min(STRONGEST_PULL * caution, along))
        before = self._speed
        self._speed = max(0.0, before + along * elapsed_s)
        self._travelled_m += 0.5 * (before + self._speed) * elapsed_s
        across = self._speed**2 / self.track.curve_radius_m(self._travelled_m)
        return Motion(
            position=self.track.position_at(self._travelled_m),
            speed=self._speed,
            acceleration=round(math.hypot((self._speed - before) / elapsed_s, across), 3),
        )
