"""The configuration of nginx, rendered from the settings.

What lives here: what stands in the file and why. What does not: checks of the settings (`settings`), texts of
refusals (`answers`), running nginx (`local`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from setup.proxy.answers import REFUSALS, Refusal
from setup.proxy.settings import ProxySettings, bracketed, check_path

_TEMPLATE = "nginx.conf.jinja"
# Source: Mozilla, "Server Side TLS", 5.7, configuration "intermediate"; those of TLS 1.3 are built in.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
# Headers that some program or other believes, and those of one connection only (RFC 9110, clause 7.6.1).
REMOVED_HEADERS = (
    "Forwarded",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "X-Forwarded-User",
    "X-Forwarded-Client-Cert",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-Host",
    "X-HTTP-Method-Override",
    "X-SSL-Client-Cert",
    "X-SSL-Client-Verify",
    "X-Client-Cert",
    "X-Remote-User",
    "Client-Cert-Chain",
    "Proxy",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
)
_HTTP2_DIRECTIVE_SINCE = (1, 25, 1)
_PEM_LINES = 96  # of 64 characters: a certificate of 4.5 KB, twice that of an RSA key of 4096 bits


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one proxy.

    Attributes:
        folder: Configuration, certificate, process id and logs.
        temporary: Where bodies of requests wait; the workers write there.
    """

    folder: Path
    temporary: Path

    @property
    def configuration_file(self) -> Path:
        """What nginx reads."""
        return self.folder / "nginx.conf"

    @property
    def pid_file(self) -> Path:
        """Where nginx writes its process id."""
        return self.folder / "nginx.pid"

    @property
    def access_log(self) -> Path:
        """One JSON document for each request."""
        return self.folder / "access.log"

    @property
    def error_log(self) -> Path:
        """What nginx cannot go on with."""
        return self.folder / "error.log"

    @property
    def certificate_file(self) -> Path:
        """The certificate that our authority signed for the proxy."""
        return self.folder / "certificate.pem"

    @property
    def key_file(self) -> Path:
        """Its key."""
        return self.folder / "key.pem"


def render(settings: ProxySettings, places: Places, version: tuple[int, int, int], user: str = "") -> str:
    """Return the configuration.

    Args:
        settings: What the proxy is told.
        places: Its files.
        version: Of the nginx that will read it.
        user: Whom the workers run as when nginx is started by root; empty otherwise.

    Raises:
        ConfigurationError: a path cannot be named in a configuration.
    """
    for path in (places.folder, places.temporary):
        check_path(path)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (not HTML; every value is checked by the settings)
    )
    return environment.get_template(_TEMPLATE).render(
        settings=settings,
        places=places,
        user=user,
        certificate_file=settings.certificate_file or places.certificate_file,
        key_file=settings.key_file or places.key_file,
        ciphers=":".join(CIPHERS),
        removed_headers=REMOVED_HEADERS,
        upstreams=(("platform", settings.platform), ("sensorthings", settings.sensorthings)),
        listen=f"{bracketed(settings.host)}:{settings.port}",
        http_listen=f"{bracketed(settings.host)}:{settings.http_port}",
        http2_in_listen=version < _HTTP2_DIRECTIVE_SINCE,
        server_names=" ".join(bracketed(name) for name in settings.names),
        certificate_pattern=certificate_pattern(),
        certificate_value=certificate_value(),
        errors=lambda: _errors(REFUSALS),
    )


def certificate_pattern(lines: int = _PEM_LINES) -> str:
    r"""Return the regular expression that takes a checked certificate apart, line by line.

    nginx gives it as PEM with line ends, which no header may hold, and has no function that removes them. A
    certificate with more lines is not passed on: its owner is nobody.

    Args:
        lines: Most lines of base64.
    """
    # Possessive (`?+`): without it a text that does not fit would be tried in 2^lines ways.
    body = "".join(rf"(?:(?<{_line(number)}>[A-Za-z0-9+/=]+)\n)?+" for number in range(lines))
    return rf"~^SUCCESS:-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n?$"


def certificate_value(lines: int = _PEM_LINES) -> str:
    """Return the header's value: the lines one behind the other, between colons."""
    return ":" + "".join(f"${{{_line(number)}}}" for number in range(lines)) + ":"


def _line(number: int) -> str:
    return f"p{number:02d}"


def _errors(refusals: Sequence[Refusal]) -> str:
    """Return the part of a server that answers for nginx itself."""
    lines = []
    for refusal in refusals:
        name = refusal.code.removeprefix("proxy.")
        for cause in refusal.causes:
            shown = "" if cause == refusal.status else f" ={refusal.status}"
            lines.append(f"error_page {cause}{shown} /.refusal/$answer_form/{name};")
    for refusal in refusals:
        name = refusal.code.removeprefix("proxy.")
        for form, kind, text in (
            ("problem", "application/problem+json", refusal.problem),
            ("page", "text/html", refusal.page),
        ):
            lines.append(
                f"location = /.refusal/{form}/{name} "
                f"{{ internal; default_type {kind}; return 200 '{_quoted(text)}'; }}"
            )
    return "\n        " + "\n        ".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
