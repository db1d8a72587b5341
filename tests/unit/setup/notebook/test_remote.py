"""Notebooks on a platform elsewhere: client apps of the person, and a token that ends."""

from pathlib import Path

import httpx2
import pytest

from setup.errors import SetupError
from setup.notebook.connection import _client
from setup.notebook.remote import RemotePlatform, open_remote
from setup.remote.configuration import Configuration, Value
from setup.remote.connection import Connection
from setup.remote.profiles import Profile, ProfileFile

URL = "https://twin.example.org"
SYSTEM = "cz.icecars.Fleet.Car1"


class Platform:
    """Answers as a platform with two client apps does."""

    def __init__(self) -> None:
        self.tokens: dict[int, str] = {3: "old"}
        self.others: dict[int, str] = {}

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1")
        if path == "/clients":
            clients = [
                {"system": SYSTEM, "name": name, "configuration": {"gost_servers": "things.example.org"}}
                for name in ("car_1", "gauge")
            ]
            return httpx2.Response(200, json={"items": clients, "next_page_token": None})
        assert path.startswith(f"/systems/{SYSTEM}/clients/car_1/tokens")
        if request.method == "POST":
            self.tokens |= {7: "fresh"} | self.others
            return httpx2.Response(201, json={"token": "fresh"})
        if request.method == "DELETE":
            del self.tokens[int(path.rpartition("/")[2])]
            return httpx2.Response(204)
        return httpx2.Response(200, json={"items": [{"id": number} for number in self.tokens]})


def opened(platform: Platform, folder: Path) -> RemotePlatform:
    file = ProfileFile(folder / "config.toml")
    profile = Profile(URL, token="t")
    file.put("p", profile)
    configuration = Configuration(Value("p", ""), Value(URL, ""), Value("t", ""), profile)
    http = httpx2.Client(transport=httpx2.MockTransport(platform.answer))
    return RemotePlatform(Connection(configuration, file, http))


def test_the_token_of_a_client_app_ends_with_the_notebook_and_no_other(tmp_path: Path) -> None:
    platform = Platform()
    remote = opened(platform, tmp_path)
    client = _client(remote.clients(), f"{SYSTEM}.car_1", URL)
    assert client.sensorthings == "https://things.example.org"
    with remote.token(client) as token:
        assert token == "fresh"
        assert set(platform.tokens) == {3, 7}
    assert set(platform.tokens) == {3}


def test_a_token_that_somebody_made_at_the_same_moment_stays(tmp_path: Path) -> None:
    platform = Platform()
    platform.others = {8: "somebody's"}
    remote = opened(platform, tmp_path)
    with remote.token(remote.clients()[0]) as token:
        assert token == "fresh"
    assert 8 in platform.tokens


def test_of_several_client_apps_one_has_to_be_named(tmp_path: Path) -> None:
    clients = opened(Platform(), tmp_path).clients()
    with pytest.raises(SetupError, match=f"Say --as NAME; .*{SYSTEM}.car_1, {SYSTEM}.gauge"):
        _client(clients, "", URL)
    with pytest.raises(SetupError, match="You operate no client app 'car_2'"):
        _client(clients, "car_2", URL)
    assert _client(clients[:1], "", URL) == clients[0]


def test_without_a_log_in_the_ways_to_connect_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("DTWIN_HOME", str(tmp_path))
    for name in ("DTWIN_TOKEN", "DTWIN_TOKEN_FILE", "DTWIN_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SetupError, match=r"dtwin demo.*dtwin login"), open_remote("", ""):
        pass
