"""Which version of the product runs here. Every room tells it in its own place."""

from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "0+unknown"


def product_version() -> str:
    """Return the version of the installed distribution; `UNKNOWN` when it runs from a bare folder."""
    try:
        return version("digital-twin-stack")
    except PackageNotFoundError:
        return UNKNOWN
