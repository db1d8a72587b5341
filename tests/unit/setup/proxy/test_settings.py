"""The settings of the entry proxy: what is wrong is named, what passes means nothing to nginx."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import ConfigurationError
from platform_ui.browser.limits import MAX_BODY_BYTES
from sensorthings.settings import Settings
from setup.proxy import settings as module
from setup.proxy.settings import PREFIX, ProxySettings, check_path


class Asked(Mapping[str, str]):
    """An environment that notes what is asked of it."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def read(**values: str) -> ProxySettings:
    return ProxySettings.from_environment({PREFIX + name: value for name, value in values.items()})


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read() == ProxySettings()


def test_every_setting_is_read_and_told_of() -> None:
    asked = Asked()
    ProxySettings.from_environment(asked)
    assert asked.names == {PREFIX + field.name.upper() for field in fields(ProxySettings)}
    assert all(f"`{name}`" in str(module.__doc__) for name in asked.names)


def test_limits_of_size_are_those_of_the_services() -> None:
    assert read().platform_body_bytes == MAX_BODY_BYTES
    assert read().sensorthings_body_bytes == Settings.model_fields["max_body_bytes"].default


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "https://localhost:8443"),
        ({"NAMES": "Twin.Example.org", "PORT": "443"}, "https://twin.example.org"),
        ({"NAMES": "twin.example.org", "PORT": "8443", "PUBLIC_PORT": "443"}, "https://twin.example.org"),
        ({"NAMES": "[2001:db8::1]"}, "https://[2001:db8::1]:8443"),
    ],
)
def test_the_public_address_is_that_of_the_first_name(values: dict[str, str], url: str) -> None:
    assert read(**values).public_url == url


@pytest.mark.parametrize(
    ("names", "seconds"),
    [
        ("localhost,127.0.0.1,::1", 0),
        ("app.localhost", 0),
        ("twin.example.org", 63_072_000),
        ("localhost,twin.example.org", 63_072_000),
        ("10.0.0.1", 63_072_000),
    ],
)
def test_browsers_insist_on_tls_unless_all_names_are_this_machine_s(names: str, seconds: int) -> None:
    assert read(NAMES=names).hsts_seconds == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "somewhere"),
        ("HOST", "0.0.0.0; include /etc/passwd"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "٤٤٣"),
        ("HTTP_PORT", "8443"),
        ("NAMES", "a b"),
        ("NAMES", "*.example.org"),
        ("NAMES", "~^(?<x>.*)$"),
        ("NAMES", "-a.example.org"),
        ("NAMES", "a" * 64 + ".org"),
        ("NAMES", "twin.example.org;"),
        ("PLATFORM", "host"),
        ("PLATFORM", "host:0"),
        ("PLATFORM", "host:99999"),
        ("PLATFORM", "http://host:80"),
        ("PLATFORM", "unix:/run/x:1"),
        ("SENSORTHINGS", "host:80 backup"),
        ("SENSORTHINGS", "host:80,"[:-1] + ",other"),
        ("CERTIFICATE_FILE", "/nowhere/certificate.pem"),
        ("WORKERS", "auto"),
        ("REQUESTS_PER_SECOND", "0"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=PREFIX + name) as caught:
        read(**{name: value})
    assert caught.value.setting == PREFIX + name


@pytest.mark.parametrize("given", ["CERTIFICATE_FILE", "KEY_FILE"])
def test_a_certificate_needs_its_key_and_a_key_its_certificate(given: str, tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    file.touch()
    other = {"CERTIFICATE_FILE": "KEY_FILE", "KEY_FILE": "CERTIFICATE_FILE"}[given]
    with pytest.raises(ConfigurationError, match=f"{PREFIX}{other} is not set"):
        read(**{given: str(file)})


@given(st.sampled_from("\"'\\$;{}\n\r\0\x7f"), st.text("abc/ ", max_size=5), st.text("abc/ ", max_size=5))
def test_a_path_that_means_something_to_nginx_is_refused(mark: str, before: str, after: str) -> None:
    with pytest.raises(ConfigurationError, match="nginx cannot name"):
        check_path(Path("/" + before + mark + after))


@given(st.text(max_size=40), st.sampled_from(["NAMES", "PLATFORM", "SENSORTHINGS", "HOST"]))
def test_what_passes_holds_no_mark_of_a_configuration(text: str, name: str) -> None:
    try:
        settings = read(**{name: text})
    except ConfigurationError:
        return
    value = getattr(settings, name.lower())
    for part in (value,) if isinstance(value, str) else value:
        assert not set(part) & set(" \t\n\r\"'\\$;{}#*~")
