import os
import ssl

import pytest

from setup.local.certificates import system_certificates

PATHS = ssl.DefaultVerifyPaths("/etc/ca.pem", None, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: PATHS)


def test_downloads_trust_what_the_machine_trusts_while_they_last() -> None:
    with system_certificates():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/etc/ca.pem"
    assert "REQUESTS_CA_BUNDLE" not in os.environ


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/home/me/ca.pem")
    with system_certificates():
        assert {key: os.environ.get(key) for key in (name,)} == {name: "/home/me/ca.pem"}
        assert os.environ.get("REQUESTS_CA_BUNDLE") in (None, "/home/me/ca.pem")


def test_a_machine_without_authorities_of_its_own_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: PATHS._replace(cafile=None))
    with system_certificates():
        assert "REQUESTS_CA_BUNDLE" not in os.environ
