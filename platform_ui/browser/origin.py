"""Where a request comes from and where it believes to go: proxies that are trusted, hosts that are ours.

What lives here: reading the two lists, and the rules. What does not: refusing (``exchange``).
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

BODY_TIMEOUT_S = 20.0
# Asked by address from inside (orchestrators, Prometheus); no answer of theirs depends on the host.
_OPEN_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRules:
    """What the operator says about the way to the site.

    Attributes:
        allowed_hosts: host names in lower case, without ports, that are ours; empty for any.
        proxies: networks whose ``X-Forwarded-*`` headers are believed.
        body_timeout_s: how long a request body may take to arrive [s].
    """

    allowed_hosts: tuple[str, ...] = ()
    proxies: tuple[Network, ...] = ()
    body_timeout_s: float = BODY_TIMEOUT_S


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks, separated by commas.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def is_within(host: str, networks: Sequence[Network]) -> bool:
    """Return whether an address is in one of some networks; a text that is no address is in none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)


def host_name(host: str) -> str:
    """Return the name in a ``Host`` header, in lower case, without port, brackets and final dot.

    Source: RFC 9110, clause 7.2 "Host and :authority".
    """
    text = host.strip().lower()
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    return name.removesuffix(".")


def is_our_host(scope: Scope, headers: Mapping[str, str], rules: WebRules) -> bool:
    """Return whether a request names us: other names come from a stale or hostile name service."""
    if not rules.allowed_hosts or scope["path"] in _OPEN_PATHS:
        return True
    return host_name(headers.get("host", "")) in rules.allowed_hosts


def believe_proxy(scope: Scope, rules: WebRules) -> None:
    """Take over what a trusted proxy tells about scheme and client; what anybody else tells is ignored.

    The client is the last address in ``X-Forwarded-For`` that is not a trusted proxy itself: what stands
    before it was written by strangers.
    """
    client = scope.get("client")
    if client is None or not is_within(client[0], rules.proxies):
        return
    scheme = _values(scope, b"x-forwarded-proto")[-1:]
    if scheme and scheme[0] in {"http", "https"}:
        scope["scheme"] = scheme[0]
    for address in reversed(_values(scope, b"x-forwarded-for")):
        if not _is_address(address):
            return
        scope["client"] = (address, 0)
        if not is_within(address, rules.proxies):
            return


def _values(scope: Scope, name: bytes) -> list[str]:
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [part.strip().lower() for part in ",".join(lines).split(",") if part.strip()]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
