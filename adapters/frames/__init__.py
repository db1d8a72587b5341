"""Observations as pandas frames and Arrow tables, from SensorThings, Elasticsearch or Parquet.

>>> import adapters.frames as dtwin  # doctest: +SKIP
>>> dtwin.frame("Car1.*", "-24h").groupby("name").result.mean()  # doctest: +SKIP
"""

import importlib.util

from client.errors import ConfigurationError

_missing = [name for name in ("pandas", "pyarrow", "orjson") if importlib.util.find_spec(name) is None]
if _missing:
    raise ConfigurationError(
        f"Frames need {' and '.join(_missing)}: pip install 'digital-twin-stack[analytics]'",
        setting="analytics",
    )

from adapters.frames.parquet import write_parquet  # noqa: E402 - what it needs is checked above
from adapters.frames.reading import arrow, datastreams, frame  # noqa: E402 - same

__all__ = ["arrow", "datastreams", "frame", "write_parquet"]
