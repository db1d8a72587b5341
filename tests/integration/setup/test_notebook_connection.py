"""Notebooks get a token of their own from a real SensorThings service, and it ends with them."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client.metadata.token import checked_token
from platform_ui.access.port import SensorThingsAccess, own_rights
from setup.errors import SetupError
from setup.local.paths import Home
from setup.local.processes import ProcessIdentity
from setup.local.state import PartState, StateFile
from setup.notebook.connection import ANALYST, Wanted, connected
from setup.tokens import knows
from tests.sensorthings_service import running_service

ADMIN = "admin-" + "n" * 40
CAR = "cz.icecars.iot4cps-wp5-CarFleet.Car1.car_1"
REVOKED_WITHIN_S = 60.0

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def service(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that knows a car and, by token, its administrator."""
    folder = tmp_path_factory.mktemp("notebook")
    with running_service(new_database("notebook"), folder, anonymous="none", admin_token=ADMIN) as url:
        yield url


@pytest.fixture
def home(service: str, tmp_path: Path) -> Home:
    """A home whose state names the service."""
    access = SensorThingsAccess(service, ADMIN)
    for name, rights in access.principals().items():
        if not rights.is_admin:
            access.delete_principal(name)
    access.put_principal(CAR, own_rights(CAR.rpartition(".")[0]))
    access.close()
    found = Home(tmp_path / "home")
    found.create()
    found.sensorthings_token_file.write_text(ADMIN)
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    StateFile(found.state_file).put(PartState("sensorthings", service, own.pid, own.began))
    return found


def url_of(home: Home) -> str:
    return StateFile(home.state_file).parts()["sensorthings"].address


def test_a_notebook_asks_as_one_client_app_and_its_token_ends_with_it(home: Home, tmp_path: Path) -> None:
    environment = {
        "DTWIN_ELASTICSEARCH__URL": "http://127.0.0.1:9200",
        "DTWIN_ELASTICSEARCH__PASSWORD": "hunter2",
        "DTWIN_PLATFORM__SECRET_KEY": "hunter2",
    }
    with connected(home, tmp_path, Wanted(), environment) as found:
        file = Path(found.environment["DTWIN_SENSORTHINGS__TOKEN_FILE"])
        token = checked_token(file.read_text(), "test") or ""
        assert found.identity == CAR, "the only one there is"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert knows(url_of(home), token)
        assert token not in str(found)
        assert token != ADMIN
        assert found.environment["DTWIN_ELASTICSEARCH__URL"] == "http://127.0.0.1:9200"
        assert "hunter2" not in str(found)
        assert Path(found.environment["DTWIN_ELASTICSEARCH__PASSWORD_FILE"]).read_text() == "hunter2"
    deadline = time.monotonic() + REVOKED_WITHIN_S
    while knows(url_of(home), token):
        assert time.monotonic() < deadline, "the token outlived the notebook"
        time.sleep(0.1)


def test_a_notebook_revokes_its_own_token_only(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = SensorThingsAccess.create_token
    others = []

    def make_two(access: SensorThingsAccess, name: str, label: str) -> str:
        others.append(make(access, name, label.partition(" ")[0]))  # another notebook's, at the same moment
        return make(access, name, label)

    monkeypatch.setattr(SensorThingsAccess, "create_token", make_two)
    with connected(home, tmp_path, Wanted(), {}) as found:
        token = checked_token(Path(found.environment["DTWIN_SENSORTHINGS__TOKEN_FILE"]).read_text(), "t")
    deadline = time.monotonic() + REVOKED_WITHIN_S
    while knows(url_of(home), token or ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert knows(url_of(home), others[0])


def test_whom_a_notebook_asks_as_is_chosen_or_asked_for(home: Home, tmp_path: Path) -> None:
    access = SensorThingsAccess(url_of(home), ADMIN)
    access.put_principal("x.yy.zz.ww.other", own_rights("x.yy.zz.ww"))
    with (
        pytest.raises(SetupError, match=f"--as NAME; known: {CAR}, x"),
        connected(home, tmp_path, Wanted(), {}),
    ):
        pass
    with pytest.raises(SetupError, match="knows nobody named 'anna'"):
        connected(home, tmp_path, Wanted("anna"), {}).__enter__()
    with connected(home, tmp_path, Wanted("x.yy.zz.ww.other"), {}) as found:
        assert found.identity == "x.yy.zz.ww.other"
    access.put_principal(ANALYST, own_rights(ANALYST.rpartition(".")[0]))
    access.close()
    with connected(home, tmp_path, Wanted(), {}) as found:
        assert found.identity == ANALYST, "the demo's analysts, where there are some"


def test_the_admin_token_is_handed_over_only_when_asked_for(home: Home, tmp_path: Path) -> None:
    with connected(home, tmp_path, Wanted(is_admin=True), {}) as found:
        file = Path(found.environment["DTWIN_SENSORTHINGS__TOKEN_FILE"])
        assert file.read_text() == ADMIN
        assert "sees everything" in found.identity
    assert knows(url_of(home), ADMIN)


def test_a_token_that_is_set_counts_and_goes_into_a_file(home: Home, tmp_path: Path) -> None:
    environment = {"DTWIN_SENSORTHINGS__URL": "http://elsewhere", "DTWIN_SENSORTHINGS__TOKEN": "mine"}
    with connected(home, tmp_path, Wanted(), environment) as found:
        assert found.place == "http://elsewhere"
        assert "DTWIN_SENSORTHINGS__TOKEN" not in found.environment
        assert Path(found.environment["DTWIN_SENSORTHINGS__TOKEN_FILE"]).read_text() == "mine"
