"""Settings of the local broker: what the command line says, and limits from the environment.

What lives here: names, defaults and checks. What does not: what the limits mean for a queue (`queues`).

| variable | meaning | default |
|---|---|---|
| ``DTWIN_MQTT_BROKER__RULES`` | ``module:function`` that brings the rules | the platform's registry |
| ``DTWIN_MQTT_BROKER__QUEUED_MESSAGES`` | most messages kept for one client | 100000 |
| ``DTWIN_MQTT_BROKER__INFLIGHT_MESSAGES`` | most sent to one client and not acknowledged yet | 10000 |
| ``DTWIN_MQTT_BROKER__SAVE_EVERY_S`` | how often sessions are saved [s] | 5 |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.errors import ConfigurationError

DEFAULT_RULES: Final = "platform_ui.mqtt_rules.following:follow_rules"
MAX_PACKET_IDS: Final = 65_535
_PREFIX: Final = "DTWIN_MQTT_BROKER__"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How the local broker runs.

    Attributes:
        host: Address that it listens on.
        port: Port of TLS.
        certificate_file: Its certificate, PEM.
        key_file: The key of it, PEM.
        ca_file: The authority that signs certificates of clients, PEM.
        data_folder: Where sessions and retained values are saved.
        rules: `module:function` that brings the rules.
        queued_messages: Most messages kept for one client.
        inflight_messages: Most messages sent to one client that it has not acknowledged yet.
        save_every_s: How often sessions are saved when something has changed [s].
    """

    host: str
    port: int
    certificate_file: Path
    key_file: Path
    ca_file: Path
    data_folder: Path
    rules: str = DEFAULT_RULES
    queued_messages: int = 100_000
    inflight_messages: int = 10_000
    save_every_s: float = 5.0


def limits(environment: Mapping[str, str] | None = None) -> dict[str, int | float | str]:
    """Read the settings that are no addresses or files, by the names of `BrokerSettings`.

    Raises:
        ConfigurationError: One is not what it should be.
    """
    source = os.environ if environment is None else environment
    found: dict[str, int | float | str] = {}
    rules = source.get(f"{_PREFIX}RULES", "").strip()
    if rules:
        if rules.count(":") != 1:
            raise _error("RULES", f"is {rules!r}: use module:function")
        found["rules"] = rules
    for name, most in (("QUEUED_MESSAGES", 10_000_000), ("INFLIGHT_MESSAGES", MAX_PACKET_IDS)):
        text = source.get(f"{_PREFIX}{name}", "").strip()
        if text:
            if not (text.isascii() and text.isdecimal() and 0 < int(text) <= most):
                raise _error(name, f"is {text!r}: use a whole number from 1 to {most}")
            found[name.lower()] = int(text)
    text = source.get(f"{_PREFIX}SAVE_EVERY_S", "").strip()
    if text:
        found["save_every_s"] = _seconds(text)
    return found


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:  # noqa: PLR2004
        raise _error("SAVE_EVERY_S", f"is {text!r}: use seconds, at most 3600")
    return value


def _error(name: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{_PREFIX}{name} {problem}", setting=f"{_PREFIX}{name}")
