"""The API as somebody uses it who is logged in: what tests prepare for a person to find on the pages."""

from typing import Any

from playwright.sync_api import APIRequestContext

Json = Any
"""What a JSON text holds; tests look into it freely."""


def ask(request: APIRequestContext, path: str) -> Json:
    """Read something."""
    answer = request.get(path, headers={"Accept": "application/json"})
    assert answer.ok, f"{path}: {answer.status} {answer.text()[:500]}"
    return answer.json()


def tell(request: APIRequestContext, path: str, body: Json = None) -> Json:
    """Change something by the session of the browser."""
    token = ask(request, "/api/v1/session")["csrf_token"]
    answer = request.post(path, data=body, headers={"x-csrf-token": token, "Accept": "application/json"})
    assert answer.ok, f"{path}: {answer.status} {answer.text()[:500]}"
    return answer.json() if answer.text() else None
