import os
import ssl
from pathlib import Path

import pytest

from setup.local.certificates import system_certificates


@pytest.fixture
def authorities(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of the machine's authorities; it is not there yet, and the environment says nothing."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    file, folder = str(tmp_path / "ca.pem"), str(tmp_path / "certs")
    found = ssl.DefaultVerifyPaths(file, folder, "SSL_CERT_FILE", file, "SSL_CERT_DIR", folder)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: found)
    return tmp_path / "ca.pem"


def test_downloads_trust_what_the_machine_trusts_while_they_last(authorities: Path) -> None:
    authorities.touch()
    with system_certificates():
        assert os.environ["REQUESTS_CA_BUNDLE"] == str(authorities)
    assert "REQUESTS_CA_BUNDLE" not in os.environ


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_what_the_user_has_set_stays(authorities: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    authorities.touch()
    monkeypatch.setenv(name, "mine.pem")
    with system_certificates():
        assert os.environ[name] == "mine.pem"
        assert os.environ.get("REQUESTS_CA_BUNDLE") in (None, "mine.pem")


def test_a_machine_without_authorities_of_its_own_changes_nothing(authorities: Path) -> None:
    with system_certificates():
        assert "REQUESTS_CA_BUNDLE" not in os.environ
