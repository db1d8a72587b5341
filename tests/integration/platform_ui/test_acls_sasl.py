"""Other ways to be known to a broker: SCRAM users and OAuth tokens, with the rules of names."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the package lists no exports
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from client.errors import NotAuthorizedError
from client.messaging.broker import KafkaBroker
from client.messaging.security import KafkaSecurity
from platform_ui.acl_settings import Principals
from platform_ui.acls.compiling import Registry, compile_entries
from platform_ui.acls.kafka_port import KafkaAcls
from setup.local.kafka import LocalKafka
from setup.local.ports import any_free_port
from tests.integration.streamhub.flows import eventually
from tests.kafka_clients import READY_S

pytestmark = pytest.mark.kafka

SYSTEM = "at.sasl.Work.Mill"
NAME = f"client.{SYSTEM}.mill_1"
REGISTRY = Registry((SYSTEM,), ((SYSTEM, "mill_1"),), principals=Principals.NAMES)
_OAUTH = "org.apache.kafka.common.security.oauthbearer"
_MODULES = {
    "scram": ("SCRAM-SHA-512", "org.apache.kafka.common.security.scram.ScramLoginModule"),
    "oauth": ("OAUTHBEARER", f"{_OAUTH}.OAuthBearerLoginModule"),
}


class Issuer:
    """A service that gives tokens and publishes the key with which it signs them."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.signs_with = self.key
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(issuer.keys())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._answer({"access_token": issuer.token(), "token_type": "Bearer", "expires_in": 300})

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _answer(self, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def keys(self) -> object:
        numbers = self.key.public_key().public_numbers()
        parts = {"n": _text(numbers.n.to_bytes(256, "big")), "e": _text(numbers.e.to_bytes(3, "big"))}
        return {"keys": [{"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", **parts}]}

    def token(self) -> str:
        present = int(time.time())
        claims = {"iss": self.url, "aud": "kafka", "sub": NAME, "iat": present, "exp": present + 300}
        head = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (head, claims))
        signature = self.signs_with.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(signature)}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    yield found
    found.close()


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {name: any_free_port() for name in _MODULES}


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, ports: dict[str, int]
) -> Iterator[LocalKafka]:
    folder = tmp_path_factory.mktemp("sasl")
    plain = LocalKafka(folder)
    listeners = plain.listeners.broker_properties()
    more = ",".join(f"{name.upper()}://127.0.0.1:{port}" for name, port in ports.items())
    properties = {
        **{name: f"{listeners[name]},{more}" for name in ("listeners", "advertised.listeners")},
        "listener.security.protocol.map": listeners["listener.security.protocol.map"]
        + "".join(f",{name.upper()}:SASL_SSL" for name in ports),
    }
    for name, (mechanism, module) in _MODULES.items():
        prefix = f"listener.name.{name}"
        properties |= {
            f"{prefix}.ssl.client.auth": "none",
            f"{prefix}.sasl.enabled.mechanisms": mechanism,
            f"{prefix}.{mechanism.lower()}.sasl.jaas.config": f"{module} required;",
        }
    validation = "listener.name.oauth.oauthbearer.sasl"
    properties |= {
        f"{validation}.server.callback.handler.class": f"{_OAUTH}.OAuthBearerValidatorCallbackHandler",
        # Without the listener's prefix: with it, Kafka 4.1 takes its default, which checks no signature.
        "sasl.oauthbearer.jwt.validator.class": f"{_OAUTH}.BrokerJwtValidator",
        f"{validation}.oauthbearer.jwks.endpoint.url": issuer.url,
        f"{validation}.oauthbearer.expected.audience": "kafka",
        f"{validation}.oauthbearer.expected.issuer": issuer.url,
    }
    server = LocalKafka(
        folder,
        plain.listeners.client_port,
        controller_port=plain.listeners.controller_port,
        properties=properties,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.url}")
        server.start()
    try:
        server.wait_ready(READY_S)
        admin = AdminClient(server.client_settings())
        admin.create_topics([NewTopic(f"{SYSTEM}.int", 1)])[f"{SYSTEM}.int"].result(60)
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        for user, password in ((NAME, b"hush-hush"), ("service.operator", b"psst")):
            upsertion = UserScramCredentialUpsertion(user, info, password)
            admin.alter_user_scram_credentials([upsertion])[user].result(60)
        operator = KafkaAcls(server.bootstrap_servers, KafkaSecurity.from_environment(server.environment()))
        entries = compile_entries(REGISTRY)
        operator.create(entries)
        eventually(lambda: operator.describe() == entries)
        yield server
    finally:
        server.stop()


def authority(broker: LocalKafka) -> Path:
    assert broker.trust is not None
    return broker.trust.authority_file


def scram(broker: LocalKafka, user: str, password: str) -> KafkaSecurity:
    return KafkaSecurity(
        protocol="SASL_SSL",
        ca_file=authority(broker),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=user,
        sasl_password=password,
    )


@pytest.fixture
def tokens(broker: LocalKafka, issuer: Issuer) -> KafkaSecurity:
    return KafkaSecurity(
        protocol="SASL_SSL",
        ca_file=authority(broker),
        sasl_mechanism="OAUTHBEARER",
        oauth_client_id=NAME,
        oauth_client_secret="hush-hush",
        oauth_token_url=f"{issuer.url}/token",
    )


def send(bootstrap: str, security: KafkaSecurity) -> None:
    client = KafkaBroker(bootstrap, security)
    client.partition_counts([f"{SYSTEM}.int"], 60)
    producer = client.producer("mill_1")
    producer.produce(f"{SYSTEM}.int", f"{SYSTEM}.T.D".encode(), b"{}", []).result(60)
    producer.close(60)


def test_a_scram_user_may_what_its_name_may(broker: LocalKafka, ports: dict[str, int]) -> None:
    send(f"127.0.0.1:{ports['scram']}", scram(broker, NAME, "hush-hush"))


def test_a_wrong_password_is_refused(broker: LocalKafka, ports: dict[str, int]) -> None:
    with pytest.raises(NotAuthorizedError, match="invalid credentials"):
        send(f"127.0.0.1:{ports['scram']}", scram(broker, NAME, "wrong"))


def test_rules_are_kept_over_scram(broker: LocalKafka, ports: dict[str, int]) -> None:
    port = KafkaAcls(f"127.0.0.1:{ports['scram']}", scram(broker, "service.operator", "psst"))
    assert port.describe() == compile_entries(REGISTRY)


def test_a_token_of_the_issuer_is_let_in(ports: dict[str, int], tokens: KafkaSecurity) -> None:
    send(f"127.0.0.1:{ports['oauth']}", tokens)


def test_a_forged_token_is_refused(
    ports: dict[str, int], issuer: Issuer, tokens: KafkaSecurity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer, "signs_with", rsa.generate_private_key(65537, 2048))
    with pytest.raises(NotAuthorizedError):
        send(f"127.0.0.1:{ports['oauth']}", tokens)
