"""Two companies on a running stack, as their people see it: by browser, by API, by client app.

What lives here: signing up, and one method for each thing that people do. What does not: what is measured
(`scenarios`).
"""

import io
import secrets
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from client.messaging.security import KafkaSecurity
from setup.errors import SetupError
from tests.archives import unpack

_PASSWORD: Final = "correct horse 7 battery"  # noqa: S105 - of people who live as long as the run
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """The files of a client app, and how they reach the broker."""

    certificate_pem: str
    folder: Path

    @property
    def security(self) -> KafkaSecurity:
        """How the holder reaches the broker."""
        return KafkaSecurity(
            protocol="SSL",
            ca_file=self.folder / "ca.pem",
            certificate_file=self.folder / "certificate.pem",
            key_file=self.folder / "key.pem",
        )


class Person:
    """Somebody with an account, a browser that is logged in, and a program with a token."""

    def __init__(self, platform: str, name: str) -> None:
        self.email = f"{name}-{secrets.token_hex(4)}@example.com"
        self.browser = httpx2.Client(base_url=platform, timeout=30)
        self.program = httpx2.Client(base_url=platform, timeout=30)
        is_first = self.browser.get("/api/v1/setup").json()["is_waiting"]
        answer = self.submit(
            "/welcome" if is_first else "/signup",
            first_name=name.title(),
            last_name="Bench",
            email=self.email,
            password=_PASSWORD,
            confirm=_PASSWORD,
        )
        _check(answer)
        self._get_token()

    def log_in(self) -> None:
        """Log in with browser and program."""
        self.browser.cookies.clear()
        _check(self.submit("/login", email=self.email, password=_PASSWORD))
        self._get_token()

    def _get_token(self) -> None:
        self.program.headers.pop("Authorization", None)
        form = {"email": self.email, "password": _PASSWORD, "scope": "write"}
        token = self.ask("POST", "/tokens", form)["access_token"]
        self.program.headers["Authorization"] = f"Bearer {token}"

    def submit(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form as a page does."""
        token = self.browser.get("/api/v1/session").json()["csrf_token"]
        return self.browser.post(path, data={"csrf_token": token, **fields})

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Ask the API.

        Raises:
            SetupError: it refuses.
        """
        answer = self.program.request(method, f"/api/v1{path}", json=body)
        _check(answer)
        return answer.json() if answer.content else None

    def add_member(self, place: str, other: "Person", role: str) -> None:
        """Give somebody a part, in `companies/<name>` or `systems/<name>`."""
        _check(self.submit(f"/{place}/members", email=other.email, role=role))

    def remove_member(self, place: str, other: "Person") -> None:
        """Take somebody's part away."""
        _check(self.submit(f"/{place}/members/{other.email}/remove"))

    def new_system(self, domain: str, enterprise: str) -> str:
        """Create a company and a system."""
        self.ask("POST", "/companies", {"domain": domain, "enterprise": enterprise})
        place = {"company": f"{domain}.{enterprise}", "workcenter": "Work", "station": "Mill"}
        return str(self.ask("POST", "/systems", place)["name"])

    def new_client(self, system: str, name: str) -> None:
        """Create a client app."""
        self.ask("POST", f"/systems/{system}/clients", {"name": name})

    def certify(self, system: str, name: str, folder: Path) -> Identity:
        """Download the archive of a client app and unpack it."""
        answer = self.program.post(f"/api/v1/systems/{system}/clients/{name}/credentials/archive")
        _check(answer)
        place = folder / secrets.token_hex(4)
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            unpack(archive, place)
        (certificate,) = place.rglob("certificate.pem")
        return Identity(certificate.read_text(encoding="utf-8"), certificate.parent)

    def token_of(self, system: str, name: str) -> str:
        """Make a SensorThings token of a client app."""
        return str(self.ask("POST", f"/systems/{system}/clients/{name}/tokens")["token"])

    def app(self, system: str, name: str) -> Mapping[str, Any]:
        """Give what the API says of a stream app."""
        found: Mapping[str, Any] = self.ask("GET", f"/systems/{system}/apps/{name}")
        return found


def agree(giver: Person, taker: Person, ends: tuple[str, str], purpose: str) -> str:
    """Let both sides sign a contract over everything that a system has; return its id."""
    provider, consumer = ends
    terms = {"provider": provider, "consumer": consumer, "purpose": purpose}
    contract = str(taker.ask("POST", "/contracts", terms)["id"])
    for person, side in ((taker, "consumer"), (giver, "provider")):
        person.ask("POST", f"/contracts/{contract}:sign", {"side": side, "version": 1})
    return contract


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds.

    Raises:
        SetupError: it does not within a minute.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise SetupError(f"It did not happen within {_PATIENCE_S:g} s: {what}")
        time.sleep(0.05)


def _check(answer: httpx2.Response) -> None:
    if answer.status_code >= httpx2.codes.BAD_REQUEST:
        raise SetupError(
            f"{answer.request.method} {answer.request.url} answers {answer.status_code}: {answer.text[:500]}"
        )
