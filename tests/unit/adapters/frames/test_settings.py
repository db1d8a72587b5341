"""Which source of frames the environment names."""

from pathlib import Path

import pytest

from adapters.frames.errors import FrameError, SourceError
from adapters.frames.observations import ObservationService
from adapters.frames.parquet import ParquetFolder
from adapters.frames.search_engine import SearchEngine
from adapters.frames.settings import open_source
from client.errors import ConfigurationError

THINGS = {"DTWIN_SENSORTHINGS__URL": "http://127.0.0.1:8084"}
ENGINE = {"DTWIN_ELASTICSEARCH__URL": "127.0.0.1:9200"}
PARQUET = {"DTWIN_PARQUET__FOLDER": "/nowhere"}


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        (THINGS | ENGINE | PARQUET, ObservationService),
        (ENGINE | PARQUET, SearchEngine),
        (PARQUET, ParquetFolder),
    ],
)
def test_auto_takes_the_first_source_that_is_set(environment: dict[str, str], kind: type) -> None:
    assert isinstance(open_source("auto", environment), kind)


def test_a_source_may_be_asked_for_by_name_or_folder(tmp_path: Path) -> None:
    whole = THINGS | ENGINE | PARQUET
    assert open_source("elasticsearch", whole).title == "Elasticsearch at http://127.0.0.1:9200"
    assert open_source("observations", whole).title.endswith("http://127.0.0.1:8084/v1.1")
    assert open_source(str(tmp_path), {}).title == f"the Parquet folder {tmp_path}"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="dtwin notebook"):
        open_source("auto", {})
    with pytest.raises(ConfigurationError, match="DTWIN_ELASTICSEARCH__URL is not set"):
        open_source("elasticsearch", THINGS)
    with pytest.raises(FrameError, match="'kafka' is no source"):
        open_source("kafka", THINGS)
    with pytest.raises(ConfigurationError, match="API_KEY_FILE names /nowhere"):
        open_source("elasticsearch", ENGINE | {"DTWIN_ELASTICSEARCH__API_KEY_FILE": "/nowhere"})
    with pytest.raises(SourceError, match="is not there"):
        open_source("parquet", PARQUET).streams(())


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    more = {"DTWIN_ELASTICSEARCH__USERNAME": "anna", "DTWIN_ELASTICSEARCH__PASSWORD_FILE": str(file)}
    source = open_source("elasticsearch", ENGINE | more)
    assert isinstance(source, SearchEngine)
    assert source._settings.password == "hunter2"
    assert "hunter2" not in repr(source._settings)


@pytest.mark.parametrize(
    "url", ["http://ann:secret@host:9200", "ftp://host", "http://[", "http://h:99999", "//"]
)
def test_an_address_that_is_none_or_tells_a_password_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_source("elasticsearch", {"DTWIN_ELASTICSEARCH__URL": url})
    assert "secret" not in str(refused.value)
