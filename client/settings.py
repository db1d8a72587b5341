"""What a client may be told: times and limits, and the rules of its arguments, checked before any network.

What lives here: `ClientSettings` and the checks of the constructor's texts. What does not: Kafka's settings
(`client.messaging.producer`, `client.messaging.security`).
"""

import re
from dataclasses import dataclass, field
from typing import Final

from client.errors import ConfigurationError, InvalidNameError
from client.messaging.producer import ProducerSettings
from client.metadata.observations import RESERVED_FIELDS

_CLIENT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{2,20}", re.ASCII)
_CLIENT_NAME_RULE: Final = "2 to 20 characters out of A-Z, a-z, 0-9, '-' and '_'"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Times and limits of a client; the defaults suit most devices."""

    check_timeout_s: float = 10.0  # wait for Kafka when the client starts [s]
    metadata_timeout_s: float = 10.0  # wait for one answer of SensorThings [s]
    metadata_retry_s: float = 30.0  # keep trying while SensorThings is unavailable [s]
    certificate_check_s: float = 30.0  # how often the certificate files are looked at [s]
    alive_s: float = 30.0  # how often the state "alive" is sent [s]; 0 for never
    disconnect_timeout_s: float = 60.0  # wait for deliveries when the client ends [s]
    max_records: int = 500  # largest list consume() returns
    producer: ProducerSettings = field(default_factory=ProducerSettings)


def checked_client_name(name: str) -> str:
    """Check the name of a client application.

    Raises:
        InvalidNameError: naming the rule.
    """
    if not _CLIENT_NAME.fullmatch(name):
        raise InvalidNameError(
            f"client_name {name!r} is not allowed: it needs {_CLIENT_NAME_RULE}",
            name=name,
            level="client_name",
            rule=_CLIENT_NAME_RULE,
        )
    return name


def attribute_names(text: str) -> tuple[str, ...]:
    """Read the comma list of additional attributes; blanks around names are removed.

    Raises:
        ConfigurationError: when a name cannot be a keyword argument, or is a field of every record.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name in RESERVED_FIELDS or not name.isidentifier():
            raise ConfigurationError(
                f"additional attribute {name!r} is not allowed: use a Python identifier other than "
                f"{', '.join(sorted(RESERVED_FIELDS))}",
                setting="additional_attributes",
            )
    return tuple(dict.fromkeys(names))


def checked_traceparent(text: str) -> bytes:
    """Check a trace context (W3C Trace Context, section 3.2) and write it as a header.

    Raises:
        ConfigurationError: when it is not of that form.
    """
    if not _TRACEPARENT.fullmatch(text):
        raise ConfigurationError(
            f"traceparent {text!r} is not of the form 00-<32 hex>-<16 hex>-<2 hex> (W3C Trace Context)",
            setting="traceparent",
        )
    return text.encode()
