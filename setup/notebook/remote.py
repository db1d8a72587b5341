"""A platform elsewhere, as far as notebooks need it: client apps of the person, and a token for one of them.

What lives here: those requests. What does not: profiles and log-in (`setup.remote`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from setup.errors import SetupError
from setup.remote.configuration import configure
from setup.remote.connection import Connection, Request, quoted
from setup.remote.errors import RemoteError
from setup.remote.profiles import ProfileFile


@dataclass(frozen=True, slots=True)
class RemoteClient:
    """A client app on the platform.

    Attributes:
        system: Its system.
        name: Its own name.
        sensorthings: Address of its SensorThings service.
    """

    system: str
    name: str
    sensorthings: str

    @property
    def principal(self) -> str:
        """The name by which SensorThings knows it."""
        return f"{self.system}.{self.name}"


class RemotePlatform:
    """A platform, as the person of a profile.

    Args:
        connection: How it is reached.
    """

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        self._connection = connection

    def clients(self) -> list[RemoteClient]:
        """List the client apps of the systems that the person operates or views.

        Raises:
            RemoteError: The platform does not answer, or refuses.
        """
        return [
            RemoteClient(
                item["system"], item["name"], self._address(str(item["configuration"]["gost_servers"]))
            )
            for item in self._connection.items("/clients")
        ]

    def _address(self, host: str) -> str:
        """Return where SensorThings is: the configuration of a client leaves the scheme out."""
        return host if "://" in host else f"{self.url.partition('://')[0]}://{host}"

    @contextmanager
    def token(self, client: RemoteClient) -> Iterator[str]:
        """Give a token of a client app that is revoked after the block.

        Raises:
            RemoteError: The platform does not answer, or refuses.
        """
        path = f"/systems/{quoted(client.system)}/clients/{quoted(client.name)}/tokens"
        before = self._numbers(path)
        made = self._connection.json(Request("POST", path))
        numbers = self._numbers(path) - before
        try:
            yield str(made["token"])
        finally:
            # It is listed on the page of the client app, and revoked there, when nothing answers or somebody
            # made another one at the same moment.
            if len(numbers) == 1:
                with suppress(RemoteError):
                    self._connection.ask(Request("DELETE", f"{path}/{numbers.pop()}"))

    def _numbers(self, path: str) -> set[int]:
        return {int(item["id"]) for item in self._connection.json(Request("GET", path))["items"]}


@contextmanager
def open_remote(url: str, profile: str) -> Iterator[RemotePlatform]:
    """Give the platform that counts.

    Args:
        url: Its address; empty for the profile's.
        profile: Name of a profile; empty for the one in use.

    Raises:
        SetupError: Nobody is logged in, and no stack runs on this machine either.
        RemoteError: The profiles cannot be read.
    """
    file = ProfileFile()
    configuration = configure(file, url=url, profile=profile)
    if not configuration.token.text:
        raise SetupError(
            "There is nothing to connect a notebook to: no stack runs on this machine, and nobody is logged "
            f"in at {configuration.url.text}. Run `dtwin demo`, or `dtwin login URL`, or set "
            "DTWIN_SENSORTHINGS__URL and DTWIN_SENSORTHINGS__TOKEN_FILE."
        )
    with Connection(configuration, file) as connection:
        yield RemotePlatform(connection)
