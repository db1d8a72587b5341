"""Whom the site believes about where a request comes from, and under which names it answers."""

from typing import Any

import pytest

from platform_ui.browser.cookies import cookie_line
from platform_ui.browser.csrf import is_foreign
from platform_ui.browser.origin import WebRules, believe_proxy, host_name, is_our_host, parse_networks

RULES = WebRules(
    allowed_hosts=("twin.example.org", "::1"), proxies=parse_networks("10.0.0.0/8, 127.0.0.1, ::1")
)


def scope(client: str = "10.0.0.1", path: str = "/", **headers: str) -> dict[str, Any]:
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": (client, 1), "scheme": "http", "path": path, "method": "GET", "headers": lines}


def test_a_trusted_proxy_tells_scheme_and_client() -> None:
    told = scope(x_forwarded_proto="https", x_forwarded_for="203.0.113.7")
    believe_proxy(told, RULES)
    assert (told["scheme"], told["client"]) == ("https", ("203.0.113.7", 0))


def test_a_stranger_tells_nothing() -> None:
    told = scope("203.0.113.9", x_forwarded_proto="https", x_forwarded_for="203.0.113.7")
    believe_proxy(told, RULES)
    assert (told["scheme"], told["client"][0]) == ("http", "203.0.113.9")


def test_without_the_setting_nobody_is_a_proxy() -> None:
    told = scope("127.0.0.1", x_forwarded_proto="https")
    believe_proxy(told, WebRules())
    assert told["scheme"] == "http"


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the first one was written by a stranger
        ("203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("198.51.100.1, nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("10.0.0.3", "10.0.0.3"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(line: str, client: str) -> None:
    told = scope(x_forwarded_for=line)
    believe_proxy(told, RULES)
    assert told["client"][0] == client


@pytest.mark.parametrize("scheme", ["ftp", "javascript", ""])
def test_an_odd_scheme_is_left_aside(scheme: str) -> None:
    told = scope(x_forwarded_proto=scheme)
    believe_proxy(told, RULES)
    assert told["scheme"] == "http"


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("twin.example.org", True),
        ("TWIN.example.org.:443", True),
        ("[::1]:1908", True),
        ("evil.example", False),
        ("twin.example.org.evil.example", False),
        ("evil.example#twin.example.org", False),
        ("", False),
    ],
)
def test_only_our_names_are_answered(host: str, *, is_ours: bool) -> None:
    assert is_our_host(scope(), {"host": host}, RULES) is is_ours


def test_health_is_answered_under_any_name() -> None:
    assert is_our_host(scope(path="/health/live"), {"host": "10.1.2.3:1908"}, RULES)


def test_the_name_of_a_host_is_read_without_port_and_brackets() -> None:
    assert [host_name(text) for text in ("A.b:1", "[2001:DB8::1]:2", "c")] == ["a.b", "2001:db8::1", "c"]


@pytest.mark.parametrize(
    ("method", "site", "mode", "dest", "is_refused"),
    [
        ("POST", "same-origin", "navigate", "document", False),
        ("POST", "none", "navigate", "document", False),
        ("POST", "cross-site", "navigate", "document", True),
        ("POST", "same-site", "cors", "empty", True),
        ("GET", "cross-site", "navigate", "document", False),
        ("GET", "cross-site", "navigate", "iframe", True),
        ("GET", "cross-site", "no-cors", "image", True),
        ("GET", "same-site", "cors", "empty", True),
    ],
)
def test_what_another_site_asks_for_is_refused_but_for_links(
    method: str, site: str, mode: str, dest: str, *, is_refused: bool
) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    assert is_foreign(scope() | {"method": method}, headers) is is_refused


def test_the_cookie_is_tied_to_the_host_over_https() -> None:
    line = cookie_line("dtwin_session", "v", "https")
    assert line == "__Host-dtwin_session=v; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert cookie_line("dtwin_session", "v", "http") == "dtwin_session=v; Path=/; HttpOnly; SameSite=Lax"
