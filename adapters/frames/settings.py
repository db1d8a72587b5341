"""Which sources there are, from the environment.

What lives here: variables, and opening a source. What does not: the sources.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.frames.errors import FrameError
from adapters.frames.observations import ObservationService
from adapters.frames.parquet import ParquetFolder
from adapters.frames.search_engine import INDEX, SearchEngine, SearchEngineSettings
from client.errors import ConfigurationError
from client.metadata.server import SensorThingsServer
from client.metadata.token import token_from_environment

AUTO: Final = "auto"
SENSORTHINGS_URL: Final = "DTWIN_SENSORTHINGS__URL"
ELASTICSEARCH: Final = "DTWIN_ELASTICSEARCH__"
ELASTICSEARCH_INDEX: Final = "DTWIN_ELASTICSEARCH__INDEX"
PARQUET_FOLDER: Final = "DTWIN_PARQUET__FOLDER"
_TIMEOUT_S: Final = 60.0
_RETRY_S: Final = 10.0

Source = ObservationService | SearchEngine | ParquetFolder


def open_source(name: str, environment: Mapping[str, str] = os.environ) -> Source:
    """Open a source.

    Args:
        name: `observations`, `elasticsearch`, `parquet`; `auto` for the first of these that is set; or the
            path of a Parquet folder.
        environment: Variables.

    Raises:
        FrameError: There is no such source.
        ConfigurationError: It is not set, or wrongly.
    """
    if name == AUTO:
        name = _first(environment)
    if name == ObservationService.name:
        return _observations(environment)
    if name == SearchEngine.name:
        return SearchEngine(_search_engine(environment))
    if name == ParquetFolder.name:
        return ParquetFolder(_needed(environment, PARQUET_FOLDER, "a folder that write_parquet has made"))
    if Path(name).is_dir():
        return ParquetFolder(name)
    raise FrameError(
        f"{name!r} is no source: use 'auto', 'observations', 'elasticsearch', 'parquet', or the path of a "
        "Parquet folder"
    )


def _first(environment: Mapping[str, str]) -> str:
    by_variable = {
        SENSORTHINGS_URL: ObservationService.name,
        f"{ELASTICSEARCH}URL": SearchEngine.name,
        PARQUET_FOLDER: ParquetFolder.name,
    }
    for variable, name in by_variable.items():
        if environment.get(variable):
            return name
    raise ConfigurationError(
        f"no source of data is known: set one of {', '.join(by_variable)}, or work in a notebook that "
        "`dtwin notebook` opens",
        setting=SENSORTHINGS_URL,
    )


def _observations(environment: Mapping[str, str]) -> ObservationService:
    url = _needed(environment, SENSORTHINGS_URL, "the address of a SensorThings service")
    token = token_from_environment(environment)
    return ObservationService(SensorThingsServer(url, timeout_s=_TIMEOUT_S, retry_s=_RETRY_S, token=token))


def _search_engine(environment: Mapping[str, str]) -> SearchEngineSettings:
    urls = _needed(environment, f"{ELASTICSEARCH}URL", "the address of Elasticsearch or OpenSearch")
    url = urls.partition(",")[0].strip()  # any node of a cluster answers for all of them
    return SearchEngineSettings(
        _checked_url(url.rstrip("/") if "://" in url else f"http://{url}"),
        environment.get(f"{ELASTICSEARCH}USERNAME", ""),
        _secret(environment, f"{ELASTICSEARCH}PASSWORD"),
        _secret(environment, f"{ELASTICSEARCH}API_KEY"),
        environment.get(f"{ELASTICSEARCH}CA_FILE", ""),
        environment.get(ELASTICSEARCH_INDEX) or INDEX,
    )


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address, parts = False, urlsplit("")
    # Messages and frames show the address: a password does not belong into it.
    if not is_address or parts.username is not None:
        raise ConfigurationError(
            f"{ELASTICSEARCH}URL needs the form http(s)://host:port; name and password have settings of "
            "their own",
            setting=f"{ELASTICSEARCH}URL",
        )
    return url


def _needed(environment: Mapping[str, str], variable: str, what: str) -> str:
    value = environment.get(variable, "")
    if not value:
        raise ConfigurationError(f"{variable} is not set: it names {what}", setting=variable)
    return value


def _secret(environment: Mapping[str, str], variable: str) -> str:
    file = environment.get(f"{variable}_FILE")
    if not file:
        return environment.get(variable, "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{variable}_FILE names {file}, which cannot be read: {error}", setting=f"{variable}_FILE"
        ) from error
