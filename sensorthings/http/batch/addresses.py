"""Addresses of the parts of a batch: relative to the version, or absolute.

What lives here: from the text in a part to a path and a query below a version of this service. What does not:
references (`references`), what a path means.

Source: OData 4.01 Part 1, clause 11.7.2.1 (the three forms of a request URL).
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from sensorthings.errors import RequestError
from sensorthings.http.messages import VERSIONS, Request

_VERSION: Final = re.compile(rf"^/?({'|'.join(re.escape(one) for one in VERSIONS)})(?=[/?]|$)")
_ABSOLUTE: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*://")


class Address(NamedTuple):
    """Where a part goes.

    Attributes:
        root: Address of the version.
        version: As in the address.
        path: Below the version, decoded.
        query: Still percent-encoded.
    """

    root: str
    version: str
    path: str
    query: str


def read_address(url: str, batch: Request) -> Address:
    """Read the address of a part.

    Args:
        url: As `Things(1)`, `/v1.1/Things(1)` or `http://host/v1.1/Things(1)`.
        batch: The request that the part came in.

    Raises:
        RequestError: It is an address of another service, or its percent-encoding is no UTF-8.
    """
    base = batch.root.removesuffix(f"/{batch.version}")
    prefix = urlsplit(base).path
    rest = url
    if _ABSOLUTE.match(url):
        if not url.startswith(f"{base}/"):
            raise RequestError(
                400,
                "batch.foreign_address",
                f"{url[:80]} is not an address of this service.",
                f"Its addresses begin with {batch.root}.",
            )
        rest = url[len(base) :]
    elif prefix and url.startswith(f"{prefix}/"):
        rest = url[len(prefix) :]
    found = _VERSION.match(rest)
    version = found[1] if found else batch.version
    path, _, query = rest[found.end() if found else 0 :].partition("?")
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise RequestError(
            400, "batch.address", f"{url[:80]} is not UTF-8 once decoded.", "Correct its percent-encoding."
        ) from None
    return Address(f"{base}/{version}", version, decoded.lstrip("/"), query)
