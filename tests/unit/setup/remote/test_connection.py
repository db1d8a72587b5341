import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from setup.remote import connection as under_test
from setup.remote.configuration import Configuration, Value
from setup.remote.connection import Connection, Request
from setup.remote.errors import LoggedOutError, PlatformUnreachableError, ProblemError, exit_code_of
from setup.remote.profiles import Profile, ProfileFile

URL = "https://twin.example.org"
Handler = Callable[[httpx2.Request], httpx2.Response]


def connect(file: ProfileFile, handler: Handler, profile: Profile) -> Connection:
    file.put("p", profile)
    configuration = Configuration(Value("p", ""), Value(URL, ""), Value(profile.token, ""), profile)
    return Connection(configuration, file, httpx2.Client(transport=httpx2.MockTransport(handler)))


@pytest.fixture
def file(tmp_path: Path) -> ProfileFile:
    return ProfileFile(tmp_path / "config.toml")


def test_lists_are_followed_to_their_end_or_limit(file: ProfileFile) -> None:
    sizes: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sizes.append(request.url.params["page_size"])
        start = int(request.url.params.get("page_token", "0"))
        token = str(start + 2) if start < 4 else None
        return httpx2.Response(
            200, json={"items": [{"n": start}, {"n": start + 1}], "next_page_token": token}
        )

    with connect(file, answer, Profile(URL, token="t")) as connection:
        assert [one["n"] for one in connection.items("/numbers")] == [0, 1, 2, 3, 4, 5]
        assert [one["n"] for one in connection.items("/numbers", limit=3)] == [0, 1, 2]
    assert sizes == ["1000"] * 3 + ["3"] * 2


def test_a_token_that_ends_is_renewed_once_and_kept(file: ProfileFile) -> None:
    renewed: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/tokens/refresh"):
            renewed.append(json.loads(request.content)["refresh_token"])
            return httpx2.Response(
                201, json={"access_token": "new", "refresh_token": "next", "expires_in": 900}
            )
        return httpx2.Response(200, json={"token": request.headers["authorization"]})

    with connect(file, answer, Profile(URL, "", "old", "first", 1.0)) as connection:
        for _ in range(2):
            assert connection.json(Request("GET", "/session")) == {"token": "Bearer new"}
    assert renewed == ["first"]
    kept = file.read().known["p"]
    assert (kept.token, kept.refresh_token) == ("new", "next")
    assert kept.expires_at > time.time() + 800


def test_a_log_in_that_has_ended_says_how_to_begin_another(file: ProfileFile) -> None:
    handler: Handler = lambda _: httpx2.Response(401, json={"detail": "no"})  # noqa: E731
    with (
        connect(file, handler, Profile(URL, "", "old", "first", 1.0)) as connection,
        pytest.raises(LoggedOutError, match=f"dtwin login {URL}"),
    ):
        connection.json(Request("GET", "/session"))


def test_a_problem_is_told_with_place_hint_and_explanation(file: ProfileFile) -> None:
    problem = {
        "detail": "Two things are wrong.",
        "code": "form.invalid",
        "hint": "Mend them at /companies/new?name=x.",
        "explain": "/explain?asked=x",
        "errors": [{"pointer": "/name", "detail": "Too long."}, {"parameter": "q", "detail": "Odd."}],
    }
    with (
        connect(file, lambda _: httpx2.Response(422, json=problem), Profile(URL, token="t")) as connection,
        pytest.raises(ProblemError) as caught,
    ):
        connection.json(Request("POST", "/x", body={}))
    assert str(caught.value).splitlines() == [
        "Two things are wrong.",
        "  name: Too long.",
        "  q: Odd.",
        f"  What to do: Mend them at {URL}/companies/new?name=x.",
        f"  Why: {URL}/explain?asked=x",
        "  Code: form.invalid (422)",
    ]
    assert caught.value.exit_code == 2


def test_what_is_repeatable_is_sent_again_with_the_same_key(
    file: ProfileFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "_PAUSE_S", 0.0)
    keys: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers.get("idempotency-key", ""))
        if len(keys) < 3:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(201, json={"name": "x"})

    with connect(file, answer, Profile(URL, token="t")) as connection:
        assert connection.json(Request("POST", "/x", body={}, is_repeatable=True)) == {"name": "x"}
        assert len(keys) == 3
        assert len(set(keys)) == 1
        assert keys[0]
        keys.clear()
        with pytest.raises(PlatformUnreachableError, match="No platform answers"):
            connection.json(Request("POST", "/x", body={}))
    assert keys == [""]


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (422, 2), (401, 4), (403, 4), (404, 5), (409, 1), (412, 1), (429, 6), (503, 6)],
)
def test_each_status_has_its_exit_code(status: int, code: int) -> None:
    assert exit_code_of(status) == code
