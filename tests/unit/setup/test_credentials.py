import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pytest

from platform_ui.pki.names import Identity, Kind
from setup import credentials
from setup.credentials import client_environment, credentials_last
from setup.local.paths import Home
from setup.local.trust import LocalTrust
from setup.services import Addresses


@dataclass(frozen=True)
class Program:
    name: str = "car_1"
    system: str = "cz.icecars.CarFleet.Car1"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def issue(home: Home, days: int) -> None:
    trust = LocalTrust(home.pki, home.pki_passphrase_file)
    identity = Identity(Kind.CLIENT, "cz.icecars.CarFleet.Car1.car_1")
    issued = trust.authority().issue(identity, lifetime=dt.timedelta(days=days))
    folder = home.credentials / identity.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.pem").write_text(trust.authority().certificate_pem)
    (folder / "certificate.pem").write_text(issued.certificate_pem)
    (folder / "key.pem").write_text(issued.key_pem)


def test_a_program_shows_its_own_certificate_and_knows_who_renews_it(home: Home) -> None:
    trust = LocalTrust(home.pki, home.pki_passphrase_file)
    addresses = Addresses("127.0.0.1:9092", "", "", "http://127.0.0.1:1908", trust)
    environment = client_environment(home, addresses, Program())
    folder = home.credentials / "cz.icecars.CarFleet.Car1.car_1"
    assert environment["DTWIN_KAFKA__SSL_CERTIFICATE_FILE"] == str(folder / "certificate.pem")
    assert environment["DTWIN_PLATFORM__URL"] == "http://127.0.0.1:1908"
    given = Addresses("kafka:9092", "", "", "http://127.0.0.1:1908")
    assert client_environment(home, given, Program()) == {}


def test_credentials_are_issued_again_when_one_is_missing_or_ends_soon_or_is_of_another_authority(
    home: Home,
) -> None:
    assert credentials_last(home, [Program()]), "a given broker has an authority of its own"
    issue(home, 30)
    assert credentials_last(home, [Program()])
    assert not credentials_last(home, [Program(), Program("car_9")])
    issue(home, 3)
    assert not credentials_last(home, [Program()])
    issue(home, 30)
    (home.pki / "ca.pem").write_text("another authority")
    assert not credentials_last(home, [Program()])
    assert dt.timedelta(days=10) > credentials._SHORTEST_LEFT, "a third of thirty days is when programs renew"
