"""Reaching Elasticsearch from version 7.10 on, and OpenSearch, by one client library.

What lives here: the address with its credentials, and the client made of them. What does not: what is asked
(`indices`, `bulks`).

elasticsearch-py 9 names media types that only newer versions of Elasticsearch know, and turns away servers
that do not call themselves Elasticsearch. A server understands plain JSON whatever its version, so that is
what our node sends.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from elastic_transport import HttpHeaders, Urllib3HttpNode
from elastic_transport._node import NodeApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType
from elasticsearch import Elasticsearch

from client.errors import ConfigurationError

_URL: Final = "DTWIN_ELASTICSEARCH__URL"
_USERNAME: Final = "DTWIN_ELASTICSEARCH__USERNAME"
_CA_FILE: Final = "DTWIN_ELASTICSEARCH__CA_FILE"
# Where a secret stands, or the file that holds it.
_PASSWORD: Final = ("DTWIN_ELASTICSEARCH__PASSWORD", "DTWIN_ELASTICSEARCH__PASSWORD_FILE")
_API_KEY: Final = ("DTWIN_ELASTICSEARCH__API_KEY", "DTWIN_ELASTICSEARCH__API_KEY_FILE")
_VENDOR_TYPE: Final = "application/vnd.elasticsearch+"
_MEDIA_HEADERS: Final = ("accept", "content-type")
_PRODUCT_HEADER: Final = "x-elastic-product"


class PlainJsonNode(Urllib3HttpNode):
    """Speaks plain JSON, and answers for servers that are not called Elasticsearch."""

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        """Send a request; see the library's own node."""
        plain = HttpHeaders(headers or {})
        for name in _MEDIA_HEADERS:
            if name in plain:
                plain[name] = plain_media_types(plain[name])
        answer = super().perform_request(method, target, body, plain, request_timeout)
        known = HttpHeaders(answer.meta.headers)
        known[_PRODUCT_HEADER] = "Elasticsearch"
        known.pop("warning", None)  # 7.10 warns with every answer that it asks for no password
        return NodeApiResponse(replace(answer.meta, headers=known), answer.body)


def plain_media_types(text: str) -> str:
    """Write media types without their vendor's prefix and version.

    >>> plain_media_types("application/vnd.elasticsearch+x-ndjson; compatible-with=9")
    'application/x-ndjson'
    """
    kinds = (kind.strip().partition(";")[0] for kind in text.split(","))
    return ", ".join(
        f"application/{kind.removeprefix(_VENDOR_TYPE)}" if kind.startswith(_VENDOR_TYPE) else kind
        for kind in kinds
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchAddress:
    """Where Elasticsearch is, and as whom it is asked.

    Attributes:
        url: `http(s)://host:port`; several separated by commas.
        username: With a password.
        password: Of it.
        api_key: Instead of both.
        ca_file: PEM file of the authorities to trust; those of the system when None.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        for url in self.hosts:
            if not _is_address(url):
                shown = url.rpartition("@")[2]  # without a password
                raise _error(_URL, f"has {shown}; it needs the form http(s)://host:port")
        if (self.username is None) != (self.password is None):
            raise _error(_USERNAME, f"and {_PASSWORD[0]} belong together; give both or neither")
        if self.username is not None and self.api_key is not None:
            raise _error(_API_KEY[0], f"and {_USERNAME} are both given; give one of them")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses, one by one."""
        return tuple(url.strip().rstrip("/") for url in self.url.split(",") if url.strip())

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, url: str | None = None
    ) -> "ElasticsearchAddress":
        """Read the address.

        Args:
            environment: Where to read; the process's environment when left out.
            url: Instead of the one that the environment names.

        Raises:
            ConfigurationError: It is missing or wrong, or a file cannot be read.
        """
        source = os.environ if environment is None else environment
        chosen = url or source.get(_URL)
        if not chosen:
            raise _error(_URL, "is not set. For example http://127.0.0.1:9200")
        ca_file = source.get(_CA_FILE)
        if ca_file and not Path(ca_file).is_file():
            raise _error(_CA_FILE, f"names {ca_file}, which is no file")
        return cls(
            url=chosen,
            username=source.get(_USERNAME) or None,
            password=_secret(source, *_PASSWORD),
            api_key=_secret(source, *_API_KEY),
            ca_file=Path(ca_file) if ca_file else None,
        )


def connect(address: ElasticsearchAddress, *, connections: int = 4, timeout_s: float = 60.0) -> Elasticsearch:
    """Make a client; nothing is sent yet, and nothing is sent twice without being asked for.

    Args:
        address: Where, and as whom.
        connections: Most requests at a time.
        timeout_s: Longest wait for an answer [s].
    """
    more: dict[str, Any] = {}
    if address.username is not None and address.password is not None:
        more["basic_auth"] = (address.username, address.password)
    if address.api_key is not None:
        more["api_key"] = address.api_key
    if address.ca_file is not None:
        more["ca_certs"] = str(address.ca_file)
    return Elasticsearch(
        list(address.hosts),
        node_class=PlainJsonNode,
        connections_per_node=connections,
        request_timeout=timeout_s,
        max_retries=0,
        http_compress=False,
        meta_header=False,
        **more,
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None or parts.scheme == "https"
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port and parts.username is None


def _secret(source: Mapping[str, str], name: str, file_variable: str) -> str | None:
    file_name = source.get(file_variable)
    if not file_name:
        return source.get(name) or None
    try:
        return Path(file_name).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise _error(file_variable, f"names {file_name}, which cannot be read: {error}") from error


def _error(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{setting} {problem}", setting=setting)
