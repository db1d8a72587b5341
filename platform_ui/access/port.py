"""The administration of access at the SensorThings service, over HTTP.

What lives here: `AccessPort` (what is needed) and `SensorThingsAccess` (httpx2, blocking: called in threads,
and by commands). What does not: what should be there (``wanted``), and when it is brought there (``keeper``).
"""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx2

from client.metadata.server import SensorThingsServer
from platform_ui.errors import MetadataError
from platform_ui.outgoing import trusted

TIMEOUT_S: Final = 30.0
"""A busy service may take so long: who gives up earlier does not learn of the token that was made [s]."""
CONNECT_TIMEOUT_S: Final = 3.0
_ROOT: Final = "/access/v1"


@dataclass(frozen=True, slots=True)
class Grant:
    """A system that a principal reads, and may write."""

    system: str
    write: bool


@dataclass(frozen=True, slots=True)
class Rights:
    """The whole state of a principal.

    Attributes:
        home: System of its new entities when nothing else tells; None for none.
        grants: Systems that it reads, by name.
        is_admin: May do everything.
        certificate: UID of the certificates that are the principal's, and no others are; None for those of
            its own name.
    """

    home: str | None
    grants: tuple[Grant, ...]
    is_admin: bool = False
    certificate: str | None = None


def client_principal(system: str, client: str) -> str:
    """Give the name of a client app's principal; its certificates carry it, too."""
    return f"{system}.{client}"


def own_rights(system: str, certificate: str | None = None) -> Rights:
    """Give the rights of what belongs to one system, proven by certificates of a UID."""
    return Rights(system, (Grant(system, write=True),), certificate=certificate)


