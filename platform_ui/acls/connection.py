"""The way of requests to a cluster: a connection of aiokafka, for one round of questions at a time.

What lives here: TLS, SASL, sending and waiting. What does not: the bytes (``wire``).

Why not confluent-kafka: it has no request for quotas, and its library copies every text of an answer onto the
stack of one thread, so that describing about 80,000 access rules ends the process.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import httpx2
from aiokafka.abc import AbstractTokenProvider  # type: ignore[import-untyped]
from aiokafka.client import AIOKafkaClient  # type: ignore[import-untyped]
from aiokafka.errors import KafkaConnectionError, KafkaError  # type: ignore[import-untyped]
from aiokafka.helpers import create_ssl_context  # type: ignore[import-untyped]
from aiokafka.protocol.api import Request, RequestStruct, Response  # type: ignore[import-untyped]
from aiokafka.protocol.types import Schema  # type: ignore[import-untyped]

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity
from platform_ui.acls.wire import Call
from platform_ui.errors import BrokerError

REQUEST_TIMEOUT_S: Final = 30.0
IN_FLIGHT: Final = 4
UNREACHABLE: Final = "broker.unreachable"


class _Tokens(AbstractTokenProvider):  # type: ignore[misc] # aiokafka is untyped
    """Gets tokens as librdkafka does for the other clients.

    Source: RFC 6749, clause 4.4 "Client Credentials Grant".
    """

    def __init__(self, security: KafkaSecurity) -> None:
        self._security = security

    async def token(self) -> str:
        security = self._security
        form = {"grant_type": "client_credentials"}
        if security.oauth_scope:
            form["scope"] = security.oauth_scope
        trust = ssl.create_default_context(cafile=security.oauth_ca_file and str(security.oauth_ca_file))
        async with httpx2.AsyncClient(verify=trust, timeout=REQUEST_TIMEOUT_S) as client:
            answer = await client.post(
                security.oauth_token_url or "",
                data=form,
                auth=(security.oauth_client_id or "", security.oauth_client_secret or ""),
            )
            answer.raise_for_status()
        return str(answer.json()["access_token"])


class _Answer(Response):  # type: ignore[misc] # aiokafka is untyped
    API_KEY = -1
    API_VERSION = -1
    data: bytes

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> "_Answer":
        answer = cls()
        answer.data = data if isinstance(data, bytes) else data.read()
        return answer


class _Written(RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    API_KEY = -1
    API_VERSION = -1
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema()

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.API_KEY, self.API_VERSION = call.key, call.version
        self._body = call.body

    def encode(self) -> bytes:
        return self._body


class _Sent(Request[_Written]):  # type: ignore[misc] # aiokafka is untyped
    API_KEY = -1

    def __init__(self, call: Call) -> None:
        self._call = call

    def build(self, request_struct_class: type[_Written]) -> _Written:
        return request_struct_class(self._call)

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> _Written:
        lowest, highest = versions.get(self._call.key, (0, -1))
        if not lowest <= self._call.version <= highest:
            raise BrokerError(
                f"The broker does not know request {self._call.key} in version {self._call.version}.",
                code="broker.too_old",
                hint="Access rules and quotas need Apache Kafka 2.6 or newer.",
            )
        return self.build(_Written)


class Connection:
    """Sends requests to any broker of a cluster; connects for each call of `ask` and blocks, so use a thread.

    Args:
        bootstrap_servers: `host:port`, several separated by commas.
        security: TLS and SASL.
    """

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._security = security

    def ask(self, calls: Sequence[Call]) -> list[bytes]:
        """Send requests, some at a time, and give their answers in order.

        Raises:
            BrokerError: No broker answers, or it does not know the request.
            ConfigurationError: Certificates or key cannot be used.
        """
        try:
            return asyncio.run(self._ask(calls))
        except (KafkaError, httpx2.HTTPError, OSError, TimeoutError, KeyError) as error:
            # What the library says of a connection is its view of the addresses, which are told anyhow.
            reason = "." if isinstance(error, KafkaConnectionError) else f": {error or type(error).__name__}"
            raise BrokerError(
                f"Kafka at {self.bootstrap_servers} does not answer{reason}",
                code=UNREACHABLE,
                hint="Check the address, the certificate or password, and that the broker runs.",
            ) from error

    async def _ask(self, calls: Sequence[Call]) -> list[bytes]:
        client = AIOKafkaClient(**self._settings())
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def ask_one(call: Call) -> bytes:
            async with gate:
                answer: _Answer = await client.send(client.get_random_node(), _Sent(call))
                return answer.data

        try:
            await client.bootstrap()
            return await asyncio.gather(*map(ask_one, calls))
        finally:
            await client.close()

    def _settings(self) -> dict[str, Any]:
        security = self._security
        settings: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": "platform-acls",
            "request_timeout_ms": int(REQUEST_TIMEOUT_S * 1000),
            "security_protocol": security.protocol,
        }
        if security.uses_tls:
            settings["ssl_context"] = self._ssl_context()
        if security.uses_sasl:
            settings["sasl_mechanism"] = security.sasl_mechanism
            if security.uses_tokens:
                settings["sasl_oauth_token_provider"] = _Tokens(security)
            else:
                settings["sasl_plain_username"] = security.sasl_username
                settings["sasl_plain_password"] = security.sasl_password
        return settings

    def _ssl_context(self) -> ssl.SSLContext:
        security = self._security
        try:
            context: ssl.SSLContext = create_ssl_context(
                cafile=security.ca_file and str(security.ca_file),
                certfile=security.certificate_file and str(security.certificate_file),
                keyfile=security.key_file and str(security.key_file),
                password=security.key_password,
            )
        except OSError as error:
            raise ConfigurationError(
                f"The certificates for Kafka cannot be used: {error}", setting="DTWIN_KAFKA__SSL_*"
            ) from error
        return context
