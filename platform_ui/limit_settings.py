"""The settings of what a company's stream apps may take, where an operator has not said otherwise.

What lives here: names, defaults and checks. What does not: the limits of single companies
(``companies.limits``), and holding apps to them (the runner).

| variable | meaning | default |
|---|---|---|
| ``DTWIN_LIMITS__MAX_APPS`` | stream apps of a company that may be meant to run at a time | 100 |
| ``DTWIN_LIMITS__APP_MEMORY_MB`` | memory of each of its apps [MB] | 2048 |
| ``DTWIN_LIMITS__APP_CPUS`` | processor cores of each; held where apps run as containers | 1 |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from client.errors import ConfigurationError
from platform_ui.setting_values import whole

MAX_APPS: Final = 100_000
LEAST_MEMORY_MB: Final = 64
"""Less than an app needs to start [MB]."""
MAX_MEMORY_MB: Final = 1_000_000
LEAST_CPUS: Final = 0.01
MAX_CPUS: Final = 1024.0
_APPS: Final = 100
_MEMORY_MB: Final = 2048
_CPUS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What a company's stream apps may take without a limit of its own.

    Attributes:
        max_apps: Apps that may be meant to run at a time [1].
        memory_mb: Memory of each app [MB = 1,000,000 bytes].
        cpus: Processor cores of each app [1].
    """

    max_apps: int = _APPS
    memory_mb: int = _MEMORY_MB
    cpus: float = _CPUS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "LimitSettings":
        """Read the settings.

        Raises:
            ConfigurationError: a value is no number, or out of range.
        """
        memory = whole(environment, "DTWIN_LIMITS__APP_MEMORY_MB", _MEMORY_MB, MAX_MEMORY_MB)
        if memory < LEAST_MEMORY_MB:
            raise ConfigurationError(
                f"DTWIN_LIMITS__APP_MEMORY_MB is {memory}: no app starts with less than {LEAST_MEMORY_MB}"
            )
        return cls(
            max_apps=whole(environment, "DTWIN_LIMITS__MAX_APPS", _APPS, MAX_APPS),
            memory_mb=memory,
            cpus=_cpus(environment),
        )


def _cpus(environment: Mapping[str, str]) -> float:
    name = "DTWIN_LIMITS__APP_CPUS"
    text = environment.get(name, "").strip() or str(_CPUS)
    try:
        cpus = float(text)
    except ValueError:
        cpus = 0.0
    if not LEAST_CPUS <= cpus <= MAX_CPUS:
        raise ConfigurationError(f"{name} is {text!r}: use a number from {LEAST_CPUS} to {MAX_CPUS:g}")
    return cpus