@dataclass(frozen=True, slots=True)
class Share:
    """Datastreams that a contract lets a system see, by id.

    Attributes:
        system: Who sees them.
        datastreams: Their ids.
        observations: Whether their Observations are seen, too.
        since: Only those whose phenomenonTime begins then or later, aware; None for all.
    """

    system: str
    datastreams: tuple[int, ...]
    observations: bool = True
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token as it can be seen after it was shown once."""

    id: int
    label: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


class AccessPort(Protocol):
    """What is needed of the service's administration.

    Every method raises `MetadataError` when the service does not answer, or refuses.
    """

    def principals(self) -> dict[str, Rights]:
        """Give all principals by name."""
        ...

    def put_principal(self, name: str, rights: Rights) -> None:
        """Make a principal be exactly so."""
        ...

    def delete_principal(self, name: str) -> None:
        """Remove a principal with its tokens."""
        ...

    def tokens(self, name: str) -> list[KnownToken]:
        """List the tokens of a principal."""
        ...

    def create_token(self, name: str, label: str) -> str:
        """Make a token of a principal; it can be read only now."""
        ...

    def revoke_token(self, name: str, number: int) -> None:
        """Revoke a token of a principal."""
        ...

    def datastreams(self, system: str) -> dict[str, int]:
        """Give the Datastreams of a system: id by full name."""
        ...

    def shares(self) -> dict[str, Share]:
        """Give what contracts share, by contract."""
        ...

    def put_share(self, contract: str, share: Share) -> None:
        """Make a contract share exactly this."""
        ...

    def delete_share(self, contract: str) -> None:
        """End what a contract shares."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class SensorThingsAccess:
    """The administration by HTTP, with an admin's token; thread-safe.

    Args:
        sensorthings_url: Address of the service, ``http://host:port``.
        token: An admin's token.
        http: A client to use instead of an own one.
    """

    def __init__(self, sensorthings_url: str, token: str, *, http: httpx2.Client | None = None) -> None:
        self._url = sensorthings_url.rstrip("/")
        self._authorization = {"Authorization": f"Bearer {token}"}
        timeout = httpx2.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._http = http or httpx2.Client(timeout=timeout, verify=trusted())
        self._server = SensorThingsServer(
            sensorthings_url, timeout_s=TIMEOUT_S, retry_s=0, token=token, http=self._http
        )

    def principals(self) -> dict[str, Rights]:
        """Give all principals by name; see the port."""
        found = self._json("GET", "/principals")["principals"]
        return {one["name"]: _rights(one) for one in found}

    def put_principal(self, name: str, rights: Rights) -> None:
        """Make a principal be exactly so; see the port."""
        grants = [{"system": one.system, "write": one.write} for one in rights.grants]
        body = {
            "is_admin": rights.is_admin,
            "home": rights.home,
            "grants": grants,
            "certificate": rights.certificate,
        }
        self._ask("PUT", f"/principals/{_part(name)}", body)

    def delete_principal(self, name: str) -> None:
        """Remove a principal with its tokens; see the port."""
        self._ask("DELETE", f"/principals/{_part(name)}")

    def tokens(self, name: str) -> list[KnownToken]:
        """List the tokens of a principal; see the port."""
        return [
            KnownToken(
                one["id"],
                one["label"],
                datetime.fromisoformat(one["created"]),
                _time(one["expires"]),
                _time(one["revoked"]),
            )
            for one in self._json("GET", f"/principals/{_part(name)}/tokens")["tokens"]
        ]

    def create_token(self, name: str, label: str) -> str:
        """Make a token of a principal; see the port."""
        return str(self._json("POST", f"/principals/{_part(name)}/tokens", {"label": label})["token"])

    def revoke_token(self, name: str, number: int) -> None:
        """Revoke a token of a principal; see the port."""
        self._ask("DELETE", f"/principals/{_part(name)}/tokens/{number}")

    def datastreams(self, system: str) -> dict[str, int]:
        """Give the Datastreams of a system; see the port.

        Raises:
            SensorThingsError: its children say why.
        """
        prefix = f"{system}."
        # As the system itself: one of another system may have a name that begins alike.
        found = self._server.acting_as(system).search(
            "Datastreams", f"startswith(name,'{prefix}')", select=("id", "name")
        )
        return {
            name: identifier
            for one in found
            if isinstance(name := one.get("name"), str)
            and name.startswith(prefix)
            and isinstance(identifier := one.get("@iot.id"), int)
        }

    def shares(self) -> dict[str, Share]:
        """Give what contracts share; see the port."""
        found = self._json("GET", "/shares")["shares"]
        return {
            one["contract"]: Share(
                one["system"], tuple(one["datastreams"]), one["observations"], _time(one["since"])
            )
            for one in found
        }

    def put_share(self, contract: str, share: Share) -> None:
        """Make a contract share exactly this; see the port."""
        body = {
            "system": share.system,
            "datastreams": list(share.datastreams),
            "observations": share.observations,
            "since": None if share.since is None else share.since.isoformat(),
        }
        self._ask("PUT", f"/shares/{_part(contract)}", body)

    def delete_share(self, contract: str) -> None:
        """End what a contract shares; see the port."""
        self._ask("DELETE", f"/shares/{_part(contract)}")

    def close(self) -> None:
        """Close the connections; see the port."""
        self._http.close()

    def _json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            document = self._ask(method, path, body).json()
        except ValueError as error:
            raise MetadataError(f"SensorThings answers {method} {path} without JSON.") from error
        if not isinstance(document, dict):
            raise MetadataError(f"SensorThings answers {method} {path} with something unexpected.")
        return document

    def _ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        url = f"{self._url}{_ROOT}{path}"
        try:
            answer = self._http.request(method, url, json=body, headers=self._authorization)
        except httpx2.HTTPError as error:
            raise MetadataError(
                "SensorThings does not answer.",
                hint="Check DTWIN_SENSORTHINGS__URL, or start the local stack with: dtwin up",
            ) from error
        if answer.status_code == HTTPStatus.NOT_FOUND and method == "DELETE":
            return answer  # it is gone: what was wanted
        if answer.is_error:
            raise MetadataError(
                f"SensorThings answers {method} {path} with {answer.status_code}: {answer.text[:200]}",
                hint="Set DTWIN_SENSORTHINGS__TOKEN of the platform to the service's admin token."
                if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
                else "",
            )
        return answer


def _part(name: str) -> str:
    return quote(name, safe="@")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _rights(document: dict[str, Any]) -> Rights:
    grants = tuple(Grant(one["system"], one["write"]) for one in document["grants"])
    return Rights(document["home"], grants, document["is_admin"], document["certificate"])
