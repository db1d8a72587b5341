"""The settings of the entry proxy, from the environment: prefix `DTWIN_PROXY__`.

What lives here: names, defaults and checks; what passes them can stand in nginx's configuration as it is.
What does not: the configuration (`setup.proxy.configuration`).

| variable | meaning | default |
|---|---|---|
| `DTWIN_PROXY__HOST` | address to listen on | `127.0.0.1` |
| `DTWIN_PROXY__PORT` | TLS port | 8443 |
| `DTWIN_PROXY__HTTP_PORT` | port that sends pages on to the TLS port; 0 for none | 0 |
| `DTWIN_PROXY__NAMES` | host names and addresses that are used, with commas | `localhost,127.0.0.1` |
| `DTWIN_PROXY__PUBLIC_PORT` | the TLS port as seen from outside | the TLS port |
| `DTWIN_PROXY__PLATFORM` | `host:port` of every replica, with commas | where it runs, or port 1908 |
| `DTWIN_PROXY__SENSORTHINGS` | `host:port` of every replica, with commas | where it runs, or port 8084 |
| `DTWIN_PROXY__CERTIFICATE_FILE` | server certificate with its chain (PEM) | one from our authority |
| `DTWIN_PROXY__KEY_FILE` | its key (PEM) | required with it |
| `DTWIN_PROXY__CLIENT_CA_FILE` | authority of the devices' certificates (PEM) | ours, if there is one |
| `DTWIN_PROXY__PLATFORM_BODY_BYTES` | largest request to the platform | 1 MiB |
| `DTWIN_PROXY__SENSORTHINGS_BODY_BYTES` | largest request to SensorThings | 64 MiB |
| `DTWIN_PROXY__REQUESTS_PER_SECOND` | of one address, in the long run | 200 |
| `DTWIN_PROXY__CONNECTIONS` | requests of one address at the same time | 200 |
| `DTWIN_PROXY__BODY_TIMEOUT_S` | longest pause of a sender within a request [s] | 20 |
| `DTWIN_PROXY__LIVE_TIMEOUT_S` | longest silence of a live tail [s] | 3600 |
| `DTWIN_PROXY__HSTS_SECONDS` | how long browsers insist on TLS [s] | 2 years; 0 for names of this machine |
| `DTWIN_PROXY__WORKERS` | processes of nginx; 0 for one per core | 0 |
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.errors import ConfigurationError

PREFIX = "DTWIN_PROXY__"
DEFAULT_PORT = 8443
_MIB = 1024 * 1024
_TWO_YEARS_S = 63_072_000  # what Mozilla's "intermediate" configuration says
_MAX_PORT = 65_535
_MAX_NUMBER = 2**31 - 1
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_UPSTREAM = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>[0-9]{1,5})", re.ASCII)
_UNSAFE_IN_PATH = re.compile(r"[\x00-\x1f\x7f\"'\\$;{}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Everything the proxy is told.

    Attributes:
        host: Address to listen on.
        port: TLS port.
        http_port: Port that sends pages on to the TLS port; 0 for none.
        names: Host names and addresses under which it is reached; all others are refused.
        public_port: The TLS port as seen from outside.
        platform: `host:port` of every replica of the platform.
        sensorthings: `host:port` of every replica of the SensorThings service.
        certificate_file: Certificate of the server with its chain (PEM); None for one from our authority.
        key_file: Its key (PEM).
        client_ca_file: Authority whose client certificates are passed on (PEM); None for nobody's.
        platform_body_bytes: Largest request to the platform [bytes].
        sensorthings_body_bytes: Largest request to SensorThings [bytes].
        requests_per_second: Of one address, in the long run.
        connections: Requests of one address at the same time.
        body_timeout_s: Longest pause of a sender within a request [s].
        live_timeout_s: Longest silence of a live tail [s].
        hsts_seconds: How long browsers insist on TLS [s]; 0 for not at all.
        workers: Processes of nginx; 0 for one per core.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    http_port: int = 0
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    public_port: int = DEFAULT_PORT
    platform: tuple[str, ...] = ("127.0.0.1:1908",)
    sensorthings: tuple[str, ...] = ("127.0.0.1:8084",)
    certificate_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None
    platform_body_bytes: int = _MIB
    sensorthings_body_bytes: int = 64 * _MIB
    requests_per_second: int = 200
    connections: int = 200
    body_timeout_s: int = 20
    live_timeout_s: int = 3600
    hsts_seconds: int = 0
    workers: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ProxySettings:
        """Read and check all settings.

        Raises:
            ConfigurationError: one is wrong; the message names it.
        """
        read = _Reader(environment)
        names = read.names("NAMES", ("localhost", "127.0.0.1"))
        port = read.number("PORT", DEFAULT_PORT, 1, _MAX_PORT)
        settings = cls(
            host=read.address("HOST", "127.0.0.1"),
            port=port,
            http_port=read.number("HTTP_PORT", 0, 0, _MAX_PORT),
            names=names,
            public_port=read.number("PUBLIC_PORT", port, 1, _MAX_PORT),
            platform=read.upstreams("PLATFORM", ("127.0.0.1:1908",)),
            sensorthings=read.upstreams("SENSORTHINGS", ("127.0.0.1:8084",)),
            certificate_file=read.file("CERTIFICATE_FILE"),
            key_file=read.file("KEY_FILE"),
            client_ca_file=read.file("CLIENT_CA_FILE"),
            platform_body_bytes=read.number("PLATFORM_BODY_BYTES", _MIB, 1024),
            sensorthings_body_bytes=read.number("SENSORTHINGS_BODY_BYTES", 64 * _MIB, 1024),
            requests_per_second=read.number("REQUESTS_PER_SECOND", 200, 1),
            connections=read.number("CONNECTIONS", 200, 1),
            body_timeout_s=read.number("BODY_TIMEOUT_S", 20, 1, 3600),
            live_timeout_s=read.number("LIVE_TIMEOUT_S", 3600, 1),
            hsts_seconds=read.number("HSTS_SECONDS", 0 if _all_local(names) else _TWO_YEARS_S, 0),
            workers=read.number("WORKERS", 0, 0, 1024),
        )
        settings.check()
        return settings

    def check(self) -> None:
        """Check what several settings must agree on.

        Raises:
            ConfigurationError: a certificate without its key or the reverse, or one port twice.
        """
        if (self.certificate_file is None) != (self.key_file is None):
            present, absent = ("CERTIFICATE_FILE", "KEY_FILE")
            if self.certificate_file is None:
                present, absent = absent, present
            raise _wrong(absent, f"is not set, but {PREFIX}{present} is: name both, or none for our own CA")
        if self.http_port == self.port:
            raise _wrong("HTTP_PORT", f"is {self.port}, which is the TLS port: choose another, or 0")

    @property
    def port_suffix(self) -> str:
        """What stands behind the host name in an address from outside: nothing for HTTPS's own port."""
        return "" if self.public_port == 443 else f":{self.public_port}"  # noqa: PLR2004 (HTTPS's own port)

    @property
    def public_url(self) -> str:
        """The address to give to people and devices: that of the first name."""
        return f"https://{bracketed(self.names[0])}{self.port_suffix}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that must be there before nginx starts."""
        return tuple(
            path for path in (self.certificate_file, self.key_file, self.client_ca_file) if path is not None
        )


