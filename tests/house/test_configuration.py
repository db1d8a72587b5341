"""Every setting is on the page of the configuration, with its default, and nothing else is."""

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from client.messaging.producer import ProducerSettings
from client.messaging.security import KafkaSecurity
from client.settings import ClientSettings
from platform_ui.settings import PlatformSettings
from sensorthings.settings import PREFIX, Settings
from setup.services import GIVEN_BY, wanted_port
from tests.house.command_tree import commands
from tests.house.documents import read, text_files

PAGE = Path("docs/reference/configuration.md")
_NAME = re.compile(r"\bDTWIN_[A-Z_]*[A-Z]\b")
_CODE = {"client", "sensorthings", "streamhub", "adapters", "platform_ui", "setup", "demo_applications"}


class Asked(Mapping[str, str]):
    """An environment that notes what is asked of it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.names: set[str] = set()
        self._values = values

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def documented() -> set[str]:
    rows = [line for line in read(PAGE).splitlines() if line.startswith("| `DTWIN_")]
    return {line.split("`")[1] for line in rows}


def platform_names() -> set[str]:
    asked = Asked(
        {
            "DTWIN_PLATFORM__DATABASE_URL": "postgresql://user@host/platform",
            "DTWIN_PLATFORM__SECRET_KEY": secrets.token_hex(32),
            "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "host:9092",
            "DTWIN_SENSORTHINGS__URL": "http://host:8084",
            "DTWIN_RUNNER__DIRECTORY": "runner",
        }
    )
    PlatformSettings.from_environment(asked)
    return asked.names - {"CREDENTIALS_DIRECTORY"}  # systemd's own, said in a sentence


def kafka_names() -> set[str]:
    asked = Asked(
        {
            "DTWIN_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "DTWIN_KAFKA__SASL_MECHANISM": "PLAIN",
            "DTWIN_KAFKA__SASL_USERNAME": "user",
            "DTWIN_KAFKA__SASL_PASSWORD": "secret",
        }
    )
    KafkaSecurity.from_environment(asked)
    return asked.names


def sensorthings_names() -> set[str]:
    return {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def local_names() -> set[str]:
    asked = Asked({})
    for part in ("kafka", "sensorthings", "platform", "elasticsearch", "mqtt"):
        wanted_port(part, 1, asked)
    return asked.names | set(GIVEN_BY.values()) | {"DTWIN_HOME"}


def option_names() -> set[str]:
    variables = [parameter.envvar for command in commands().values() for parameter in command.params]
    flat = [name for entry in variables if entry for name in ([entry] if isinstance(entry, str) else entry)]
    return {name for name in flat if name.startswith("DTWIN_")}


def test_every_setting_that_the_programs_read_is_documented() -> None:
    read_by_programs = (
        platform_names() | kafka_names() | sensorthings_names() | local_names() | option_names()
    )
    assert read_by_programs - documented() == set()


def test_every_setting_named_in_the_code_is_documented() -> None:
    named: set[str] = set()
    for path in text_files():
        if path.parts[0] in _CODE and path.suffix == ".py":
            named |= set(_NAME.findall(read(path)))
    assert named - documented() == set()


def test_every_setting_named_in_a_page_is_documented() -> None:
    for path in text_files():
        if path.suffix == ".md":
            assert set(_NAME.findall(read(path))) - documented() == set(), path


def test_no_setting_is_documented_that_nothing_reads() -> None:
    code = "".join(read(path) for path in text_files() if path.parts[0] in _CODE)
    known = platform_names() | kafka_names() | sensorthings_names() | local_names() | option_names()
    assert {name for name in documented() - known if name not in code} == set()


def row(page: Path, name: str) -> str:
    lines = [line for line in read(page).splitlines() if line.startswith(f"| `{name}` |")]
    assert lines, f"{name} is not on {page}"
    return lines[-1]


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if field.default])
def test_the_defaults_of_the_sensorthings_service_are_documented(name: str) -> None:
    field = Settings.model_fields[name]
    if not field.is_required():
        default = row(PAGE, f"{PREFIX}{name.upper()}").rsplit("|", 2)[1].strip().strip("`")
        assert default == str(field.default)


@pytest.mark.parametrize("settings", [ClientSettings, ProducerSettings])
def test_the_settings_of_the_client_are_documented(
    settings: type[ClientSettings] | type[ProducerSettings],
) -> None:
    for field in fields(settings):
        shown = row(Path("docs/reference/client.md"), field.name)
        if field.name != "producer":
            assert shown.rsplit("|", 2)[1].strip() == str(field.default), field.name
