"""The token of a client: where it is read from, where it goes, and where it never shows."""

import logging
from pathlib import Path

import httpx2
import pytest

from client.errors import AccessRefusedError, ConfigurationError
from client.metadata.server import SensorThingsServer
from client.metadata.token import checked_token, token_from_environment

TOKEN = "dtwin_" + "t" * 43


def server(answer: httpx2.Response, seen: list[httpx2.Request], token: str | None) -> SensorThingsServer:
    def respond(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return answer if request.url.host == "localhost" else httpx2.Response(200, json={"value": []})

    http = httpx2.Client(transport=httpx2.MockTransport(respond))
    return SensorThingsServer("localhost:8084", retry_s=0, token=token, http=http)


def test_every_request_carries_the_token() -> None:
    seen: list[httpx2.Request] = []
    server(httpx2.Response(200, json={"value": []}), seen, TOKEN).check()
    assert seen[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_without_a_token_no_header_is_sent() -> None:
    seen: list[httpx2.Request] = []
    server(httpx2.Response(200, json={"value": []}), seen, None).check()
    assert "Authorization" not in seen[0].headers


def test_a_link_to_another_host_does_not_get_the_token() -> None:
    seen: list[httpx2.Request] = []
    page = httpx2.Response(200, json={"value": [], "@iot.nextLink": "http://elsewhere:8084/v1.1/Things?x"})
    server(page, seen, TOKEN).search("Things", "id gt 1", select=("id",))
    assert [request.url.host for request in seen] == ["localhost", "elsewhere"]
    assert "Authorization" not in seen[1].headers


def test_a_redirect_to_another_host_does_not_get_the_token() -> None:
    seen: list[httpx2.Request] = []
    away = httpx2.Response(307, headers={"Location": "http://elsewhere/v1.1"})

    def respond(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return away if request.url.host == "localhost" else httpx2.Response(200, json={"value": []})

    http = httpx2.Client(transport=httpx2.MockTransport(respond), follow_redirects=True)
    SensorThingsServer("localhost:8084", retry_s=0, token=TOKEN, http=http).check()
    assert seen[1].url.host == "elsewhere"
    assert "Authorization" not in seen[1].headers


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "DTWIN_SENSORTHINGS__TOKEN"), (403, "client of this system")]
)
def test_a_refusal_says_where_and_what_to_do_next_and_never_the_token(
    status: int, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port = server(httpx2.Response(status, text="no"), [], TOKEN)
    with pytest.raises(AccessRefusedError, match=hint) as caught:
        port.check()
    assert caught.value.status == status
    assert "http://localhost:8084/v1.1" in str(caught.value)
    assert TOKEN not in str(caught.value) + caplog.text + repr(port)


def test_the_token_comes_from_the_environment() -> None:
    assert token_from_environment({"DTWIN_SENSORTHINGS__TOKEN": TOKEN}) == TOKEN
    assert token_from_environment({}) is None


def test_a_file_is_read_and_goes_before_the_variable(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", encoding="utf-8")
    environment = {"DTWIN_SENSORTHINGS__TOKEN": "other", "DTWIN_SENSORTHINGS__TOKEN_FILE": str(path)}
    assert token_from_environment(environment) == TOKEN


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"DTWIN_SENSORTHINGS__TOKEN_FILE names .*absent"):
        token_from_environment({"DTWIN_SENSORTHINGS__TOKEN_FILE": str(tmp_path / "absent")})


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "umlaut-ä"])
def test_what_could_not_be_sent_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ConfigurationError, match="sensorthings_token is no token") as caught:
        checked_token(token, "sensorthings_token")
    assert token not in str(caught.value)
