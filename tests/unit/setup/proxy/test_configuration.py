"""The rendered configuration, without nginx."""

import base64
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import ConfigurationError
from setup.proxy.answers import REFUSALS
from setup.proxy.behind import service_settings
from setup.proxy.configuration import (
    CIPHERS,
    REMOVED_HEADERS,
    Places,
    certificate_pattern,
    certificate_value,
    render,
)
from setup.proxy.settings import ProxySettings

PLACES = Places(Path("/srv/proxy"), Path("/srv/proxy/temporary"))
DEBIAN_12 = (1, 22, 1)
_LINES = 96


def rendered(version: tuple[int, int, int] = DEBIAN_12, **changes: object) -> str:
    return render(replace(ProxySettings(), **changes), PLACES, version)  # type: ignore[arg-type]


def passed_on(value: str) -> str | None:
    """What nginx makes of a checked certificate, by its own expression."""
    pattern = certificate_pattern(_LINES).removeprefix("~").replace("(?<", "(?P<").replace(r"\n", "\n")
    found = re.match(pattern, value)
    if found is None:
        return None
    return re.sub(r"\$\{(p\d\d)\}", lambda name: found[name[1]] or "", certificate_value(_LINES))


def pem(der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


@given(st.binary(min_size=1, max_size=_LINES * 48))
def test_a_certificate_becomes_what_rfc_9440_asks_for(der: bytes) -> None:
    assert passed_on(f"SUCCESS:{pem(der)}") == f":{base64.b64encode(der).decode()}:"


@pytest.mark.parametrize("verdict", ["NONE", "FAILED:expired", "", "FAILED:SUCCESS:"])
def test_a_certificate_that_was_not_verified_is_not_passed_on(verdict: str) -> None:
    assert passed_on(f"{verdict}:{pem(b'x' * 500)}") is None


def test_a_certificate_that_is_too_long_is_not_passed_on_and_costs_no_time() -> None:
    began = time.process_time()
    assert passed_on(f"SUCCESS:{pem(b'x' * (_LINES * 48 + 1))}") is None
    assert passed_on(f"SUCCESS:{pem(b'x' * (_LINES * 48)).replace('END', 'END OF')}") is None
    assert time.process_time() - began < 1


def test_no_word_of_the_configuration_is_longer_than_nginx_reads() -> None:
    assert max(len(certificate_pattern()), len(certificate_value())) < 4096


def test_http2_is_turned_on_in_the_way_of_the_version() -> None:
    assert "ssl http2" in rendered(DEBIAN_12)
    assert "http2 on;" not in rendered(DEBIAN_12)
    assert "ssl http2" not in rendered((1, 26, 3))
    assert rendered((1, 26, 3)).count("http2 on;") == 2


def test_every_replica_is_listed_in_its_own_group() -> None:
    text = rendered(platform=("10.0.0.1:1908", "10.0.0.2:1908"), sensorthings=("10.0.0.3:8084",))
    platform = text[text.index("upstream platform") : text.index("upstream sensorthings")]
    assert re.findall(r"server (\S+) ", platform) == ["10.0.0.1:1908", "10.0.0.2:1908"]
    assert "server 10.0.0.3:8084 " in text


def test_without_an_authority_no_certificate_is_asked_for() -> None:
    assert "ssl_verify_client" not in rendered()
    assert "ssl_verify_client optional;" in rendered(client_ca_file=Path("/srv/ca.pem"))


def test_the_redirecting_server_is_there_only_when_asked_for() -> None:
    assert "return 308" not in rendered()
    assert "listen 127.0.0.1:8080;" in rendered(http_port=8080)


def test_headers_that_somebody_believes_are_removed_or_set() -> None:
    text = rendered()
    assert all(f'proxy_set_header {name} "";' in text for name in REMOVED_HEADERS)
    told = re.findall(r"proxy_set_header (\S+) ", text)
    assert len(told) == len({name.lower() for name in told})
    # In a location, one of them would switch off all those above it.
    assert "proxy_set_header" not in text[text.index("    server {") :]
    assert "add_header" not in text[text.index("    server {") :]


def test_only_ciphers_with_forward_secrecy_and_authentication_are_offered() -> None:
    assert all(name.startswith("ECDHE-") and ("GCM" in name or "POLY1305" in name) for name in CIPHERS)


def test_a_folder_that_nginx_cannot_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nginx cannot name"):
        render(ProxySettings(), Places(Path('/srv/a"b'), Path("/srv/x")), DEBIAN_12)


def test_refusals_have_one_code_each_and_every_cause_one_refusal() -> None:
    codes = [refusal.code for refusal in REFUSALS]
    causes = [cause for refusal in REFUSALS for cause in refusal.causes]
    assert len(set(codes)) == len(codes)
    assert len(set(causes)) == len(causes)
    assert all("$" not in refusal.problem + refusal.page for refusal in REFUSALS)


@pytest.mark.parametrize(
    ("host", "proxies"),
    [
        ("127.0.0.1", "127.0.0.1,::1"),
        ("0.0.0.0", "127.0.0.1,::1"),  # noqa: S104 - what an operator may write
        ("10.0.0.5", "127.0.0.1,::1,10.0.0.5"),
    ],
)
def test_services_believe_the_proxy_and_nobody_else(host: str, proxies: str) -> None:
    told = service_settings(ProxySettings(host=host, client_ca_file=Path("/srv/ca.pem")))
    assert told["DTWIN_PLATFORM__TRUSTED_PROXIES"] == proxies
    assert told["DTWIN_SENSORTHINGS__TRUSTED_PROXIES"] == proxies
    assert told["DTWIN_SENSORTHINGS__CLIENT_CA"] == "/srv/ca.pem"
