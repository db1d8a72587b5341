"""Which authorities downloads believe.

What lives here: making the library that fetches jars trust what the machine trusts. What does not: the
downloads (`setup.local.jars`).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@contextmanager
def system_certificates() -> Iterator[None]:
    """Let downloads inside trust the machine's authorities, as pip does; what the user has set stays.

    The library brings a list of its own and knows no other, so that behind a company's inspecting proxy
    everything works but this.
    """
    paths = ssl.get_default_verify_paths()
    places = (os.environ.get("SSL_CERT_FILE"), paths.openssl_cafile, paths.openssl_capath)
    trusted = next((place for place in places if place and Path(place).exists()), None)
    if trusted is None or any(name in os.environ for name in _VARIABLES):
        yield
        return
    os.environ[_VARIABLES[0]] = trusted
    try:
        yield
    finally:
        del os.environ[_VARIABLES[0]]
