"""What the site's own HTTP connections to other services have in common: whom they trust."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """Return the authorities that are trusted; read once, because reading them takes long."""
    return httpx2.create_ssl_context()
