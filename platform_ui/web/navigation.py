"""The places of the site: what the navigation shows, in its order, and which of them a page belongs to.

What lives here: addresses, names and words by which people look for them. What does not: how they are shown
(``templates/base.html``), and objects of people (``finding``).
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """A page that everybody has.

    Attributes:
        address: Where it is.
        name: What it is called.
        symbol: Its icon.
        words: Other words by which somebody may look for it.
    """

    address: str
    name: str
    symbol: str
    words: str = ""


MAIN: Final = (
    Place("/dashboard", "Home", "home", "dashboard flows map start problems"),
    Place("/companies", "Companies", "building", "members organisation"),
    Place("/systems", "Systems", "server", "topics stations"),
    Place("/clients", "Clients", "plug-connected", "client apps devices programs"),
    Place("/contracts", "Contracts", "file-text", "sharing agreements catalogue offers requests"),
    Place("/apps", "Stream apps", "route", "statements queries filters joins"),
    Place("/live", "Live", "broadcast", "live records tail data charts"),
    Place("/explorer", "Explorer", "list-tree", "things sensors datastreams sensorthings units"),
    Place("/lineage", "Lineage", "sitemap", "where data comes from and goes"),
)
MORE: Final = (
    Place("/explain", "Why?", "help-circle", "explain permission denied allowed may"),
    Place("/find?q=audit", "Audit logs", "history", "who changed what log history"),
    Place("/platform", "Platform health", "heartbeat", "status kafka database drift versions"),
    Place("/certificates", "Certificates", "certificate", "keys expiry pki revoke"),
    Place("/api", "API", "code", "openapi asyncapi curl documentation"),
    Place("/account/tokens", "Tokens", "key", "api token programs"),
)
# Below an object's address, what it belongs to is the part that is looked at.
_INNER: Final = {"/clients/": "/clients", "/apps/": "/apps", "/live/": "/live"}

# Pages that are tabs of a place at another address.
_BESIDE: Final = {"/catalogue": "/contracts"}


def section_of(path: str) -> str:
    """Return the address of the place that a page belongs to; its first part where there is none."""
    addresses = {place.address for place in (*MAIN, *MORE)}
    if path in addresses:
        return path
    if path.startswith("/systems/"):
        for part, address in _INNER.items():
            if part in path:
                return address
    first = f"/{path.split('/')[1]}"
    return _BESIDE.get(first, first)