class _Reader:
    """Reads variables of one prefix."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def _text(self, name: str) -> str:
        return self._environment.get(PREFIX + name, "").strip()

    def _list(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        # Each once, in the order given.
        found = dict.fromkeys(part.strip() for part in self._text(name).split(",") if part.strip())
        return tuple(found) or default

    def number(self, name: str, default: int, least: int, most: int = _MAX_NUMBER) -> int:
        text = self._text(name) or str(default)
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise _wrong(name, f"is {text!r}: use a whole number from {least} to {most}")
        return int(text)

    def address(self, name: str, default: str) -> str:
        text = self._text(name) or default
        try:
            return str(ipaddress.ip_address(text.strip("[]")))
        except ValueError:
            raise _wrong(name, f"is {text!r}: use an address, such as 0.0.0.0 or ::") from None

    def names(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(part.strip("[]").lower() for part in self._list(name, default))
        for part in found:
            if not _is_address(part) and _HOST_NAME.fullmatch(part) is None:
                raise _wrong(name, f"holds {part!r}, which is no host name: for instance twin.example.org")
        return found

    def upstreams(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = self._list(name, default)
        for part in found:
            matched = _UPSTREAM.fullmatch(part)
            if matched is None or not 0 < int(matched["port"]) <= _MAX_PORT:
                raise _wrong(name, f"holds {part!r}: use host:port, several with commas")
        return found

    def file(self, name: str) -> Path | None:
        text = self._text(name)
        if not text:
            return None
        path = Path(text).expanduser().absolute()
        check_path(path, name)
        if not path.is_file():
            raise _wrong(name, f"names {path}, which is no file")
        return path


def check_path(path: Path, name: str = "HOME") -> None:
    """Refuse a path that would mean something in nginx's configuration.

    Args:
        path: The path.
        name: The setting that holds it, without the prefix.

    Raises:
        ConfigurationError: it holds quotes, `$`, `;`, braces, a backslash or control characters.
    """
    if _UNSAFE_IN_PATH.search(str(path)):
        raise _wrong(name, f"is {str(path)!r}: nginx cannot name such a path; use letters, digits, - _ . /")


def bracketed(host: str) -> str:
    """Return a host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _all_local(names: tuple[str, ...]) -> bool:
    """Tell whether all names are this machine's: a browser would insist on TLS for every server of it."""
    return all(
        ipaddress.ip_address(name).is_loopback if _is_address(name) else name.split(".")[-1] == "localhost"
        for name in names
    )


def _wrong(name: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"{PREFIX}{name} {reason}.", setting=PREFIX + name)
