"""The settings of access rules and quotas.

What lives here: names, defaults and checks. What does not: what follows from them (``acls``). The command
line reads only these, the platform all of its settings.

| variable | meaning | default |
|---|---|---|
| ``DTWIN_ACL__PRINCIPALS`` | ``certificates`` of the platform's authority, or ``names`` | ``certificates`` |
| ``DTWIN_ACL__PRODUCE_BYTES_PER_S`` | bytes that a principal may produce per second; 0: no limit | 33554432 |
| ``DTWIN_ACL__FETCH_BYTES_PER_S`` | bytes that it may fetch per second; 0: no limit | 134217728 |
| ``DTWIN_ACL__REQUEST_PERCENT`` | its share of one request thread of a broker [%]; 0: no limit | 200 |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from client.errors import ConfigurationError

_PRODUCE_BYTES_PER_S: Final = 32 * 2**20
_FETCH_BYTES_PER_S: Final = 128 * 2**20
_REQUEST_PERCENT: Final = 200


class Principals(StrEnum):
    """How the broker comes to know who somebody is."""

    CERTIFICATES = "certificates"
    """By certificates of our authority: who has none may do nothing."""
    NAMES = "names"
    """By its own means, for instance SCRAM: everybody who is registered counts, in the first epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AclSettings:
    """How access rules and quotas are kept; a quota of 0 stands for no limit.

    Attributes:
        principals: How the broker comes to know who somebody is.
        produce_bytes_per_s: Bytes that one principal may produce per second.
        fetch_bytes_per_s: Bytes that it may fetch per second.
        request_percent: Its share of one request thread of a broker [%].
    """

    principals: Principals = Principals.CERTIFICATES
    produce_bytes_per_s: int = _PRODUCE_BYTES_PER_S
    fetch_bytes_per_s: int = _FETCH_BYTES_PER_S
    request_percent: int = _REQUEST_PERCENT

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "AclSettings":
        """Read the settings.

        Raises:
            ConfigurationError: a value is none of those that there are, or no whole number.
        """
        return cls(
            principals=_principals(environment),
            produce_bytes_per_s=_number(environment, "DTWIN_ACL__PRODUCE_BYTES_PER_S", _PRODUCE_BYTES_PER_S),
            fetch_bytes_per_s=_number(environment, "DTWIN_ACL__FETCH_BYTES_PER_S", _FETCH_BYTES_PER_S),
            request_percent=_number(environment, "DTWIN_ACL__REQUEST_PERCENT", _REQUEST_PERCENT),
        )


def _principals(environment: Mapping[str, str]) -> Principals:
    name = "DTWIN_ACL__PRINCIPALS"
    text = environment.get(name) or Principals.CERTIFICATES.value
    try:
        return Principals(text)
    except ValueError:
        raise ConfigurationError(
            f"{name} is {text!r}: use certificates (of the platform's authority) or names (as of SCRAM)",
            setting=name,
        ) from None


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdecimal():
        raise ConfigurationError(f"{name} is {text!r}: use a whole number, 0 for no limit", setting=name)
    return int(text)
